"""update_bulk_sync_schedule: through whichever call keeps what the schedule holds."""

import pytest

from operations.kit import ABSENT, SYNC, asked_of, confirmed, proved, read, refuses, refuses_wrong_ids
from operations.schedules_kit import scheduled, without_stamps
from support import Person, Workshop

pytestmark = pytest.mark.anyio
TOOL = "update_bulk_sync_schedule"
ENDPOINT = "/api/bulk/syncs/{sync_id}/schedules/{schedule_id}"


async def test_an_ordinary_one_goes_through_its_endpoint_and_keeps_what_is_not_named(
    all_on: Workshop, era: str
) -> None:
    sync_id, _, one, _ = await scheduled(all_on)
    async with all_on.tools(era) as tools:
        answer = await tools.update_bulk_sync_schedule(sync_id=sync_id, schedule_id=one, minute="30")
    data = proved(all_on, TOOL, answer)
    body = {"schedule": {"frequency": "hourly", "minute": "30", "selectiveMode": "incrementalFields"}}
    assert all_on.api.mutations == [("PUT", ENDPOINT, body)]
    assert (data["schedule"], data["sent_as"]) == ("hourly, at minute 30", "schedule endpoint")
    assert data["selective_mode"] == "incrementalFields"
    assert "not_taken" not in data
    after = (await read(all_on, sync_id))["additional_schedules"][0]
    assert (after["id"], after["minute"], after["selective_mode"]) == (one, "30", "incrementalFields")


async def test_a_new_frequency_drops_the_times_it_does_not_use(all_on: Workshop) -> None:
    sync_id, default, *_ = await scheduled(all_on)
    async with all_on.tools() as tools:
        answer = await tools.update_bulk_sync_schedule(sync_id=sync_id, schedule_id=default, frequency="manual")
    assert proved(all_on, TOOL, answer)["effects"] == ["Changes schedule: “daily, 01:00 UTC” → “manual”."]
    kept = (await read(all_on, sync_id))["default_schedule"]
    assert (kept["id"], kept["frequency"], kept["hour"]) == (default, "manual", None)


async def test_one_that_rebuilds_asks_and_keeps_mode_and_tables_by_way_of_the_sync(all_on: Workshop, era: str) -> None:
    """What its own endpoint does to them is unknown (api/README.md 10.10)."""
    sync_id, _, _, other = await scheduled(all_on)
    before = await read(all_on, sync_id)
    person = Person("accept")
    async with all_on.tools(era, person) as tools:
        answer = await tools.update_bulk_sync_schedule(sync_id=sync_id, schedule_id=other, hour="5")
    data = proved(all_on, TOOL, answer)
    assert "ARMS a schedule (weekly, sunday, 05:00 UTC, resync_mode rebuild, tables customers)" in person.asked[0]
    assert data["sent_as"] == "update of the whole bulk sync"
    assert "not_taken" not in data
    after = await read(all_on, sync_id)
    expected = {
        **before,
        "additional_schedules": [before["additional_schedules"][0], {**before["additional_schedules"][1], "hour": "5"}],
    }
    assert without_stamps(after) == without_stamps(expected)
    assert [call[:2] for call in all_on.api.mutations] == [("PUT", SYNC)]


async def test_arming_an_ordinary_one_asks_and_disarming_does_not(all_on: Workshop) -> None:
    sync_id, _, one, other = await scheduled(all_on)
    async with all_on.tools() as tools:
        preview, armed = await confirmed(tools, TOOL, sync_id=sync_id, schedule_id=one, resync_mode="resync")
        disarmed = await tools.update_bulk_sync_schedule(sync_id=sync_id, schedule_id=other, resync_mode="normal")
    assert "repeats “resync” on all enabled tables" in preview.text
    assert proved(all_on, TOOL, armed)["sent_as"] == "update of the whole bulk sync"
    assert proved(all_on, TOOL, disarmed)["sent_as"] == "update of the whole bulk sync"
    modes = [one["resync_mode"] for one in (await read(all_on, sync_id))["additional_schedules"]]
    assert modes == ["resync", "normal"]


