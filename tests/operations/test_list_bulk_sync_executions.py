"""list_bulk_sync_executions: past and running executions, page by page."""

import pytest

from operations.kit import EXECUTIONS, proved, refuses, refuses_wrong_ids, start_held
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "list_bulk_sync_executions"


async def test_it_tells_kind_state_and_rows_newest_first(workshop: Workshop, era: str) -> None:
    sync_id = await workshop.create_sync()
    first = await workshop.run_once(sync_id)
    trial = await workshop.run_once(sync_id, test=True)
    async with workshop.tools(era) as tools:
        data = proved(workshop, TOOL, await tools.list_bulk_sync_executions(sync_id=sync_id))
        oldest = proved(workshop, TOOL, await tools.list_bulk_sync_executions(sync_id=sync_id, oldest_first=True))
    assert [(row["id"], row["kind"], row["status"]) for row in data["executions"]] == [
        (trial["id"], "test", "completed"),
        (first["id"], "ordinary", "completed"),
    ]
    assert data["executions"][1]["records"] == 3
    assert [row["id"] for row in oldest["executions"]] == [first["id"], trial["id"]]
    assert data["executions"][0]["started"].endswith(" ago)")
    assert data["total"] == 2


async def test_pages_meet_each_execution_once_in_one_request_each(held: Workshop) -> None:
    sync_id = await held.create_sync()
    made = set()
    for _ in range(3):
        made.add(await start_held(held, sync_id))
        await held.api.inner.post("/api/bulk/syncs/{id}/cancel", id=sync_id)
        async with held.tools() as tools:
            await tools.wait_for_bulk_sync_execution(sync_id=sync_id, timeout_seconds=60)
    running = await start_held(held, sync_id)
    seen: list[str] = []
    held.api.calls.clear()
    async with held.tools() as tools:
        cursor: dict[str, str] = {}
        for _ in range(2):
            data = proved(held, TOOL, await tools.list_bulk_sync_executions(sync_id=sync_id, limit=2, **cursor))
            seen += [row["id"] for row in data["executions"]]
            cursor = {"cursor": data.get("next_cursor", "")}
        ended = proved(held, TOOL, await tools.list_bulk_sync_executions(sync_id=sync_id, only_ended=True))
    assert "next_cursor" not in data
    assert seen[0] == running
    assert len(seen) == 4
    assert set(seen) == made | {running}
    assert len(held.api.calls) == 3
    assert {row["id"] for row in ended["executions"]} == made


async def test_states_and_kinds_newer_than_this_server_are_told(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    workshop.api.rewrites["GET", EXECUTIONS] = lambda _: [
        {"id": "one", "status": "hibernating", "is_resync": True, "output_disposition": "compact", "later": []},
        {"id": "two"},
    ]
    async with workshop.tools() as tools:
        data = proved(workshop, TOOL, await tools.list_bulk_sync_executions(sync_id=sync_id))
    assert [(row["status"], row["kind"]) for row in data["executions"]] == [
        ("hibernating", "rerun"),
        ("unknown", "ordinary"),
    ]


async def test_ids_that_are_none_are_refused_and_absent_syncs_not_found(workshop: Workshop) -> None:
    await refuses_wrong_ids(workshop, TOOL, "sync_id")


async def test_wrong_arguments_are_named_and_reach_nothing(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    await refuses(workshop, TOOL, {"sync_id": sync_id, "limit": 101}, "`limit`")
    await refuses(workshop, TOOL, {"sync_id": sync_id, "only_terminal": True}, "`only_terminal`")
    await refuses(workshop, TOOL, {"sync_id": sync_id, "oldest_first": 1}, "`oldest_first`")
