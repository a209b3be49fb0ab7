"""Real processes of the server, the ways to talk to them, and a stand-in for Polytomic.

Every wait is bounded by `PATIENCE`; nothing is timed.
"""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
import mcp_types as types
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage

from support import Person, Tools, Workshop

PATIENCE = 30.0
"""Seconds after which something that must happen counts as not happening."""
KEY = "not-a-real-key-Wv7Lq2Zt9Xb4"


async def until(what: str, holds: Callable[[], bool]) -> None:
    """Returns once `holds()`; fails after `PATIENCE`."""
    with anyio.move_on_after(PATIENCE):
        while not holds():
            await anyio.sleep(0.02)
        return
    raise AssertionError(f"still waiting: {what}")


@dataclass(frozen=True)
class Place:
    """Where one server lives: directories and an environment of its own, none of them the user's."""

    directory: Path
    workspace: Path
    state: Path

    @property
    def flags(self) -> list[str]:
        return ["--workspace", str(self.workspace), "--state-dir", str(self.state)]

    @property
    def home(self) -> Path:
        return self.directory / "home"

    def environment(self, changes: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a client hands a server: little, and no credential unless given."""
        passed = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "SYSTEMROOT", "TEMP") if name in os.environ}
        self.home.mkdir(exist_ok=True)
        return {
            **passed,
            "HOME": str(self.home),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONWARNINGS": "error",
            **(changes or {}),
        }

    def audit(self) -> list[dict[str, Any]]:
        """The lines of the audit log."""
        path = self.state / "guard" / "audit.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def place_of(workshop: Workshop) -> Place:
    """The directories of a workshop, so that a process works on the same tables and state."""
    settings = workshop.application.settings
    return Place(settings.state_dir.parent, settings.workspace, settings.state_dir)


def empty_place(directory: Path) -> Place:
    """A place where nothing has been made yet."""
    return Place(directory, directory / "data", directory / "state")


def processes_of(directory: Path) -> dict[int, str]:
    """Processes whose command line names the directory: servers and workers. Empty where there is no /proc."""
    found: dict[int, str] = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().decode(errors="replace").replace("\0", " ")
            if str(directory) in words:
                found[int(path.parent.name)] = words
    return found


async def none_left(directory: Path) -> None:
    """Fails when a server or worker of the directory is still there in the end, and ends it."""
    try:
        await until("no process is left behind", lambda: not processes_of(directory))
    finally:
        for pid in processes_of(directory):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@dataclass
class Running:
    """A server process. `lines` is all that came over its standard output, `errors` what it wrote beside."""

    process: Process
    errors_path: Path
    lines: list[str] = field(default_factory=list)
    _stdout: BufferedByteReceiveStream | None = None

    @property
    def errors(self) -> str:
        return self.errors_path.read_text(encoding="utf-8")

    async def says(self, pattern: re.Pattern[str]) -> None:
        """Returns once standard error holds `pattern`; fails when the process ends before."""

        def heard() -> bool:
            assert self.process.returncode is None, self.errors
            return pattern.search(self.errors) is not None

        await until(f"{pattern.pattern} on standard error", heard)

    async def send(self, line: str) -> None:
        """One raw line on standard input."""
        assert self.process.stdin is not None
        await self.process.stdin.send(line.encode() + b"\n")

    async def line(self) -> str:
        """The next line of standard output; empty at its end."""
        if self._stdout is None:
            assert self.process.stdout is not None
            self._stdout = BufferedByteReceiveStream(self.process.stdout)
        try:
            line = (await self._stdout.receive_until(b"\n", 10_000_000)).decode()
        except (anyio.IncompleteRead, anyio.EndOfStream):
            assert not self._stdout.buffer, self._stdout.buffer
            return ""
        self.lines.append(line)
        return line

    async def end(self, how: signal.Signals | None = None) -> int:
        """Ends the process by closing its input, or by a signal; returns its status."""
        if how is None:
            assert self.process.stdin is not None
            await self.process.stdin.aclose()
        else:
            self.process.send_signal(how)
        with anyio.fail_after(PATIENCE):
            while await self.line():
                pass
            status = await self.process.wait()
        for line in self.lines:
            assert json.loads(line)["jsonrpc"] == "2.0", line
        return status

    @asynccontextmanager
    async def transport(self) -> AsyncGenerator[Any]:
        """The streams an MCP client wants; when it is done with them the process lives on."""
        to_client, from_server = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        to_server, from_client = anyio.create_memory_object_stream[SessionMessage](0)

        async def read() -> None:
            async with to_client:
                while line := await self.line():
                    message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
                    await to_client.send(SessionMessage(message))

        async def write() -> None:
            async with from_client:
                async for message in from_client:
                    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                        await self.send(message.message.model_dump_json(by_alias=True, exclude_unset=True))

        async with to_client, from_server, to_server, from_client, anyio.create_task_group() as group:
            group.start_soon(read)
            group.start_soon(write)
            yield from_server, to_server
            group.cancel_scope.cancel()

    @asynccontextmanager
    async def tools(self, era: str, person: Person | None = None) -> AsyncGenerator[Tools]:
        """A client of one protocol revision; without a person it cannot show forms."""
        async with Client(self.transport(), mode=era, elicitation_callback=person) as client:
            yield Tools(client)


@asynccontextmanager
async def started(
    place: Place, *words: str, environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> AsyncGenerator[Running]:
    """A process of `bulk-sync-mcp`, killed in the end if it has not ended."""
    errors = place.directory / f"stderr-{len(list(place.directory.glob('stderr-*')))}.txt"
    command = [sys.executable, "-m", "bulk_sync_mcp", *words, *place.flags]
    with errors.open("wb") as stderr:
        process = await anyio.open_process(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=place.environment(environment),
            cwd=cwd or place.directory,
        )
    running = Running(process, errors)
    try:
        yield running
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.kill()
            await process.aclose()


@dataclass
class Http:
    """A server over HTTP, and how to get in."""

    running: Running
    url: str
    token: str

    @property
    def origin(self) -> str:
        return self.url.removesuffix("/mcp")

    @asynccontextmanager
    async def tools(self, era: str, person: Person | None = None, token: str | None = None) -> AsyncGenerator[Tools]:
        """A client of one protocol revision in a session of its own."""
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"}
        async with httpx2.AsyncClient(headers=headers, timeout=PATIENCE) as http:
            transport = streamable_http_client(self.url, http_client=http)
            async with Client(transport, mode=era, elicitation_callback=person) as client:
                yield Tools(client)

    async def request(
        self, method: str, path: str = "/mcp", token: str | None = None, body: Any = None, **headers: str
    ) -> httpx.Response:
        """One plain request; without a token none is sent. `body` is JSON."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            named["Authorization"] = f"Bearer {token}"
        async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as http:
            return await http.request(method, self.origin + path, headers=named, json=body)


@asynccontextmanager
async def over_http(place: Place, *words: str, environment: Mapping[str, str] | None = None) -> AsyncGenerator[Http]:
    """A server over Streamable HTTP on a free port, once it answers."""
    given = (environment or {}).get("BULK_SYNC_MCP_HTTP_TOKEN")
    async with started(place, "--transport", "http", "--port", "0", *words, environment=environment) as running:
        note = "" if given else r"Authorization: Bearer \S+\n"
        await running.says(re.compile(rf"http://127\.0\.0\.1:\d+/mcp\n{note}"))
        url = re.search(r"http://\S+/mcp", running.errors)
        printed = re.search(r"Authorization: Bearer (\S+)", running.errors)
        assert url is not None
        assert (printed is None) is (given is not None), running.errors
        yield Http(running, url.group(), given or (printed.group(1) if printed else ""))


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


async def ran(
    place: Place,
    *words: str,
    environment: Mapping[str, str] | None = None,
    given: str | None = None,
    cwd: Path | None = None,
) -> Ran:
    """Runs a command to its end; `given` is its standard input."""
    with anyio.fail_after(PATIENCE):
        done = await anyio.run_process(
            [sys.executable, "-m", "bulk_sync_mcp", *words],
            input=(given or "").encode(),
            check=False,
            env=place.environment(environment),
            cwd=cwd or place.directory,
        )
    result = Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in result.out + result.err, result
    return result


Route = tuple[int, Any]
HOLD: Route = (0, None)
"""An answer that never comes: the connection is kept open until the other side hangs up."""
HANG_UP: Route = (-1, None)
"""No answer: the connection is closed once the request is read."""


@dataclass
class FakePolytomic:
    """A Polytomic on loopback: fixed answers by method and path, everything else from a local service if given.

    `requests` holds what came, `held` the requests that are kept waiting, `hung_up` those the caller gave up.
    """

    routes: dict[tuple[str, str], Route]
    behind: Any = None
    port: int = 0
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    hung_up: list[str] = field(default_factory=list)
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def environment(self) -> dict[str, str]:
        """What makes a server work on it."""
        return {"POLYTOMIC_BASE_URL": f"http://127.0.0.1:{self.port}", "POLYTOMIC_API_KEY": KEY}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._one(reader, writer):
                    pass
        finally:
            self.tasks.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        method, target, _ = first.split(" ")
        pairs = [line.partition(":") for line in lines]
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests.append((method, target, headers))
        route = self.routes.get((method, target.partition("?")[0]))
        if route == HANG_UP:
            return False
        if route is HOLD:
            self.held.append(target)
            await reader.read()
            self.hung_up.append(target)
            return False
        status, content = await self._answer(method, target, headers, body, route)
        fields = f"Content-Type: application/json\r\nContent-Length: {len(content)}"
        writer.write(f"HTTP/1.1 {status} X\r\n{fields}\r\n\r\n".encode() + content)
        await writer.drain()
        return True

    async def _answer(
        self, method: str, target: str, headers: dict[str, str], body: bytes, route: Route | None
    ) -> tuple[int, bytes]:
        if route is not None:
            return route[0], json.dumps(route[1]).encode()
        if self.behind is None:
            return 404, json.dumps({"key": "x", "message": "nothing here", "metadata": None, "status": 404}).encode()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.behind), base_url="http://x") as client:
            kept = {name: value for name, value in headers.items() if name not in ("host", "content-length")}
            answer = await client.request(method, target, headers=kept, content=body)
            return answer.status_code, answer.content


