"""Where file connections may point. The threat: a connection made by an assistant that reads or overwrites
files outside the workspace, by `..`, an absolute path or a symbolic link.

Checked when a connection is made and again at each run, on the resolved path, which is the one then opened.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bulk_sync_local.connectors.base import Confinement, ConnectorError


def resolved(given: object, confinement: Confinement) -> Path:
    """The real path behind `given`, links followed. Raises `ConnectorError` when it lies outside the roots."""
    if not isinstance(given, str) or not given or "\0" in given:
        raise ConnectorError("The setting path must be a non-empty text: the path of a file or folder.")
    try:
        real = (confinement.root_for_relative / given).resolve()
        roots = [root.resolve() for root in confinement.roots]
        with suppress(FileNotFoundError, NotADirectoryError):
            real.stat()
    except (OSError, RuntimeError) as failure:
        reason = failure.strerror if isinstance(failure, OSError) else "a loop of links"
        raise ConnectorError(f"The path {_short(given)} cannot be used: {reason}. Choose another.") from failure
    if not any(real.is_relative_to(root) for root in roots):
        raise ConnectorError(
            f"The path {_short(given)} leads outside the folders that connections may touch. "
            "Choose one inside the workspace, or have its folder added to the allowed ones."
        )
    return real


def _short(path: str) -> str:
    return path if len(path) <= 200 else f"{path[:200]}…"


def existing_file(configuration: Mapping[str, Any], confinement: Confinement) -> Path:
    """The file a source reads. Raises `ConnectorError`."""
    real = resolved(configuration.get("path"), confinement)
    if not real.is_file():
        raise ConnectorError(f"There is no file {configuration['path']}. Check the path.")
    return real


def output_file(configuration: Mapping[str, Any], confinement: Confinement) -> Path:
    """The file a destination writes, which may not exist yet; its folder must. Raises `ConnectorError`."""
    real = resolved(configuration.get("path"), confinement)
    if real.exists() and not real.is_file():
        raise ConnectorError(f"{configuration['path']} is not a file. Choose the path of a database file.")
    if not real.parent.is_dir():
        raise ConnectorError(f"The folder of {configuration['path']} does not exist. Create it, or choose another.")
    return real


def existing_folder(configuration: Mapping[str, Any], confinement: Confinement) -> Path:
    """The folder a source reads. Raises `ConnectorError`."""
    real = resolved(configuration.get("path"), confinement)
    if not real.is_dir():
        raise ConnectorError(f"There is no folder {configuration['path']}. Check the path.")
    return real


def output_folder(configuration: Mapping[str, Any], confinement: Confinement) -> Path:
    """The folder a destination writes to, which may not exist yet; its parent must. Raises `ConnectorError`."""
    real = resolved(configuration.get("path"), confinement)
    if real.exists() and not real.is_dir():
        raise ConnectorError(f"{configuration['path']} is not a folder. Choose a folder to write files to.")
    if not real.exists() and not real.parent.is_dir():
        raise ConnectorError(f"The folder above {configuration['path']} does not exist. Create it first.")
    return real


def file_inside(found: Path, confinement: Confinement) -> Path:
    """A file met in a folder, links followed. Raises `ConnectorError` when it leads outside the roots."""
    real = resolved(str(found), confinement)
    if not real.is_file():
        raise ConnectorError(f"{found.name} is not a regular file. Remove it from the folder.")
    return real
