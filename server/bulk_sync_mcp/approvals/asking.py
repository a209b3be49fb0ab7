"""Asking for the operator secret on the command line: without echo from a person, from a file or input in a script.

Never as an argument, which other processes can read and the shell's history keeps.
"""

import argparse
import getpass
import sys
from pathlib import Path

from bulk_sync_mcp.settings import SettingsError


def add_secret_flag(parser: argparse.ArgumentParser) -> None:
    """The flag that names where a script has the secret."""
    parser.add_argument(
        "--secret-file",
        metavar="FILE",
        help="read the operator secret from here (- for standard input), not the terminal",
    )


def secret_from(flags: argparse.Namespace, prompt: str = "Operator secret: ") -> str:
    """The secret: from the file named, from standard input if that is no terminal, else typed without echo.

    Raises `SettingsError` for a file that cannot be read.
    """
    named: str | None = flags.secret_file
    if named is not None and named != "-":
        try:
            return _line(Path(named).expanduser().read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise SettingsError(f"cannot read the secret in {named}: {reason}") from None
    if named == "-" or not sys.stdin.isatty():
        return _line(sys.stdin.readline())
    return getpass.getpass(prompt)


def _line(text: str) -> str:
    """The first line, without its end; spaces belong to the secret."""
    return text.partition("\n")[0].removesuffix("\r")
