"""Schedules in the store: one default per sync, and any number of additional ones."""

from dataclasses import dataclass
from typing import Any, Literal  # Any: sqlite3.Row has no static column types

from pydantic import TypeAdapter

from bulk_sync_local.store import Tx

Frequency = Literal[
    "manual", "continuous", "hourly", "daily", "weekly", "custom", "builder", "runafter", "multi", "dbtcloud"
]
ScheduleResyncMode = Literal["normal", "refetch", "resync", "rebuild"]
SelectiveMode = Literal["none", "incrementalFields", "nonincrementalFields"]
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class ScheduleSettings:
    """When a schedule fires and what it would start. Times of day are UTC, as text (api/README.md 1)."""

    frequency: Frequency
    day_of_month: str | None = None
    day_of_week: str | None = None
    hour: str | None = None
    minute: str | None = None
    month: str | None = None
    resync_mode: ScheduleResyncMode = "normal"
    schemas: tuple[str, ...] = ()
    selective_mode: SelectiveMode = "none"


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    """One schedule; times are text. What lies before `reckoned_from` it never fires; None: no moment is set yet."""

    id: str
    sync_id: str
    is_default: bool
    settings: ScheduleSettings
    created_at: str
    updated_at: str
    reckoned_from: str | None = None


_SETTINGS = TypeAdapter(ScheduleSettings)


def every(tx: Tx, sync_id: str) -> list[StoredSchedule]:
    """The schedules of the sync, the default one first."""
    rows = tx.execute(
        "SELECT * FROM schedules WHERE sync_id = ? ORDER BY is_default DESC, position, created_at, id", (sync_id,)
    )
    return [_from_row(row) for row in rows]


def of_active_syncs(tx: Tx) -> dict[str, list[StoredSchedule]]:
    """By id of each active sync, its schedules."""
    rows = tx.execute(
        "SELECT schedules.* FROM schedules JOIN syncs ON syncs.id = sync_id WHERE active AND deleted_at IS NULL"
    )
    found: dict[str, list[StoredSchedule]] = {}
    for row in rows:
        found.setdefault(row["sync_id"], []).append(_from_row(row))
    return found


def reckon(tx: Tx, schedule_id: str, now: str) -> None:
    """Has the schedule reckon from `now` on."""
    tx.execute("UPDATE schedules SET reckoned_from = ? WHERE id = ?", (now, schedule_id))


def reckon_all(tx: Tx, sync_id: str, now: str) -> None:
    """Has every schedule of the sync reckon from `now` on."""
    tx.execute("UPDATE schedules SET reckoned_from = ? WHERE sync_id = ?", (now, sync_id))


def get(tx: Tx, sync_id: str, schedule_id: str) -> StoredSchedule | None:
    """The schedule, or None when this sync has none of that id."""
    row = tx.execute("SELECT * FROM schedules WHERE sync_id = ? AND id = ?", (sync_id, schedule_id)).fetchone()
    return None if row is None else _from_row(row)


def replace_all(tx: Tx, sync_id: str, schedules: list[StoredSchedule]) -> None:
    """Makes `schedules`, in this order, the schedules of the sync."""
    tx.execute("DELETE FROM schedules WHERE sync_id = ?", (sync_id,))
    tx.executemany(
        "INSERT INTO schedules (id, sync_id, is_default, position, settings, created_at, updated_at,"
        " reckoned_from) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                schedule.id,
                sync_id,
                schedule.is_default,
                position,
                _SETTINGS.dump_json(schedule.settings).decode(),
                schedule.created_at,
                schedule.updated_at,
                schedule.reckoned_from,
            )
            for position, schedule in enumerate(schedules)
        ],
    )


def _from_row(row: Any) -> StoredSchedule:
    return StoredSchedule(
        id=row["id"],
        sync_id=row["sync_id"],
        is_default=bool(row["is_default"]),
        settings=_SETTINGS.validate_json(row["settings"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        reckoned_from=row["reckoned_from"],
    )
