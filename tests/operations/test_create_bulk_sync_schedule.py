"""create_bulk_sync_schedule: an ordinary one through its endpoint, another kind through the sync, merged."""

from typing import Any

import pytest

from operations.kit import SYNC, TARGET, asked_of, confirmed, proved, read, refuses, refuses_wrong_ids
from operations.schedules_kit import scheduled, without_stamps
from support import Person, Workshop

pytestmark = pytest.mark.anyio
TOOL = "create_bulk_sync_schedule"
ENDPOINT = "/api/bulk/syncs/{sync_id}/schedules"


async def test_an_ordinary_one_goes_through_the_schedule_endpoint_at_once(all_on: Workshop, era: str) -> None:
    sync_id = await all_on.create_sync()
    async with all_on.tools(era) as tools:
        answer = await tools.create_bulk_sync_schedule(
            sync_id=sync_id, frequency="weekly", day_of_week="sunday", hour="3"
        )
    data = proved(all_on, TOOL, answer)
    made = (await read(all_on, sync_id))["additional_schedules"][0]
    assert (made["frequency"], made["day_of_week"], made["hour"]) == ("weekly", "sunday", "3")
    assert (data["id"], data["sent_as"], data["active"]) == (made["id"], "schedule endpoint", False)
    body = {"schedule": {"frequency": "weekly", "dayOfWeek": "sunday", "hour": "3"}}
    assert all_on.api.mutations == [("POST", ENDPOINT, body)]
    assert data["effects"] == ["Changes schedule: “(none)” → “weekly, sunday, 03:00 UTC”."]


async def test_its_id_is_found_in_the_sync_when_the_endpoint_tells_none(all_on: Workshop) -> None:
    sync_id, *_ = await scheduled(all_on)
    all_on.api.rewrites["POST", ENDPOINT] = lambda data: {key: value for key, value in data.items() if key != "id"}
    async with all_on.tools() as tools:
        data = proved(all_on, TOOL, await tools.create_bulk_sync_schedule(sync_id=sync_id, frequency="daily", hour="7"))
    assert data["id"] == (await read(all_on, sync_id))["additional_schedules"][2]["id"]


async def test_on_an_active_sync_the_effects_say_that_it_fires(all_on: Workshop) -> None:
    sync_id = await all_on.create_sync(active=True)
    async with all_on.tools() as tools:
        answer = await tools.create_bulk_sync_schedule(sync_id=sync_id, frequency="continuous")
    data = proved(all_on, TOOL, answer)
    assert data["active"] is True
    assert any("Activates schedules, which start runs unattended: continuous" in line for line in data["effects"])


async def test_one_that_rewrites_tables_asks_and_goes_through_the_whole_sync(all_on: Workshop, era: str) -> None:
    sync_id, *_ = await scheduled(all_on)
    before = await read(all_on, sync_id)
    call = {"sync_id": sync_id, "frequency": "daily", "hour": "4", "resync_mode": "resync", "schemas": ["customers"]}
    person = Person("accept")
    async with all_on.tools(era, person) as tools:
        data = proved(all_on, TOOL, await tools.create_bulk_sync_schedule(**call))
    assert "ARMS a schedule (daily, 04:00 UTC, resync_mode resync, tables customers)" in person.asked[0]
    after = await read(all_on, sync_id)
    *kept, made = after["additional_schedules"]
    assert (made["resync_mode"], made["schemas"]) == ("resync", ["customers"])
    assert without_stamps({**after, "additional_schedules": kept}) == without_stamps(before)
    assert (data["id"], data["sent_as"]) == (made["id"], "update of the whole bulk sync")
    assert "not_taken" not in data
    assert [call[:2] for call in all_on.api.mutations] == [("PUT", SYNC)]


async def test_one_that_does_not_fire_by_itself_is_not_armed(all_on: Workshop) -> None:
    sync_id = await all_on.create_sync()
    async with all_on.tools() as tools:
        answer = await tools.create_bulk_sync_schedule(sync_id=sync_id, frequency="manual", resync_mode="rebuild")
    assert proved(all_on, TOOL, answer)["sent_as"] == "update of the whole bulk sync"


async def test_declined_or_unconfirmed_nothing_is_added(all_on: Workshop) -> None:
    sync_id = await all_on.create_sync()
    call: dict[str, Any] = {"sync_id": sync_id, "frequency": "daily", "resync_mode": "rebuild"}
    assert "on all enabled tables" in await asked_of(all_on, TOOL, **call)
    async with all_on.tools() as tools:
        preview = await tools.create_bulk_sync_schedule(**call)
        assert preview.code == "confirmation_required"
        assert all_on.api.mutations == []
        other = {**call, "hour": "5", "confirmation": preview.confirmation}
        assert (await tools.create_bulk_sync_schedule(**other)).code == "confirmation_invalid"
    assert (await read(all_on, sync_id))["additional_schedules"] == []
    async with all_on.tools() as tools:
        _, answer = await confirmed(tools, TOOL, **call)
    proved(all_on, TOOL, answer)


async def test_what_the_sync_or_destination_does_not_have_is_refused(all_on: Workshop) -> None:
    sync_id = await all_on.create_sync()
    all_on.api.rewrites["GET", TARGET] = lambda data: {**data, "supported_resync_modes": ["refetch"]}
    async with all_on.tools() as tools:
        mode = await tools.create_bulk_sync_schedule(sync_id=sync_id, frequency="daily", resync_mode="rebuild")
        table = await tools.create_bulk_sync_schedule(sync_id=sync_id, frequency="daily", schemas=["nothing"])
        all_on.api.rewrites["GET", SYNC] = lambda sync: {**sync, "default_schedule": None}
        lacking = await tools.create_bulk_sync_schedule(sync_id=sync_id, frequency="daily", schemas=["customers"])
    assert (mode.code, table.code, lacking.code) == (
        "unsupported_resync_mode",
        "invalid_arguments",
        "invalid_arguments",
    )
    assert "refetch" in mode.text
    assert "no default schedule" in lacking.text
    assert all_on.api.mutations == []


async def test_wrong_arguments_are_named_and_reach_nothing(all_on: Workshop) -> None:
    sync_id = await all_on.create_sync()
    await refuses(all_on, TOOL, {"sync_id": sync_id}, "`frequency` is required")
    await refuses(all_on, TOOL, {"sync_id": sync_id, "frequency": "monthly"}, "`frequency`", "daily")
    await refuses(all_on, TOOL, {"sync_id": sync_id, "frequency": "daily", "hour": 3}, "`hour`")
    await refuses(all_on, TOOL, {"sync_id": sync_id, "frequency": "daily", "resync_mode": "truncate"}, "`resync_mode`")
    await refuses(all_on, TOOL, {"sync_id": sync_id, "frequency": "daily", "schemas": []}, "`schemas`")
    await refuses(all_on, TOOL, {"sync_id": sync_id, "frequency": "daily", "dayOfWeek": "sunday"}, "`day_of_week`")
    await refuses_wrong_ids(all_on, TOOL, "sync_id", frequency="daily")
