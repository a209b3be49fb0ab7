"""What changing the settings of a bulk sync amounts to: each difference becomes the effect it has.

A table of settings; one that is not in it changes how or where rows are written for all we know, so it asks.
"""

import json
from typing import Any

from bulk_sync_mcp.core.effects import (
    ActivatesSchedule,
    ChangesField,
    ChangesWriteMode,
    DeletesSchedule,
    DisablesSchemas,
    RedirectsOutput,
    RemovesObfuscation,
    WidensFields,
)
from bulk_sync_mcp.core.plan import Effect
from bulk_sync_mcp.models.base import moment
from bulk_sync_mcp.models.bulk_sync import Schedule
from bulk_sync_mcp.models.connection_settings import HIDDEN, sounds_secret
from bulk_sync_mcp.models.merge import Json, as_object, as_objects, changed_leaves
from bulk_sync_mcp.operations._schedules import arming

HARMLESS = frozenset({"name", "disable_record_timestamps", "concurrency_limit", "resync_concurrency_limit", "policies"})
REDIRECTING = frozenset(
    {
        "destination_connection_id",
        "normalize_names",
        "destination_configuration.schema",
        "destination_configuration.mirror_schemas",
        "destination_configuration.advanced.table_prefix",
    }
)
SCHEDULES = frozenset({"default_schedule", "additional_schedules"})
_BREADTH = {None: 0, "none": 0, "onlyIncremental": 1, "onlyNonIncremental": 1, "all": 2}


def spelled(value: object) -> str:
    """A setting's value in a preview: text as it is, other JSON compact, nothing as `(not set)`."""
    if value is None:
        return "(not set)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown(path: str, value: object) -> str:
    """A setting's value, unless it may be a secret that somebody has put where none belongs."""
    hidden = path.split(".")[0].endswith("_configuration") and sounds_secret(path) and value not in (None, True, False)
    return HIDDEN if hidden else spelled(value)


def of_settings(sync_id: str, name: str, before: Json, after: Json) -> list[Effect]:
    """The effects of changing everything but schedules and tables from `before` to `after`."""
    effects: list[Effect] = []
    for path, old, new in changed_leaves(before, after):
        top = path.split(".")[0]
        if top in SCHEDULES or top == "schemas":
            continue
        change: dict[str, Any] = {"sync_id": sync_id, "sync_name": name, "setting": path}
        change |= {"before": _shown(path, old), "after": _shown(path, new)}
        if path in REDIRECTING:
            effects.append(RedirectsOutput(**change))
        elif _widens(path, old, new):
            effects.append(
                WidensFields(sync_id=sync_id, sync_name=name, what=(f"{path}: {spelled(old)} → {spelled(new)}",))
            )
        elif (
            path in HARMLESS
            or top in ("automatically_add_new_objects", "automatically_add_new_fields")
            or path == "data_cutoff_timestamp"
            or (path == "active" and new is not True)
        ):
            effects.append(ChangesField(**change))
        elif path != "active":
            effects.append(ChangesWriteMode(**change))
    return effects


def _widens(path: str, old: object, new: object) -> bool:
    if path in ("automatically_add_new_objects", "automatically_add_new_fields"):
        return _BREADTH.get(str(new), 2) >= _BREADTH.get(None if old is None else str(old), 0) and new not in (
            None,
            "none",
        )
    if path == "data_cutoff_timestamp":
        earlier, later = moment(str(new)) if new else None, moment(str(old)) if old else None
        return earlier is None or (later is not None and earlier < later)
    return False


def of_schedules(sync_id: str, name: str, before: Json, after: Json) -> list[Effect]:
    """The effects of changing schedules and switching them on."""
    effects: list[Effect] = []
    pairs, removed = _paired(_all(before), _all(after))
    for raw in removed:
        gone = Schedule.read(raw)
        effects.append(DeletesSchedule(sync_id=sync_id, sync_name=name, schedule=gone.spelled(), schedule_id=gone.id))
    switched_on = after.get("active") is True and before.get("active") is not True
    changed = [(known, raw) for known, raw in pairs if known != raw]
    for known, raw in changed:
        effects.append(
            ChangesField(
                sync_id=sync_id,
                sync_name=name,
                setting="schedule",
                before=Schedule.read(known).spelled() if known else "(none)",
                after=Schedule.read(raw).spelled(),
            )
        )
    firing = [one for one in (Schedule.read(raw) for _, raw in pairs) if one.fires]
    if switched_on or (after.get("active") is True and any(Schedule.read(raw).fires for _, raw in changed)):
        effects.append(
            ActivatesSchedule(sync_id=sync_id, sync_name=name, schedules=tuple(one.spelled() for one in firing))
        )
    armed = firing if switched_on else [Schedule.read(raw) for _, raw in changed]
    return [*effects, *arming(sync_id, name, armed)]


