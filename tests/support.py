"""What tests of tools share: a workshop with a real source and destination, and clients of every kind."""

import json
import re
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import mcp_types as types
from mcp.client.client import Client

from bulk_sync_mcp.composition import Application, compose
from bulk_sync_mcp.core.context import Answer
from bulk_sync_mcp.settings import Settings
from bulk_sync_mcp.transports import mcp_server

LEGACY = "legacy"
MODERN = "2026-07-28"
ERAS = (LEGACY, MODERN)
CONFIRMATION = re.compile(r'`confirmation`: "([^"]+)"')

Rewrite = Callable[[Any], Any]
Hook = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Altered:
    """An answer whose data a test has changed."""

    data: Any
    next_page_token: str | None


@dataclass
class WatchedApi:
    """The real API client, watched: every call is noted, and a test may alter an answer or act before a call.

    It stands in for states the local service never has, such as a write mode newer than this server.
    """

    inner: Any
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    rewrites: dict[tuple[str, str], Rewrite] = field(default_factory=dict)
    before: dict[tuple[str, str], Hook] = field(default_factory=dict)
    after: dict[tuple[str, str], Hook] = field(default_factory=dict)

    @property
    def mutations(self) -> list[tuple[str, str, Any]]:
        """The calls that could have changed something."""
        return [call for call in self.calls if call[0] != "GET"]

    async def _call(self, method: str, template: str, arguments: Mapping[str, Any]) -> Answer:
        key = (method, template)
        self.calls.append((method, template, arguments.get("body")))
        if key in self.before:
            await self.before[key]()
        answer = await getattr(self.inner, method.lower())(template, **arguments)
        if key in self.after:
            await self.after[key]()
        if key in self.rewrites:
            return Altered(self.rewrites[key](answer.data), answer.next_page_token)
        return answer

    async def get(self, template: str, **arguments: Any) -> Answer:
        return await self._call("GET", template, arguments)

    async def post(self, template: str, **arguments: Any) -> Answer:
        return await self._call("POST", template, arguments)

    async def put(self, template: str, **arguments: Any) -> Answer:
        return await self._call("PUT", template, arguments)

    async def patch(self, template: str, **arguments: Any) -> Answer:
        return await self._call("PATCH", template, arguments)

    async def delete(self, template: str, **arguments: Any) -> Answer:
        return await self._call("DELETE", template, arguments)

    async def aclose(self) -> None:
        await self.inner.aclose()


class Clock:
    """A clock that tests move; it also passes by itself, so that waiting ends."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def advance(self, **span: float) -> None:
        self.offset += timedelta(**span)


@dataclass
class Person:
    """Whoever answers forms. `answer` is accept, decline, cancel, wrong (accepts, types another name) or silent."""

    answer: str
    asked: list[str] = field(default_factory=list)
    while_asked: Hook | None = None

    async def __call__(self, _context: Any, params: Any) -> types.ElicitResult | types.ErrorData:
        self.asked.append(params.message)
        if self.while_asked is not None:
            await self.while_asked()
        if self.answer in ("decline", "cancel"):
            return types.ElicitResult(action=self.answer)
        if self.answer == "empty":
            return types.ElicitResult(action="accept", content={})
        if "name" in params.requested_schema["properties"]:
            name = params.message.rpartition("type the name: ")[2]
            return types.ElicitResult(action="accept", content={"name": "another" if self.answer == "wrong" else name})
        return types.ElicitResult(action="accept", content={"confirm": self.answer != "wrong"})


@dataclass(frozen=True)
class Called:
    """What came back from a tool."""

    error: bool
    text: str
    data: dict[str, Any]

    @property
    def code(self) -> str:
        """The code of a failure; empty for a success."""
        return self.text.partition(":")[0] if self.error else ""

    @property
    def confirmation(self) -> str:
        """The confirmation a preview carries."""
        found = CONFIRMATION.search(self.text)
        assert found is not None, self.text
        return found.group(1)


class Tools:
    """Tools as a client calls them: `await tools.list_bulk_syncs(active=True)`."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.progress: list[tuple[float, float | None, str | None]] = []

    async def call(self, name: str, arguments: dict[str, Any]) -> Called:
        async def note(done: float, total: float | None, message: str | None) -> None:
            self.progress.append((done, total, message))

        result = await self.client.call_tool(name, arguments, progress_callback=note)
        text = "\n".join(part.text for part in result.content if isinstance(part, types.TextContent))
        return Called(bool(result.is_error), text, dict(result.structured_content or {}))

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Called]]:
        async def call(**arguments: Any) -> Called:
            return await self.call(name, arguments)

        return call


