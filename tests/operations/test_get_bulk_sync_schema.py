"""get_bulk_sync_schema: one table with its columns."""

import pytest

from operations.kit import HOSTILE, SCHEMA, proved, refuses, refuses_wrong_ids
from operations.tables_kit import narrowed
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "get_bulk_sync_schema"


async def test_it_tells_which_columns_are_synced_obfuscated_and_filtered(all_on: Workshop, era: str) -> None:
    sync_id = await narrowed(all_on)
    async with all_on.tools(era) as tools:
        data = proved(all_on, TOOL, await tools.get_bulk_sync_schema(sync_id=sync_id, schema_id="customers"))
    assert data == {
        "id": "customers",
        "enabled": True,
        "output": "customers",
        "columns": "2 of 3, 1 obfuscated",
        "filters": [{"field_id": "id", "function": "GreaterThan", "value": 1}],
        "fields": [
            {"id": "id", "enabled": True},
            {"id": "name", "enabled": True, "obfuscate": True},
            {"id": "city", "enabled": False},
        ],
        "total": 3,
    }
    assert len(all_on.api.calls) == 1


async def test_a_table_with_many_columns_is_told_in_pages(all_on: Workshop) -> None:
    sync_id = await narrowed(all_on)
    all_on.api.rewrites["GET", SCHEMA] = lambda data: {
        **data,
        "fields": [{"id": f"column_{number:04}", "output_name": f"c{number}"} for number in range(1_100)],
        "history_enabled": True,
        "destination_history_output_name": "customers_history",
        "sampling": {"rate": 0.5},
    }
    async with all_on.tools() as tools:
        first = proved(all_on, TOOL, await tools.get_bulk_sync_schema(sync_id=sync_id, schema_id="customers"))
        last = await tools.get_bulk_sync_schema(sync_id=sync_id, schema_id="customers", limit=500, offset=1_000)
    assert (len(first["fields"]), first["next_offset"]) == (200, 200)
    assert first["fields"][0] == {"id": "column_0000", "enabled": True, "output": "c0"}
    assert (first["history"], first["other"]) == ("customers_history", {"sampling": {"rate": 0.5}})
    assert (len(last.data["fields"]), "next_offset" in last.data) == (100, False)


async def test_hostile_names_stay_names(all_on: Workshop) -> None:
    sync_id = await narrowed(all_on)
    all_on.api.rewrites["GET", SCHEMA] = lambda data: {**data, "id": HOSTILE, "fields": [{"id": HOSTILE}]}
    async with all_on.tools() as tools:
        answer = await tools.get_bulk_sync_schema(sync_id=sync_id, schema_id="customers")
    proved(all_on, TOOL, answer)
    assert "\u202e" not in answer.text


async def test_wrong_ids_are_refused_and_absent_tables_not_found(all_on: Workshop) -> None:
    sync_id = await narrowed(all_on)
    await refuses_wrong_ids(all_on, TOOL, "sync_id", schema_id="customers")
    for wrong in ("", "..", "%2e%2e/x", "a/../b", 5):
        await refuses(all_on, TOOL, {"sync_id": sync_id, "schema_id": wrong}, "`schema_id`")
    async with all_on.tools() as tools:
        assert (await tools.get_bulk_sync_schema(sync_id=sync_id, schema_id="nothing")).code == "not_found"
