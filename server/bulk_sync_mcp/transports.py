"""Serving over stdio and Streamable HTTP, and who calls over each.

HTTP is for one principal on this machine: it listens on loopback and asks for a bearer token, since any local
user could otherwise borrow the configured key.
"""

import hashlib
import hmac
import logging
import os
import secrets
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

from bulk_sync_mcp.composition import VERSION, Application
from bulk_sync_mcp.guiding import Guiding
from bulk_sync_mcp.incoming import LARGEST, refused
from bulk_sync_mcp.server import Identity, Principals, build_server
from bulk_sync_mcp.settings import SettingsError
from bulk_sync_mcp.stdio import Input, Output, standard_output

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)


def mcp_server(application: Application, principal: str) -> Server[Any]:
    """The MCP server of an application."""
    identity = Identity(application.title, VERSION, application.instructions)
    return build_server(
        application.registry,
        application.pipeline,
        identity,
        Principals(principal),
        application.hints,
        Guiding(application),
    )


class _Lines:
    """The lines of standard input. Those that are refused (incoming.py) are answered and go no further."""

    def __init__(self) -> None:
        self._input = Input()
        self._output: Callable[[SessionMessage], Awaitable[None]] | None = None
        self._ready = anyio.Event()

    def answer_through(self, output: Callable[[SessionMessage], Awaitable[None]]) -> None:
        """Where refusals go; reading stops at the first one until this is called."""
        self._output = output
        self._ready.set()

    def __aiter__(self) -> "_Lines":
        return self

    async def __anext__(self) -> str:
        while True:
            line = await anext(self._input)
            if not line.strip():
                continue
            refusal = refused(line)
            if refusal is None:
                return line.decode("utf-8")
            await self._ready.wait()
            if self._output is not None:
                await self._output(SessionMessage(refusal.answer()))


async def serve_stdio(application: Application, server: Server[Any]) -> None:
    """Serves until input ends, SIGTERM or SIGINT; calls under way are cancelled, and audited as such."""
    try:
        with standard_output() as output:
            await _serve_until_told(server, output)
    finally:
        with anyio.CancelScope(shield=True):
            await application.aclose()


async def _serve_until_told(server: Server[Any], output: Output) -> None:
    async with anyio.create_task_group() as group:

        async def serve() -> None:
            lines = _Lines()
            # Of the files it is given, the SDK iterates over the one, and writes and flushes the other.
            files: Any = {"stdin": lines, "stdout": output}
            async with stdio_server(**files) as (read, write):
                lines.answer_through(write.send)
                await server.run(read, write, server.create_initialization_options())
            group.cancel_scope.cancel()

        group.start_soon(serve)
        if os.name == "posix":
            with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                async for received in signals:
                    logger.info("stopping on %s", received.name)
                    break
            group.cancel_scope.cancel()


def run_stdio(application: Application, server: Server[Any]) -> None:
    """Serves stdio and ends the process with status 0."""
    anyio.run(serve_stdio, application, server)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # The thread that reads standard input may still hold its lock, which an ordinary exit would wait for.
    os._exit(0)


class BearerOnly:
    """Lets requests through that carry the token, and names their principal; `/health` is open."""

    def __init__(self, app: "ASGIApp", token: str) -> None:
        self._app = app
        self._token = token.encode()
        self._principal = "http:" + hashlib.sha256(b"Bearer " + self._token).hexdigest()[:16]

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http" or scope["path"] == "/health":
            await self._app(scope, receive, send)
            return
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1 or not self._admits(given[0]):
            from starlette.responses import JSONResponse

            answer = JSONResponse(
                {
                    "error": "unauthorized",
                    "message": "Send the token this server printed as `Authorization: Bearer …`.",
                },
                status_code=401,
                headers={"WWW-Authenticate": "Bearer"},
            )
            await answer(scope, receive, send)
            return
        await self._app({**scope, "bulk_sync_mcp.principal": self._principal}, receive, send)

    def _admits(self, header: bytes) -> bool:
        scheme, _, token = header.partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token)


class WellFormedOnly:
    """Lets messages through that are not refused (incoming.py); the others are answered here."""

    def __init__(self, app: "ASGIApp") -> None:
        self._app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] == "/health":
            await self._app(scope, receive, send)
            return
        body = bytearray()
        more = True
        while more and len(body) <= LARGEST:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        refusal = refused(bytes(body))
        if refusal is not None:
            from starlette.responses import Response

            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE if len(body) > LARGEST else HTTPStatus.BAD_REQUEST
            text = refusal.answer().model_dump_json(by_alias=True, exclude_unset=True)
            await Response(text, status, media_type="application/json")(scope, receive, send)
            return
        given: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def again() -> "Message":
            return given.pop() if given else await receive()

        await self._app(scope, again, send)


def http_app(application: Application, server: Server[Any], token: str) -> "ASGIApp":
    """The ASGI application: MCP at `/mcp`, liveness at `/health`, everything else behind the token."""
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def health(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "version": VERSION, "backend": application.backend.name})

    app = server.streamable_http_app(custom_starlette_routes=[Route("/health", health, methods=["GET"])])
    return BearerOnly(WellFormedOnly(app), token)


def _ignore(_number: int, _frame: object) -> None:
    """A signal that has been acted upon already."""


@asynccontextmanager
async def _clean_signals() -> AsyncGenerator[None]:
    """uvicorn raises a signal again after it has shut down; this makes that a no-op, so that we end with status 0."""
    before = {number: signal.signal(number, _ignore) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def serve_asgi(app: "ASGIApp", port: int, path: str, label: str, notes: Sequence[str]) -> None:
    """Serves an ASGI application on loopback until SIGTERM or SIGINT. Tells its address on standard error.

    Raises `SettingsError` for a port that cannot be had.
    """
    import socket

    import uvicorn

    class Announcing(uvicorn.Server):
        """Tells the address once requests are answered and signals are heeded, not before."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            sys.stderr.write("\n".join([f"{label}{address}", *notes]) + "\n")
            sys.stderr.flush()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            # Calls that do not end in time are cut off, and audited so; uvicorn would log each as a crash of ours.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            await super().shutdown(sockets)

    if not 0 <= port <= 65_535:
        raise SettingsError(f"there is no port {port}; name one up to 65535 (0 takes a free one)")
    try:
        listener = socket.create_server(("127.0.0.1", port))
        # asyncio leaves Nagle's algorithm on for such a socket, and answers in two pieces would wait 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on 127.0.0.1:{port}: {error.strerror}; name another --port (0 takes a free one)"
        ) from None
    config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=5, access_log=False)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}{path}"
    async with _clean_signals():
        await Announcing(config).serve(sockets=[listener])


async def serve_http(application: Application, server: Server[Any], token: str | None = None) -> None:
    """Serves Streamable HTTP; makes and prints a token unless one is given."""
    used = token or secrets.token_urlsafe(24)
    notes = [] if token else [f"Authorization: Bearer {used}"]
    label = f"{application.title} at "
    try:
        await serve_asgi(http_app(application, server, used), application.settings.http_port, "/mcp", label, notes)
    finally:
        await application.aclose()
