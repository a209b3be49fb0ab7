"""Changing a bulk sync through a call that replaces all of it, without losing what the caller did not name.

`PUT /api/bulk/syncs/{id}` clears or defaults whatever its body lacks (api/README.md 4). So the body starts from
the sync as it was read, keys that this server does not know included, and only named settings are laid over it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from bulk_sync_mcp.models.base import moment

Json = dict[str, Any]

READ_ONLY = frozenset({"id", "organization_id", "created_at", "created_by", "updated_at", "updated_by"})
_STAMPS = frozenset({"created_at", "created_by", "updated_at", "updated_by"})
_DEEP = frozenset({"destination_configuration", "source_configuration"})
_NOT_SENT = _STAMPS | {"output_name", "destination_history_output_name"}
"""What the schema endpoints tell of a table or column beside its settings."""


def as_object(value: object) -> Json:
    """`value` if it is a JSON object, else an empty one."""
    return cast("Json", value) if isinstance(value, dict) else {}


def as_objects(value: object) -> list[Json]:
    """The JSON objects in a list; none when `value` is no list."""
    return [as_object(item) for item in cast("list[object]", value)] if isinstance(value, list) else []


def without_nulls(given: object, *, clearable: frozenset[str] = frozenset()) -> object:
    """Arguments as given. Raises `ValueError` for a null, which some take for "all" and some for "none"."""
    nulls = [key for key, value in as_object(given).items() if value is None and key not in clearable]
    if nulls:
        raise ValueError(
            "; ".join(f"`{key}`: null is not a setting" for key in nulls) + ". Leave out what is not meant"
        )
    return given


def body_of(raw: Mapping[str, Any]) -> Json:
    """The request body that puts a sync back exactly as it was read. Schedules keep their `id`."""
    body = {key: value for key, value in raw.items() if key not in READ_ONLY}
    if isinstance(body.get("default_schedule"), dict):
        body["default_schedule"] = _schedule(body["default_schedule"])
    if isinstance(body.get("additional_schedules"), list):
        body["additional_schedules"] = [_schedule(one) for one in as_objects(body["additional_schedules"])]
    return body


def _schedule(raw: object) -> Json:
    return {key: value for key, value in as_object(raw).items() if key not in _STAMPS and value is not None}


def merged(raw: Mapping[str, Any], changes: Mapping[str, Any]) -> Json:
    """The body with `changes` laid over the sync as it was read.

    Settings objects are merged key by key, and a null in them clears a key. A given schedule replaces the timing
    of the one it stands for but keeps its `id`; in `additional_schedules`, entries with a known `id` keep what
    they do not name, and the list as a whole is complete.
    """
    body = body_of(raw)
    for key, value in changes.items():
        if key in _DEEP:
            body[key] = laid_over(as_object(body.get(key)), as_object(value))
        elif key == "default_schedule":
            kept = as_object(body.get(key)).get("id")
            body[key] = {**({"id": kept} if kept else {}), **as_object(value)}
        elif key == "additional_schedules":
            known = {one["id"]: one for one in as_objects(body.get(key)) if one.get("id")}
            body[key] = [{**known.get(one.get("id"), {}), **one} for one in as_objects(value)]
        else:
            body[key] = value
    return body


def laid_over(base: Json, changes: Json) -> Json:
    """`base` with `changes` merged in, object by object; null removes a key."""
    result = dict(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = laid_over(as_object(result[key]), as_object(cast("object", value)))
        else:
            result[key] = value
    return result


def schema_body(raw: Mapping[str, Any], given: Mapping[str, Any] | None = None) -> Json:
    """One table for the `schemas` of an update: as it was read, with what the caller names laid over it.

    The schema endpoints spell `obfuscated` what this body spells `obfuscate` (api/README.md 4). Columns the
    caller does not name keep their setting, so nothing widens unasked, and so do keys this server does not know.
    A null clears a setting; of what cannot be cleared (`enabled`, `obfuscate`) it counts as not given.
    """
    changes = dict(given or {})
    body: Json = {key: value for key, value in raw.items() if key not in _NOT_SENT and value not in (None, [])}
    columns = {str(one.get("id")): _column(one) for one in as_objects(body.pop("fields", None))}
    for one in as_objects(changes.pop("fields", None)):
        columns[str(one["id"])] = _changed(columns.get(str(one["id"]), {}), one)
    if columns:
        body["fields"] = list(columns.values())
    return _changed({**body, "enabled": True}, changes)


def _changed(base: Json, changes: Json) -> Json:
    result = dict(base)
    for key, value in changes.items():
        if value is not None:
            result[key] = value
        elif key == "user_output_name":
            # Left out it would be kept; the empty string clears it (api/README.md 4).
            result[key] = ""
        elif key not in ("enabled", "obfuscate"):
            result.pop(key, None)
    return result


def _column(raw: Json) -> Json:
    column = {key: value for key, value in raw.items() if key not in _NOT_SENT and value is not None}
    obfuscated = column.pop("obfuscated", None)
    if obfuscated is not None:
        column["obfuscate"] = obfuscated
    return {**column, "enabled": raw.get("enabled") is not False}


def changed_leaves(before: object, after: object, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every setting that differs between two JSON values, as (dotted path, before, after).

    An object that is missing on one side counts as empty, so that settings are named one by one.
    """
    objects = isinstance(before, dict) + isinstance(after, dict)
    if objects == 2 or (objects == 1 and (before is None or after is None)):
        old, new = as_object(cast("object", before)), as_object(cast("object", after))
        for key in sorted({*old, *new}):
            yield from changed_leaves(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif before != after:
        yield path, before, after


def not_taken(body: Mapping[str, Any], answer: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """Settings of a body that the answer does not show as sent, and those it was to clear that are still as in
    `before`. Schedule ids, keys the answer lacks, and other spellings of nothing or of a time are no difference.
    """
    wrong: list[str] = []
    for key, sent in body.items():
        if key == "schemas" or key not in answer:
            continue
        old = {path: value for path, _, value in changed_leaves(_bare(sent), _bare(before.get(key)), key)}
        for path, wanted, got in changed_leaves(_bare(sent), _bare(answer[key]), key):
            cleared = wanted in _NOTHING
            if (cleared and got not in _NOTHING and _same(old.get(path), got)) or (
                not cleared and not _same(wanted, got)
            ):
                wrong.append(path)
    return wrong


_NOTHING: tuple[Any, ...] = (None, "", [], {})


def _same(wanted: object, got: object) -> bool:
    """Whether a setting came back as sent; an answer may spell out more of each entry of a list than was sent."""
    if isinstance(wanted, list) and isinstance(got, list):
        sent, told = cast("list[object]", wanted), cast("list[object]", got)
        return len(sent) == len(told) and all(map(_same, sent, told))
    if isinstance(wanted, dict) and isinstance(got, dict):
        whole = as_object(cast("object", got))
        members = as_object(cast("object", wanted)).items()
        return all(_same(value, whole.get(key)) for key, value in members if value not in _NOTHING)
    if isinstance(wanted, str) and isinstance(got, str):
        return wanted == got or (moment(wanted) is not None and moment(wanted) == moment(got))
    return bool(wanted == got)


def _bare(value: object) -> object:
    if isinstance(value, list):
        return [_bare(item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        kept = as_object(cast("object", value)).items()
        return {key: _bare(item) for key, item in kept if key not in READ_ONLY and item is not None}
    return value
