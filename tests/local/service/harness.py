"""A client of a local service for tests: every exchange is checked against the contract, every wait is bounded."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
from filelock import FileLock
from starlette.applications import Starlette

from bulk_sync_local.app import API_VERSION
from bulk_sync_local.clock import system_clock
from bulk_sync_local.config import LocalConfig
from bulk_sync_local.dispatch import Service
from bulk_sync_local.scheduler import Scheduler
from bulk_sync_local.supervisor import Supervisor, lock_path
from bulk_sync_local.worker import carry_out
from contract.validator import ContractTransport


class RunsHere(Supervisor):
    """Carries runs out in this process, as a worker of its own would: a second a run less."""

    def _spawn(self, execution_id: str) -> None:
        directory = self._config.run_dir(execution_id)
        directory.mkdir(parents=True)
        with FileLock(lock_path(self._config, execution_id)):
            carry_out(self._config, self._store, execution_id, system_clock)


class Api:
    """A client of one service. What it expects to succeed is checked against the contract, both ways."""

    def __init__(self, config: LocalConfig, app: Starlette) -> None:
        self.config = config
        self.service: Service = app.state.service
        self.scheduler: Scheduler = app.state.scheduler
        self._plain = httpx.ASGITransport(app=app)
        self._checked = ContractTransport(self._plain)

    def run_here(self) -> None:
        """From now on runs are carried out in this process, and are over when the call that starts them returns."""
        here = RunsHere(self.config, self.service.store, system_clock)
        object.__setattr__(self.service, "supervisor", here)

    async def send(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        key: str | None = None,
        checked: bool = True,
        headers: dict[str, str | None] | None = None,
        **more: Any,
    ) -> httpx.Response:
        """One exchange. A header given as None is left out."""
        given: dict[str, str | None] = {
            "X-Polytomic-Version": API_VERSION,
            "Authorization": f"Bearer {self.config.api_key}",
            "Idempotency-Key": key,
            **(headers or {}),
        }
        present = {name: value for name, value in given.items() if value is not None}
        transport = self._checked if checked else self._plain
        async with httpx.AsyncClient(transport=transport, base_url="http://local", timeout=60) as client:
            return await client.request(method, path, json=json, headers=present, **more)

    async def ok(self, method: str, path: str, json: Any = None, **more: Any) -> Any:
        """The `data` of an answer that has to be a success."""
        response = await self.send(method, path, json, **more)
        assert response.is_success, response.text
        return response.json()["data"] if response.content else None

    async def refused(self, status: int, method: str, path: str, json: Any = None, **more: Any) -> str:
        """The message of an answer that has to be this error."""
        response = await self.send(method, path, json, checked=False, **more)
        assert response.status_code == status, response.text
        body = response.json()
        assert set(body) == {"key", "message", "metadata", "status"}
        assert body["status"] == status
        assert response.headers["X-Polytomic-Version"] == API_VERSION
        return body["message"]

    async def connection(self, type_id: str, path: str, name: str | None = None) -> str:
        body = {"name": name or path, "type": type_id, "configuration": {"path": path}}
        return (await self.ok("POST", "/api/connections", body))["id"]

    async def sync(self, source: str, destination: str, **changes: Any) -> str:
        return (await self.ok("POST", "/api/bulk/syncs", sync_body(source, destination, **changes)))["id"]

    async def start(self, sync_id: str, **body: Any) -> str:
        return (await self.ok("POST", f"/api/bulk/syncs/{sync_id}/executions", body))["id"]

    async def finished(self, sync_id: str, execution_id: str) -> dict[str, Any]:
        path = f"/api/bulk/syncs/{sync_id}/executions/{execution_id}"
        return await self.until(path, lambda execution: execution["completed_at"] is not None)

    async def running(self, sync_id: str, execution_id: str) -> dict[str, Any]:
        path = f"/api/bulk/syncs/{sync_id}/executions/{execution_id}"
        return await self.until(
            path, lambda execution: any(schema["status"] == "running" for schema in execution["schemas"])
        )

    async def run(self, sync_id: str, **body: Any) -> dict[str, Any]:
        return await self.finished(sync_id, await self.start(sync_id, **body))

    async def until(
        self, path: str, condition: Callable[[dict[str, Any]], bool], within: float = 30.0
    ) -> dict[str, Any]:
        end = time.monotonic() + within
        while True:
            found = await self.ok("GET", path)
            if condition(found):
                return found
            assert time.monotonic() < end, f"still waiting after {within} s: {found}"
            await asyncio.sleep(0.05)


def sync_body(source: str, destination: str, **changes: Any) -> dict[str, Any]:
    body = {
        "name": "shop to warehouse",
        "source_connection_id": source,
        "destination_connection_id": destination,
        "destination_configuration": {},
        "default_schedule": {"frequency": "manual"},
    }
    return {**body, **changes}


def make_source(path: Path, rows: int = 3) -> None:
    """A SQLite file with two keyed tables."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, total REAL, email TEXT)")
        connection.execute("CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT)")
        connection.executemany(
            "INSERT INTO orders VALUES (?, ?, ?)", [(i, i * 1.5, f"{i}@example.com") for i in range(rows)]
        )
        connection.executemany("INSERT INTO customers VALUES (?, ?)", [(i, f"c{i}") for i in range(rows)])


def output_rows(path: Path, table: str) -> int:
    """How many rows a table of an SQLite output has."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]
