"""When schedules fire: the times themselves, and which of several that are due comes first."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulk_sync_local import timing
from bulk_sync_local.clock import to_text
from bulk_sync_local.store_schedules import DAYS, ScheduleSettings, StoredSchedule

UNPUBLISHED = ("custom", "builder", "runafter", "multi", "dbtcloud")
MINUTE = timedelta(minutes=1)

moments = st.datetimes(datetime(1969, 12, 1), datetime(2400, 1, 1), timezones=st.just(UTC))
hours, minutes = st.integers(0, 23).map(str), st.integers(0, 59).map(str)
hourly = st.builds(ScheduleSettings, st.just("hourly"), minute=st.none() | minutes)
daily = st.builds(ScheduleSettings, st.just("daily"), hour=st.none() | hours, minute=st.none() | minutes)
weekdays = st.none() | st.sampled_from([*DAYS, "Sunday", "FRIDAY"])
weekly = st.builds(
    ScheduleSettings, st.just("weekly"), day_of_week=weekdays, hour=st.none() | hours, minute=st.none() | minutes
)
timed = hourly | daily | weekly


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def is_time_of(settings: ScheduleSettings, moment: datetime) -> bool:
    """Whether a clock on the wall shows what the schedule says; written without the arithmetic under test."""
    if (moment.second, moment.microsecond, moment.minute) != (0, 0, int(settings.minute or "0")):
        return False
    if settings.frequency == "hourly":
        return True
    if moment.hour != int(settings.hour or "0"):
        return False
    return settings.frequency == "daily" or moment.strftime("%A").lower() == (settings.day_of_week or "monday").lower()


def by_looking(settings: ScheduleSettings, after: datetime) -> datetime:
    """The next firing, found by looking at the clock each time its minute hand is right."""
    moment = after.replace(minute=int(settings.minute or "0"), second=0, microsecond=0)
    while moment <= after or not is_time_of(settings, moment):
        moment += timedelta(hours=1)
    return moment


@given(timed, moments)
@example(ScheduleSettings("daily", hour="0", minute="0"), at("2026-12-31T23:59:59.999999"))
@example(ScheduleSettings("daily", hour="23", minute="59"), at("2026-12-31T23:59:00"))
@example(ScheduleSettings("hourly", minute="0"), at("2027-12-31T23:00:00"))
@example(ScheduleSettings("weekly", day_of_week="sunday", hour="23", minute="59"), at("2028-12-31T23:59:00"))
@example(ScheduleSettings("weekly", day_of_week="monday"), at("2028-02-28T00:00:00.000001"))
@example(ScheduleSettings("weekly", day_of_week="saturday", hour="12"), at("2026-01-03T11:59:59"))
def test_the_next_firing_is_the_first_moment_later_at_which_the_clock_shows_its_time(
    settings: ScheduleSettings, after: datetime
) -> None:
    assert timing.next_firing(settings, after) == by_looking(settings, after)


@given(timed, moments, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_the_latest_firing_is_the_last_one_of_those_that_follow_each_other(
    settings: ScheduleSettings, after: datetime, span: timedelta
) -> None:
    found = timing.latest_firing(settings, after, after + span)
    following = timing.next_firing(settings, after if found is None else found)
    assert following is not None
    assert following > after + span
    if found is not None:
        assert after < found <= after + span
        assert is_time_of(settings, found)


@given(timed, moments, st.lists(st.timedeltas(timedelta(seconds=1), timedelta(days=10)), min_size=1, max_size=12))
def test_however_seldom_one_looks_each_look_finds_one_firing_if_there_were_any_and_none_is_found_twice(
    settings: ScheduleSettings, begin: datetime, gaps: list[timedelta]
) -> None:
    reckoned, found = begin, list[datetime]()
    for gap in gaps:
        now = reckoned + gap
        one = timing.latest_firing(settings, reckoned, now)
        assert (one is not None) is (by_looking(settings, reckoned) <= now)
        found += [] if one is None else [one]
        reckoned = now
    assert found == sorted(set(found))


@given(moments, moments)
def test_a_continuous_schedule_fires_a_minute_after_the_moment_it_reckons_from(after: datetime, upto: datetime) -> None:
    settings = ScheduleSettings("continuous")
    assert timing.next_firing(settings, after) == after + MINUTE
    expected = after + MINUTE if upto >= after + MINUTE else None
    assert timing.latest_firing(settings, after, upto) == expected


@pytest.mark.parametrize("frequency", ["manual", *UNPUBLISHED])
def test_a_schedule_that_does_not_go_by_the_clock_never_fires(frequency: Any) -> None:
    settings = ScheduleSettings(frequency, hour="1", minute="2", day_of_week="friday", day_of_month="1", month="1")
    assert timing.next_firing(settings, at("2026-05-12T04:15:00")) is None
    assert timing.latest_firing(settings, at("2020-01-01"), at("2030-01-01")) is None
    assert timing.stored_only(settings) == (frequency in UNPUBLISHED)


def schedule(name: str, since: str | None, **settings: Any) -> StoredSchedule:
    reckoned = None if since is None else to_text(at(since))
    return StoredSchedule(name, "sync", name == "default", ScheduleSettings(**settings), "", "", reckoned)


SUNDAY = "2026-05-10T03:00:00"
HOURLY = schedule("default", "2026-05-10T02:00:00", frequency="hourly")
WEEKLY = schedule("weekly", "2026-05-03T03:00:00", frequency="weekly", day_of_week="sunday", hour="3")
DAILY = schedule("daily", "2026-05-09T03:00:00", frequency="daily", hour="3")
ALSO_HOURLY = schedule("other", "2026-05-10T02:00:00", frequency="hourly")


def test_of_what_is_due_at_once_the_rarer_comes_first_and_the_default_one_last() -> None:
    found = timing.due([HOURLY, ALSO_HOURLY, DAILY, WEEKLY], at(SUNDAY))
    assert [one.schedule.id for one in found] == ["weekly", "daily", "other", "default"]
    assert {one.at for one in found} == {at(SUNDAY)}


def test_firings_that_were_missed_count_as_one_the_latest() -> None:
    (one,) = timing.due([schedule("default", "2026-05-01T00:00:00", frequency="hourly", minute="20")], at(SUNDAY))
    assert one.at == at("2026-05-10T02:20:00")


@pytest.mark.parametrize(
    ("mode", "late", "made"),
    [
        ("normal", timedelta(hours=24), True),
        ("normal", timedelta(hours=24, seconds=1), False),
        ("refetch", timedelta(minutes=15), True),
        ("resync", timedelta(minutes=15, seconds=1), False),
        ("rebuild", timedelta(minutes=16), False),
    ],
)
def test_a_late_run_is_made_within_a_day_and_a_late_rerun_within_a_quarter_of_an_hour(
    mode: str, late: timedelta, made: bool
) -> None:
    due = timing.Due(schedule("one", None, frequency="weekly", resync_mode=mode), at(SUNDAY))
    assert due.in_time(at(SUNDAY) + late) is made


def test_what_reckons_from_nowhere_is_not_due() -> None:
    assert timing.due([schedule("default", None, frequency="hourly")], at(SUNDAY)) == []


@pytest.mark.parametrize(
    ("since", "unreckoned"),
    [(None, True), ("2026-05-10T03:02:00", False), ("2026-05-10T03:02:01", True), ("2020-01-01", False)],
)
def test_a_clock_that_was_set_back_by_more_than_two_minutes_has_the_schedule_reckon_anew(
    since: str | None, unreckoned: bool
) -> None:
    assert timing.unreckoned(schedule("default", since, frequency="hourly"), at(SUNDAY)) is unreckoned


def test_the_upcoming_firing_is_the_first_of_all_and_never_in_the_past() -> None:
    now = at("2026-05-10T03:00:00")
    assert timing.upcoming([WEEKLY, DAILY, HOURLY], now) == at("2026-05-10T04:00:00")
    assert timing.upcoming([WEEKLY], now - MINUTE) == now
    assert timing.upcoming([schedule("default", None, frequency="manual")], now) is None
    for since, expected in (
        ("2026-05-10T02:59:30", at("2026-05-10T03:00:30")),
        ("2026-05-10T01:00:00", now),
        (None, now + MINUTE),
    ):
        assert timing.upcoming([schedule("c", since, frequency="continuous")], now) == expected


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"frequency": "hourly"}, "hourly, minute 0"),
        ({"frequency": "daily", "hour": "3", "minute": "5"}, "daily, 03:05 UTC"),
        (
            {"frequency": "weekly", "day_of_week": "Sunday", "resync_mode": "rebuild", "schemas": ("a", "b")},
            "weekly, sunday 00:00 UTC, rebuild, a, b",
        ),
        ({"frequency": "continuous"}, "continuous"),
    ],
)
def test_a_schedule_is_spelled_out(settings: dict[str, Any], words: str) -> None:
    assert timing.in_words(ScheduleSettings(**settings)) == words
