"""`serve`: MCP over stdio, or over Streamable HTTP on loopback."""

import argparse
import gc

from bulk_sync_mcp.commands import settings_of


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `serve`."""
    parser.add_argument("--transport", choices=("stdio", "http"), default="stdio")
    parser.add_argument("--port", type=int, dest="http_port", metavar="N", help="for http; 0 takes a free one")


def run(flags: argparse.Namespace) -> int:
    """Serves until input ends or a signal comes."""
    # Clients wait for the start, which makes thousands of things that stay and next to no garbage: looking for it
    # among them, again and again, is a seventh of the time.
    gc.disable()
    from bulk_sync_mcp.composition import compose, stdio_principal
    from bulk_sync_mcp.transports import mcp_server, run_stdio, serve_http

    application = compose(settings_of(flags), page=True, schedules=True)
    stdio = flags.transport == "stdio"
    server = mcp_server(application, stdio_principal() if stdio else "http")
    gc.freeze()
    gc.enable()
    if stdio:
        run_stdio(application, server)
    import anyio

    token = application.settings.http_token
    anyio.run(serve_http, application, server, token.get_secret_value() if token else None)
    return 0
