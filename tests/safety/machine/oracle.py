"""What may disappear: two looks at the world, and whether somebody agreed to every difference between them.

Nothing here comes from the project, so that what the guard gets wrong is not got wrong again here. A look is taken
on disk, past every interface: rows from the destination's files, configuration and credentials from the local
service's store, evidence from the lines of the audit log. Whether somebody agreed is the oracle's own record
(`Ledger`) of what was shown to whom and answered how; the audit log has to say the same.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

Json = dict[str, Any]

FIRST = {"empty": "EMPTIES and refills", "merge and remove": "REMOVES rows"}
"""What a question says of what a run does to its output."""
OWN_TABLES = ("_bulk_sync_state", "__stage_")
"""The service keeps these in a destination for itself; nobody's data."""
STAMPS = ("_polytomic_created_at", "_polytomic_updated_at", "_polytomic_deleted_at")
"""Written by every run; a row that is only stamped anew, or marked as deleted, is not lost."""
LIFETIME = timedelta(minutes=10)


@dataclass(frozen=True)
class Table:
    """What a table holds."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    key: tuple[str, ...] = ()

    def only(self, columns: Sequence[str]) -> Counter[tuple[Any, ...]]:
        """The rows as they are in these columns, with how often."""
        places = [self.columns.index(column) for column in columns]
        return Counter(tuple(row[place] for place in places) for row in self.rows)


@dataclass(frozen=True)
class World:
    """One look. Tables go by file and name; `sent` are secrets that reached a service: host and secret."""

    tables: Mapping[tuple[str, str], Table]
    sources: Mapping[tuple[str, str], Table]
    syncs: Mapping[str, Json]
    connections: Mapping[str, Json]
    sent: tuple[tuple[str, str], ...] = ()


# --- looking ---------------------------------------------------------------------------------------------------------


@cache
def _engine() -> Any:
    """One for the process: making one takes more time than a whole look."""
    return duckdb.connect()


@contextmanager
def attached(path: Path, *, read_only: bool = False) -> Generator[Any]:
    """DuckDB with a file attached as `looked_at`, and let go of in the end."""
    db = _engine()
    db.execute(f"ATTACH '{path}' AS looked_at{' (READ_ONLY)' if read_only else ''}")
    try:
        yield db
    finally:
        db.execute("DETACH looked_at")


def let_go() -> None:
    """Closes the engine; the next look makes another."""
    _engine().close()
    _engine.cache_clear()


def read_destination(path: Path) -> dict[str, Table]:
    """Every table of a DuckDB file, those of other schemas than `main` as `schema.table`."""
    found: dict[str, Table] = {}
    with attached(path, read_only=True) as db:
        tables = "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'looked_at' ORDER BY ALL"
        for schema, name in db.execute(tables).fetchall():
            if name.startswith(OWN_TABLES):
                continue
            rows = db.execute(f'SELECT * FROM looked_at."{schema}"."{name}"').fetchall()
            columns = tuple(column[0] for column in db.description or ())
            found[name if schema == "main" else f"{schema}.{name}"] = Table(columns, tuple(rows))
    return found


def read_source(path: Path) -> dict[str, Table]:
    """Every table of an SQLite file, with its primary key."""
    found: dict[str, Table] = {}
    with closing(sqlite3.connect(path)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall():
            about = db.execute(f'PRAGMA table_info("{name}")').fetchall()
            rows = db.execute(f'SELECT * FROM "{name}"').fetchall()
            key = tuple(column[1] for column in about if column[5])
            found[name] = Table(tuple(column[1] for column in about), tuple(rows), key)
    return found


def read_service(path: Path) -> tuple[dict[str, Json], dict[str, Json]]:
    """Syncs, with their tables, schedules and executions, and connections, with their secrets, as plain JSON."""
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row

        def rows(table: str) -> list[Json]:
            return [dict(row) for row in db.execute(f"SELECT * FROM {table}").fetchall()]

        connections = {
            one["id"]: {"name": one["name"], "type": one["type"], "configuration": json.loads(one["configuration"])}
            for one in rows("connections")
        }
        syncs: dict[str, Json] = {}
        for one in rows("syncs"):
            if one["deleted_at"] is None:
                settings, told = json.loads(one.pop("settings")), json.loads(one.pop("subscribers"))
                parts = {"schemas": {}, "schedules": {}, "executions": {}}
                syncs[one["id"]] = {**one, "settings": settings, "subscribers": told, **parts}
        for name, key in (("sync_schemas", "schema_id"), ("schedules", "id"), ("executions", "id")):
            for one in rows(name):
                if one["sync_id"] in syncs:
                    if "settings" in one:
                        one["settings"] = json.loads(one["settings"])
                    one["tables"] = {}
                    syncs[one["sync_id"]][name.removeprefix("sync_")][one[key]] = one
        every = {run: one for sync in syncs.values() for run, one in sync["executions"].items()}
        for one in rows("execution_schemas"):
            if one["execution_id"] in every:
                every[one["execution_id"]]["tables"][one["schema_id"]] = one
        return syncs, connections


# --- what was shown, and who agreed ----------------------------------------------------------------------------------


@dataclass
class Shown:
    """Something put before somebody: a preview with its confirmation, or a form."""

    operation: str
    arguments: Json
    principal: str
    text: str
    at: datetime
    channel: str
    used: bool = False


@dataclass
class Ledger:
    """Everything shown, by confirmation or by the state a form was asked under."""

    shown: dict[str, Shown] = field(default_factory=dict)

    def agreed(self, key: str, operation: str, arguments: Json, principal: str, now: datetime) -> Shown | None:
        """What the holder of `key` agreed to by this call; None when the key is worth nothing for it."""
        one = self.shown.get(key)
        if one is None or one.used or now - one.at >= LIFETIME:
            return None
        same = (one.operation, one.arguments, one.principal) == (operation, arguments, principal)
        return one if same else None


@dataclass(frozen=True)
class Act:
    """A call of a tool as the world saw it. `agreed` is what somebody was shown and said yes to, through `channel`."""

    operation: str
    arguments: Json
    agreed: str | None = None
    channel: str = ""


@dataclass(frozen=True)
class Allowed:
    """A call that may cause a loss. `words` must have been agreed to; empty when saying so afterwards is enough."""

    operation: str
    words: str = ""


_TABLES = ("update_bulk_sync", "patch_bulk_sync_schemas", "update_bulk_sync_schema")
_CANCELS = ("cancel_bulk_sync", "cancel_bulk_sync_execution", "cancel_bulk_sync_schema")
_DELETES = ("delete_bulk_sync", "delete_connection", "activate_bulk_sync", "update_bulk_sync")
_SCHEDULES = ("update_bulk_sync", "create_bulk_sync_schedule", "update_bulk_sync_schedule")


def _confirmed(words: str, *operations: str) -> tuple[Allowed, ...]:
    return tuple(Allowed(operation, words) for operation in operations)


def _told(*operations: str) -> tuple[Allowed, ...]:
    return tuple(Allowed(operation) for operation in operations)


CAUSES: Mapping[str, tuple[Allowed, ...]] = {
    "sync": _confirmed("DELETES the bulk sync", "delete_bulk_sync", "delete_connection"),
    # History goes with its sync only; a sync that stays keeps every execution.
    "history": (),
    "connection": _confirmed("DELETES the connection", "delete_connection"),
    "settings of a connection": _confirmed("REPLACES settings and credentials", "update_connection"),
    "place of a destination": _confirmed("REDIRECTS output", "update_connection"),
    "place of a source": _confirmed("CHANGES HOW ROWS ARE WRITTEN", "update_connection"),
    # Whoever moves a connection gives its secrets anew, and agrees to that.
    "secret": (
        *_confirmed("SENDS the stored credentials", "test_connection"),
        *_confirmed("REPLACES settings and credentials", "update_connection"),
    ),
    "schedule": _confirmed("DELETES a schedule", "delete_bulk_sync_schedule", "update_bulk_sync"),
    # When a schedule fires is no loss as long as it loads as it did; it has to be told.
    "time of a schedule": _told("update_bulk_sync_schedule", "update_bulk_sync"),
    "peace": _confirmed("ARMS a schedule", "activate_bulk_sync", *_SCHEDULES, "create_bulk_sync"),
    "idleness": (
        *_confirmed("starts runs unattended", "create_bulk_sync"),
        *_told("activate_bulk_sync", *_SCHEDULES),
    ),
    # Which of its effects the run has, the question has to say by name.
    "first firing": _confirmed("Activates schedules", "activate_bulk_sync", *_SCHEDULES),
    "write mode": _confirmed("CHANGES HOW ROWS ARE WRITTEN", *_TABLES),
    "place of the output": _confirmed("REDIRECTS output", *_TABLES),
    "narrowness": _confirmed("WIDENS", *_TABLES),
    "obfuscation": _confirmed("REMOVES OBFUSCATION", *_TABLES),
    "table selection": _confirmed("STOPS syncing", *_TABLES),
    # The whole update tells of it only: every run of such a sync is judged by itself.
    "tracking": (
        *_confirmed("Reads everything again", "patch_bulk_sync_schemas", "update_bulk_sync_schema"),
        *_told("update_bulk_sync"),
    ),
    "alert": _confirmed("SILENCES", "update_bulk_sync_error_handling"),
    # Whoever asks for an ordinary run to be cancelled, by name, gets that; in a rerun, or by the way, it is a surprise.
    "ordinary run": (*_told(*_CANCELS), *_confirmed("CANCELS", *_DELETES)),
    "rerun": _confirmed("CANCELS", *_CANCELS, *_DELETES),
    "name or comfort": _told("update_bulk_sync", "activate_bulk_sync", *_TABLES),
}
"""What may be lost, and the calls that may lose it. A loss that is not here, or by another call, nobody allowed."""


@dataclass(frozen=True)
class Loss:
    """A difference that has to be accounted for. `targets`: arguments one of which the call must have had."""

    kind: str
    what: str
    targets: tuple[Json, ...]
    names: tuple[str, ...] = ()
    """What the text agreed to must name, beside the words of the cause."""


def unaccounted(loss: Loss, act: Act | None, lines: Sequence[Json]) -> str | None:
    """Why nobody answers for a loss; None when somebody does."""
    if act is None:
        return f"{loss.what}: lost without any call"
    allowed = next((one for one in CAUSES[loss.kind] if one.operation == act.operation), None)
    if allowed is None:
        return f"{loss.what}: {act.operation} may not do that"
    if not any(all(act.arguments.get(key) == value for key, value in one.items()) for one in loss.targets):
        return f"{loss.what}: {act.operation} was about something else: {act.arguments}"
    return _unagreed(loss.what, act, lines, (allowed.words, *loss.names) if allowed.words else ())


def _unagreed(what: str, act: Act, lines: Sequence[Json], words: Sequence[str]) -> str | None:
    record = next((one for one in lines if one["event"] == "intent" and one["operation"] == act.operation), None)
    if record is None or not any(one["event"] == "outcome" and one["call"] == record["call"] for one in lines):
        return f"{what}: the audit log has no record of {act.operation}"
    for key in ("sync_id", "connection_id", "schedule_id", "execution_id", "schemas", "resync_mode"):
        if record["arguments"].get(key) != act.arguments.get(key):
            return f"{what}: the audit log has another {key}: {record['arguments']}"
    if not words:
        return None
    if act.agreed is None:
        return f"{what}: nobody agreed to {act.operation}"
    if record["evidence_from"] != act.channel:
        return f"{what}: agreed by {act.channel}, the audit log says {record['evidence_from']}"
    missing = [word for word in words if word not in act.agreed]
    return f"{what}: agreed to, but the question did not say {missing}:\n{act.agreed}" if missing else None


# --- differences of configuration ------------------------------------------------------------------------------------

_REDIRECTS = ("destination_connection_id", "normalize_names", "schema", "table_prefix")
_WRITES = ("mode", "source_connection_id", "hard_deletes", "truncate_existing", "source_configuration")
_HARMLESS = ("disable_record_timestamps", "concurrency_limit", "resync_concurrency_limit")


def _flat(sync: Json) -> Json:
    settings = dict(sync["settings"])
    where = dict(settings.pop("destination_configuration", None) or {})
    advanced = dict(where.pop("advanced", None) or {})
    own = {key: sync[key] for key in ("mode", "source_connection_id", "destination_connection_id")}
    return {key: value or None for key, value in {**settings, **where, **advanced, **own}.items()}


def _of_sync(before: Json, after: Json) -> Iterable[Loss]:
    name, on = before["name"], ({"sync_id": before["id"]},)
    old, new = _flat(before), _flat(after)
    for key in old.keys() | new.keys():
        was, now = old.get(key), new.get(key)
        if was == now:
            continue
        told = f"{key} of {name}: {was!r} → {now!r}"
        if key in _REDIRECTS:
            yield Loss("place of the output", told, on, (key,))
        elif key.startswith("automatically_add"):
            yield Loss("narrowness" if now == "all" else "name or comfort", told, on)
        elif key == "data_cutoff_timestamp":
            yield Loss("narrowness" if now is None or (was is not None and now < was) else "name or comfort", told, on)
        elif key in _HARMLESS:
            yield Loss("name or comfort", told, on)
        else:
            yield Loss("write mode", told, on, (key,))
    if (before["name"], before["active"]) != (after["name"], after["active"]):
        yield Loss("name or comfort", f"name or activity of {name}", on)
    yield from _of_schedules(before, after, on)
    for table in before["schemas"].keys() | after["schemas"].keys():
        yield from _of_table(table, before, after, on)
    gone = {one.casefold() for one in before["subscribers"]} - {one.casefold() for one in after["subscribers"]}
    if gone:
        yield Loss("alert", f"{gone} no longer told of {name}", on)
    was, now = before["ingestion_failure_threshold"], after["ingestion_failure_threshold"]
    if was and (not now or now > was):
        yield Loss("alert", f"threshold of {name}: {was} → {now}", on)
    for run, one in before["executions"].items():
        if run not in after["executions"]:
            yield Loss("history", f"execution {run} of {name}", on)
        elif not one["completed_at"]:
            yield from _of_run(one, after["executions"][run], name, on)


def _of_run(before: Json, after: Json, name: str, on: tuple[Json, ...]) -> Iterable[Loss]:
    kind = "rerun" if before["resync_mode"] in ("resync", "rebuild") else "ordinary run"
    if after["cancel_requested"] and not before["cancel_requested"]:
        yield Loss(kind, f"run {before['id']} of {name} cancelled", on)
        return
    if after["status"] == "canceled" and not before["cancel_requested"]:
        stopped = all(one["cancel_requested"] for one in before["tables"].values())
        if not stopped:
            yield Loss(kind, f"run {before['id']} of {name} cancelled", on)
        return
    for table, one in before["tables"].items():
        if after["tables"][table]["cancel_requested"] and not one["cancel_requested"]:
            yield Loss(kind, f"{table} in run {before['id']} of {name} cancelled", on)


def _fires(schedule: Json) -> bool:
    return schedule["settings"]["frequency"] != "manual"


def _firing(sync: Json) -> bool:
    return bool(sync["active"]) and any(_fires(one) for one in sync["schedules"].values())


def _armed(schedule: Json) -> bool:
    return _fires(schedule) and (schedule["settings"].get("resync_mode") or "normal") != "normal"


def _of_schedules(before: Json, after: Json, on: tuple[Json, ...]) -> Iterable[Loss]:
    name, old, new = before["name"], before["schedules"], after["schedules"]
    switched_on = bool(after["active"]) and not before["active"]
    for one in old.keys() - new.keys():
        by = tuple({**target, "schedule_id": which} for target in on for which in (one, None))
        yield Loss("schedule", f"schedule {old[one]['settings']} of {name}", by)
    for one, now in new.items():
        changed = one not in old or old[one]["settings"] != now["settings"]
        told = f"schedule {now['settings']} of {name}"
        if _armed(now) and (changed or switched_on):
            yield Loss("peace", told, on)
        elif one in old and changed:
            yield Loss("time of a schedule", told, on)


def _of_table(table: str, before: Json, after: Json, on: tuple[Json, ...]) -> Iterable[Loss]:
    old, new = before["schemas"].get(table), after["schemas"].get(table)
    if new is None:
        if old["enabled"]:
            yield Loss("table selection", f"{table} left {before['name']}", on, (f"“{table}”",))
        return
    if old is None:
        # The source has gained a table: the policy of the sync, confirmed when it was set, takes it up.
        if new["enabled"] and before["settings"].get("automatically_add_new_objects") != "all":
            yield Loss("narrowness", f"{table} joined {before['name']}", on, (table,))
        return
    if old["enabled"] and not new["enabled"]:
        yield Loss("table selection", f"{table} of {before['name']} off", on, (f"“{table}”",))
    if new["enabled"] and not old["enabled"]:
        yield Loss("narrowness", f"{table} of {before['name']} on", on, (table,))
    was, now = old["settings"], new["settings"]
    fields = {one["id"]: one for one in was["fields"]}
    for one in now["fields"]:
        column, known = f"{table}.{one['id']}", fields.get(one["id"])
        if known is None:
            # As with tables: new columns of the source join by the policy of the sync.
            if one["enabled"] and before["settings"].get("automatically_add_new_fields") != "all":
                yield Loss("narrowness", f"{column} joined", on, (column,))
            continue
        if one["enabled"] and not known["enabled"]:
            yield Loss("narrowness", f"{column} on", on, (column,))
        if known["obfuscated"] and not one["obfuscated"]:
            yield Loss("obfuscation", f"{column} in the clear", on, (column,))
        if one["obfuscated"] and not known["obfuscated"]:
            yield Loss("write mode", f"{column} obfuscated", on, (column,))
        if (known["user_output_name"] or None) != (one["user_output_name"] or None):
            yield Loss("place of the output", f"{column} renamed", on, (column,))
        if known["enabled"] and not one["enabled"]:
            yield Loss("name or comfort", f"{column} off", on)
    if was["filters"] != now["filters"]:
        yield Loss("narrowness", f"row filters of {table}", on, (f"row filters of {table}",))
    if (was["user_output_name"] or None) != (now["user_output_name"] or None):
        yield Loss("place of the output", f"{table} renamed", on, (f"{table} user_output_name",))
    if (was["tracking_field"] or None) != (now["tracking_field"] or None):
        yield Loss("tracking", f"tracking of {table}", on)


def losses(before: World, after: World) -> list[Loss]:
    """What the second look lacks of the first, tables apart."""
    found: list[Loss] = []
    for sync_id, sync in before.syncs.items():
        if sync_id in after.syncs:
            found += _of_sync(sync, after.syncs[sync_id])
        else:
            ends = (sync["source_connection_id"], sync["destination_connection_id"])
            by = ({"sync_id": sync_id}, *({"connection_id": one, "force": True} for one in ends))
            running = [one for one in sync["executions"].values() if not one["completed_at"]]
            found.append(Loss("sync", f"sync {sync['name']}", by, (sync["name"],)))
            found += [Loss("ordinary run", f"run {one['id']} with its sync", by, (one["id"],)) for one in running]
    for sync_id in after.syncs.keys() - before.syncs.keys():
        sync, schedules = after.syncs[sync_id], after.syncs[sync_id]["schedules"].values()
        if sync["active"] and any(_fires(one) for one in schedules):
            found.append(Loss("idleness", f"{sync['name']} fires", ({"name": sync["name"]},), (sync["name"],)))
        if any(_armed(one) for one in schedules):
            found.append(Loss("peace", f"{sync['name']} armed", ({"name": sync["name"]},)))
    for connection_id, one in before.connections.items():
        found += _of_connection(connection_id, one, before, after)
    return found


def _of_connection(connection_id: str, one: Json, before: World, after: World) -> Iterable[Loss]:
    on, now = ({"connection_id": connection_id},), after.connections.get(connection_id)
    if now is None:
        yield Loss("connection", f"connection {one['name']}", on, (one["name"],))
        return
    if now != one:
        yield Loss("settings of a connection", f"settings of {one['name']}", on, (one["name"],))
    if now["configuration"].get("path") != one["configuration"].get("path"):
        if any(sync["destination_connection_id"] == connection_id for sync in before.syncs.values()):
            yield Loss("place of a destination", f"path of {one['name']}", on)
        if any(sync["source_connection_id"] == connection_id for sync in before.syncs.values()):
            yield Loss("place of a source", f"path of {one['name']}", on)
    stored = one["configuration"].get("password")
    for host, secret in after.sent:
        if stored is not None and secret == stored and host != one["configuration"].get("host"):
            yield Loss("secret", f"the password of {one['name']} went to {host}", on)


# --- differences of rows ---------------------------------------------------------------------------------------------


@dataclass
class Run:
    """An execution as it was started: under which configuration, by which call, and what that was worth."""

    sync: Json
    resync_mode: str | None
    test: bool
    files: tuple[str, str]
    """Source and destination."""
    epochs: dict[str, int]
    """By table, how often its configuration had changed."""
    act: Act | None
    lines: tuple[Json, ...]
    outside: bool
    """Started past the tools, by somebody who answers for it."""
    order: int
    ways: dict[str, str] = field(default_factory=dict)
    """By table, what an ordinary run does to its output."""


def _way(sync: Json, source: Table | None) -> str:
    """What an ordinary run does to one output: `keep`, `merge`, `merge and remove`, `empty` or `drop`."""
    advanced = (sync["settings"].get("destination_configuration") or {}).get("advanced") or {}
    if sync["mode"] == "append":
        return "keep"
    if sync["mode"] == "snapshot":
        return "empty"
    if source is None or not source.key:
        return "empty" if advanced.get("truncate_existing") else "drop"
    return "merge and remove" if advanced.get("hard_deletes") else "merge"


_CONFIGURED = ("mode", "source_connection_id", "destination_connection_id")


def _configuration(sync: Json, connections: Mapping[str, Json], table: str) -> str:
    """What says what a run does to the rows of one table.

    Tables and columns that the source newly has join, or stay out, by policy: no change that anybody made.
    """
    settings = {key: value for key, value in sync["settings"].items() if key not in _HARMLESS}
    one = sync["schemas"].get(table, {"enabled": 0, "settings": {"fields": []}})
    told = [each for each in one["settings"]["fields"] if each["obfuscated"] or each["user_output_name"]]
    ends = [connections.get(sync[key], {}).get("configuration") for key in _CONFIGURED[1:]]
    own = {key: sync[key] for key in _CONFIGURED}
    return json.dumps([own, settings, one["enabled"], {**one["settings"], "fields": told}, ends], sort_keys=True)


class Oracle:
    """Follows a world look by look. `judge` tells what went that nobody answers for."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.answered: Counter[str] = Counter()
        """How many losses of each kind somebody answered for."""
        self._runs: dict[str, Run] = {}
        self._epochs: dict[tuple[str, str], int] = {}
        self._follow(world, None, (), outside=True)
        for run, one in self._runs.items():
            # Of what was there at first only the times tell whether it ran as the sync is set now.
            if self._execution(run)["created_at"] < one.sync["updated_at"]:
                one.epochs = {}

    def accept(self, world: World) -> None:
        """Takes what somebody did past the tools as it is."""
        self._follow(world, None, (), outside=True)

    def judge(self, world: World, act: Act | None, lines: Sequence[Json]) -> list[str]:
        """What was lost since the last look and is not accounted for by `act` and the audit lines since."""
        before = self.world
        self._follow(world, act, tuple(lines), outside=False)
        problems: list[str] = []
        for loss in [*losses(before, world), *self._first_firings(before)]:
            problem = unaccounted(loss, act, lines)
            if problem is None:
                self.answered[loss.kind] += 1
            else:
                problems.append(problem)
        for place, table in before.tables.items():
            problems += self._of_rows(before, place, table, world.tables.get(place))
        return problems

    def _execution(self, run: str) -> Json:
        return self.world.syncs[self._runs[run].sync["id"]]["executions"][run]

    def _follow(self, world: World, act: Act | None, lines: tuple[Json, ...], *, outside: bool) -> None:
        for sync_id, sync in world.syncs.items():
            was = self.world.syncs.get(sync_id)
            for table in sync["schemas"]:
                changed = was is None or (
                    _configuration(was, self.world.connections, table) != _configuration(sync, world.connections, table)
                )
                self._epochs[sync_id, table] = self._epochs.get((sync_id, table), 0) + changed
            files = tuple(
                world.connections.get(sync[key], {"configuration": {}})["configuration"].get("path", "")
                for key in _CONFIGURED[1:]
            )
            for run, one in sync["executions"].items():
                if run not in self._runs:
                    tables = {table: world.sources.get((files[0], table)) for table in sync["schemas"]}
                    self._runs[run] = Run(
                        sync=sync,
                        resync_mode=one["resync_mode"],
                        test=bool(one["is_test"]),
                        files=(files[0], files[1]),
                        epochs={table: self._epochs[sync_id, table] for table in sync["schemas"]},
                        act=act,
                        lines=lines,
                        outside=outside,
                        order=len(self._runs),
                        ways={table: _way(sync, source) for table, source in tables.items()},
                    )
        self.world = world

    def _first_firings(self, before: World) -> Iterable[Loss]:
        """Syncs that fire from now on, and then do for the first time what an ordinary run has to ask for.

        What tables without a key come to depends on what the service knows of the source; every run shows it.
        """
        for sync_id, was in before.syncs.items():
            sync = self.world.syncs.get(sync_id)
            if sync is None or _firing(was) or not _firing(sync):
                continue
            path = self.world.connections.get(sync["source_connection_id"], {"configuration": {}})
            for table, one in sync["schemas"].items():
                source = self.world.sources.get((path["configuration"].get("path", ""), table))
                way = _way(sync, source)
                keyless = sync["mode"] != "snapshot" and (source is None or not source.key)
                if one["enabled"] and way in FIRST and not keyless and not self._done_before(sync_id, table, way):
                    yield Loss(
                        "first firing", f"first firing of {sync['name']}", ({"sync_id": sync_id},), (FIRST[way],)
                    )

    def _done_before(self, sync_id: str, table: str, way: str) -> bool:
        return any(
            run.sync["id"] == sync_id
            and not run.test
            and run.ways.get(table) == way
            and run.epochs.get(table) == self._epochs[sync_id, table]
            and self._execution(name)["tables"].get(table, {}).get("status") == "completed"
            for name, run in self._runs.items()
            if name in self.world.syncs[sync_id]["executions"]
        )

    def _of_rows(self, before: World, place: tuple[str, str], old: Table, new: Table | None) -> list[str]:
        if new is old:
            return []
        columns = set(old.columns) - set(new.columns) if new is not None else set[str]()
        shared = [one for one in old.columns if new is not None and one in new.columns and one not in STAMPS]
        rows = old.only(shared) - new.only(shared) if new is not None else Counter[tuple[Any, ...]]()
        if new is not None and not columns and not rows:
            return []
        writers = [(run, table) for run, table in self._ended(before) if self._output(run, table) == place]
        what = (
            f"table {place[1]}" if new is None else f"columns {sorted(columns)} and {rows.total()} rows of {place[1]}"
        )
        if not writers:
            return [f"{what}: lost without any run"]
        problems: list[str] = []
        for run, table in writers:
            problem = self._explained(run, table, new is None, shared, columns, rows)
            if problem is None:
                if not self._runs[run].outside:
                    self.answered[f"rows by {self._runs[run].resync_mode or 'ordinary run'}"] += 1
                return []
            problems.append(f"{what}: {problem}")
        return problems

    def _ended(self, before: World) -> Iterable[tuple[str, str]]:
        """Tables that runs have completed since the last look."""
        for sync_id, sync in self.world.syncs.items():
            for run, one in sync["executions"].items():
                known = before.syncs.get(sync_id, {"executions": {}})["executions"].get(run, {"tables": {}})["tables"]
                for table, state in one["tables"].items():
                    if state["status"] == "completed" and known.get(table, {}).get("status") != "completed":
                        yield run, table

    def _output(self, run: str, table: str) -> tuple[str, str]:
        schema = (self._runs[run].sync["settings"].get("destination_configuration") or {}).get("schema")
        name = self._execution(run)["tables"][table]["output_name"]
        return self._runs[run].files[1], f"{schema}.{name}" if schema else name

    def _explained(
        self, run: str, table: str, gone: bool, shared: Sequence[str], columns: set[str], rows: Counter[tuple[Any, ...]]
    ) -> str | None:
        """Why a run does not account for what went of an output; None when it does."""
        one = self._runs[run]
        if one.outside:
            return None
        if one.test:
            return "a test run leaves the destination untouched"
        source = self.world.sources.get((one.files[0], table))
        ordinary = _way(one.sync, source)
        way = {"rebuild": "drop", "resync": "empty"}.get(one.resync_mode or "", ordinary)
        if gone:
            return "no run takes a table away"
        words: set[str] = set()
        if columns and way != "drop":
            return f"a run that is to {way} keeps columns"
        if way == "drop":
            words.add("DROPS and recreates")
        elif way == "empty":
            words.add("EMPTIES and refills")
        elif way == "keep" and rows:
            return "a run that appends takes no row away"
        elif rows:
            absent = _absent(source, shared, rows)
            if absent is None or (absent and way == "merge"):
                return f"{absent or 'keyless'} rows are not at the source: a merge keeps them, marked"
            words |= {"REMOVES rows"} if absent else set()
            words |= {"Reads everything again and overwrites"} if one.resync_mode == "refetch" else set()
        if one.act is None or one.act.operation != "start_bulk_sync_execution":
            return "nobody started the run"
        asked = (one.act.arguments.get("sync_id"), one.act.arguments.get("resync_mode"))
        if asked != (one.sync["id"], one.resync_mode):
            return "the call was about another sync or another mode"
        if not words or (one.resync_mode is None and self._repeats(one, table, ordinary)):
            # A merge writes over rows by key, and a run that repeats one does what that did: what a sync is for.
            return _unagreed("an ordinary run", one.act, one.lines, ())
        names = f"“{self._execution(run)['tables'][table]['output_name']}”"
        lines = (one.act.agreed or "").splitlines()
        named = [word for word in words if not any(word in line and names in line for line in lines)]
        problem = _unagreed("a run", one.act, one.lines, tuple(words))
        return problem or (f"what was agreed to does not name {names} for {named}" if named else None)

    def _repeats(self, run: Run, table: str, way: str) -> bool:
        """Whether an earlier run under this very configuration completed the table, doing to it what this one does."""
        return any(
            earlier.order < run.order
            and earlier.sync["id"] == run.sync["id"]
            and earlier.epochs.get(table, -1) == run.epochs.get(table)
            and not earlier.test
            and earlier.ways.get(table) == way
            and self._execution(name)["tables"].get(table, {}).get("status") == "completed"
            for name, earlier in self._runs.items()
            if name in self.world.syncs.get(run.sync["id"], {"executions": {}})["executions"]
        )


def _absent(source: Table | None, shared: Sequence[str], rows: Counter[tuple[Any, ...]]) -> int | None:
    """How many of the rows have a key that the source no longer has; None when they have no key."""
    if source is None or not source.key or any(one not in shared for one in source.key):
        return None
    places = [shared.index(one) for one in source.key]
    there = source.only(source.key)
    return sum(count for row, count in rows.items() if tuple(row[place] for place in places) not in there)
