"""Putting an earlier revision back: the calls that would do it, as arguments of the guarded tools.

Nothing is put back here. What differs between the revision and now becomes arguments, which somebody hands to the
tool, which plans, asks and merges like any other call. What the tools cannot say, or what cannot be shown as it is,
is told instead of being left out in silence.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import ValidationError

from bulk_sync_mcp.core.operation import Input
from bulk_sync_mcp.core.plan import PreImage
from bulk_sync_mcp.models.bulk_sync import AdditionalScheduleInput, ScheduleInput
from bulk_sync_mcp.models.merge import READ_ONLY, Json, as_object, as_objects, body_of
from bulk_sync_mcp.models.schedule import meaning
from bulk_sync_mcp.models.schema import TableSettings, settings_of
from bulk_sync_mcp.operations import create_bulk_sync, update_bulk_sync, update_bulk_sync_error_handling
from bulk_sync_mcp.operations import update_bulk_sync_schema as one_table
from bulk_sync_mcp.present.fence import fenced

CONFIGURATIONS = ("source_configuration", "destination_configuration")
ADDITIONAL = "additional_schedules"
MOST_TABLES = 400
_OWN = frozenset({"sync_id", "confirmation", "schemas"})
_IN_UPDATE = ("enabled", "fields", "filters", "tracking_field", "user_output_name")
"""Of a table's settings, those that an update of the whole sync can say."""
_BESIDE = tuple(name for name in TableSettings.model_fields if name not in _IN_UPDATE)


@dataclass
class Restoring:
    """The calls that put a revision back, in order, and what they leave as it is."""

    calls: list[tuple[str, Json]] = field(default_factory=list[tuple[str, Json]])
    left: list[str] = field(default_factory=list[str])


def restoring(then: PreImage, now: PreImage | None, known: frozenset[str] = frozenset()) -> Restoring:
    """How to come from `now` to `then`. `now` None: the sync is gone. `known` are all tables there are now."""
    found = Restoring()
    if now is None:
        _anew(then, found)
        return found
    arguments = _settings(then, now, found)
    schemas = _tables(then, now, known, found)
    if schemas is not None:
        _take(update_bulk_sync.Arguments, {"sync_id": then.sync_id}, "schemas", schemas, arguments, found)
    if arguments:
        found.calls.append((update_bulk_sync.OPERATION.name, {"sync_id": then.sync_id, **arguments}))
    _beside(then, now, found)
    _alerts(then, now, found)
    return found


def _take(model: type[Input], least: Json, key: str, value: Any, into: Json, found: Restoring) -> None:
    """Puts an argument into a call if the tool takes it and what is shown is what is meant; else tells it."""
    if not whole(value):
        found.left.append(f"{key}: holds characters, or a text of a length, that cannot be shown here")
        return
    try:
        model.model_validate({**least, key: value})
    except ValidationError:
        found.left.append(f"{key}: the tool does not take what it was")
    else:
        into[key] = value


def whole(value: object) -> bool:
    """Whether every text in a value can be shown to a model as it is."""
    if isinstance(value, str):
        return fenced(value) == value
    if isinstance(value, list):
        return all(whole(item) for item in cast("list[object]", value))
    if isinstance(value, dict):
        return all(whole(key) and whole(item) for key, item in cast("dict[object, object]", value).items())
    return True


def _settings(then: PreImage, now: PreImage, found: Restoring) -> Json:
    """Arguments for every setting of the sync that differs."""
    before, after = body_of(then.sync), body_of(now.sync)
    taken = set(update_bulk_sync.Arguments.model_fields) - _OWN
    least = {"sync_id": then.sync_id}
    arguments: Json = {}
    for key in sorted({*before, *after} - READ_ONLY - {"schemas"}):
        old, new = before.get(key), after.get(key)
        if key in CONFIGURATIONS:
            value: Any = undone(as_object(old), as_object(new))
        elif key == "default_schedule":
            value = _schedule(old, new, ScheduleInput, found)
        elif key == ADDITIONAL:
            value = _schedules(as_objects(old), as_objects(new), found)
        else:
            value = old
        if (value in (None, {}) if key in (*CONFIGURATIONS, "default_schedule", ADDITIONAL) else old == new) or (
            old in (None, "", [], {}) and new in (None, "", [], {})
        ):
            continue
        if key not in taken:
            found.left.append(f"{fenced(key)}: not a setting that the tool knows")
        elif value is None and key != "data_cutoff_timestamp":
            found.left.append(f"{key}: it was not set, and the tool cannot clear it")
        else:
            _take(update_bulk_sync.Arguments, least, key, value, arguments, found)
    return arguments


