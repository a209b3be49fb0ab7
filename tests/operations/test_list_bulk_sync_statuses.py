"""How many bulk syncs stand at once."""

from typing import Any

import pytest

from operations.kit import ABSENT, HOSTILE, STATUSES, proved, refuses, scripted
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "list_bulk_sync_statuses"


async def test_every_sync_is_shown_with_name_state_and_tables(all_on: Workshop, era: str) -> None:
    one, other = await all_on.create_sync("Ran"), await all_on.create_sync("Never ran")
    await all_on.run_once(one)
    async with all_on.tools(era) as tools:
        data = proved(all_on, TOOL, await tools.call(TOOL, {}))
    rows = {row["sync_id"]: row for row in data["bulk_syncs"]}
    assert rows[one] == {"sync_id": one, "name": "Ran", "state": "completed", "tables": "1 completed"}
    assert rows[other] == {"sync_id": other, "name": "Never ran"}
    assert data["total"] == 2


async def test_a_sync_in_trouble_comes_first_with_what_failed(all_on: Workshop) -> None:
    good, bad = await all_on.create_sync("A good one"), await all_on.create_sync("Z bad one", schemas=["customers"])
    await all_on.run_once(good)
    all_on.change_source("DROP TABLE customers")
    await all_on.run_once(bad)
    async with all_on.tools() as tools:
        data = proved(all_on, TOOL, await tools.call(TOOL, {}))
    assert [row["sync_id"] for row in data["bulk_syncs"]] == [bad, good]
    first = data["bulk_syncs"][0]
    assert first["state"] == "failed"
    assert first["tables"] == "1 failed"
    assert first["trouble"].startswith("“customers” failed: “")


async def test_only_those_named_or_only_active_ones(all_on: Workshop) -> None:
    one, other = await all_on.create_sync("One"), await all_on.create_sync("Other", active=True)
    async with all_on.tools() as tools:
        named = proved(all_on, TOOL, await tools.call(TOOL, {"sync_ids": [one, one.upper()]}))
        active = proved(all_on, TOOL, await tools.call(TOOL, {"only_active": True}))
        missing = await tools.call(TOOL, {"sync_ids": [ABSENT]})
    assert [row["sync_id"] for row in named["bulk_syncs"]] == [one]
    assert [row["sync_id"] for row in active["bulk_syncs"]] == [other]
    assert missing.code == "not_found"


async def test_a_page_says_where_the_next_begins(all_on: Workshop) -> None:
    for name in "ABC":
        await all_on.create_sync(name)
    async with all_on.tools() as tools:
        first = proved(all_on, TOOL, await tools.call(TOOL, {"limit": 2}))
        last = proved(all_on, TOOL, await tools.call(TOOL, {"limit": 2, "offset": first["next_offset"]}))
    assert [row["name"] for row in first["bulk_syncs"] + last["bulk_syncs"]] == ["A", "B", "C"]
    assert "next_offset" not in last


async def test_ids_and_only_active_together_are_refused_since_one_would_be_dropped_unsaid(all_on: Workshop) -> None:
    await refuses(all_on, TOOL, {"sync_ids": [ABSENT], "only_active": True}, "not both")
    await refuses(all_on, TOOL, {"sync_ids": []}, "`sync_ids` is empty")
    await refuses(all_on, TOOL, {"sync_ids": ["../x"]}, "not a UUID")


async def test_what_the_backend_says_is_cleaned_and_capped(all_on: Workshop) -> None:
    tables: list[Any] = [{"schema": f"t{number}", "status": "failed", "status_message": HOSTILE} for number in range(5)]
    status = {"sync_id": ABSENT, "status": "odd\u202estate", "nextExecutionTime": None, "schemas": tables}
    made = scripted(all_on, {("GET", STATUSES): lambda: [status]})
    async with made.tools() as tools:
        data = proved(made, TOOL, await tools.call(TOOL, {}))
    row = data["bulk_syncs"][0]
    assert row["state"] == "oddstate"
    assert row["trouble"].endswith("; and 2 more")
    assert "\n" not in row["trouble"]
    assert len(row["trouble"]) < 500


async def test_an_answer_costs_two_requests(all_on: Workshop) -> None:
    await all_on.create_sync()
    all_on.api.calls.clear()
    async with all_on.tools() as tools:
        await tools.call(TOOL, {})
    assert len(all_on.api.calls) == 2


async def test_a_failing_sync_has_its_name_though_it_was_not_changed_lately(all_on: Workshop) -> None:
    oldest = await all_on.create_sync("Broken since long")
    for number in range(55):
        await all_on.create_sync(f"Sync {number}")
    all_on.api.rewrites["GET", STATUSES] = lambda rows: [
        {**row, **({"status": "failed"} if row["sync_id"] == oldest else {})} for row in rows
    ]
    async with all_on.tools() as tools:
        all_on.api.calls.clear()
        data = proved(all_on, TOOL, await tools.call(TOOL, {"limit": 5}))
    assert data["bulk_syncs"][0] == {"sync_id": oldest, "name": "Broken since long", "state": "failed"}
    assert len(all_on.api.calls) == 3
