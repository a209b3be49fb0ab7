"""Schedules: checked, given ids, and kept through replacements. When they fire is in `timing.py`."""

from collections.abc import Sequence
from dataclasses import replace

from bulk_sync_local.bodies import AdditionalScheduleBody, ScheduleBody
from bulk_sync_local.connectors.base import ConnectorInfo
from bulk_sync_local.errors import bad_request
from bulk_sync_local.ids import new_id
from bulk_sync_local.store_schedules import DAYS, ScheduleSettings, StoredSchedule

_RANGES = {"hour": (0, 23), "minute": (0, 59), "day_of_month": (1, 31), "month": (1, 12)}


def checked(where: str, settings: ScheduleSettings) -> ScheduleSettings:
    """The settings as given; raises `ApiError` 400 for a time that does not exist."""
    for name, (low, high) in _RANGES.items():
        value: str | None = getattr(settings, name)
        if value is not None and not (value.isascii() and value.isdigit() and low <= int(value) <= high):
            raise bad_request(f"{where}.{name}: must be a whole number from {low} to {high}, as text")
    if settings.day_of_week is not None and settings.day_of_week.lower() not in DAYS:
        raise bad_request(f"{where}.day_of_week: must be one of {', '.join(DAYS)}")
    return settings


def replaced(
    sync_id: str,
    before: Sequence[StoredSchedule],
    default: ScheduleBody,
    additional: Sequence[AdditionalScheduleBody],
    now: str,
) -> list[StoredSchedule]:
    """The schedules of a sync after its creation or full replacement.

    An `id` keeps that schedule, an unknown one is refused, and without one an additional schedule is new; the
    default schedule stays the same one either way. Raises `ApiError` 400.
    """
    old = {schedule.id: schedule for schedule in before}
    old_default = next((schedule for schedule in before if schedule.is_default), None)
    if default.id and (old_default is None or default.id != old_default.id):
        raise bad_request(f"default_schedule.id: {default.id} is not the default schedule of this sync")
    made = [_kept(sync_id, old_default, True, checked("default_schedule", default.settings()), now)]
    for position, body in enumerate(additional):
        where = f"additional_schedules.{position}"
        kept = old.get(body.id) if body.id else None
        if body.id and (kept is None or kept.is_default or any(entry.id == body.id for entry in made)):
            raise bad_request(f"{where}.id: {body.id} is not an additional schedule of this sync, or is named twice")
        made.append(_kept(sync_id, kept, False, checked(where, body.settings()), now))
    return made


def added(sync_id: str, settings: ScheduleSettings, now: str) -> StoredSchedule:
    """A new additional schedule."""
    return StoredSchedule(new_id(), sync_id, False, settings, now, now, reckoned_from=now)


def changed(old: StoredSchedule, settings: ScheduleSettings, now: str) -> StoredSchedule:
    """The schedule with these settings; new ones reckon from `now`."""
    return old if old.settings == settings else replace(old, settings=settings, updated_at=now, reckoned_from=now)


def check_against_sync(
    schedules: Sequence[StoredSchedule], destination: ConnectorInfo, mode: str, schema_ids: frozenset[str]
) -> None:
    """Raises `ApiError` 400 for schedules that name schemas or a resync mode that the sync does not have."""
    for schedule in schedules:
        settings = schedule.settings
        unknown = [schema_id for schema_id in settings.schemas if schema_id not in schema_ids]
        if unknown:
            raise bad_request(f"additional_schedules: the sync has no schema {', '.join(map(repr, unknown))}")
        if settings.resync_mode == "normal":
            continue
        if settings.resync_mode not in destination.resync_modes:
            allowed = ", ".join(["normal", *destination.resync_modes])
            raise bad_request(
                f"additional_schedules: {destination.name} does not offer resync_mode {settings.resync_mode}; "
                f"it offers {allowed}"
            )
        if mode == "append" and settings.resync_mode == "refetch":
            raise bad_request("additional_schedules: a sync in append mode cannot be refetched")


def _kept(
    sync_id: str, old: StoredSchedule | None, is_default: bool, settings: ScheduleSettings, now: str
) -> StoredSchedule:
    if old is None:
        return StoredSchedule(new_id(), sync_id, is_default, settings, now, now, reckoned_from=now)
    return changed(old, settings, now)
