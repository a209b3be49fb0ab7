"""get_bulk_sync_execution: one execution, its failures first."""

import pytest

from operations.kit import ABSENT, EXECUTION, HOSTILE, WRONG_IDS, proved, refuses, refuses_wrong_ids
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "get_bulk_sync_execution"


async def test_it_tells_state_counts_and_tables(workshop: Workshop, era: str) -> None:
    sync_id = await workshop.create_sync(schemas=["customers", "events"])
    run = await workshop.run_once(sync_id)
    async with workshop.tools(era) as tools:
        data = proved(
            workshop, TOOL, await tools.get_bulk_sync_execution(sync_id=sync_id, execution_id=run["id"].upper())
        )
    assert (data["id"], data["status"], data["ended"], data["kind"]) == (run["id"], "completed", True, "ordinary")
    assert (data["records"], data["tables_done"]) == (5, "2 of 2")
    assert {(table["schema_id"], table["records"]) for table in data["tables"]} == {("customers", 3), ("events", 2)}
    assert workshop.rows("SELECT count(*) FROM customers") == [(3,)]


async def test_failures_come_first_and_many_tables_are_cut_with_a_count(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    run = await workshop.run_once(sync_id)
    tables = [{"schema": f"t{n:03}", "status": "completed", "record_count": n} for n in range(80)]
    tables[70] |= {"status": "failed", "status_message": HOSTILE}
    tables[60] |= {"status": "completed", "warning_count": 2}
    tables[50] |= {"status": "newer than this server", "later": 1}
    workshop.api.rewrites["GET", EXECUTION] = lambda data: {**data, "status": "errors", "schemas": tables}
    async with workshop.tools() as tools:
        answer = await tools.get_bulk_sync_execution(sync_id=sync_id, execution_id=run["id"])
    data = proved(workshop, TOOL, answer)
    assert [table["schema_id"] for table in data["tables"][:3]] == ["t070", "t050", "t060"]
    assert (len(data["tables"]), data["tables_left_out"]) == (50, 30)
    assert len(data["tables"][0]["message"]) <= 300
    assert "\u202e" not in answer.text
    assert data["ended"] is True


async def test_ids_that_are_none_are_refused_and_absent_ones_not_found(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    await refuses_wrong_ids(workshop, TOOL, "sync_id", execution_id=ABSENT)
    for wrong in WRONG_IDS:
        await refuses(workshop, TOOL, {"sync_id": sync_id, "execution_id": wrong}, "`execution_id`")
    async with workshop.tools() as tools:
        missing = await tools.get_bulk_sync_execution(sync_id=sync_id, execution_id=ABSENT)
    assert missing.code == "not_found"


async def test_an_execution_of_another_sync_is_not_found(workshop: Workshop) -> None:
    one, other = await workshop.create_sync("One"), await workshop.create_sync("Other", schemas=["secrets"])
    run = await workshop.run_once(one)
    async with workshop.tools() as tools:
        missing = await tools.get_bulk_sync_execution(sync_id=other, execution_id=run["id"])
    assert missing.code == "not_found"
