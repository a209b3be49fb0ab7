"""A given source is copied into the workspace, and nothing is written beside it, not even for a moment."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from bulk_sync_mcp.demo.places import NotUsable, Place

_WAL_MODE = b"\x02\x02"


def copy(source: Place, folder: Path) -> Place:
    """A copy of `source` inside `folder`. Raises `NotUsable` when it cannot be read."""
    target = folder / source.path.name
    try:
        if source.kind == "sqlite":
            _sqlite(source.path, target)
        elif source.kind == "duckdb":
            _duckdb(source.path, target)
        else:
            _folder(source, target)
    except (OSError, sqlite3.Error) as failure:
        raise NotUsable(f"{source.path} cannot be copied: {failure}") from failure
    return Place(source.kind, target)


def _sqlite(path: Path, target: Path) -> None:
    """Through the backup API, which takes in what is still in a write-ahead log.

    Opening a file in WAL mode makes a `-shm` file beside it unless a program that has it open made one; without
    one nobody has it open, and then file and log are copied as they are.
    """
    with path.open("rb") as file:
        in_wal_mode = file.read(20)[18:20] == _WAL_MODE
    if in_wal_mode and not _beside(path, "-shm").exists():
        shutil.copyfile(path, target)
        if _beside(path, "-wal").exists():
            shutil.copyfile(_beside(path, "-wal"), _beside(target, "-wal"))
    else:
        uri = f"file:{quote(str(path))}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as opened, closing(sqlite3.connect(target)) as made:
            opened.backup(made)
    with closing(sqlite3.connect(target)) as made:
        made.execute("PRAGMA journal_mode = DELETE")
        if made.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise NotUsable(f"{path} is damaged, or was written to while it was copied")


def _duckdb(path: Path, target: Path) -> None:
    import duckdb

    try:
        # Open for reading meanwhile, so that nobody can write.
        with duckdb.connect(str(path), read_only=True, config={"enable_external_access": "false"}):
            shutil.copyfile(path, target)
            if _beside(path, ".wal").exists():
                shutil.copyfile(_beside(path, ".wal"), _beside(target, ".wal"))
    except duckdb.Error as failure:
        raise NotUsable(f"{path} cannot be opened: {str(failure).splitlines()[0]}") from failure


def _folder(source: Place, target: Path) -> None:
    suffix = f".{source.kind}"
    target.mkdir()
    for found in sorted(source.path.iterdir()):
        if found.is_file() and found.suffix.lower() == suffix:
            shutil.copyfile(found, target / found.name)
        elif found.is_dir() and source.kind == "parquet":
            parts = [part for part in sorted(found.iterdir()) if part.suffix.lower() == suffix]
            if parts:
                (target / found.name).mkdir()
            for part in parts:
                shutil.copyfile(part, target / found.name / part.name)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)