def undone(old: Json, new: Json) -> Json:
    """What, merged key by key over `new`, gives `old`: null takes a key out."""
    changes: Json = {key: None for key, value in new.items() if value is not None and old.get(key) is None}
    for key, value in old.items():
        if value is None or value == new.get(key):
            continue
        if isinstance(value, dict) and isinstance(new.get(key), dict):
            changes[key] = undone(as_object(cast("object", value)), as_object(new[key]))
        else:
            changes[key] = value
    return changes


def _schedule(old: object, new: object, model: type[Input], found: Restoring) -> Json | None:
    """A schedule as the tools take it; None when it means what it means now."""
    before, after = as_object(old), as_object(new)
    if meaning(before) == meaning(after) or not before:
        return None
    unknown = sorted(set(meaning(before)) - set(model.model_fields))
    found.left += [f"{fenced(key)} of a schedule: not a setting that the tool knows" for key in unknown]
    return {
        key: value if key == "schemas" else str(value)
        for key, value in before.items()
        if key in model.model_fields and key != "id" and value not in (None, "", [])
    }


_NOTHING = {"resync_mode": "normal", "selective_mode": "none"}


def _schedules(old: list[Json], new: list[Json], found: Restoring) -> list[Json] | None:
    """The complete list of further schedules; None when it is as it was. One that is gone comes back without its id."""
    present = {str(one["id"]): one for one in new if one.get("id")}
    if [(one.get("id"), meaning(one)) for one in old] == [(one.get("id"), meaning(one)) for one in new]:
        return None
    result: list[Json] = []
    for one in old:
        same = present.get(str(one.get("id")))
        told = _schedule(one, {}, AdditionalScheduleInput, found) or {}
        # What stands there now and did not then would stay, since schedules are merged too.
        more = set(meaning(same or {})) & set(AdditionalScheduleInput.model_fields) - set(told)
        kept = {"id": one["id"]} if same is not None else {}
        result.append({**kept, **told, **{key: _NOTHING.get(key) for key in sorted(more)}})
    return result


def _tables(then: PreImage, now: PreImage, known: frozenset[str], found: Restoring) -> list[Any] | None:
    """The complete selection of tables; None when it is as it was."""
    present = set(now.enabled or ())
    wanted = set(then.enabled) if then.enabled is not None else set(present)
    for name, raw in then.tables.items():
        wanted = wanted | {name} if raw.get("enabled") is not False else wanted - {name}
    gone = sorted(wanted - known)
    found.left += [f"table {fenced(name)}: there is no such table any more" for name in gone]
    wanted -= set(gone)
    changed: dict[str, Json] = {}
    for name, raw in then.tables.items():
        current = now.tables.get(name)
        if current is None and name in wanted:
            found.left.append(f"table {fenced(name)}: its settings could not be compared")
        elif current is not None and name in wanted:
            changes = _changes_of(settings_of(dict(raw)), settings_of(dict(current)), name, found)
            if changes:
                changed[name] = changes
    if wanted == present and not changed:
        return None
    if len(wanted) > MOST_TABLES:
        found.left.append(f"schemas: {len(wanted)} tables are more than one call can name")
        return None
    named = [{"id": name, **changed[name]} if name in changed else name for name in sorted(wanted)]
    # An empty list would be refused, and would leave the selection as it is.
    return named or [{"id": name, "enabled": False} for name in sorted(present)]


def _changes_of(old: Json, new: Json, name: str, found: Restoring) -> Json:
    changes = {
        key: old[key] for key in ("filters", "tracking_field", "user_output_name") if old.get(key) != new.get(key)
    }
    columns = _columns(as_objects(old["fields"]), as_objects(new["fields"]), name, found)
    return {**changes, **({"fields": columns} if columns else {})}