async def test_a_change_of_tables_or_fields_alone_is_seen(all_on: Workshop) -> None:
    sync_id, _, one, other = await scheduled(all_on, schemas=["customers", "events"])
    both = ["customers", "events"]
    asked = await asked_of(all_on, TOOL, sync_id=sync_id, schedule_id=other, schemas=both)
    assert "“customers”, “events” at each firing" in asked
    async with all_on.tools() as tools:
        data = proved(
            all_on,
            TOOL,
            await tools.update_bulk_sync_schedule(sync_id=sync_id, schedule_id=one, selective_mode="none"),
        )
    assert data["effects"] == ["Changes schedule selective_mode: “incrementalFields” → “(not set)”."]


async def test_on_an_active_sync_a_firing_schedule_is_told(all_on: Workshop) -> None:
    sync_id, default, *_ = await scheduled(all_on, active=True)
    async with all_on.tools() as tools:
        answer = await tools.update_bulk_sync_schedule(sync_id=sync_id, schedule_id=default, hour="2")
    data = proved(all_on, TOOL, answer)
    assert any("Activates schedules" in line for line in data["effects"])


async def test_the_default_schedule_cannot_have_what_the_api_cannot_give_it(all_on: Workshop) -> None:
    sync_id, default, *_ = await scheduled(all_on)
    async with all_on.tools() as tools:
        for change in ({"resync_mode": "rebuild"}, {"schemas": ["customers"]}):
            refused = await tools.update_bulk_sync_schedule(sync_id=sync_id, schedule_id=default, **change)
            assert refused.code == "invalid_arguments", refused.text
            assert "create_bulk_sync_schedule" in refused.text
        all_on.api.rewrites["GET", ENDPOINT] = lambda own: {**own, "syncMode": "rebuild"}
        held = await tools.update_bulk_sync_schedule(sync_id=sync_id, schedule_id=default, hour="3")
    assert "cannot give, or keep, resync_mode" in held.text
    assert all_on.api.mutations == []


async def test_settings_this_server_does_not_know_are_kept(all_on: Workshop) -> None:
    sync_id, _, one, _ = await scheduled(all_on)

    def newer(sync: dict) -> dict:
        first, second = sync["additional_schedules"]
        return {**sync, "additional_schedules": [{**first, "timezone": "Europe/Oslo"}, second]}

    all_on.api.rewrites["GET", SYNC] = newer
    async with all_on.tools() as tools:
        refused = await tools.update_bulk_sync_schedule(sync_id=sync_id, schedule_id=one, minute="6")
    assert refused.code == "bad_request", "the local service takes no unknown keys"
    method, path, body = all_on.api.mutations[0]
    assert (method, path) == ("PUT", SYNC)
    assert body["additional_schedules"][0]["timezone"] == "Europe/Oslo"
    assert body["additional_schedules"][0]["minute"] == "6"


async def test_a_schedule_the_sync_does_not_tell_is_left_alone(all_on: Workshop) -> None:
    sync_id, _, one, _ = await scheduled(all_on)
    all_on.api.rewrites["GET", SYNC] = lambda sync: {**sync, "additional_schedules": []}
    async with all_on.tools() as tools:
        refused = await tools.update_bulk_sync_schedule(sync_id=sync_id, schedule_id=one, minute="6")
    assert refused.code == "unknown_state"
    assert all_on.api.mutations == []


async def test_wrong_arguments_and_changes_that_are_none_are_refused(all_on: Workshop) -> None:
    sync_id, default, one, _ = await scheduled(all_on)
    ids = {"sync_id": sync_id, "schedule_id": one}
    await refuses(all_on, TOOL, {**ids, "frequency": "yearly"}, "`frequency`")
    await refuses(all_on, TOOL, {**ids, "schemas": []}, "`schemas`")
    await refuses(all_on, TOOL, {**ids, "syncMode": "rebuild"}, "`syncMode`")
    async with all_on.tools() as tools:
        for change in ({}, {"minute": "5"}, {"resync_mode": "normal"}, {"frequency": None}):
            assert (await tools.call(TOOL, {**ids, **change})).code == "invalid_arguments"
        assert (await tools.call(TOOL, {**ids, "schedule_id": ABSENT, "hour": "1"})).code == "not_found"
    assert all_on.api.mutations == []
    await refuses_wrong_ids(all_on, TOOL, "sync_id", schedule_id=default, hour="3")
