"""Changing tables of a bulk sync through endpoints that clear, or switch on, what is left out (api/README.md 4)."""

from dataclasses import dataclass
from typing import Any

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.effects import (
    ChangesField,
    ChangesWriteMode,
    DisablesSchemas,
    RedirectsOutput,
    RemovesObfuscation,
    RereadsSource,
    WidensFields,
)
from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.plan import Effect, Plan
from bulk_sync_mcp.core.text import quoted
from bulk_sync_mcp.models import schema as tables
from bulk_sync_mcp.models.base import moment
from bulk_sync_mcp.models.connection import Connection
from bulk_sync_mcp.models.merge import Json, as_objects
from bulk_sync_mcp.operations import _changes, _pre_images
from bulk_sync_mcp.operations._reading import SyncRead, heading, read_connection, read_sync, unknown_names
from bulk_sync_mcp.operations._subjects import on_sync

PLANS = (
    ChangesField,
    ChangesWriteMode,
    DisablesSchemas,
    RedirectsOutput,
    RemovesObfuscation,
    RereadsSource,
    WidensFields,
)
_HOW_WRITTEN = ("partition_key", "history_enabled")


@dataclass(frozen=True, slots=True)
class Change:
    """One table: what was read, its settings then, and the settings to send."""

    raw: Json
    before: Json
    after: Json


async def planned(context: Context, sync_id: str, given: dict[str, Json]) -> Plan[dict[str, Json]]:
    """The plan of changing tables. Its preparation holds the complete settings to send, by table id."""
    read = await read_sync(context, sync_id)
    destination = await read_connection(context, read.sync.destination_connection_id)
    raw = await _pre_images.read_tables(context, sync_id, list(given))
    changes = {name: _changed(name, raw[name], settings) for name, settings in given.items()}
    effects = _effects(read, destination, changes)
    if not effects:
        raise Failure("invalid_arguments", "Nothing would change: everything named is already so. Nothing was sent.")
    names = ", ".join(quoted(name) for name in list(changes)[:5]) + (" …" if len(changes) > 5 else "")
    return Plan(
        effects=tuple(effects),
        prepared={name: change.after for name, change in changes.items()},
        title=heading(f"Change tables {names} of", read, destination.spelled(read.sync.output_schema)),
        phrase=read.name,
        undo="Settings not listed stay as they are. Settings can be changed back; columns already written stay.",
        subjects=on_sync(read, destination),
        pre_images=_pre_images.of_sync(read, raw),
    )


def _changed(name: str, raw: Json, given: Json) -> Change:
    before = tables.settings_of(raw)
    known = [str(one["id"]) for one in as_objects(before["fields"])]
    wanted = [str(one["id"]) for one in as_objects(given.get("fields"))]
    unknown = [one for one in wanted if one not in known] if known else []
    repeated = sorted({one for one in wanted if wanted.count(one) > 1})
    if unknown or repeated:
        what = (
            f"has no column {unknown_names(unknown, known)}"
            if unknown
            else f"is given the column {_listed(repeated)} twice"
        )
        raise Failure(
            "invalid_arguments",
            f"`fields`: the table {quoted(name)} {what}. Nothing was sent.",
            next=f"Call `get_bulk_sync_schema` with schema_id {quoted(name)} and use columns from there.",
        )
    return Change(raw, before, tables.changed_by(before, given))


def _listed(names: list[str]) -> str:
    return ", ".join(quoted(name) for name in names[:10])


def _effects(read: SyncRead, destination: Connection, changes: dict[str, Change]) -> list[Effect]:
    sync_id, name = read.sync.id or "", read.name
    common: dict[str, Any] = {"sync_id": sync_id, "sync_name": name}
    effects = _changes.of_tables(
        sync_id,
        name,
        {table: tables.as_embedded(one.before) for table, one in changes.items()},
        {table: tables.as_embedded(one.after) for table, one in changes.items()},
    )
    for table, one in changes.items():
        if not one.after["fields"]:
            every = f"every column of {table}, since the backend tells none to name"
            effects.append(WidensFields(**common, what=(every,)))
        for key in _HOW_WRITTEN:
            old, new = one.raw.get(key) or None, one.after.get(key, one.raw.get(key)) or None
            if old != new:
                change = {"before": _changes.spelled(old), "after": _changes.spelled(new)}
                effects.append(ChangesWriteMode(**common, setting=f"{table} {key}", **change))
        effects += _cutoff(common, read, table, one)
    reread = [
        table
        for table, one in changes.items()
        if one.before["tracking_field"] != one.after["tracking_field"] and one.after["enabled"]
    ]
    if reread:
        # The first run after setting a tracking field is a full scan; without one every run is (api/README.md 3).
        effects.append(
            RereadsSource(
                **common,
                cause="first_run",
                destination_id=read.sync.destination_connection_id or "",
                tables=tuple(sorted(reread)),
                outputs=tuple(str(changes[table].raw.get("output_name") or table) for table in sorted(reread)),
                destination=destination.spelled(read.sync.output_schema),
            )
        )
    return list({effect.line(): effect for effect in effects}.values())


def _cutoff(common: dict[str, Any], read: SyncRead, table: str, change: Change) -> list[Effect]:
    """What changes about which rows are old enough to be left out; a table without a cutoff has the sync's."""
    keys = ("data_cutoff_timestamp", "disable_data_cutoff")
    if all(change.before[key] == change.after[key] for key in keys):
        return []
    whole = read.raw.get("data_cutoff_timestamp")
    old, new = (
        None if one["disable_data_cutoff"] else (one["data_cutoff_timestamp"] or whole or None)
        for one in (change.before, change.after)
    )
    spelled = f"{_changes.spelled(old)} → {_changes.spelled(new)}"
    earlier, later = (moment(str(one)) if one else None for one in (new, old))
    if old is not None and (earlier is None or later is None or earlier < later):
        return [WidensFields(**common, what=(f"rows of {table} by data cutoff: {spelled}",))]
    change_of = {"before": _changes.spelled(old), "after": _changes.spelled(new)}
    return [ChangesField(**common, setting=f"{table} data cutoff", **change_of)]
