"""A world of small real tables that tools are called in, and an oracle that looks after every call.

A template is made once for each process; each sequence gets a copy. Runs are carried out by the real engine, in this
process instead of a process of their own, and only when the stage lets them: until then they are under way.
"""

import asyncio
import json
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import mcp_types as types
import pytest
from filelock import FileLock
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError

from bulk_sync_local import app, supervisor, worker
from bulk_sync_local.clock import system_clock
from bulk_sync_mcp.composition import Application, compose
from bulk_sync_mcp.settings import Settings
from bulk_sync_mcp.transports import mcp_server
from operations.connections_kit import RIGHT, Vault, with_vault
from safety.machine.oracle import (
    Act,
    Ledger,
    Oracle,
    Shown,
    World,
    attached,
    let_go,
    read_destination,
    read_service,
    read_source,
)
from support import CONFIRMATION, MODERN, Called, Clock, Person, Tools, Workshop

SYNCS, SYNC, EXECUTIONS = "/api/bulk/syncs", "/api/bulk/syncs/{id}", "/api/bulk/syncs/{id}/executions"
TABLES = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
INSERT INTO customers VALUES (1, 'Ada', 'London'), (2, 'Grace', 'New York'), (3, 'Đorđe', 'Niš');
CREATE TABLE events (happened TEXT, what TEXT);
INSERT INTO events VALUES ('2026-01-01', 'opened'), ('2026-01-02', 'closed');
CREATE TABLE secrets (id INTEGER PRIMARY KEY, value TEXT);
INSERT INTO secrets VALUES (1, 'x'), (2, 'y');
"""
PREFIXES = ("", "m_", "h_", "n_")
_SCHEMAS: dict[str, Any] = {}
_VALIDATORS: dict[str, Any] = {}
"""What clients know of the results of tools, by name."""
_HELD: dict[Path, list[Callable[[], None]]] = {}
"""By state directory of the service: what would be workers, where they are held back."""


def _spawn(self: Any, execution_id: str) -> None:
    """What `Supervisor._spawn` is replaced with: the worker's work, without the process."""
    config, store = self._config, self._store

    def work() -> None:
        with FileLock(supervisor.lock_path(config, execution_id), timeout=10):
            worker.carry_out(config, store, execution_id, system_clock)

    supervisor.write_worker_settings(config, execution_id)
    if config.state_dir in _HELD:
        _HELD[config.state_dir].append(work)
    else:
        work()


async def _at_once(work: Callable[..., Any], *arguments: Any) -> Any:
    """What the service's threads are replaced with: handing each request to one takes longer than answering it."""
    return work(*arguments)


