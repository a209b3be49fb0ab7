"""cancel_bulk_sync_schema: one table of the running execution."""

import anyio
import pytest

from operations.kit import EXECUTION, STATUS, asked_of, confirmed, proved, refuses, refuses_wrong_ids, start_held
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "cancel_bulk_sync_schema"


async def until_canceled(workshop: Workshop, sync_id: str, execution_id: str) -> dict[str, str]:
    """The state of each table once `customers` has stopped."""
    with anyio.fail_after(30):
        while True:
            run = (await workshop.api.inner.get(EXECUTION, id=sync_id, exec_id=execution_id)).data
            states = {one["schema"]: one["status"] for one in run["schemas"]}
            if states["customers"] == "canceled":
                return states
            await anyio.sleep(0.05)


async def test_it_stops_one_table_and_no_other(all_held: Workshop, era: str) -> None:
    sync_id = await all_held.create_sync(schemas=["customers", "events"])
    execution_id = await start_held(all_held, sync_id)
    async with all_held.tools(era) as tools:
        data = proved(all_held, TOOL, await tools.cancel_bulk_sync_schema(sync_id=sync_id, schema_id="customers"))
        assert f"CANCELS the table “customers” in the running execution {execution_id}" in data["effects"][0]
        states = await until_canceled(all_held, sync_id, execution_id)
    assert states["events"] not in ("canceled", "canceling")
    assert all_held.api.mutations == [("POST", "/api/bulk/syncs/{id}/schemas/{schema_id}/cancel", None)]


async def test_a_table_that_is_being_rebuilt_asks_first(all_held: Workshop) -> None:
    sync_id = await all_held.create_sync()
    await start_held(all_held, sync_id, resync_mode="rebuild")
    asked = await asked_of(all_held, TOOL, sync_id=sync_id, schema_id="customers")
    assert "It is emptying or rebuilding tables: they may stay partly filled." in asked
    assert all_held.api.mutations == []
    async with all_held.tools() as tools:
        _, answer = await confirmed(tools, TOOL, sync_id=sync_id, schema_id="customers")
    proved(all_held, TOOL, answer)


async def test_without_a_run_or_without_the_table_in_it_there_is_nothing_to_cancel(all_held: Workshop) -> None:
    sync_id = await all_held.create_sync()
    async with all_held.tools() as tools:
        idle = await tools.cancel_bulk_sync_schema(sync_id=sync_id, schema_id="customers")
        await start_held(all_held, sync_id)
        other = await tools.cancel_bulk_sync_schema(sync_id=sync_id, schema_id="events")
    assert (idle.code, other.code) == ("conflict", "conflict")
    assert "Nothing of this bulk sync is running" in idle.text
    assert "has no such table" in other.text
    assert all_held.api.mutations == []


async def test_a_table_that_is_done_is_left_alone(all_on: Workshop) -> None:
    sync_id = await all_on.create_sync()
    done = {"id": "x", "status": "running", "schemas": [{"schema": "customers", "status": "completed"}]}
    all_on.api.rewrites["GET", STATUS] = lambda data: {**data, "current_execution": done}
    async with all_on.tools() as tools:
        refused = await tools.cancel_bulk_sync_schema(sync_id=sync_id, schema_id="customers")
    assert "is done with this table (completed)" in refused.text
    assert all_on.api.mutations == []


async def test_wrong_arguments_reach_nothing(all_on: Workshop) -> None:
    sync_id = await all_on.create_sync()
    await refuses(all_on, TOOL, {"sync_id": sync_id, "schema_id": "a/.."}, "`schema_id`")
    await refuses_wrong_ids(all_on, TOOL, "sync_id", schema_id="customers")
