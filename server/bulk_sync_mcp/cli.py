"""The command line: flags and sub-commands, nothing else."""

import argparse
import difflib
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

COMMANDS = {
    "serve": "serve MCP (the default without a command)",
    "demo": "run the whole story on real tables: sync, merge, block, confirm",
    "call": "make one tool call and print the result",
    "tools": "list the tools",
    "doctor": "say which backend and credential are used, and what is wrong",
    "approvals": "list, show, approve or deny calls that wait for somebody's approval",
    "policy": "show the policy, explain what a call would be asked for, make a secret's hash, reset the budget",
    "audit": "check the audit log, or show what was changed, by whom and on what evidence",
    "local": "serve the local service's REST API on loopback",
    "manifests": "write or check the tool manifests",
}


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration file (TOML)")
    parser.add_argument("--workspace", type=Path, metavar="DIR", help="directory local connections work in")
    parser.add_argument("--state-dir", type=Path, metavar="DIR", help="where approvals, audit and local state live")
    parser.add_argument("--policy", type=Path, metavar="FILE", help="policy file (TOML)")
    parser.add_argument("--access", choices=("full", "read-only"), help="read-only hides and refuses what writes")
    parser.add_argument("--toolsets", metavar="NAMES", help="groups of tools to have on, by commas, or all")
    parser.add_argument("--tools", metavar="NAMES", help="single tools to have on besides; alone, exactly these")
    parser.add_argument("--exclude-tools", metavar="NAMES", help="tools to have off, whatever else is said")
    parser.add_argument(
        "--unattended",
        action="store_true",
        default=None,
        help="let the policy file's [[unattended]] entries take effect",
    )
    parser.add_argument("--log-level", choices=("DEBUG", "INFO", "WARNING", "ERROR"))


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """The parser of the whole command line; each command's module adds its own flags.

    With `only`, the flags of that command alone, so that the modules of the others need not be loaded.
    """
    top = argparse.ArgumentParser(
        prog="bulk-sync-mcp", description="An MCP server that operates bulk syncs. Without a command it serves stdio."
    )
    top.add_argument("--version", action="store_true", help="print the version and end")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    for name, text in COMMANDS.items():
        one = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if only not in (None, name):
            continue
        _common(one)
        importlib.import_module(f"bulk_sync_mcp.commands.{name}").add_flags(one)
    return top


def _nearest(command: str, given: str) -> str:
    """The flag of the command that was likely meant, as the end of a sentence."""
    one = argparse.ArgumentParser(add_help=False)
    _common(one)
    importlib.import_module(f"bulk_sync_mcp.commands.{command}").add_flags(one)
    known = [flag for flag in one.format_help().split() if flag.startswith("--")]
    close = difflib.get_close_matches(given.partition("=")[0], known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line. Returns the exit status: 2 for a usage or settings error."""
    from bulk_sync_mcp.settings import SettingsError

    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help", "--version")):
        given = ["serve", *given]
    top = parser(given[0] if given[0] in COMMANDS else None)
    flags, rest = top.parse_known_args(given)
    if flags.command in ("call", "policy"):
        # argparse takes a list of words only where it begins: KEY=VALUE after a flag is left to us.
        flags.arguments += [word for word in rest if not word.startswith("-")]
        rest = [word for word in rest if word.startswith("-")]
    if rest:
        top.error(f"unrecognized arguments: {' '.join(rest)}{_nearest(flags.command, rest[0])}")
    if flags.version:
        from bulk_sync_mcp.composition import VERSION

        print(VERSION)  # noqa: T201 - what was asked for
        return 0
    try:
        return importlib.import_module(f"bulk_sync_mcp.commands.{flags.command}").run(flags)
    except SettingsError as error:
        sys.stderr.write(f"bulk-sync-mcp: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("bulk-sync-mcp: interrupted; an execution that was started goes on by itself\n")
        return 130
