"""cancel_bulk_sync: the run that goes on, and no other."""

from typing import Any

import pytest

from operations.kit import STATUS, asked_of, confirmed, finished, lost, proved, refuses, refuses_wrong_ids, start_held
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "cancel_bulk_sync"
CANCEL = ("POST", "/api/bulk/syncs/{id}/cancel")


async def test_it_stops_the_run_and_names_it(held: Workshop, era: str) -> None:
    sync_id = await held.create_sync()
    execution_id = await start_held(held, sync_id)
    async with held.tools(era) as tools:
        data = proved(held, TOOL, await tools.cancel_bulk_sync(sync_id=sync_id))
        ended = await finished(tools, sync_id, "canceled")
    assert data["execution_id"] == ended["id"] == execution_id
    assert f"CANCELS the running execution {execution_id}" in data["effects"][0]
    assert "wait_for_bulk_sync_execution" in data["next"]
    assert held.api.mutations == [("POST", "/api/bulk/syncs/{id}/cancel", None)]


@pytest.mark.parametrize("mode", ["resync", "rebuild"])
async def test_a_run_that_rewrites_its_output_asks_first(held: Workshop, mode: str) -> None:
    sync_id = await held.create_sync()
    await start_held(held, sync_id, resync_mode=mode)
    async with held.tools() as tools:
        preview, answer = await confirmed(tools, TOOL, sync_id=sync_id)
        proved(held, TOOL, answer)
        await finished(tools, sync_id, "canceled")
    assert "It is emptying or rebuilding tables: they may stay partly filled." in preview.text


@pytest.mark.parametrize(
    "told",
    [
        {"is_resync": True, "output_disposition": None},
        {"is_resync": True, "output_disposition": "compact"},
        {"is_resync": None, "output_disposition": "truncate"},
    ],
)
async def test_a_rerun_that_does_not_say_what_it_does_counts_as_rewriting(
    workshop: Workshop, told: dict[str, Any]
) -> None:
    sync_id = await workshop.create_sync()
    running = {"id": "x", "status": "running", **told}
    workshop.api.rewrites["GET", STATUS] = lambda data: {**data, "current_execution": running}
    assert "partly filled" in await asked_of(workshop, TOOL, sync_id=sync_id)
    assert workshop.api.mutations == []


async def test_where_nothing_runs_nothing_is_sent(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    async with workshop.tools() as tools:
        refused = await tools.cancel_bulk_sync(sync_id=sync_id)
    assert refused.code == "conflict"
    assert "nothing to cancel" in refused.text
    assert "get_bulk_sync_status" in refused.text
    assert workshop.api.mutations == []


async def test_another_run_that_began_in_between_is_told_first(held: Workshop) -> None:
    sync_id = await held.create_sync()
    await start_held(held, sync_id)
    later = {"id": "later", "status": "canceling"}

    async def another_begins() -> None:
        held.api.rewrites["GET", STATUS] = lambda data: {**data, "current_execution": later}

    held.api.before[CANCEL] = another_begins
    async with held.tools() as tools:
        told = await tools.cancel_bulk_sync(sync_id=sync_id)
    assert told.code == "mismatch"
    assert "later had begun by then (canceling)" in told.text
    assert "changed: done" in told.text
    assert held.audit()[-1]["outcome"] == "mismatch"


async def test_a_cancellation_that_cannot_be_followed_is_told_as_unknown(held: Workshop) -> None:
    sync_id = await held.create_sync()
    execution_id = await start_held(held, sync_id)

    async def status_is_lost() -> None:
        held.api.before["GET", STATUS] = lost("backend_unreachable")

    held.api.before[CANCEL] = status_is_lost
    async with held.tools() as tools:
        told = await tools.cancel_bulk_sync(sync_id=sync_id)
    assert told.code == "outcome_unknown"
    assert execution_id in told.text
    assert "changed: unknown" in told.text


async def test_ids_that_are_none_are_refused_and_absent_syncs_not_found(workshop: Workshop) -> None:
    await refuses_wrong_ids(workshop, TOOL, "sync_id")


async def test_wrong_arguments_are_named_and_reach_nothing(workshop: Workshop) -> None:
    await refuses(workshop, TOOL, {"sync_id": workshop.source_id, "execution_id": "x"}, "`execution_id`")
