"""`demo`: the whole story on real tables."""

import argparse
from pathlib import Path

from bulk_sync_mcp.demo.options import DEFAULT_PAUSE
from bulk_sync_mcp.demo.sample import DEFAULT_ROWS


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `demo`."""
    parser.add_argument(
        "--source",
        type=Path,
        metavar="PATH",
        help="your own SQLite or DuckDB file, or folder of CSV or Parquet; only read, and copied",
    )
    parser.add_argument(
        "--destination",
        type=Path,
        metavar="PATH",
        help="your own DuckDB or SQLite file, or folder for Parquet; written only inside a new schema, prefix or folder",
    )
    parser.add_argument(
        "--rows",
        type=int,
        default=DEFAULT_ROWS,
        metavar="N",
        help=f"rows of the sample source (default {DEFAULT_ROWS})",
    )
    parser.add_argument(
        "--pause",
        type=float,
        default=DEFAULT_PAUSE,
        metavar="SECONDS",
        help=f"slow motion of the first load, for each table and batch (default {DEFAULT_PAUSE})",
    )
    parser.epilog = (
        "--workspace keeps everything: data and state inside that directory. Exit status: 0 when every step came out "
        "as it should, 1 when one did not, 2 for arguments that cannot be used."
    )


def run(flags: argparse.Namespace) -> int:
    """Runs the story; 1 when a step does not come out as it should."""
    from bulk_sync_mcp.demo.story import main

    return main(flags)
