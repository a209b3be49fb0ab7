"""activate_bulk_sync: schedules on and off, and what that starts or stops."""

import pytest

from operations.kit import (
    STATUS,
    SYNC,
    asked_of,
    confirmed,
    finished,
    proved,
    read,
    refuses,
    refuses_wrong_ids,
    start_held,
)
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "activate_bulk_sync"
REBUILD = {"frequency": "weekly", "day_of_week": "sunday", "resync_mode": "rebuild", "schemas": ["customers"]}


async def test_it_switches_schedules_on_and_off_and_says_which(workshop: Workshop, era: str) -> None:
    sync_id = await workshop.create_sync(default_schedule={"frequency": "hourly", "minute": "5"})
    workshop.api.rewrites["GET", STATUS] = lambda data: {**data, "next_execution_time": "2099-01-01T00:00:00Z"}
    async with workshop.tools(era) as tools:
        on = proved(workshop, TOOL, await tools.activate_bulk_sync(sync_id=sync_id, active=True))
        assert (await read(workshop, sync_id))["active"] is True
        off = proved(workshop, TOOL, await tools.activate_bulk_sync(sync_id=sync_id, active=False))
        assert (await read(workshop, sync_id))["active"] is False
    assert (on["id"], on["active"]) == (sync_id, True)
    assert on["effects"] == [
        "Activates schedules, which start runs unattended: hourly, at minute 5. The next run is due 2099-01-01T00:00:00Z."
    ]
    assert off["active"] is False
    assert off["effects"] == ["Changes active: “true” → “false”."]
    assert [body for _, _, body in workshop.api.mutations] == [{"active": True}, {"active": False}]


async def test_a_manual_sync_says_that_nothing_fires(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    async with workshop.tools() as tools:
        data = proved(workshop, TOOL, await tools.activate_bulk_sync(sync_id=sync_id, active=True))
    assert "no schedule that fires" in data["effects"][0]


async def test_an_armed_schedule_asks_and_is_on_after_a_yes(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync(additional_schedules=[REBUILD])
    question = await asked_of(workshop, TOOL, sync_id=sync_id, active=True)
    assert "ARMS a schedule" in question
    assert "repeats “rebuild” on “customers”" in question
    assert (await read(workshop, sync_id))["active"] is False
    async with workshop.tools() as tools:
        _, answer = await confirmed(tools, TOOL, sync_id=sync_id, active=True)
    assert proved(workshop, TOOL, answer)["active"] is True
    assert (await read(workshop, sync_id))["active"] is True


async def test_an_unknown_resync_mode_of_a_schedule_counts_as_armed(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    workshop.api.rewrites["GET", SYNC] = lambda data: {
        **data,
        "additional_schedules": [{"id": "s", "frequency": "fortnightly", "resync_mode": "defragment"}],
    }
    assert "“defragment”" in await asked_of(workshop, TOOL, sync_id=sync_id, active=True)


async def test_switching_off_asks_before_it_cancels_a_run_and_then_does(held: Workshop) -> None:
    sync_id = await held.create_sync(active=True)
    execution_id = await start_held(held, sync_id)
    async with held.tools() as tools:
        preview, answer = await confirmed(tools, TOOL, sync_id=sync_id, active=False)
        proved(held, TOOL, answer)
        ended = await finished(tools, sync_id, "canceled")
    assert f"CANCELS the running execution {execution_id}" in preview.text
    assert ended["id"] == execution_id
    assert (await read(held, sync_id))["active"] is False


async def test_a_run_that_starts_after_the_preview_voids_the_confirmation(held: Workshop) -> None:
    sync_id = await held.create_sync(active=True)
    execution_id = await start_held(held, sync_id)
    async with held.tools() as tools:
        preview = await tools.activate_bulk_sync(sync_id=sync_id, active=False)
        held.api.rewrites["GET", STATUS] = lambda data: {
            **data,
            "current_execution": {**data["current_execution"], "id": "another"},
        }
        refused = await tools.activate_bulk_sync(sync_id=sync_id, active=False, confirmation=preview.confirmation)
    assert refused.code == "plan_changed"
    assert execution_id in refused.text
    assert held.api.mutations == []


async def test_ids_that_are_none_are_refused_and_absent_syncs_not_found(workshop: Workshop) -> None:
    await refuses_wrong_ids(workshop, TOOL, "sync_id", active=True)


async def test_wrong_arguments_are_named_and_reach_nothing(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    await refuses(workshop, TOOL, {"sync_id": sync_id}, "`active` is required")
    for wrong in ("false", 0, None, "yes"):
        await refuses(workshop, TOOL, {"sync_id": sync_id, "active": wrong}, "`active`")
    await refuses(workshop, TOOL, {"sync_id": sync_id, "activ": True}, "did you mean `active`?")
