"""`demo`: the whole story on real tables."""

import argparse
from pathlib import Path


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


def run(flags: argparse.Namespace) -> int:
    """Runs the story; 1 when a step does not come out as it should."""
    from bulk_sync_mcp.demo.story import main

    return main(flags)
