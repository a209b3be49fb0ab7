"""Measures the server against the least an MCP server can be (floor_server.py), side by side in one run.

    python tests/benchmarks/server.py [--repetitions 9] [start call preview throughput memory list]

Both talk to a backend that answers from memory (upstream.py). Repetitions are interleaved and medians compared, since
machines are noisy. Prints each figure with its limit, and ends with 1 when one is past it:

    start        process start to tools/list, on Polytomic and on the local service   1.15 x the floor
    call         one `get_bulk_sync` over stdio, median                                1.5  x the floor
    preview      a guarded preview, against its upstream reads all sent at once        2    x the reads
    throughput   `get_bulk_sync` with 32 calls in flight                               2    x the floor, at least
    memory       resident, idle after tools/list, on Polytomic                         1.3  x the floor
    list         text of a list of 50 syncs, against the backend's JSON                0.15 x the JSON
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from upstream import ANSWERS, SYNC_ID

HERE = Path(__file__).resolve().parent
FLIGHT = 32
FAR = 0.025
"""What an answer of a far backend takes, in seconds."""
_CLIENT = {"name": "benchmark", "version": "1"}
_HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": _CLIENT}


@dataclass
class Server:
    """An MCP server on stdio, spoken to in bare JSON-RPC, so that the client costs next to nothing."""

    process: asyncio.subprocess.Process
    waiting: dict[int, asyncio.Future[Any]] = field(default_factory=dict[int, asyncio.Future[Any]])
    reading: asyncio.Task[None] | None = None

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            message = json.loads(line)
            if "id" in message and "method" not in message:
                self.waiting.pop(message["id"]).set_result(message)

    def _send(self, **message: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    async def request(self, method: str, **params: Any) -> Any:
        """The result of one request. Raises `RuntimeError` for an error."""
        number = time.perf_counter_ns()
        self.waiting[number] = asyncio.get_running_loop().create_future()
        future = self.waiting[number]
        self._send(id=number, method=method, params=params)
        message = await future
        if "error" in message:
            raise RuntimeError(message["error"])
        return message["result"]

    async def tools(self) -> Any:
        """Greets and lists the tools."""
        self.reading = asyncio.create_task(self._read())
        await self.request("initialize", **_HELLO)
        self._send(method="notifications/initialized")
        return await self.request("tools/list")

    async def call(self, name: str, **arguments: Any) -> Any:
        """What a tool answers."""
        return await self.request("tools/call", name=name, arguments=arguments)

    def resident(self) -> float:
        """Resident memory in MB (Linux)."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("no VmRSS")

    async def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        await self.process.wait()
        if self.reading is not None:
            await self.reading


@dataclass(frozen=True)
class Kind:
    """A way to start a server."""

    command: tuple[str, ...]
    environment: dict[str, str]

    async def started(self, directory: str) -> Server:
        passed = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "VIRTUAL_ENV") if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *self.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=2**24,
            cwd=directory,
            env={**passed, "HOME": directory, **self.environment},
        )
        return Server(process)

    @asynccontextmanager
    async def running(self, directory: str) -> AsyncGenerator[Server]:
        server = await self.started(directory)
        try:
            await server.tools()
            yield server
        finally:
            await server.end()


def kinds(port: int) -> tuple[Kind, Kind, Kind]:
    """The floor, ours on Polytomic, ours on the local service."""
    origin = f"http://127.0.0.1:{port}"
    ours = ("-m", "bulk_sync_mcp")
    return (
        Kind((str(HERE / "floor_server.py"),), {"UPSTREAM": origin}),
        Kind(ours, {"POLYTOMIC_API_KEY": "not-a-real-key", "POLYTOMIC_BASE_URL": origin}),
        Kind(ours, {}),
    )


