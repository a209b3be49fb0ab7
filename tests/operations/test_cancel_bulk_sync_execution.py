"""Cancelling exactly one execution."""

import pytest

from operations.every_tool import with_every_tool
from operations.kit import ABSENT, confirmed, finished, proved, refuses_wrong_ids, scripted, start_held
from support import Person, Workshop

pytestmark = pytest.mark.anyio
TOOL = "cancel_bulk_sync_execution"
EXECUTION = "/api/bulk/syncs/{id}/executions/{exec_id}"


async def test_a_running_execution_named_is_stopped_at_once(all_held: Workshop, era: str) -> None:
    sync_id = await all_held.create_sync()
    execution_id = await start_held(all_held, sync_id)
    async with all_held.tools(era) as tools:
        answer = await tools.call(TOOL, {"sync_id": sync_id, "execution_id": execution_id})
        data = proved(all_held, TOOL, answer)
        assert data["effects"][0].startswith(f"CANCELS the running execution {execution_id}")
        assert data["execution_id"] == execution_id
        assert f"execution_id {execution_id}" in data["next"]
        await finished(tools, sync_id, "canceled")
    assert [call[:2] for call in all_held.api.mutations] == [("POST", f"{EXECUTION}/cancel")]


async def test_a_rebuilding_one_is_stopped_only_after_a_yes_in_a_form(all_held: Workshop, era: str) -> None:
    sync_id = await all_held.create_sync()
    execution_id = await start_held(all_held, sync_id, resync_mode="rebuild")
    person = Person("decline")
    async with all_held.tools(era, person) as tools:
        refused = await tools.call(TOOL, {"sync_id": sync_id, "execution_id": execution_id})
        assert refused.code == "confirmation_declined"
        assert all_held.api.mutations == []
        person.answer = "accept"
        answer = await tools.call(TOOL, {"sync_id": sync_id, "execution_id": execution_id})
        proved(all_held, TOOL, answer)
        await finished(tools, sync_id, "canceled")
    assert "may stay partly filled" in person.asked[0]


async def test_a_rebuilding_one_is_stopped_on_the_second_call_where_no_form_can_be_shown(all_held: Workshop) -> None:
    sync_id = await all_held.create_sync()
    execution_id = await start_held(all_held, sync_id, resync_mode="resync")
    async with all_held.tools() as tools:
        preview, done = await confirmed(tools, TOOL, sync_id=sync_id, execution_id=execution_id)
        assert "emptying or rebuilding" in preview.text
        proved(all_held, TOOL, done)
        await finished(tools, sync_id, "canceled")
    assert len(all_held.api.mutations) == 1


async def test_an_execution_that_has_ended_is_told_to_have(all_on: Workshop) -> None:
    sync_id = await all_on.create_sync()
    run = await all_on.run_once(sync_id)
    async with all_on.tools() as tools:
        refused = await tools.call(TOOL, {"sync_id": sync_id, "execution_id": run["id"]})
    assert refused.code == "conflict"
    assert "has ended already (completed)" in refused.text
    assert "`get_bulk_sync_status`" in refused.text
    assert all_on.api.mutations == []


async def test_a_state_that_may_not_be_final_can_still_be_cancelled(all_on: Workshop) -> None:
    sync_id = await all_on.create_sync()
    run = await all_on.run_once(sync_id)
    uncertain = {**run, "status": "interrupted", "completed_at": None}
    made = scripted(with_every_tool(all_on), {("GET", EXECUTION): lambda: uncertain})
    async with made.tools() as tools:
        answer = await tools.call(TOOL, {"sync_id": sync_id, "execution_id": run["id"]})
    assert "nothing to cancel" in proved(made, TOOL, answer)["message"]


async def test_wrong_ids_are_refused(all_on: Workshop) -> None:
    await refuses_wrong_ids(all_on, TOOL, "sync_id", execution_id=ABSENT)
    sync_id = await all_on.create_sync()
    async with all_on.tools() as tools:
        missing = await tools.call(TOOL, {"sync_id": sync_id, "execution_id": ABSENT})
        wrong = await tools.call(TOOL, {"sync_id": sync_id, "execution_id": "../cancel"})
    assert (missing.code, wrong.code) == ("not_found", "invalid_arguments")
    assert all_on.api.mutations == []
