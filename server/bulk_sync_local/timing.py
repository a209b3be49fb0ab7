"""When schedules fire: pure functions of their settings and of moments, all in UTC (api/README.md 6, `frequency`).

Times of the day that a schedule leaves out are 0, a weekday left out is Monday, and times that its frequency does not
use are ignored. A schedule reckons from a moment: nothing that lies before it is ever fired.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bulk_sync_local.clock import from_text
from bulk_sync_local.store_schedules import DAYS, ScheduleSettings, StoredSchedule

CONTINUOUS_PAUSE = timedelta(minutes=1)
"""From one firing of a continuous schedule to the next."""
LATENESS = timedelta(hours=24)
"""How late an ordinary run may be started, when nothing served at its time. One with a resync mode has less, since
whoever agreed to it agreed to a time at which nobody minds."""
RERUN_LATENESS = timedelta(minutes=15)
CLOCK_SLACK = timedelta(minutes=2)
"""What a clock may be set back by without a schedule reckoning anew, which could fire it twice."""

_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
_PERIODS = {"hourly": timedelta(hours=1), "daily": timedelta(days=1), "weekly": timedelta(weeks=1)}


def fires(settings: ScheduleSettings) -> bool:
    """Whether such a schedule ever starts a run here."""
    return settings.frequency == "continuous" or settings.frequency in _PERIODS


def stored_only(settings: ScheduleSettings) -> bool:
    """Whether it has a frequency whose settings the API does not publish (api/README.md 10.31)."""
    return settings.frequency != "manual" and not fires(settings)


def next_firing(settings: ScheduleSettings, after: datetime) -> datetime | None:
    """The first firing later than `after`, None for a schedule that never fires."""
    if settings.frequency == "continuous":
        return after + CONTINUOUS_PAUSE
    period = _PERIODS.get(settings.frequency)
    if period is None:
        return None
    first = _MONDAY + _offset(settings)
    return first + ((after - first) // period + 1) * period


def latest_firing(settings: ScheduleSettings, after: datetime, upto: datetime) -> datetime | None:
    """The last firing later than `after` and not later than `upto`, None when there is none."""
    first = next_firing(settings, after)
    if first is None or first > upto:
        return None
    period = _PERIODS.get(settings.frequency)
    return first if period is None else first + ((upto - first) // period) * period


def _offset(settings: ScheduleSettings) -> timedelta:
    """From the start of the frequency's period to the firing."""
    minutes = timedelta(minutes=int(settings.minute or 0))
    if settings.frequency == "hourly":
        return minutes
    hours = timedelta(hours=int(settings.hour or 0))
    if settings.frequency == "daily":
        return hours + minutes
    return timedelta(days=DAYS.index((settings.day_of_week or DAYS[0]).lower())) + hours + minutes


@dataclass(frozen=True, slots=True)
class Due:
    """A schedule that has a firing to make: `at` is the latest one, which stands for those missed before it."""

    schedule: StoredSchedule
    at: datetime

    def in_time(self, now: datetime) -> bool:
        """Whether it may still be made."""
        rerun = self.schedule.settings.resync_mode != "normal"
        return now - self.at <= (RERUN_LATENESS if rerun else LATENESS)


def due(schedules: Iterable[StoredSchedule], now: datetime) -> list[Due]:
    """What has a firing to make at `now`, in the order of precedence, since one run can be started: the rarer first,
    or a weekly rerun would never get its turn beside an hourly run; then additional schedules before the default one.
    """
    found: list[Due] = []
    for schedule in schedules:
        if schedule.reckoned_from is None:
            continue
        at = latest_firing(schedule.settings, from_text(schedule.reckoned_from), now)
        if at is not None:
            found.append(Due(schedule, at))
    return sorted(found, key=lambda one: (-_rarity(one.schedule.settings), one.schedule.is_default))


def _rarity(settings: ScheduleSettings) -> timedelta:
    return _PERIODS.get(settings.frequency, CONTINUOUS_PAUSE)


def unreckoned(schedule: StoredSchedule, now: datetime) -> bool:
    """Whether it has to reckon from `now`: it reckons from nowhere, or from a time that a wrong clock told."""
    return schedule.reckoned_from is None or from_text(schedule.reckoned_from) > now + CLOCK_SLACK


def upcoming(schedules: Iterable[StoredSchedule], now: datetime) -> datetime | None:
    """When the first of the schedules of an active sync fires next, None when none does."""
    return min((at for at in (_upcoming(schedule, now) for schedule in schedules) if at is not None), default=None)


def _upcoming(schedule: StoredSchedule, now: datetime) -> datetime | None:
    if schedule.settings.frequency == "continuous" and schedule.reckoned_from is not None:
        return max(from_text(schedule.reckoned_from) + CONTINUOUS_PAUSE, now)
    return next_firing(schedule.settings, now)


def in_words(settings: ScheduleSettings) -> str:
    """`weekly, sunday 03:00 UTC, rebuild, orders`."""
    time = f"{int(settings.hour or 0):02}:{int(settings.minute or 0):02} UTC"
    when = {
        "hourly": f"hourly, minute {int(settings.minute or 0)}",
        "daily": f"daily, {time}",
        "weekly": f"weekly, {(settings.day_of_week or DAYS[0]).lower()} {time}",
    }.get(settings.frequency, settings.frequency)
    more = [settings.resync_mode if settings.resync_mode != "normal" else "", *settings.schemas]
    return ", ".join([when, *(one for one in more if one)])