@asynccontextmanager
async def upstream(delay: float = 0.0) -> AsyncGenerator[int]:
    """The port of a backend in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(HERE / "upstream.py"),
        str(delay),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.stdin.close()
        await process.wait()


async def timed(work: Awaitable[Any]) -> float:
    """Milliseconds."""
    begun = time.perf_counter()
    await work
    return (time.perf_counter() - begun) * 1000


@dataclass
class Verdict:
    """Figures against limits."""

    within: bool = True

    def tell(
        self, what: str, ours: list[float], other: list[float], limit: float, unit: str, *, least: bool = False
    ) -> None:
        """Compares medians of repetitions taken in turn. The median of the ratios decides."""
        ratio = statistics.median(one / another for one, another in zip(ours, other, strict=True))
        good = ratio >= limit if least else ratio <= limit
        self.within = self.within and good
        print(
            f"{what}: {statistics.median(ours):,.1f} against {statistics.median(other):,.1f} {unit}, "
            f"ratio {ratio:.2f} ({'at least' if least else 'at most'} {limit}){'' if good else '  PAST THE LIMIT'}",
            flush=True,
        )


@dataclass
class Bench:
    """One run of the benchmarks."""

    directory: str
    repetitions: int
    port: int
    verdict: Verdict

    async def start(self) -> None:
        taken: list[list[float]] = [[], [], []]

        async def one(kind: Kind) -> float:
            begun = time.perf_counter()
            server = await kind.started(self.directory)
            await server.tools()
            seconds = time.perf_counter() - begun
            await server.end()
            return seconds * 1000

        for kind in kinds(self.port):  # once before it counts: byte code is written then
            await one(kind)
        for _ in range(self.repetitions):
            for kind, times in zip(kinds(self.port), taken, strict=True):
                times.append(await one(kind))
        self.verdict.tell("start to tools/list, on Polytomic", taken[1], taken[0], 1.15, "ms")
        self.verdict.tell("start to tools/list, local service", taken[2], taken[0], 1.15, "ms")

    async def _both(self, measure: Callable[[Server], Awaitable[float]]) -> tuple[list[float], list[float]]:
        """What `measure` finds for ours and for the floor, in turn."""
        floor_kind, our_kind, _ = kinds(self.port)
        async with AsyncExitStack() as stack:
            floor, ours = [await stack.enter_async_context(k.running(self.directory)) for k in (floor_kind, our_kind)]
            taken: dict[int, list[float]] = {0: [], 1: []}
            for turn in range(self.repetitions + 1):
                for place, server in enumerate((ours, floor)):
                    value = await measure(server)
                    if turn:  # the first warms up
                        taken[place].append(value)
        return taken[0], taken[1]

    async def call(self) -> None:
        async def measure(server: Server) -> float:
            return statistics.median([await timed(server.call("get_bulk_sync", sync_id=SYNC_ID)) for _ in range(40)])

        self.verdict.tell("one call, median", *await self._both(measure), 1.5, "ms")

    async def throughput(self) -> None:
        async def measure(server: Server) -> float:
            left = iter(range(FLIGHT * 8))

            async def caller() -> None:
                for _ in left:
                    answer = await server.call("get_bulk_sync", sync_id=SYNC_ID)
                    if answer.get("isError"):
                        raise RuntimeError(answer)

            milliseconds = await timed(asyncio.gather(*(caller() for _ in range(FLIGHT))))
            return FLIGHT * 8 / milliseconds * 1000

        self.verdict.tell(f"{FLIGHT} calls in flight", *await self._both(measure), 2.0, "calls/s", least=True)

    async def memory(self) -> None:
        found: list[list[float]] = [[], []]
        for _ in range(3):
            for kind, values in zip(kinds(self.port)[:2], found, strict=True):
                async with kind.running(self.directory) as server:
                    values.append(server.resident())
        self.verdict.tell("idle memory, on Polytomic", found[1], found[0], 1.3, "MB")

    async def list(self) -> None:
        async with kinds(self.port)[1].running(self.directory) as server:
            answer = await server.call("list_bulk_syncs", limit=50)
        text = "\n".join(part["text"] for part in answer["content"])
        if text.count(SYNC_ID[:24]) < 50:
            raise RuntimeError(f"the list does not hold 50 syncs: {text[:500]}")
        sizes = ([len(text.encode()) / 1000], [len(ANSWERS["/api/bulk/syncs"]) / 1000])
        self.verdict.tell("list of 50 syncs as text", *sizes, 0.15, "KB")

    async def preview(self) -> None:
        await self._preview("guarded preview, backend at hand", self.port)
        async with upstream(FAR) as port:
            await self._preview(f"guarded preview, backend {FAR * 1000:.0f} ms away", port)

    async def _preview(self, what: str, port: int) -> None:
        wanted = {"sync_id": SYNC_ID, "resync_mode": "rebuild"}
        previews: list[float] = []
        reads: list[float] = []
        limits = httpx.Limits(max_keepalive_connections=64)
        async with (
            kinds(port)[1].running(self.directory) as server,
            httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", trust_env=False, limits=limits, timeout=60
            ) as client,
        ):
            await client.get("/asked")  # forgets what other measurements asked for
            answer = await server.call("start_bulk_sync_execution", **wanted)
            text = answer["content"][0]["text"]
            if not text.startswith("confirmation_required"):
                raise RuntimeError(f"no preview: {text}")
            paths = (await client.get("/asked")).json()
            for _ in range(self.repetitions * 3):
                previews.append(await timed(server.call("start_bulk_sync_execution", **wanted)))
                reads.append(await timed(asyncio.gather(*(client.get(path) for path in paths))))
        self.verdict.tell(f"{what} ({len(paths)} reads)", previews[2:], reads[2:], 2.0, "ms")


async def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    names = ("start", "call", "preview", "throughput", "memory", "list")
    parser.add_argument("what", nargs="*", metavar="WHAT", help=f"of {', '.join(names)}; all unless named")
    parser.add_argument("--repetitions", type=int, default=9)
    chosen = parser.parse_args()
    verdict = Verdict()
    with tempfile.TemporaryDirectory() as directory:
        async with upstream() as port:
            bench = Bench(directory, chosen.repetitions, port, verdict)
            for name in chosen.what or names:
                await getattr(bench, name)()
    return 0 if verdict.within else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
