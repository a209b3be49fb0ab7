"""Schedules of a sync through their own endpoints, which spell keys in camelCase (api/README.md 1)."""

from pydantic import Field

from bulk_sync_local import render, schedule, store_schedules, store_syncs
from bulk_sync_local.dispatch import Answer, Body, Call, Endpoint, data
from bulk_sync_local.errors import bad_request, not_found
from bulk_sync_local.lookups import sync_of
from bulk_sync_local.store import Tx
from bulk_sync_local.store_schedules import Frequency, ScheduleSettings, SelectiveMode, StoredSchedule
from bulk_sync_local.store_syncs import StoredSync


class ScheduleTimes(Body):
    frequency: Frequency
    day_of_month: str | None = Field(default=None, alias="dayOfMonth")
    day_of_week: str | None = Field(default=None, alias="dayOfWeek")
    hour: str | None = None
    minute: str | None = None
    month: str | None = None
    selective_mode: SelectiveMode | None = Field(default=None, alias="selectiveMode")

    def over(self, old: ScheduleSettings | None) -> ScheduleSettings:
        """The settings. What this body cannot say, schemas and resync mode, stays as it is in `old`."""
        return ScheduleSettings(
            frequency=self.frequency,
            day_of_month=self.day_of_month or None,
            day_of_week=self.day_of_week or None,
            hour=self.hour or None,
            minute=self.minute or None,
            month=self.month or None,
            selective_mode=self.selective_mode or "none",
            resync_mode="normal" if old is None else old.resync_mode,
            schemas=() if old is None else old.schemas,
        )


class SaveSchedule(Body):
    schedule: ScheduleTimes


def list_bulk_sync_schedules(call: Call, tx: Tx) -> Answer:
    sync = sync_of(call, tx, "sync_id")
    return data([render.own_schedule(call.service.config, entry) for entry in store_schedules.every(tx, sync.id)])


def create_bulk_sync_schedule(call: Call, tx: Tx) -> Answer:
    sync, now = sync_of(call, tx, "sync_id"), call.service.now()
    settings = schedule.checked("schedule", call.body(SaveSchedule).schedule.over(None))
    made = schedule.added(sync.id, settings, now)
    _save(call, tx, sync, [*store_schedules.every(tx, sync.id), made])
    return data(render.own_schedule(call.service.config, made))


def get_bulk_sync_schedule(call: Call, tx: Tx) -> Answer:
    found = _schedule_of(call, tx, sync_of(call, tx, "sync_id"))
    return data(render.own_schedule(call.service.config, found))


def update_bulk_sync_schedule(call: Call, tx: Tx) -> Answer:
    sync = sync_of(call, tx, "sync_id")
    old = _schedule_of(call, tx, sync)
    settings = schedule.checked("schedule", call.body(SaveSchedule).schedule.over(old.settings))
    new = schedule.changed(old, settings, call.service.now())
    _save(call, tx, sync, [new if entry.id == old.id else entry for entry in store_schedules.every(tx, sync.id)])
    return data(render.own_schedule(call.service.config, new))


def delete_bulk_sync_schedule(call: Call, tx: Tx) -> Answer:
    sync = sync_of(call, tx, "sync_id")
    old = _schedule_of(call, tx, sync)
    if old.is_default:
        raise bad_request("a sync always has a default schedule; replace it, for example by frequency manual")
    _save(call, tx, sync, [entry for entry in store_schedules.every(tx, sync.id) if entry.id != old.id])
    return Answer(status=204)


def _schedule_of(call: Call, tx: Tx, sync: StoredSync) -> StoredSchedule:
    schedule_id = call.uuid("schedule_id", "schedule")
    found = store_schedules.get(tx, sync.id, schedule_id)
    if found is None:
        raise not_found("schedule of this bulk sync", schedule_id)
    return found


def _save(call: Call, tx: Tx, sync: StoredSync, schedules: list[StoredSchedule]) -> None:
    store_schedules.replace_all(tx, sync.id, schedules)
    store_syncs.touch(tx, sync.id, call.service.now())


_ALL = "/api/bulk/syncs/{sync_id}/schedules"
_ONE = _ALL + "/{schedule_id}"

ENDPOINTS = [
    Endpoint("GET", _ALL, list_bulk_sync_schedules),
    Endpoint("POST", _ALL, create_bulk_sync_schedule, body=SaveSchedule),
    Endpoint("GET", _ONE, get_bulk_sync_schedule),
    Endpoint("PUT", _ONE, update_bulk_sync_schedule, body=SaveSchedule),
    Endpoint("DELETE", _ONE, delete_bulk_sync_schedule),
]
