"""list_bulk_sync_schemas: the tables of a sync."""

import pytest

from operations.kit import SCHEMAS, proved, refuses, refuses_wrong_ids
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "list_bulk_sync_schemas"


async def test_it_tells_which_tables_are_enabled_and_their_output(workshop: Workshop, era: str) -> None:
    schemas = [{"id": "customers", "user_output_name": "clients", "tracking_field": "id"}, "events"]
    sync_id = await workshop.create_sync(schemas=schemas)
    async with workshop.tools(era) as tools:
        data = proved(workshop, TOOL, await tools.list_bulk_sync_schemas(sync_id=sync_id))
    assert data == {
        "schemas": [
            {"id": "customers", "enabled": True, "output": "clients", "tracking_field": "id"},
            {"id": "events", "enabled": True},
            {"id": "secrets", "enabled": False},
        ],
        "total": 3,
    }


async def test_it_filters_and_pages(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync(schemas=["customers", "events"])
    async with workshop.tools() as tools:
        on = proved(workshop, TOOL, await tools.list_bulk_sync_schemas(sync_id=sync_id, enabled=True))
        off = proved(workshop, TOOL, await tools.list_bulk_sync_schemas(sync_id=sync_id, enabled=False))
        named = proved(workshop, TOOL, await tools.list_bulk_sync_schemas(sync_id=sync_id, name="E", limit=1))
        rest = proved(workshop, TOOL, await tools.list_bulk_sync_schemas(sync_id=sync_id, name="E", limit=9, offset=1))
    assert [row["id"] for row in on["schemas"]] == ["customers", "events"]
    assert [row["id"] for row in off["schemas"]] == ["secrets"]
    assert ([row["id"] for row in named["schemas"]], named["total"], named["next_offset"]) == (["customers"], 3, 1)
    assert ([row["id"] for row in rest["schemas"]], "next_offset" in rest) == (["events", "secrets"], False)


async def test_many_tables_stay_within_the_limit(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    workshop.api.rewrites["GET", SCHEMAS] = lambda _: [
        {"id": f"public.table_{number:04}", "enabled": True, "output_name": f"table_{number:04}", "later_key": 1}
        for number in range(1_200)
    ]
    async with workshop.tools() as tools:
        answer = await tools.list_bulk_sync_schemas(sync_id=sync_id)
    data = proved(workshop, TOOL, answer)
    assert (len(data["schemas"]), data["total"], data["next_offset"]) == (100, 1_200, 100)
    assert len(answer.text) < 6_000


async def test_ids_that_are_none_are_refused_and_absent_syncs_not_found(workshop: Workshop) -> None:
    await refuses_wrong_ids(workshop, TOOL, "sync_id")


async def test_wrong_arguments_are_named_and_reach_nothing(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    await refuses(workshop, TOOL, {"sync_id": sync_id, "enabled": "true"}, "`enabled`")
    await refuses(workshop, TOOL, {"sync_id": sync_id, "limit": 501, "filters": {}}, "`limit`", "`filters`")
