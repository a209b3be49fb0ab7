"""`local`: the local service as a REST server of its own, on loopback."""

import argparse
import secrets
import sys

from bulk_sync_mcp.commands import settings_of


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `local`."""
    parser.add_argument("--port", type=int, default=8766, metavar="N", help="0 takes a free one")
    parser.add_argument("--key-file", metavar="FILE", help="file that holds the API key (default: made and printed)")


def run(flags: argparse.Namespace) -> int:
    """Serves until a signal comes."""
    from pathlib import Path

    import anyio

    from bulk_sync_mcp.composition import local_asgi
    from bulk_sync_mcp.transports import serve_asgi

    settings = settings_of(flags)
    key = Path(flags.key_file).read_text(encoding="utf-8").strip() if flags.key_file else secrets.token_urlsafe(24)
    notes = [] if flags.key_file else [f"POLYTOMIC_API_KEY={key}"]
    anyio.run(serve_asgi, local_asgi(settings, key), flags.port, "", "POLYTOMIC_BASE_URL=", notes)
    sys.stderr.flush()
    return 0
