"""Schedules of a bulk sync, which the API spells in two ways (api/README.md 1, 2).

Embedded in a sync they are snake_case, have ids and may carry tables and a resync mode. At their own endpoints they
are camelCase, have no id in the contract, and a request cannot say tables or resync mode.
"""

from typing import Any, Literal

from pydantic import Field

from bulk_sync_mcp.core.ids import SchemaId
from bulk_sync_mcp.core.operation import Input, Result
from bulk_sync_mcp.core.text import MAX_MESSAGE, clean
from bulk_sync_mcp.models.bulk_sync import Schedule
from bulk_sync_mcp.models.merge import Json, as_object, as_objects

CAMEL = {
    "frequency": "frequency",
    "day_of_month": "dayOfMonth",
    "day_of_week": "dayOfWeek",
    "hour": "hour",
    "minute": "minute",
    "month": "month",
    "selective_mode": "selectiveMode",
}
"""What the schedule endpoints take, by its name in a sync."""
TIMES = ("day_of_month", "day_of_week", "hour", "minute", "month")
_USED = {
    "manual": frozenset[str](),
    "continuous": frozenset[str](),
    "hourly": frozenset({"minute"}),
    "daily": frozenset({"hour", "minute"}),
    "weekly": frozenset({"day_of_week", "hour", "minute"}),
}
_KNOWN = frozenset({*CAMEL, "id", "resync_mode", "schemas"})

Frequency = Literal[
    "manual", "continuous", "hourly", "daily", "weekly", "custom", "builder", "runafter", "multi", "dbtcloud"
]


class ScheduleSettings(Input):
    """What can be set of a schedule beside its frequency."""

    day_of_month: str | None = None
    day_of_week: str | None = Field(default=None, description="Such as monday.")
    hour: str | None = Field(default=None, description="0-23, UTC.")
    minute: str | None = None
    month: str | None = None
    resync_mode: Literal["normal", "refetch", "resync", "rebuild"] | None = Field(
        default=None, description="Anything but normal rewrites tables at every firing."
    )
    schemas: list[SchemaId] | None = Field(default=None, min_length=1, description="Tables; omitted: all.")
    selective_mode: Literal["none", "incrementalFields", "nonincrementalFields"] | None = None


def embedded(own: Json) -> Json:
    """A schedule of its own endpoints, spelled as in a sync."""
    spelled = {name: own.get(camel) for name, camel in CAMEL.items()}
    spelled |= {"resync_mode": own.get("syncMode"), "schemas": own.get("schemas")}
    return {name: value for name, value in spelled.items() if value not in (None, [], "")}


def for_endpoint(schedule: Json) -> Json:
    """The body of the schedule endpoints for a schedule spelled as in a sync."""
    return {camel: schedule[name] for name, camel in CAMEL.items() if schedule.get(name) not in (None, "")}


def beyond_endpoint(schedule: Json) -> list[str]:
    """What of a schedule its own endpoints cannot say: a resync mode, tables, and keys this server does not know."""
    said = [name for name in ("schemas",) if schedule.get(name)]
    said += ["resync_mode"] if Schedule.read(schedule).destructive else []
    return said + sorted(
        key for key, value in schedule.items() if key not in _KNOWN and value not in (None, [], "", {})
    )


def changed_by(schedule: Json, changes: Json) -> Json:
    """The schedule with `changes` laid over it; null clears. A new frequency drops the times it does not use,
    or `hourly` would keep the Sunday of the `weekly` before it."""
    result = {**schedule, **changes}
    if changes.get("frequency") not in (None, schedule.get("frequency")):
        unused = set(TIMES) - _USED.get(str(changes["frequency"]), frozenset(TIMES)) - set(changes)
        result = {key: value for key, value in result.items() if key not in unused}
    return {key: value for key, value in result.items() if value is not None}


def meaning(schedule: Json) -> Json:
    """The schedule without spellings of nothing, for comparing: `normal`, `none`, empty and null."""
    default = {"resync_mode": "normal", "selective_mode": "none"}
    return {
        key: value
        for key, value in schedule.items()
        if value not in (None, [], "") and default.get(key) != value and key != "id"
    }


class ScheduleRow(Result):
    """One schedule of a bulk sync."""

    id: str | None = None
    default: bool | None = None
    schedule: str = Field(description="Frequency, times, resync mode and tables, spelled out.")
    selective_mode: str | None = None
    note: str | None = Field(default=None, description="What the backend says of it besides.")

    @classmethod
    def of(
        cls, raw: Json, schedule_id: str | None = None, *, default: bool | None = None, note: object = None
    ) -> "ScheduleRow":
        """The row for a schedule spelled as in a sync."""
        selective = raw.get("selective_mode")
        return cls(
            id=schedule_id or (str(raw["id"]) if raw.get("id") else None),
            default=default,
            schedule=Schedule.read(raw).spelled(),
            selective_mode=clean(selective) if selective not in (None, "", "none") else None,
            note=clean(note, MAX_MESSAGE) if isinstance(note, str) and note else None,
        )


def rows(sync: Json, listed: list[Json]) -> list[ScheduleRow]:
    """Every schedule once: those of the sync, which have ids, with what only their own endpoint tells; then those
    that endpoint alone has."""
    left = [one for one in listed if not one.get("deletedAt")]
    default = as_object(sync.get("default_schedule"))
    embedded_ones = [*([default] if default else []), *as_objects(sync.get("additional_schedules"))]
    found: list[ScheduleRow] = []
    for position, one in enumerate(embedded_ones):
        is_default = position == 0 and bool(default)
        own = next((other for other in left if _is(other, one, default=is_default)), None)
        if own is not None:
            left.remove(own)
        row = {**(embedded(own) if own else {}), **_told(one)}
        found.append(ScheduleRow.of(row, default=is_default or None, note=own.get("note") if own else None))
    return found + [
        ScheduleRow.of(embedded(one), one.get("id"), default=one.get("isDefault") or None, note=one.get("note"))
        for one in left
    ]


def _is(own: Json, one: Json, *, default: bool) -> bool:
    if own.get("id") and one.get("id"):
        return bool(own["id"] == one["id"])
    if default:
        return own.get("isDefault") is True
    return meaning(embedded(own)) == {key: value for key, value in meaning(one).items() if key in _KNOWN}


def _told(one: Json) -> dict[str, Any]:
    return {key: value for key, value in one.items() if value not in (None, [], "")}
