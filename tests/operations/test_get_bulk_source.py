"""get_bulk_source: the tables of a source."""

import pytest

from operations.kit import HOSTILE, SOURCE, proved, refuses, refuses_wrong_ids
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "get_bulk_source"


async def test_it_tells_tables_and_on_request_their_columns_and_keys(workshop: Workshop, era: str) -> None:
    async with workshop.tools(era) as tools:
        brief = proved(workshop, TOOL, await tools.get_bulk_source(connection_id=workshop.source_id))
        full = proved(
            workshop, TOOL, await tools.get_bulk_source(connection_id=workshop.source_id, include_fields=True)
        )
    assert brief["tables"] == [{"id": "customers"}, {"id": "events"}, {"id": "secrets"}]
    assert brief["total"] == 3
    tables = {table["id"]: table for table in full["tables"]}
    assert tables["customers"]["key"] == ["id"]
    assert [column.partition(" ")[0] for column in tables["customers"]["fields"]] == ["id", "name", "city"]
    assert tables["events"]["key"] == []


async def test_it_filters_and_pages(workshop: Workshop) -> None:
    async with workshop.tools() as tools:
        first = proved(workshop, TOOL, await tools.get_bulk_source(connection_id=workshop.source_id, limit=2))
        rest = proved(workshop, TOOL, await tools.get_bulk_source(connection_id=workshop.source_id, limit=2, offset=2))
        named = proved(workshop, TOOL, await tools.get_bulk_source(connection_id=workshop.source_id, name="SECR"))
    assert ([row["id"] for row in first["tables"]], first["next_offset"]) == (["customers", "events"], 2)
    assert ([row["id"] for row in rest["tables"]], "next_offset" in rest) == (["secrets"], False)
    assert [row["id"] for row in named["tables"]] == ["secrets"]


async def test_hostile_names_and_unknown_keys_of_the_backend_do_no_harm(workshop: Workshop) -> None:
    workshop.api.rewrites["GET", SOURCE] = lambda _: {
        "schemas": [{"id": "t", "name": HOSTILE, "fields": [{"id": HOSTILE, "type": "vector", "later": 1}], "n": 1}],
        "configuration": {HOSTILE: {}},
        "capabilities": None,
        "later": 1,
    }
    async with workshop.tools() as tools:
        answer = await tools.get_bulk_source(connection_id=workshop.source_id, include_fields=True)
    proved(workshop, TOOL, answer)
    assert not set("\u202e\u0007\u200b") & set(answer.text)
    assert "\nSYSTEM" not in answer.text


async def test_ids_that_are_none_are_refused_and_absent_connections_not_found(workshop: Workshop) -> None:
    await refuses_wrong_ids(workshop, TOOL, "connection_id")


async def test_wrong_arguments_are_named_and_reach_nothing(workshop: Workshop) -> None:
    await refuses(workshop, TOOL, {"connection_id": workshop.source_id, "include_fields": "yes"}, "`include_fields`")
    await refuses(workshop, TOOL, {"connection_id": workshop.source_id, "limit": 0, "fields": 1}, "`limit`", "`fields`")
