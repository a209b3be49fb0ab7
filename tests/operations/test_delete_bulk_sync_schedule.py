"""delete_bulk_sync_schedule: a further schedule goes, the default one stays."""

import pytest

from operations.kit import ABSENT, asked_of, confirmed, proved, read, refuses, refuses_wrong_ids
from operations.schedules_kit import scheduled
from support import Person, Workshop

pytestmark = pytest.mark.anyio
TOOL = "delete_bulk_sync_schedule"


async def test_it_goes_after_an_accepted_form_and_the_others_stay(all_on: Workshop, era: str) -> None:
    sync_id, default, one, other = await scheduled(all_on)
    person = Person("accept")
    async with all_on.tools(era, person) as tools:
        data = proved(all_on, TOOL, await tools.delete_bulk_sync_schedule(sync_id=sync_id, schedule_id=other))
    assert "DELETES a schedule (weekly, sunday, 03:00 UTC, resync_mode rebuild, tables customers)" in person.asked[0]
    assert data["deleted"] == other
    sync = await read(all_on, sync_id)
    assert (sync["default_schedule"]["id"], [one["id"] for one in sync["additional_schedules"]]) == (default, [one])


async def test_in_two_steps_too_and_not_when_declined(all_on: Workshop) -> None:
    sync_id, _, one, _ = await scheduled(all_on)
    await asked_of(all_on, TOOL, sync_id=sync_id, schedule_id=one)
    assert all_on.api.mutations == []
    async with all_on.tools() as tools:
        _, answer = await confirmed(tools, TOOL, sync_id=sync_id, schedule_id=one)
    proved(all_on, TOOL, answer)
    assert len((await read(all_on, sync_id))["additional_schedules"]) == 1


async def test_the_default_schedule_is_refused_with_the_way_to_stop_it(all_on: Workshop) -> None:
    """What deleting it does is unknown (api/README.md 10.11)."""
    sync_id, default, *_ = await scheduled(all_on)
    async with all_on.tools() as tools:
        refused = await tools.delete_bulk_sync_schedule(sync_id=sync_id, schedule_id=default)
    assert refused.code == "invalid_arguments"
    assert "update_bulk_sync_schedule" in refused.text
    assert "frequency manual" in refused.text
    assert all_on.api.mutations == []


async def test_absent_and_wrong_ids_are_refused(all_on: Workshop) -> None:
    sync_id, default, *_ = await scheduled(all_on)
    async with all_on.tools() as tools:
        assert (await tools.delete_bulk_sync_schedule(sync_id=sync_id, schedule_id=ABSENT)).code == "not_found"
    await refuses(all_on, TOOL, {"sync_id": sync_id, "schedule_id": "../x"}, "`schedule_id`")
    await refuses_wrong_ids(all_on, TOOL, "sync_id", schedule_id=default)
