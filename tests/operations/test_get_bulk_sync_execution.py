"""get_bulk_sync_execution: one execution, its failures first."""

from typing import Any

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


def many(workshop: Workshop, count: int) -> list[dict[str, Any]]:
    """Makes the execution one of many tables, of which a few have something to say."""
    tables = [
        {"schema": f"t{n:03}", "output_name": f"t{n:03}", "status": "completed", "record_count": n}
        for n in range(count)
    ]
    tables[70] |= {"status": "failed", "status_message": HOSTILE}
    tables[60] |= {"status": "completed", "warning_count": 2}
    tables[50] |= {"status": "newer than this server", "later": 1}
    workshop.api.rewrites["GET", EXECUTION] = lambda data: {**data, "status": "errors", "schemas": tables}
    return tables


async def test_of_four_hundred_tables_totals_and_failures_are_told_and_the_rest_folded(
    workshop: Workshop, era: str
) -> None:
    sync_id = await workshop.create_sync()
    run = await workshop.run_once(sync_id)
    many(workshop, 400)
    async with workshop.tools(era) as tools:
        answer = await tools.get_bulk_sync_execution(sync_id=sync_id, execution_id=run["id"])
        status = await tools.get_bulk_sync_status(sync_id=sync_id)
    data = proved(workshop, TOOL, answer)
    assert [table["schema_id"] for table in data["tables"]] == ["t070", "t050", "t060"]
    assert "output" not in data["tables"][0]
    assert len(data["tables"][0]["message"]) <= 300
    assert "\u202e" not in answer.text
    assert data["ended"] is True
    assert data["records"] == run["record_count"]
    assert data["tables_by_status"] == "1 failed, 1 newer than this server, 398 completed"
    assert (data["tables_left_out"], data["tables_done"]) == (397, "399 of 400")
    assert data["next"] == f"`{TOOL}` with execution_id {run['id']} and offset 3 shows the 397 tables left out."
    assert f"next: `{TOOL}` with execution_id {run['id']} and offset 3" in answer.text
    assert len(answer.text) < 1_500
    assert status.data["last"]["tables"]


async def test_where_no_table_of_many_has_anything_to_say_only_totals_are_told(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    run = await workshop.run_once(sync_id)
    tables = [{"schema": f"t{n}", "status": "completed", "record_count": 1} for n in range(60)]
    workshop.api.rewrites["GET", EXECUTION] = lambda data: {**data, "schemas": tables}
    async with workshop.tools() as tools:
        data = proved(workshop, TOOL, await tools.get_bulk_sync_execution(sync_id=sync_id, execution_id=run["id"]))
    assert "tables" not in data
    assert (data["tables_by_status"], data["tables_left_out"]) == ("60 completed", 60)


async def test_every_table_of_many_can_be_had_page_by_page_and_by_name(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    run = await workshop.run_once(sync_id)
    tables = many(workshop, 230)
    arguments = {"sync_id": sync_id, "execution_id": run["id"]}
    met: list[str] = []
    async with workshop.tools() as client:
        for offset in (0, 100, 200):
            data = proved(workshop, TOOL, await client.get_bulk_sync_execution(**arguments, offset=offset))
            met += [table["schema_id"] for table in data["tables"]]
            assert data.get("tables_left_out", 0) == max(0, 130 - offset)
            assert ("next" in data) == (offset < 200)
        named = proved(workshop, TOOL, await client.get_bulk_sync_execution(**arguments, name="T07"))
        behind = proved(workshop, TOOL, await client.get_bulk_sync_execution(**arguments, offset=500))
    assert sorted(met) == [table["schema"] for table in tables]
    assert met[:3] == ["t070", "t050", "t060"]
    assert [table["schema_id"] for table in named["tables"]] == ["t070", *(f"t07{n}" for n in range(1, 10))]
    assert (behind["tables"], "tables_left_out" in behind) == ([], False)


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