@contextmanager
def in_process() -> Generator[Vault]:
    """Requests answered and runs carried out in this thread, and a kind of connection with a password."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(supervisor.Supervisor, "_spawn", _spawn)
        patch.setattr(app, "to_thread", SimpleNamespace(run_sync=_at_once))
        yield with_vault(patch)


@dataclass(frozen=True)
class Teller:
    """Who calls: the protocol revision, how a person answers forms (None: the client shows none), and who it is."""

    era: str = MODERN
    answer: str | None = None
    principal: str = "one"
    meanwhile: str = ""
    """What happens behind the scenes while a form is open."""


class Unaccounted(AssertionError):
    """Something was lost that nobody answers for."""


@dataclass
class Form:
    """A form that was answered by hand, so that answer and state can be sent again."""

    operation: str
    arguments: dict[str, Any]
    state: str
    answer: dict[str, Any]


@dataclass
class Stage:
    """One world. Every method that does something ends with the oracle's verdict; `Unaccounted` is a bad one."""

    directory: Path
    vault: Vault
    clock: Clock = field(default_factory=Clock)
    ledger: Ledger = field(default_factory=Ledger)
    counts: Counter[str] = field(default_factory=Counter)
    called: set[str] = field(default_factory=set)
    forms: list[Form] = field(default_factory=list)
    _servers: dict[str, Any] = field(default_factory=dict)
    _lines: int = 0
    _sent: int = 0
    _seen: dict[Path, tuple[Any, Any]] = field(default_factory=dict)
    _number: int = 100

    def __post_init__(self) -> None:
        self.application = self._composed()
        self._lines = len(self._audit())
        self.oracle = Oracle(self.look())

    # --- the application ---------------------------------------------------------------------------------------------

    def _composed(self) -> Application:
        settings = Settings(workspace=self.workspace, state_dir=self.directory / "state", toolsets=("all",))
        made = compose(settings, now=self.clock)

        async def pause(seconds: float) -> None:
            self.clock.advance(seconds=seconds)

        context = replace(made.pipeline.context, pause=pause)
        return replace(made, pipeline=replace(made.pipeline, context=context))

    @property
    def workspace(self) -> Path:
        return self.directory / "data"

    @property
    def state(self) -> Path:
        return self.application.settings.local_dir

    async def restart(self) -> None:
        """A new server on the same state directory. Runs go on: their workers are no part of it."""
        await self.application.aclose()
        self._servers.clear()
        self.application = self._composed()
        self.verdict(None)

    async def close(self) -> None:
        held = _HELD.pop(self.state.resolve(), None)
        if held:
            # Never run: the directory goes.
            held.clear()
        await self.application.aclose()
        shutil.rmtree(self.directory, ignore_errors=True)

    @asynccontextmanager
    async def tools(self, teller: Teller, person: Person | None) -> AsyncGenerator[Tools]:
        server = self._servers.get(teller.principal)
        if server is None:
            server = self._servers[teller.principal] = mcp_server(self.application, teller.principal)
        async with Client(server, mode=teller.era, elicitation_callback=person, raise_exceptions=True) as client:
            # Each client would list the tools and compile the schemas of their results again, which takes longer than
            # the call. The tools are the same on every stage.
            client.session._tool_output_schemas = _SCHEMAS
            client.session._tool_output_validators = _VALIDATORS
            yield Tools(client)

    # --- looking -----------------------------------------------------------------------------------------------------

    def look(self) -> World:
        """The world as it lies on disk. A file that has not changed is not read again."""
        tables: dict[tuple[str, str], Any] = {}
        sources: dict[tuple[str, str], Any] = {}
        for path in sorted(self.workspace.iterdir()):
            if path.suffix == ".duckdb":
                found = self._read(path, read_destination)
                tables |= {(path.name, name): table for name, table in found.items()}
            elif path.suffix == ".db":
                found = self._read(path, read_source)
                sources |= {(path.name, name): table for name, table in found.items()}
        sent = tuple((str(one.get("host")), str(one.get("password"))) for one in self.vault.tried[self._sent :])
        return World(tables, sources, *read_service(self.state / "store.sqlite"), sent)

    def _read(self, path: Path, reader: Callable[[Path], Any]) -> Any:
        wal = path.with_name(path.name + ".wal")
        stamp = [(one.stat().st_mtime_ns, one.stat().st_size) for one in (path, wal) if one.exists()]
        known = self._seen.get(path)
        if known is None or known[0] != stamp:
            known = self._seen[path] = (stamp, reader(path))
        return known[1]

    def _audit(self) -> list[dict[str, Any]]:
        path = self.application.settings.guard_dir / "audit.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def verdict(self, act: Act | None) -> list[dict[str, Any]]:
        """Has the oracle look. Raises `Unaccounted`. Returns the audit lines since the last look."""
        lines = self._audit()[self._lines :]
        self._lines += len(lines)
        problems = self.oracle.judge(self.look(), act, lines)
        self._sent = len(self.vault.tried)
        if problems:
            raise Unaccounted("\n".join(problems))
        return lines

    # --- calls -------------------------------------------------------------------------------------------------------

    async def call(
        self, operation: str, arguments: dict[str, Any], teller: Teller = Teller(), confirmation: str | None = None
    ) -> Called:
        """Calls a tool and has the oracle look."""
        asked_at = []

        async def meanwhile() -> None:
            asked_at.append(self.clock())
            if teller.meanwhile:
                self.verdict(None)
                await self.meddle(teller.meanwhile)

        person = None if teller.answer is None else Person(teller.answer, while_asked=meanwhile)
        given = {**arguments, **({} if confirmation is None else {"confirmation": confirmation})}
        self.called.add(operation)
        async with self.tools(teller, person) as tools:
            called = await tools.call(operation, given)
        agreed, channel, spent = None, "", None
        if person is not None and person.asked and teller.answer == "accept":
            in_time = (self.clock() - asked_at[0]).total_seconds() < 600
            agreed, channel = (person.asked[-1], "form") if in_time else (None, "")
        elif person is None and confirmation is not None:
            spent = self.ledger.agreed(confirmation, operation, arguments, teller.principal, self.clock())
            agreed, channel = (spent.text, "two_step") if spent is not None else (None, "")
        if spent is not None and (not called.error or "changed: none" not in called.text):
            spent.used = True
        found = CONFIRMATION.search(called.text) if called.code == "confirmation_required" else None
        if found is not None:
            shown = Shown(operation, arguments, teller.principal, called.text, self.clock(), "two_step")
            self.ledger.shown[found.group(1)] = shown
        self._count(operation, arguments, called, channel, teller)
        self.verdict(Act(operation, arguments, agreed, channel))
        return called

    def _count(self, operation: str, arguments: dict[str, Any], called: Called, channel: str, teller: Teller) -> None:
        self.counts["calls"] += 1
        self.counts["done" if not called.error else called.code] += 1
        if not called.error and channel:
            self.counts[f"agreed by {channel}"] += 1
            if operation == "start_bulk_sync_execution" and arguments.get("resync_mode"):
                self.counts[f"agreed {arguments['resync_mode']}"] += 1
        if called.code == "confirmation_declined":
            self.counts[f"answered {teller.answer}"] += 1

    async def open_form(self, operation: str, arguments: dict[str, Any], principal: str = "one") -> None:
        """Has a form shown and keeps its answer, without sending it (2026-07-28)."""
        teller = Teller(principal=principal)
        self.called.add(operation)
        async with self.tools(teller, Person("accept")) as tools:
            asked = await tools.client.session.call_tool(operation, arguments, allow_input_required=True)
        if isinstance(asked, types.InputRequiredResult):
            ((name, request),) = (asked.input_requests or {}).items()
            message = request.params.message
            wants_name = "name" in request.params.requested_schema["properties"]
            content = {"name": message.rpartition("type the name: ")[2]} if wants_name else {"confirm": True}
            answer = {name: types.ElicitResult(action="accept", content=content)}
            state = str(asked.request_state)
            self.forms.append(Form(operation, arguments, state, answer))
            self.ledger.shown[state] = Shown(operation, arguments, principal, message, self.clock(), "form")
            self.counts["forms left open"] += 1
            self.verdict(None)
        else:
            self.verdict(Act(operation, arguments))

    async def answer_form(self, form: Form, principal: str = "one", other: Form | None = None) -> None:
        """Sends a kept answer, once more or for another call."""
        call = other or form
        spent = self.ledger.agreed(form.state, call.operation, call.arguments, principal, self.clock())
        error, text = True, ""
        async with self.tools(Teller(principal=principal), Person("decline")) as tools:
            with suppress(MCPError):
                result = await tools.client.session.call_tool(
                    call.operation,
                    call.arguments,
                    input_responses=form.answer,
                    request_state=form.state,
                    allow_input_required=True,
                )
                error = bool(getattr(result, "is_error", True))
                text = "\n".join(getattr(part, "text", "") for part in getattr(result, "content", []))
        if spent is not None and (not error or "changed: none" not in text):
            spent.used = True
        self.counts["forms answered" if not error else "form answers refused"] += 1
        self.verdict(Act(call.operation, call.arguments, spent.text if spent else None, "form" if spent else ""))

    # --- behind the scenes -------------------------------------------------------------------------------------------

    async def meddle(self, what: str) -> None:
        """Something happens past the tools; the oracle takes it as it is."""
        doing: dict[str, Callable[[], Awaitable[None] | None]] = {
            "source rows change": self._source_rows,
            "source grows a table": self._source_table,
            "source grows a column": self._source_column,
            "strays": self._strays,
            "overwritten by hand": self._overwritten,
            "a stranger's table": self._strangers,
            "enable a table": self._enable,
            "rename": self._rename,
            "somebody runs": self._somebody_runs,
            "put back": self._put_back,
            "source loses a key": self._source_key,
            "ten minutes pass": lambda: self.clock.advance(minutes=11),
        }
        done = doing[what]()
        if done is not None:
            await done
        self.oracle.accept(self.look())
        self.counts[what] += 1

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _on_source(self, *statements: str) -> None:
        with sqlite3.connect(self.workspace / "source.db") as db:
            for statement in statements:
                with suppress(sqlite3.OperationalError):
                    db.execute(statement)
        db.close()

    def on_destination(self, *statements: str) -> None:
        """SQL on the destination, by hand; what does not fit what is there is left out."""
        with attached(self.workspace / "warehouse.duckdb") as db:
            db.execute("USE looked_at")
            for statement in statements:
                with suppress(duckdb.Error):
                    db.execute(statement)
            db.execute("USE memory")

    def _source_rows(self) -> None:
        number = self._next()
        self._on_source(
            "DELETE FROM customers WHERE id = (SELECT min(id) FROM customers)",
            f"INSERT INTO customers (id, name) VALUES ({number}, 'new')",
            f"UPDATE customers SET city = 'Z{number}' WHERE id = (SELECT max(id) FROM customers)",
            f"INSERT INTO events VALUES ('2026-02-01', 'n{number}')",
        )

    def _source_table(self) -> None:
        self._on_source(f"CREATE TABLE t{self._next()} (id INTEGER PRIMARY KEY, v TEXT)")

    def _source_column(self) -> None:
        self._on_source(f"ALTER TABLE customers ADD COLUMN c{self._next()} TEXT")

    def _source_key(self) -> None:
        self._on_source(
            "CREATE TABLE anew AS SELECT * FROM customers",
            "DROP TABLE customers",
            "ALTER TABLE anew RENAME TO customers",
        )

    def _strays(self) -> None:
        number, column = self._next(), self._next()
        statements: list[str] = []
        for prefix in PREFIXES:
            statements += [
                f"INSERT INTO {prefix}customers (id, name) VALUES ({number}, 'by hand')",
                f"INSERT INTO {prefix}secrets (id, value) VALUES ({number}, 'by hand')",
                f"INSERT INTO {prefix}events (happened) VALUES ('by hand {number}')",
                f"ALTER TABLE {prefix}customers ADD COLUMN stray{column} INTEGER",
                f"ALTER TABLE {prefix}events ADD COLUMN stray{column} INTEGER",
            ]
        self.on_destination(*statements)

    def _overwritten(self) -> None:
        self.on_destination(*(f"UPDATE {prefix}customers SET city = 'by hand'" for prefix in PREFIXES))

    def _strangers(self) -> None:
        self.on_destination(
            "CREATE TABLE x_customers (id BIGINT, note TEXT)", "INSERT INTO x_customers VALUES (1, 'mine')"
        )

    async def _api(self, method: str, template: str, **arguments: Any) -> Any:
        """A call past the tools; None when the service refuses it."""
        from bulk_sync_mcp.core.errors import ApiFailure

        with suppress(ApiFailure):
            return (await getattr(self.application.api, method)(template, **arguments)).data
        return None

    async def _enable(self) -> None:
        for sync_id in self.syncs()[:2]:
            body = {"schemas": [{"id": "secrets", "enabled": True}]}
            await self._api("patch", f"{SYNC}/schemas", body=body, id=sync_id)

    async def _rename(self) -> None:
        for sync_id in self.syncs()[:1]:
            await self._whole(sync_id, name=f"Shop {self._next()}")

    async def _put_back(self) -> None:
        """Somebody undoes what an update did to the names of outputs and the write mode."""
        for sync_id, prefix in zip(self.syncs(), PREFIXES, strict=False):
            await self._whole(sync_id, destination_configuration={"advanced": {"table_prefix": prefix}})

    async def _whole(self, sync_id: str, **changes: Any) -> None:
        read = await self._api("get", SYNC, id=sync_id)
        if read is not None:
            stamps = ("id", "organization_id", "created_at", "created_by", "updated_at", "updated_by")
            body = {key: value for key, value in read.items() if key not in stamps and value is not None} | changes
            for one in (body["default_schedule"], *body.get("additional_schedules", ())):
                for key in stamps[2:]:
                    one.pop(key, None)
            await self._api("put", SYNC, body=body, id=sync_id)

    async def _somebody_runs(self) -> None:
        for sync_id in self.syncs()[:1]:
            await self._api("post", EXECUTIONS, body={}, id=sync_id)

    # --- runs --------------------------------------------------------------------------------------------------------

    def hold(self) -> None:
        """Runs started from now on are under way until `go_on`."""
        _HELD.setdefault(self.state.resolve(), [])

    def go_on(self) -> None:
        """What is under way comes to its end, and so does what is started from now on."""
        for work in _HELD.pop(self.state.resolve(), []):
            work()
            self.counts["held runs ended"] += 1
            self.verdict(None)

    # --- names of what there is --------------------------------------------------------------------------------------

    def syncs(self) -> list[str]:
        """Ids in the order they were made."""
        return sorted(self.oracle.world.syncs, key=lambda one: (self.oracle.world.syncs[one]["created_at"], one))

    def connections(self) -> list[str]:
        """Ids by name, those of the template first."""
        order = {"Shop database": 0, "Warehouse": 1, "Spare": 2, "Notes": 3}
        known = self.oracle.world.connections
        return sorted(known, key=lambda one: (order.get(known[one]["name"], 9), known[one]["name"], one))

    def parts(self, sync: int, kind: str) -> list[str]:
        """Ids of the schedules or executions of a sync, oldest first, the default schedule before all."""
        syncs = self.syncs()
        found = self.oracle.world.syncs[syncs[sync % len(syncs)]][kind] if syncs else {}
        return sorted(found, key=lambda one: (not found[one].get("is_default"), found[one]["created_at"], one))


