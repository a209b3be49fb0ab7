"""What the demo is asked for, checked before anything is made."""

import argparse
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from bulk_sync_mcp.demo.places import NotUsable, Place, recognise
from bulk_sync_mcp.demo.sample import DEFAULT_ROWS, FEWEST_ROWS

DEFAULT_PAUSE = 0.4


@dataclass(frozen=True)
class Options:
    """`workspace` None: a temporary directory. `pause`: slow motion of the first load, in seconds a batch."""

    source: Place | None = None
    destination: Place | None = None
    workspace: Path | None = None
    rows: int = DEFAULT_ROWS
    pause: float = DEFAULT_PAUSE


def options_of(flags: argparse.Namespace) -> Options:
    """The options in the flags. Raises `NotUsable`."""
    from bulk_sync_mcp.composition import LOCAL_LIBRARIES

    missing = [library for library in LOCAL_LIBRARIES if importlib.util.find_spec(library) is None]
    if missing:
        raise NotUsable(
            f"the local service is not installed ({', '.join(missing)}): pip install 'bulk-sync-mcp[local]'"
        )
    if flags.config is not None or flags.state_dir is not None:
        raise NotUsable(
            "the demo reads no configuration and keeps its state in its own workspace: use --workspace only"
        )
    if flags.rows < FEWEST_ROWS:
        raise NotUsable(f"--rows must be {FEWEST_ROWS} or more")
    if not 0 <= flags.pause <= 10:
        raise NotUsable("--pause must be between 0 and 10 seconds")
    source = recognise(flags.source, as_source=True) if flags.source else None
    destination = recognise(flags.destination, as_source=False) if flags.destination else None
    if source and destination and source.path == destination.path:
        raise NotUsable("--source and --destination are the same; give two different ones")
    workspace = flags.workspace.expanduser().resolve() if flags.workspace else None
    if workspace is not None and workspace.exists() and not workspace.is_dir():
        raise NotUsable(f"--workspace: {flags.workspace} is not a directory")
    return Options(source, destination, workspace, flags.rows, flags.pause)
