"""A server on a bare socket that misbehaves on purpose and keeps every byte it was sent.

It serves requests by a script of steps, one per request in the order of arrival, whichever connection it comes
on; the last step repeats. What arrived is counted here, at the socket, so a request that any layer below the
client sends twice is seen twice.
"""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Handler = Callable[[asyncio.StreamWriter], Awaitable[bool]]
"""Does something after a request was read; returns whether the connection stays open."""


@dataclass(frozen=True)
class Step:
    """What to do with one request. With `reads=False` the connection ends before its request is read."""

    handler: Handler
    reads: bool = True


@dataclass(frozen=True)
class Arrival:
    """One request as it came: `raw` is every byte of it; `headers` have lower-case names."""

    connection: int
    raw: bytes
    method: str
    target: bytes
    headers: dict[str, str]
    body: bytes


@dataclass
class RawServer:
    """`arrivals` holds the requests read, `connections` the number of connections accepted."""

    script: list[Step]
    port: int = 0
    arrivals: list[Arrival] = field(default_factory=list)
    connections: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _served: int = 0
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _next(self) -> Step:
        step = self.script[min(self._served, len(self.script) - 1)]
        self._served += 1
        return step

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        connection = self.connections
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while True:
                    # A step that does not read must act on the connection itself, before any request.
                    if not self.script[min(self._served, len(self.script) - 1)].reads:
                        await self._next().handler(writer)
                        return
                    arrival = await _read(reader, connection)
                    self.arrivals.append(arrival)
                    self.arrived.set()
                    if not await self._next().handler(writer):
                        return
        finally:
            self._tasks.discard(task)
            if writer.get_extra_info("ssl_object") is None:
                writer.close()
            else:
                writer.transport.abort()  # a TLS farewell would wait for a client that keeps its connection
            with contextlib.suppress(ConnectionError, asyncio.CancelledError, ssl.SSLError):
                await writer.wait_closed()

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def raw_server(*script: Step, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    """A server that follows `script`, on a free port of 127.0.0.1."""
    state = RawServer(list(script))
    server = await asyncio.start_server(state.serve, "127.0.0.1", 0, ssl=tls)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        await state.stop()
        await server.wait_closed()


async def _read(reader: asyncio.StreamReader, connection: int) -> Arrival:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head[:-4].split(b"\r\n")
    method, target, _ = first.split(b" ")
    pairs = [line.decode("latin-1").partition(":") for line in lines]
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Arrival(connection, head + body, method.decode(), target, headers, body)


def head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def answer(
    status: int = 200,
    body: object = None,
    *,
    headers: dict[str, str] | None = None,
    hang_up: bool = False,
) -> Step:
    """A whole answer; `body` is bytes as they are, or a value to be written as JSON, None for an empty body.

    With `hang_up` the connection is closed afterwards, though the answer promised to keep it.
    """
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()

    async def handler(writer: asyncio.StreamWriter) -> bool:
        writer.write(head(status, {"Content-Length": str(len(content)), **(headers or {})}) + content)
        await writer.drain()
        return not hang_up

    return Step(handler)


def data(value: object = None, **more: object) -> Step:
    """HTTP 200 with the API's envelope."""
    return answer(200, {"data": value if value is not None else {"id": "x"}, **more})


def cut_unread() -> Step:
    """Reset the connection without reading anything."""

    async def handler(writer: asyncio.StreamWriter) -> bool:
        writer.transport.abort()
        return False

    return Step(handler, reads=False)


def cut_after_read() -> Step:
    """Read the request, then close without a word."""

    async def handler(_: asyncio.StreamWriter) -> bool:
        return False

    return Step(handler)


def raw_bytes(sent: bytes) -> Step:
    """Exactly these bytes, then close: half an answer, or no HTTP at all."""

    async def handler(writer: asyncio.StreamWriter) -> bool:
        writer.write(sent)
        await writer.drain()
        return False

    return Step(handler)


def cut_in_body(status: int = 200) -> Step:
    """A head that promises 1,000 bytes, eleven of them, and the end."""
    return raw_bytes(head(status, {"Content-Length": "1000"}) + b'{"data": [1')


def silence() -> Step:
    """Read the request and never answer."""

    async def handler(_: asyncio.StreamWriter) -> bool:
        await asyncio.Event().wait()
        return False

    return Step(handler)


def drip(status: int = 200, pause: float = 0.01) -> Step:
    """An answer that never ends and never stays silent for long."""

    async def handler(writer: asyncio.StreamWriter) -> bool:
        writer.write(head(status, {"Transfer-Encoding": "chunked"}))
        while True:
            writer.write(b"1\r\n \r\n")
            await writer.drain()
            await asyncio.sleep(pause)

    return Step(handler)


def giant(chunks: int, *, headers: dict[str, str] | None = None, chunk: bytes = b" " * 65_536) -> Step:
    """`chunks` chunks of `chunk`, of a length not announced."""

    async def handler(writer: asyncio.StreamWriter) -> bool:
        writer.write(head(200, {"Transfer-Encoding": "chunked", **(headers or {})}))
        for _ in range(chunks):
            writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return False

    return Step(handler)


def methods(arrivals: Sequence[Arrival]) -> list[str]:
    """The methods that arrived, in order."""
    return [arrival.method for arrival in arrivals]