# --- the template ----------------------------------------------------------------------------------------------------


def scratch() -> Path | None:
    """Memory, where there is any to be had as files: everything here is synced to disk again and again."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > 1 << 30 else None


async def build(directory: Path, vault: Vault) -> None:
    """A world in which something can be lost everywhere: outputs with rows and columns only they have."""
    (directory / "data").mkdir(parents=True)
    with sqlite3.connect(directory / "data" / "source.db") as db:
        db.executescript(TABLES)
    db.close()
    made = compose(Settings(workspace=directory / "data", state_dir=directory / "state", toolsets=("all",)))
    workshop = Workshop(made, made.api, directory / "data", Clock())  # type: ignore[arg-type]
    connections: dict[str, str] = {}
    for name, kind, settings in (
        ("Shop database", "sqlite", {"path": "source.db"}),
        ("Warehouse", "duckdb", {"path": "warehouse.duckdb"}),
        ("Spare", "duckdb", {"path": "spare.duckdb"}),
        ("Notes", "vault", {"host": "db.example.com", "password": RIGHT}),
    ):
        body = {"name": name, "type": kind, "configuration": settings}
        connections[name] = (await made.api.post("/api/connections", body=body)).data["id"]

    async def sync(name: str, prefix: str, schemas: list[Any], **more: Any) -> str:
        advanced = {"table_prefix": prefix, **more.pop("advanced", {})}
        body = {
            "name": name,
            "source_connection_id": connections["Shop database"],
            "destination_connection_id": connections["Warehouse"],
            "destination_configuration": {"advanced": advanced},
            "default_schedule": {"frequency": "daily", "hour": "1"},
            "active": False,
            "schemas": schemas,
            **more,
        }
        made_id = str((await made.api.post(SYNCS, body=body)).data["id"])
        await made.api.post(EXECUTIONS, body={}, id=made_id)
        return made_id

    narrow = {
        "id": "customers",
        "fields": [{"id": "id"}, {"id": "name", "obfuscate": True}, {"id": "city", "enabled": False}],
        "filters": [{"field_id": "id", "function": "GreaterThan", "value": 1}],
    }
    rebuild = {"frequency": "weekly", "day_of_week": "sunday", "hour": "3", "resync_mode": "rebuild"}
    # `secrets` is loaded once and then switched off: its output is there, and somebody may switch it on again.
    shop = await sync("Shop", "", ["customers", "events", "secrets"], additional_schedules=[rebuild])
    await made.api.patch(f"{SYNC}/schemas", body={"schemas": [{"id": "secrets", "enabled": False}]}, id=shop)
    body = {"subscribers": ["a@example.com", "b@example.com"], "ingestion_failure_threshold": 900}
    await made.api.put(f"{SYNC}/error-handling", body=body, id=shop)
    await made.api.post(EXECUTIONS, body={}, id=shop)
    await sync("Mirror", "m_", ["customers"], mode="snapshot")
    await sync("Strict", "h_", ["customers", "events"], advanced={"hard_deletes": True})
    await sync("Narrow", "n_", [narrow, "events"], automatically_add_new_fields="none")
    runs = [
        one
        for each in read_service(directory / "state" / "local" / "store.sqlite")[0].values()
        for one in each["executions"].values()
    ]
    assert [one["status"] for one in runs] == ["completed"] * 5, runs
    workshop.change_destination(
        *(f"INSERT INTO {prefix}customers (id, name) VALUES (99, 'by hand')" for prefix in PREFIXES),
        *(f"ALTER TABLE {prefix}customers ADD COLUMN stray INTEGER" for prefix in PREFIXES),
        *(f"INSERT INTO {prefix}events (happened) VALUES ('by hand')" for prefix in ("", "h_", "n_")),
        "INSERT INTO secrets (id, value) VALUES (99, 'by hand')",
        "CREATE TABLE ledger (id BIGINT, amount BIGINT)",
        "INSERT INTO ledger VALUES (1, 100)",
    )
    await made.aclose()


@dataclass
class Theatre:
    """The template and the loop of one process; `open` sets a stage."""

    vault: Vault
    loop: asyncio.AbstractEventLoop
    directory: Path

    def run(self, doing: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(doing)

    def open(self) -> Stage:
        place = Path(tempfile.mkdtemp(dir=self.directory))
        shutil.copytree(self.directory / "template", place, dirs_exist_ok=True)
        self.vault.tried.clear()
        return Stage(place, self.vault)


@contextmanager
def theatre() -> Generator[Theatre]:
    """A template in a directory that goes in the end."""
    with in_process() as vault, tempfile.TemporaryDirectory(dir=scratch(), prefix="bulk-sync-machine-") as name:
        loop = asyncio.new_event_loop()
        made = Theatre(vault, loop, Path(name))
        try:
            made.run(build(made.directory / "template", vault))
            yield made
        finally:
            let_go()
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
