"""`tools`: what the server offers."""

import argparse
import json

from bulk_sync_mcp.commands import settings_of


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `tools`."""
    parser.add_argument("--json", action="store_true", help="names, titles, descriptions and input schemas as JSON")


def run(flags: argparse.Namespace) -> int:
    """Prints the tools, read-only ones first."""
    from bulk_sync_mcp.composition import compose

    registry = compose(settings_of(flags)).registry
    if flags.json:
        tools = [
            {"name": one.name, "title": one.title, "description": one.description, "inputSchema": one.input_schema}
            for one in registry
        ]
        print(json.dumps(tools, indent=2, ensure_ascii=False))  # noqa: T201 - what was asked for
        return 0
    width = max(len(one.name) for one in registry)
    for one in registry:
        kind = "reads" if one.read_only else "WRITES"
        print(f"{one.name:<{width}}  {kind:<6}  {one.title}")  # noqa: T201 - what was asked for
    return 0