@dataclass
class Workshop:
    """An application on the local service, with a real SQLite source and a DuckDB destination."""

    application: Application
    api: WatchedApi
    workspace: Path
    clock: Clock
    source_id: str = ""
    destination_id: str = ""

    @property
    def source_path(self) -> Path:
        return self.workspace / "source.db"

    @property
    def destination_path(self) -> Path:
        return self.workspace / "warehouse.duckdb"

    @asynccontextmanager
    async def tools(
        self, era: str = MODERN, person: Person | None = None, principal: str = "test"
    ) -> AsyncGenerator[Tools]:
        """A client of one protocol revision; without a person it cannot show forms."""
        server = mcp_server(self.application, principal)
        async with Client(server, mode=era, elicitation_callback=person, raise_exceptions=True) as client:
            yield Tools(client)

    def change_source(self, *statements: str) -> None:
        """Runs SQL on the source."""
        with sqlite3.connect(self.source_path) as db:
            for statement in statements:
                db.execute(statement)
        db.close()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a query finds in the destination."""
        with duckdb.connect(str(self.destination_path), read_only=True) as db:
            return db.sql(sql).fetchall()

    def change_destination(self, *statements: str) -> None:
        """Runs SQL on the destination, as somebody working on it by hand would."""
        with duckdb.connect(str(self.destination_path)) as db:
            for statement in statements:
                db.execute(statement)

    async def create_sync(self, name: str = "Shop", **body: Any) -> str:
        """A sync made over the API, past the tools; returns its id."""
        whole = {
            "name": name,
            "source_connection_id": self.source_id,
            "destination_connection_id": self.destination_id,
            "destination_configuration": {},
            "default_schedule": {"frequency": "manual"},
            "mode": "replicate",
            "active": False,
            "schemas": ["customers"],
            **body,
        }
        return str((await self.api.inner.post("/api/bulk/syncs", body=whole)).data["id"])

    async def run_once(self, sync_id: str, **body: Any) -> dict[str, Any]:
        """Runs a sync over the API, past the tools, to its end; returns the execution."""
        started = await self.api.inner.post("/api/bulk/syncs/{id}/executions", body=body, id=sync_id)
        async with self.tools() as tools:
            await tools.wait_for_bulk_sync_execution(
                sync_id=sync_id, execution_id=started.data["id"], timeout_seconds=60
            )
        path = "/api/bulk/syncs/{id}/executions/{exec_id}"
        return dict((await self.api.inner.get(path, id=sync_id, exec_id=started.data["id"])).data)

    def audit(self) -> list[dict[str, Any]]:
        """The audit log, a dict a line; its chain is checked on the way."""
        path = self.application.settings.guard_dir / "audit.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


SOURCE = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
INSERT INTO customers VALUES (1, 'Ada', 'London'), (2, 'Grace', 'New York'), (3, 'Đorđe', 'Niš');
CREATE TABLE events (happened TEXT, what TEXT);
INSERT INTO events VALUES ('2026-01-01', 'opened'), ('2026-01-02', 'closed');
CREATE TABLE secrets (id INTEGER PRIMARY KEY, value TEXT);
INSERT INTO secrets VALUES (1, 'x');
"""


async def build_workshop(
    directory: Path, *, page: bool = False, toolsets: Iterable[str] = ("default",), **settings: Any
) -> Workshop:
    """A workshop in a directory of its own; with `page` its approvals can be given on the approval page."""
    workspace = directory / "data"
    workspace.mkdir(parents=True)
    with sqlite3.connect(workspace / "source.db") as db:
        db.executescript(SOURCE)
    db.close()
    clock = Clock()
    made_of = Settings(workspace=workspace, state_dir=directory / "state", toolsets=tuple(toolsets), **settings)
    plain = compose(made_of, now=clock, page=page)
    api = WatchedApi(plain.api)
    context = replace(plain.pipeline.context, api=api)
    application = replace(plain, pipeline=replace(plain.pipeline, context=context))
    workshop = Workshop(application, api, workspace, clock)
    for name, kind, path in (("Shop database", "sqlite", "source.db"), ("Warehouse", "duckdb", "warehouse.duckdb")):
        body = {"name": name, "type": kind, "configuration": {"path": path}}
        made = (await plain.api.post("/api/connections", body=body)).data["id"]
        if kind == "sqlite":
            workshop.source_id = made
        else:
            workshop.destination_id = made
    return workshop
