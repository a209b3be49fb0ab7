"""`local`: the local service as a REST server of its own, on loopback."""

import argparse
import secrets
import sys
from pathlib import Path

from bulk_sync_mcp.commands import settings_of
from bulk_sync_mcp.settings import SettingsError


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `local`."""
    parser.epilog = (
        "Prints its address and key. A request carries the key and the version of the API: "
        "curl -H 'Authorization: Bearer KEY' -H 'X-Polytomic-Version: 2025-09-18' ADDRESS/api/connections. "
        "ADDRESS/openapi.json describes all of it, and needs neither."
    )
    parser.add_argument("--port", type=int, default=8766, metavar="N", help="0 takes a free one")
    parser.add_argument(
        "--key-file", type=Path, metavar="FILE", help="file that holds the API key (default: made and printed)"
    )


def _key_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read --key-file {path}: {type(error).__name__}") from None


def run(flags: argparse.Namespace) -> int:
    """Serves until a signal comes."""
    import anyio

    from bulk_sync_mcp.composition import local_asgi, missing_local_libraries
    from bulk_sync_mcp.transports import serve_asgi

    settings = settings_of(flags)
    missing = missing_local_libraries()
    if missing:
        raise SettingsError(
            f"the local service is not installed (missing: {', '.join(missing)}); "
            "install the extra: pip install 'bulk-sync-mcp[local]'"
        )
    key = _key_of(flags.key_file) if flags.key_file else secrets.token_urlsafe(24)
    notes = [] if flags.key_file else [f"POLYTOMIC_API_KEY={key}"]
    anyio.run(serve_asgi, local_asgi(settings, key), flags.port, "", "POLYTOMIC_BASE_URL=", notes)
    sys.stderr.flush()
    return 0
