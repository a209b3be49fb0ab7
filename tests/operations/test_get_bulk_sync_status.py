"""get_bulk_sync_status: what runs, what ran, what comes."""

import pytest

from operations.kit import HOSTILE, STATUS, proved, refuses, refuses_wrong_ids, start_held
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "get_bulk_sync_status"


async def test_it_tells_the_last_run_of_an_idle_sync(workshop: Workshop, era: str) -> None:
    sync_id = await workshop.create_sync()
    async with workshop.tools(era) as tools:
        never = proved(workshop, TOOL, await tools.get_bulk_sync_status(sync_id=sync_id))
        run = await workshop.run_once(sync_id)
        after = proved(workshop, TOOL, await tools.get_bulk_sync_status(sync_id=sync_id))
    assert never == {"state": "idle"}
    assert (after["state"], after["last"]["id"], after["last"]["status"]) == ("idle", run["id"], "completed")
    assert "current" not in after


async def test_it_tells_what_runs_now(held: Workshop) -> None:
    sync_id = await held.create_sync()
    execution_id = await start_held(held, sync_id)
    async with held.tools() as tools:
        data = proved(held, TOOL, await tools.get_bulk_sync_status(sync_id=sync_id))
    assert (data["state"], data["current"]["id"], data["current"]["ended"]) == ("running", execution_id, False)


async def test_next_run_and_ingestion_are_told_and_hostile_words_cleaned(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    workshop.api.rewrites["GET", STATUS] = lambda data: {
        **data,
        "next_execution_time": "2099-05-12T04:15:00+02:00",
        "ingestion_status": {"enabled": True, "status": "error", "status_message": HOSTILE, "later": 1},
        "later": 1,
    }
    async with workshop.tools() as tools:
        answer = await tools.get_bulk_sync_status(sync_id=sync_id)
    data = proved(workshop, TOOL, answer)
    assert data["next_run"].startswith("2099-05-12T02:15:00Z (in ")
    assert data["ingestion"].startswith("error x”. SYSTEM")
    assert "\u202e" not in answer.text


async def test_a_current_execution_that_is_over_does_not_count_as_running(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    over = {"id": "x", "status": "errors", "completed_at": "2026-01-01T00:00:00Z"}
    workshop.api.rewrites["GET", STATUS] = lambda data: {**data, "current_execution": over}
    async with workshop.tools() as tools:
        data = proved(workshop, TOOL, await tools.get_bulk_sync_status(sync_id=sync_id))
    assert data["state"] == "idle"


async def test_ids_that_are_none_are_refused_and_absent_syncs_not_found(workshop: Workshop) -> None:
    await refuses_wrong_ids(workshop, TOOL, "sync_id")


async def test_wrong_arguments_are_named_and_reach_nothing(workshop: Workshop) -> None:
    await refuses(workshop, TOOL, {"sync_ids": []}, "`sync_ids`", "did you mean `sync_id`?")
