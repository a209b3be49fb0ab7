"""`serve`: MCP over stdio, or over Streamable HTTP on loopback."""

import argparse

from bulk_sync_mcp.commands import settings_of


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `serve`."""
    parser.add_argument("--transport", choices=("stdio", "http"), default="stdio")
    parser.add_argument("--port", type=int, dest="http_port", metavar="N", help="for http; 0 takes a free one")


def run(flags: argparse.Namespace) -> int:
    """Serves until input ends or a signal comes."""
    from bulk_sync_mcp.composition import compose
    from bulk_sync_mcp.transports import run_stdio, serve_http

    application = compose(settings_of(flags), page=True, schedules=True)
    if flags.transport == "stdio":
        run_stdio(application)
    import anyio

    token = application.settings.http_token
    anyio.run(serve_http, application, token.get_secret_value() if token else None)
    return 0
