"""refresh_connection_schemas: the source is read again, and whoever takes up what is new is named."""

import pytest

from operations.kit import SOURCE, proved, refuses, refuses_wrong_ids
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "refresh_connection_schemas"


async def tables(workshop: Workshop) -> list[str]:
    found = (await workshop.api.inner.get(SOURCE, id=workshop.source_id)).data
    return [one["id"] for one in found["schemas"]]


async def test_new_tables_are_known_afterwards(all_on: Workshop, era: str) -> None:
    all_on.change_source("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    assert "orders" not in await tables(all_on)
    async with all_on.tools(era) as tools:
        data = proved(all_on, TOOL, await tools.refresh_connection_schemas(connection_id=all_on.source_id))
        status = await tools.get_connection_schemas_status(connection_id=all_on.source_id)
    assert "orders" in await tables(all_on)
    assert status.data["refreshing"] is False
    assert "get_connection_schemas_status" in data["next"]
    assert "No bulk sync takes up new ones by itself." in data["effects"][0]


async def test_syncs_that_take_up_what_is_new_are_named(all_on: Workshop) -> None:
    await all_on.create_sync("Columns")
    await all_on.create_sync("Nothing", automatically_add_new_fields="none")
    await all_on.create_sync("Tables", automatically_add_new_fields="none", automatically_add_new_objects="all")
    async with all_on.tools() as tools:
        data = proved(all_on, TOOL, await tools.refresh_connection_schemas(connection_id=all_on.source_id))
    assert "New ones join 2 bulk syncs by policy: “Columns”, “Tables”." in data["effects"][0]


async def test_a_source_that_cannot_be_read_says_why(all_on: Workshop) -> None:
    all_on.source_path.unlink()
    async with all_on.tools() as tools:
        answer = await tools.refresh_connection_schemas(connection_id=all_on.source_id)
    assert answer.code == "bad_request"
    assert "source.db" in answer.text


async def test_wrong_arguments_reach_nothing(all_on: Workshop) -> None:
    await refuses(all_on, TOOL, {"connection_id": all_on.source_id, "force": True}, "`force`")
    await refuses_wrong_ids(all_on, TOOL, "connection_id")
