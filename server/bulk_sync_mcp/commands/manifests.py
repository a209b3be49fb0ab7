"""`manifests`: the checked-in description of every tool, the tables in the documentation, and exports of the tools."""

import argparse
import sys
from pathlib import Path

from bulk_sync_mcp.commands import settings_of
from bulk_sync_mcp.settings import Settings, SettingsError

DEFAULT = Path("tool_manifests")
FORMATS = ("openai", "anthropic", "gemini", "json")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `manifests`."""
    parser.add_argument("action", choices=("write", "check", "export"))
    parser.add_argument("--directory", type=Path, default=DEFAULT, metavar="DIR")
    parser.add_argument("--root", type=Path, metavar="DIR", help="also the documentation of the project there")
    parser.add_argument(
        "--format", choices=FORMATS, help="export: the function-calling form to write the tools in that are on"
    )
    parser.add_argument("--output", metavar="FILE", help="export: where to, by default standard output (-)")


def run(flags: argparse.Namespace) -> int:
    """Writes the manifests, or says how they differ from the code; 1 when they do."""
    from bulk_sync_mcp import documentation, operations
    from bulk_sync_mcp.core.operation import discover
    from bulk_sync_mcp.manifests import differences, write

    settings = settings_of(flags)
    if flags.action == "export":
        return _export(settings, flags.format, flags.output or "-")
    if flags.format is not None or flags.output is not None:
        raise SettingsError("--format and --output go with `manifests export`")
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


def _export(settings: Settings, form: str | None, output: str) -> int:
    """Writes the tools that are on; 1 when the file cannot be written."""
    from bulk_sync_mcp.composition import compose
    from bulk_sync_mcp.exports import exported

    if form is None:
        raise SettingsError(f"`manifests export` needs --format: {', '.join(FORMATS)}")
    application = compose(settings)
    text = exported(application.registry, form, application.hints)
    if output == "-":
        sys.stdout.write(text)
        return 0
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as error:
        sys.stderr.write(f"bulk-sync-mcp: cannot write {output}: {error.strerror or error}\n")
        return 1
    return 0