@asynccontextmanager
async def fake_polytomic(routes: dict[tuple[str, str], Route], behind: Any = None) -> AsyncGenerator[FakePolytomic]:
    """A fake Polytomic on a free port of loopback."""
    fake = FakePolytomic(routes, behind)
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    fake.port = server.sockets[0].getsockname()[1]
    try:
        yield fake
    finally:
        server.close()
        for task in list(fake.tasks):
            task.cancel()
        await asyncio.gather(*fake.tasks, return_exceptions=True)
        await server.wait_closed()


def error_body(status: int, message: str) -> dict[str, Any]:
    """An error as the API words it."""
    return {"key": "err", "message": message, "metadata": {}, "status": status}


def customers(workshop: Workshop) -> list[tuple[Any, ...]]:
    """What the destination holds."""
    return workshop.rows("SELECT id, name FROM customers ORDER BY id")


ALL = [(1, "Ada"), (2, "Grace"), (3, "Đorđe")]


async def create_and_run(workshop: Workshop, tools: Tools) -> str:
    """A sync made and run through the tools."""
    made = await tools.create_bulk_sync(
        name="Shop",
        source_connection_id=workshop.source_id,
        destination_connection_id=workshop.destination_id,
        schemas=["customers"],
    )
    assert not made.error, made.text
    sync_id = str(made.data["id"])
    run = await tools.start_bulk_sync_execution(sync_id=sync_id)
    assert not run.error, run.text
    ended = await tools.wait_for_bulk_sync_execution(sync_id=sync_id, timeout_seconds=60)
    assert ended.data["status"] == "completed", ended.text
    return sync_id


def steadily(tools: Tools) -> None:
    """Progress has come, and each report was greater than the one before."""
    values = [done for done, _total, _message in tools.progress]
    assert values
    assert values == sorted(set(values))
