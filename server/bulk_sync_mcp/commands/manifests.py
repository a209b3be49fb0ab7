"""`manifests`: the checked-in description of every tool, and the tables in the documentation, written and checked."""

import argparse
import sys
from pathlib import Path

from bulk_sync_mcp.commands import settings_of

DEFAULT = Path("tool_manifests")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `manifests`."""
    parser.add_argument("action", choices=("write", "check"))
    parser.add_argument("--directory", type=Path, default=DEFAULT, metavar="DIR")
    parser.add_argument("--root", type=Path, metavar="DIR", help="also the documentation of the project there")


def run(flags: argparse.Namespace) -> int:
    """Writes the manifests, or says how they differ from the code; 1 when they do."""
    from bulk_sync_mcp import documentation, operations
    from bulk_sync_mcp.core.operation import discover
    from bulk_sync_mcp.manifests import differences, write

    settings_of(flags)
    registry = discover(operations)
    if flags.action == "write":
        pages = documentation.write(registry, flags.root) if flags.root else []
        for path in [*write(registry, flags.directory), *pages]:
            print(path)  # noqa: T201 - what was asked for
        return 0
    found = differences(registry, flags.directory)
    found += documentation.differences(registry, flags.root) if flags.root else []
    for one in found:
        sys.stderr.write(f"{one}\n")
    if found:
        sys.stderr.write("Run `bulk-sync-mcp manifests write` and commit the result.\n")
    return 1 if found else 0
