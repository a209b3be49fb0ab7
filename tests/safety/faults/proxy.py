"""A proxy on a bare socket that fails on purpose, between the client and the service.

Every request is read whole and counted before anything is done with it; then its fault decides whether the service
gets it (never, once, twice, late), and what comes back. Whatever a fault does is noted, so that what the client
says of a call can be held against what became of it.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Reply:
    """An answer of the service."""

    status: int
    headers: dict[str, str]
    body: bytes

    def encoded(self, *, close: bool = False, length: int | None = None) -> bytes:
        """The answer as bytes; `length` announces another length than it has."""
        kept = {
            name: value
            for name, value in self.headers.items()
            if name not in ("connection", "content-length", "transfer-encoding")
        }
        lines = [f"HTTP/1.1 {self.status} X", *(f"{name}: {value}" for name, value in kept.items())]
        lines.append(f"content-length: {len(self.body) if length is None else length}")
        lines += ["connection: close"] if close else []
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    raw: bytes
    kept_alive: bool
    """Whether it came on a connection that had carried another before."""

    @property
    def starts(self) -> bool:
        """Whether it asks for a run."""
        return self.method == "POST" and self.target.endswith("/executions")


Meaning = Literal["passes", "refuses", "unclear", "lost"]
"""What the client can know after the fault: the service's own answer; a refusal that is certain; an answer that
leaves it open; no answer at all."""
Handled = Literal["yes", "no", "perhaps"]
"""Whether the service has done the request by the time the client can look."""


@dataclass
class Exchange:
    """What a fault works with: the request, the line back to the client, and the way to the service."""

    proxy: "Proxy"
    asked: Asked
    writer: asyncio.StreamWriter

    async def forward(self) -> Reply:
        """Hands the request to the service, and returns its answer."""
        return await self.proxy.forward(self.asked)

    async def send(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def answer(self, reply: Reply) -> bool:
        """Sends a whole answer; returns whether the connection stays open."""
        await self.send(reply.encoded(close=self.proxy.closing))
        return not self.proxy.closing

    def reset(self) -> bool:
        """Ends the connection at once, without a farewell."""
        self.writer.transport.abort()
        return False

    async def until_left(self) -> None:
        """Returns when the client has hung up, or after a second."""
        with contextlib.suppress(asyncio.TimeoutError):
            async with asyncio.timeout(1.0):
                while not self.writer.is_closing() and not self.proxy.left(self.writer):
                    await asyncio.sleep(0.005)


@dataclass(frozen=True)
class Fault:
    """One way to fail. `act` returns whether the connection stays open."""

    name: str
    act: Callable[[Exchange], Awaitable[bool]]
    handled: Handled = "no"
    meaning: Meaning = "lost"


async def _pass(exchange: Exchange) -> bool:
    return await exchange.answer(await exchange.forward())


PASS = Fault("none", _pass, "yes", "passes")


@dataclass
class Proxy:
    """Between client and service. `choose` names the fault of each request."""

    service_port: int
    choose: Callable[[Asked], Fault]
    port: int = 0
    closing: bool = False
    """Closes every connection after its first answer, so that each request comes on a fresh one."""
    arrivals: list[tuple[Asked, Fault]] = field(default_factory=list[tuple[Asked, Fault]])
    forwarded: list[Asked] = field(default_factory=list[Asked])
    slowest: float = 0.0
    """The longest the service took for one request, in seconds."""
    _readers: dict[asyncio.StreamWriter, asyncio.StreamReader] = field(default_factory=dict)  # type: ignore[arg-type]
    _connections: set[asyncio.Task[Any]] = field(default_factory=set[asyncio.Task[Any]])
    _late: set[asyncio.Task[Any]] = field(default_factory=set[asyncio.Task[Any]])

    @property
    def starts(self) -> list[tuple[Asked, Fault]]:
        """The requests for a run that came."""
        return [(asked, fault) for asked, fault in self.arrivals if asked.starts]

    def forget(self) -> None:
        """Counts anew."""
        self.arrivals.clear()
        self.forwarded.clear()
        self.slowest = 0.0

    def later(self, work: Coroutine[Any, Any, Any]) -> None:
        """Does something that the client does not wait for."""
        task = asyncio.create_task(work)
        self._late.add(task)

    async def settled(self) -> None:
        """Returns when nothing is under way to the service any more."""
        while self._late:
            await asyncio.gather(*self._late)
            self._late = {task for task in self._late if not task.done()}

    def left(self, writer: asyncio.StreamWriter) -> bool:
        """Whether the client has ended its side."""
        return self._readers[writer].at_eof()

    async def forward(self, asked: Asked) -> Reply:
        self.forwarded.append(asked)
        began = asyncio.get_running_loop().time()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.service_port)
        try:
            writer.write(asked.raw.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        self.slowest = max(self.slowest, asyncio.get_running_loop().time() - began)
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = [line.partition(":") for line in lines]
        return Reply(int(first.split(" ")[1]), {name.lower(): value.strip() for name, _, value in pairs}, body)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self._readers[writer] = reader
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                before = False
                while True:
                    asked = await _read(reader, before)
                    fault = self.choose(asked)
                    self.arrivals.append((asked, fault))
                    if not await fault.act(Exchange(self, asked, writer)):
                        return
                    before = True
        finally:
            self._connections.discard(task)
            del self._readers[writer]
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def stop(self) -> None:
        await self.settled()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


@contextlib.asynccontextmanager
async def proxy_before(service_port: int) -> AsyncGenerator[Proxy]:
    """A proxy on a free port of loopback, without faults until `choose` is set."""
    proxy = Proxy(service_port, lambda _asked: PASS)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.stop()
        await server.wait_closed()


async def _read(reader: asyncio.StreamReader, before: bool) -> Asked:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    pairs = [line.partition(":") for line in lines]
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, target, headers, head + body, before)