def _columns(old: list[Json], new: list[Json], table: str, found: Restoring) -> list[Json]:
    present = {str(one.get("id")): one for one in new}
    changed: list[Json] = []
    for one in old:
        current = present.get(str(one.get("id")))
        if current is None:
            found.left.append(f"column {fenced(one.get('id'))} of {fenced(table)}: there is no such column any more")
            continue
        spelled = {"enabled": "enabled", "obfuscated": "obfuscate", "user_output_name": "user_output_name"}
        differs = {arg: one.get(key) for key, arg in spelled.items() if one.get(key) != current.get(key)}
        if differs:
            changed.append({"id": one["id"], **differs})
    return changed


def _beside(then: PreImage, now: PreImage, found: Restoring) -> None:
    """Settings of tables that only the tool for one table can say."""
    for name, raw in then.tables.items():
        current = now.tables.get(name)
        if current is None:
            continue
        old, new = ({key: one.get(key) or None for key in _BESIDE} for one in (raw, current))
        least: Json = {"sync_id": then.sync_id, "schema_id": name}
        arguments: Json = {}
        for key in _BESIDE:
            if old[key] != new[key]:
                # What was not set cannot be told from false; null would mean "as it is" to a switch.
                value = old[key] if old[key] is not None or not isinstance(new[key], bool) else False
                _take(one_table.Arguments, least, key, value, arguments, found)
        if arguments:
            found.calls.append((one_table.OPERATION.name, {**least, **arguments}))


def _alerts(then: PreImage, now: PreImage, found: Restoring) -> None:
    """Who is told of failures."""
    if then.error_handling is None or now.error_handling is None:
        return
    least: Json = {"sync_id": then.sync_id}
    arguments: Json = {}
    nothing: Json = {"subscribers": [], "ingestion_failure_threshold": 0}
    for key, empty in nothing.items():
        old, new = (one.get(key) or empty for one in (then.error_handling, now.error_handling))
        if old != new:
            _take(update_bulk_sync_error_handling.Arguments, least, key, old, arguments, found)
    if arguments:
        found.calls.append((update_bulk_sync_error_handling.OPERATION.name, {**least, **arguments}))


def _anew(then: PreImage, found: Restoring) -> None:
    """The sync is gone: one like it can be created, without its id, its history, and what its rows depended on."""
    body = body_of(then.sync)
    model = create_bulk_sync.Arguments
    required = {name for name, one in model.model_fields.items() if one.is_required()}
    least: Json = {name: body.get(name) for name in required}
    arguments: Json = {}
    for key, value in sorted(body.items()):
        if value in (None, "", [], {}) or key in ("schemas", *READ_ONLY):
            continue
        if key not in model.model_fields:
            found.left.append(f"{fenced(key)}: not a setting that the tool knows")
            continue
        if key == "default_schedule":
            value = _schedule(value, {}, ScheduleInput, found)
        elif key == ADDITIONAL:
            value = _schedules(as_objects(value), [], found)
        _take(model, least, key, value, arguments, found)
    # Its schedules fire when somebody has looked at it, not at once.
    arguments["active"] = False
    short = [name for name in then.enabled or () if name not in then.tables]
    if then.enabled is None or short:
        found.left.append("schemas: the tables with their columns and filters were not all kept; choose them anew")
    else:
        named = [_created(name, then.tables[name]) for name in then.enabled]
        _take(model, least, "schemas", named, arguments, found)
    found.left += _beside_anew(then)
    # Without its tables it would copy every one, with every column, and without its mode it would have another.
    if {*required, "schemas", *({"mode"} & set(body))} <= set(arguments):
        found.calls.append((create_bulk_sync.OPERATION.name, arguments))


def _created(name: str, raw: Mapping[str, Any]) -> Any:
    changes = _changes_of(settings_of(dict(raw)), settings_of({}), name, Restoring())
    columns = [
        {
            "id": one["id"],
            "enabled": one["enabled"],
            **({"obfuscate": True} if one["obfuscated"] else {}),
            **({"user_output_name": one["user_output_name"]} if one["user_output_name"] else {}),
        }
        for one in settings_of(dict(raw))["fields"]
        if not one["enabled"] or one["obfuscated"] or one["user_output_name"]
    ]
    changes = {key: value for key, value in changes.items() if key != "fields"}
    return {"id": name, **changes, **({"fields": columns} if columns else {})} if changes or columns else name


def _beside_anew(then: PreImage) -> list[str]:
    return [
        f"{key} of table {fenced(name)}: set it once the bulk sync is there"
        for name, raw in then.tables.items()
        for key in _BESIDE
        if raw.get(key)
    ]