def _paired(old: list[Json], new: list[Json]) -> tuple[list[tuple[Json | None, Json]], list[Json]]:
    """Each new schedule with the old one it stands for, and the old ones that no new one stands for.

    They belong together by id. Whether the backend sends ids is not certain (api/README.md 10): those without one
    belong together when they are equal, and the default schedule, which comes first, with the default one.
    """
    left = list(old)
    pairs: list[tuple[Json | None, Json]] = []
    for index, one in enumerate(new):
        same = [was for was in left if (was.get("id") == one["id"] if one.get("id") else was == one)]
        if not same and index == 0 and old and not one.get("id") and not old[0].get("id") and old[0] in left:
            same = [old[0]]
        if same:
            left.remove(same[0])
        pairs.append((same[0] if same else None, one))
    return pairs, left


def _all(body: Json) -> list[Json]:
    default = as_object(body.get("default_schedule"))
    return [*([default] if default else []), *as_objects(body.get("additional_schedules"))]


def of_tables(sync_id: str, name: str, before: dict[str, Json], after: dict[str, Json]) -> list[Effect]:
    """The effects of changing the table selection.

    `before` holds the tables that are enabled or named, as they are, `after` the named ones as wanted. What a table
    that is off now would copy is compared as well: switching it on can take an obfuscation or a filter away.
    """
    common: dict[str, Any] = {"sync_id": sync_id, "sync_name": name}
    effects: list[Effect] = []
    was_on = {table for table, one in before.items() if one.get("enabled") is not False}
    is_on = {table for table, one in after.items() if one.get("enabled") is not False}
    if was_on - is_on:
        effects.append(DisablesSchemas(**common, tables=tuple(sorted(was_on - is_on))))
    wider = [f"table {table}" for table in sorted(is_on - was_on)]
    clear: list[str] = []
    for table in sorted(set(before) & set(after)):
        old, new = before[table], after[table]
        fields = {str(one.get("id")): one for one in as_objects(old.get("fields"))}
        for one in as_objects(new.get("fields")):
            column = f"{table}.{one.get('id')}"
            was = fields.get(str(one.get("id")), {"enabled": False})
            if one.get("enabled") is not False and was.get("enabled") is False:
                wider.append(f"column {column}")
            elif one.get("enabled") is False and was.get("enabled") is not False:
                effects.append(ChangesField(**common, setting=f"column {column}", before="synced", after="not synced"))
            if was.get("obfuscate") and not one.get("obfuscate"):
                clear.append(column)
            elif one.get("obfuscate") and not was.get("obfuscate"):
                change = {"before": "in the clear", "after": "obfuscated"}
                effects.append(ChangesWriteMode(**common, setting=f"column {column}", **change))
            effects += _renamed(common, f"{column} user_output_name", was, one)
        effects += _renamed(common, f"{table} user_output_name", old, new)
        if (old.get("filters") or []) != (new.get("filters") or []):
            wider.append(f"row filters of {table}: {spelled(old.get('filters'))} → {spelled(new.get('filters'))}")
        if (old.get("tracking_field") or None) != (new.get("tracking_field") or None):
            change = {"before": spelled(old.get("tracking_field")), "after": spelled(new.get("tracking_field"))}
            effects.append(ChangesField(**common, setting=f"{table} tracking_field", **change))
    if wider:
        effects.append(WidensFields(**common, what=tuple(wider)))
    if clear:
        effects.append(RemovesObfuscation(**common, columns=tuple(clear)))
    return effects


def _renamed(common: dict[str, Any], setting: str, old: Json, new: Json) -> list[Effect]:
    was, now = old.get("user_output_name") or None, new.get("user_output_name") or None
    return [] if was == now else [RedirectsOutput(**common, setting=setting, before=spelled(was), after=spelled(now))]
