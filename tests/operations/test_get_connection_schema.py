"""get_connection_schema: one table of a source."""

import pytest

from operations.kit import HOSTILE, proved, refuses, refuses_wrong_ids
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "get_connection_schema"
SCHEMA = "/api/connections/{id}/schemas/{schema_id}"


async def test_it_tells_columns_types_and_key(all_on: Workshop, era: str) -> None:
    call = {"connection_id": all_on.source_id}
    async with all_on.tools(era) as tools:
        data = proved(all_on, TOOL, await tools.get_connection_schema(**call, schema_id="customers"))
        without = proved(all_on, TOOL, await tools.get_connection_schema(**call, schema_id="events"))
    assert data == {
        "id": "customers",
        "key": ["id"],
        "columns": [
            {"id": "id", "type": "INTEGER", "key": True},
            {"id": "name", "type": "TEXT"},
            {"id": "city", "type": "TEXT"},
        ],
        "total": 3,
    }
    assert without["key"] == []


async def test_wide_tables_come_in_pages_and_hostile_names_stay_names(all_on: Workshop) -> None:
    columns = [{"id": HOSTILE, "name": "Label", "type": "string"}, *({"id": f"c{number}"} for number in range(300))]
    all_on.api.rewrites["GET", SCHEMA] = lambda data: {**data, "name": "Customers", "fields": columns}
    call = {"connection_id": all_on.source_id, "schema_id": "customers"}
    async with all_on.tools() as tools:
        answer = await tools.get_connection_schema(**call)
        rest = await tools.get_connection_schema(**call, offset=200)
    data = proved(all_on, TOOL, answer)
    assert (len(data["columns"]), data["total"], data["next_offset"], data["name"]) == (200, 301, 200, "Customers")
    assert "\u202e" not in answer.text
    assert (len(rest.data["columns"]), "next_offset" in rest.data) == (101, False)


async def test_wrong_ids_are_refused_and_absent_tables_not_found(all_on: Workshop) -> None:
    async with all_on.tools() as tools:
        answer = await tools.get_connection_schema(connection_id=all_on.source_id, schema_id="nothing")
    assert answer.code == "not_found"
    await refuses(all_on, TOOL, {"connection_id": all_on.source_id, "schema_id": "..%2f.."}, "`schema_id`")
    await refuses_wrong_ids(all_on, TOOL, "connection_id", schema_id="customers")
