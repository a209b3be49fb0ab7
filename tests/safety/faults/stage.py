"""The server as if on Polytomic, with a local service behind a proxy that fails on purpose.

Most runs only have to be counted, so the service starts no worker for them; for some it does, and those are counted
in the destination.
"""

import asyncio
import contextlib
import socket
import sqlite3
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import httpx
import uvicorn
from mcp.client.client import Client

from bulk_sync_local.app import API_VERSION, create_app
from bulk_sync_local.config import LocalConfig
from bulk_sync_mcp.api.client import ApiClient
from bulk_sync_mcp.api.retry import Limits
from bulk_sync_mcp.composition import compose
from bulk_sync_mcp.settings import Settings
from bulk_sync_mcp.transports import mcp_server
from safety.faults.proxy import Proxy, proxy_before
from support import MODERN, Tools

KEY = "not-a-real-key-Hs5Rk8Nm2Qd7"
LIMITS = Limits(connect=1.0, read=0.3, total=1.2, pause=0.01, longest_pause=0.02)
EXECUTIONS = "/api/bulk/syncs/{}/executions"
CONFIRMED = "Confirmed"
"""Every start of a sync with this name, ordinary ones too, asks for a confirmation."""
ROWS = 3
SOURCE = f"""
CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO items VALUES {", ".join(f"({n}, 'item {n}')" for n in range(ROWS))};
"""


class Clock:
    """A clock whose pauses take no time but count as if they had."""

    def __init__(self) -> None:
        self._slept = 0.0

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() + self._slept

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._slept)

    async def sleep(self, seconds: float) -> None:
        self._slept += seconds
        await asyncio.sleep(0)


class Quiet(uvicorn.Server):
    """uvicorn inside a test, which keeps its own signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


@dataclass
class Stage:
    """All of it. `answered` counts the starts that the service itself answered with a success, by key."""

    app: Any
    proxy: Proxy
    tools: Tools
    service: httpx.AsyncClient
    workspace: Path
    source_id: str = ""
    answered: Counter[str] = field(default_factory=Counter[str])
    really: bool = False
    """Whether executions are worked on."""

    async def connection(self, name: str, kind: str, path: str) -> str:
        body = {"name": name, "type": kind, "configuration": {"path": path}}
        return str((await self.service.post("/api/connections", json=body)).json()["data"]["id"])

    async def sync(self, name: str, destination_id: str, mode: str) -> str:
        body = {
            "name": name,
            "source_connection_id": self.source_id,
            "destination_connection_id": destination_id,
            "destination_configuration": {},
            "default_schedule": {"frequency": "manual"},
            "mode": mode,
            "active": False,
            "schemas": ["items"],
        }
        made = await self.service.post("/api/bulk/syncs", json=body)
        assert made.status_code == 200, made.text
        return str(made.json()["data"]["id"])

    async def executions(self, sync_id: str) -> list[dict[str, Any]]:
        """The latest executions, as the service itself tells them."""
        listed = await self.service.get(EXECUTIONS.format(sync_id), params={"limit": 100})
        return list(listed.json()["data"])

    async def ended(self, sync_id: str) -> None:
        """Has what is unfinished ended: waited for when it is worked on, else called off."""
        if not self.really:
            await self.service.post(f"/api/bulk/syncs/{sync_id}/cancel")
            return
        async with asyncio.timeout(60):
            while any(run["completed_at"] is None for run in await self.executions(sync_id)):
                await asyncio.sleep(0.02)

    def rows(self, destination: str, sql: str) -> int:
        """What a count finds in a destination; 0 when there is no file yet."""
        path = self.workspace / destination
        if not path.exists():
            return 0
        with duckdb.connect(str(path), read_only=True) as db:
            if not db.sql("SELECT 1 FROM duckdb_tables() WHERE table_name = 'items'").fetchall():
                return 0
            return int(db.sql(sql).fetchall()[0][0])

    def add_row(self, destination: str) -> None:
        """A row that only the destination has, which a rebuild loses."""
        with duckdb.connect(str(self.workspace / destination)) as db:
            db.execute("INSERT INTO items (id, name) VALUES (999, 'by hand')")


def _watched(app: Any, stage: list[Stage]) -> Any:
    """The service, with what it answers to starts noted."""

    async def watching(scope: Any, receive: Any, send: Any) -> None:
        starts = scope["method"] == "POST" and scope["path"].endswith("/executions")
        key = dict(scope["headers"]).get(b"idempotency-key", b"").decode()

        async def noting(message: Any) -> None:
            if starts and message["type"] == "http.response.start" and message["status"] == 200:
                stage[0].answered[key] += 1
            await send(message)

        await app(scope, receive, noting)

    return watching


@contextlib.asynccontextmanager
async def _served(app: Any) -> AsyncGenerator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    # asyncio sets it for sockets it makes itself; without it an answer in two pieces waits for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(app, log_config=None, lifespan="off", http="h11", ws="none", access_log=False)
    server = Quiet(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        await serving


def _held(app: Any, stage: list[Stage]) -> None:
    """Starts workers only while the stage says so."""
    supervisor = app.state.service.supervisor
    start = supervisor.start_worker

    def start_worker(execution_id: str, attempts_before: int = 0) -> None:
        if stage and stage[0].really:
            start(execution_id, attempts_before)

    supervisor.start_worker = start_worker


@contextlib.asynccontextmanager
async def built(directory: Path, rng: Random) -> AsyncGenerator[Stage]:
    """A stage in a directory of its own."""
    workspace = directory / "data"
    workspace.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(workspace / "source.db")) as db:
        db.executescript(SOURCE)
    policy = directory / "policy.toml"
    policy.write_text(f'[[rules]]\nsync = "{CONFIRMED}*"\nevidence = "confirm"\neffects = ["StartsRun"]\n')
    app = create_app(LocalConfig(workspace=workspace, state_dir=directory / "service", api_key=KEY))
    box: list[Stage] = []
    _held(app, box)
    headers = {"Authorization": f"Bearer {KEY}", "X-Polytomic-Version": API_VERSION}
    async with (
        _served(_watched(app, box)) as port,
        proxy_before(port) as proxy,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x", headers=headers) as service,
    ):
        settings = Settings(
            polytomic_api_key=KEY,  # pyright: ignore[reportArgumentType] - validated into a secret
            polytomic_base_url=f"http://127.0.0.1:{proxy.port}",
            workspace=workspace,
            state_dir=directory / "state",
            policy=policy,
        )
        plain = compose(settings)
        api = ApiClient(plain.backend, clock=Clock(), rng=rng, limits=LIMITS)
        context = replace(plain.pipeline.context, api=api)
        application = replace(plain, pipeline=replace(plain.pipeline, context=context))
        async with Client(mcp_server(application, "test"), mode=MODERN, raise_exceptions=True) as client:
            stage = Stage(app, proxy, Tools(client), service, workspace)
            box.append(stage)
            stage.source_id = await stage.connection("Source", "sqlite", "source.db")
            yield stage
        await api.aclose()
        await plain.aclose()
    app.state.service.store.close()
