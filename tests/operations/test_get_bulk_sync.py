"""get_bulk_sync: the configuration of one sync."""

import re

import pytest

from operations.kit import HOSTILE, SYNC, proved, refuses, refuses_wrong_ids
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "get_bulk_sync"


async def test_it_tells_the_configuration_without_what_is_not_set(workshop: Workshop, era: str) -> None:
    sync_id = await workshop.create_sync(
        active=True,
        destination_configuration={"advanced": {"table_prefix": "shop_"}},
        default_schedule={"frequency": "daily", "hour": "3"},
        additional_schedules=[{"frequency": "weekly", "day_of_week": "sunday", "resync_mode": "rebuild"}],
    )
    async with workshop.tools(era) as tools:
        data = proved(workshop, TOOL, await tools.get_bulk_sync(sync_id=sync_id))
    assert data["active"] is True
    assert data["mode"] == "replicate"
    assert data["source_connection_id"] == workshop.source_id
    assert data["destination_configuration"] == {"advanced": {"table_prefix": "shop_"}}
    assert data["schedules"] == ["daily, 03:00 UTC", "weekly, sunday, resync_mode rebuild"]
    assert len(data["schedule_ids"]) == 2
    assert "other" not in data or None not in data["other"].values()
    assert "source_configuration" not in data
    assert len(workshop.api.calls) == 1


async def test_settings_newer_than_this_server_are_told_under_other(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    workshop.api.rewrites["GET", SYNC] = lambda data: {
        **data,
        "mode": "mirror",
        "name": HOSTILE,
        "sampling": {"percent": 5},
        "default_schedule": {"frequency": "fortnightly", "hour": 4, "later": True},
    }
    async with workshop.tools() as tools:
        answer = await tools.get_bulk_sync(sync_id=sync_id)
    data = proved(workshop, TOOL, answer)
    assert data["mode"] == "mirror"
    assert data["other"]["sampling"] == {"percent": 5}
    assert data["schedules"] == ["fortnightly, 04:00 UTC"]
    assert "\u202e" not in answer.text
    assert len(data["name"]) <= 80


async def test_a_schedule_that_does_not_say_when_is_not_taken_for_a_manual_one(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    workshop.api.rewrites["GET", SYNC] = lambda data: {**data, "default_schedule": {"id": "x"}}
    async with workshop.tools() as tools:
        shown = proved(workshop, TOOL, await tools.get_bulk_sync(sync_id=sync_id))
        activated = await tools.activate_bulk_sync(sync_id=sync_id, active=True)
    assert shown["schedules"] == ["frequency not told"]
    assert "start runs unattended: frequency not told" in activated.text


async def test_an_answer_that_is_no_sync_is_a_fault_of_the_backend(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    workshop.api.rewrites["GET", SYNC] = lambda _: [1, 2]
    async with workshop.tools() as tools:
        answer = await tools.get_bulk_sync(sync_id=sync_id)
    assert answer.code == "backend_error"


async def test_an_id_in_capitals_is_the_same_sync(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    async with workshop.tools() as tools:
        assert proved(workshop, TOOL, await tools.get_bulk_sync(sync_id=sync_id.upper()))["id"] == sync_id


async def test_ids_that_are_none_are_refused_and_absent_syncs_not_found(workshop: Workshop) -> None:
    await refuses_wrong_ids(workshop, TOOL, "sync_id")


async def test_wrong_arguments_are_named_and_reach_nothing(workshop: Workshop) -> None:
    await refuses(workshop, TOOL, {"id": workshop.source_id}, "`id`", "`sync_id` is required")


async def test_a_time_is_told_to_the_second_and_with_its_age(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    async with workshop.tools() as tools:
        workshop.clock.advance(minutes=5)
        data = proved(workshop, TOOL, await tools.get_bulk_sync(sync_id=sync_id))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \(5 min( \d+ s)? ago\)", data["updated"])
    assert "other" not in data
