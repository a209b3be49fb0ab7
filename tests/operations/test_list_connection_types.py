"""list_connection_types: what can be connected."""

import pytest

from operations.kit import proved, refuses
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "list_connection_types"
TYPES = "/api/connection_types"


async def test_it_tells_types_and_their_roles(all_on: Workshop, era: str) -> None:
    async with all_on.tools(era) as tools:
        data = proved(all_on, TOOL, await tools.list_connection_types())
        named = proved(all_on, TOOL, await tools.list_connection_types(name="LITE"))
    rows = {row["id"]: row["roles"] for row in data["types"]}
    assert rows == {
        "csv": "source",
        "duckdb": "source, destination",
        "parquet": "source, destination",
        "postgresql": "source, destination",
        "sqlite": "source, destination",
    }
    assert [row["id"] for row in named["types"]] == ["sqlite"]


async def test_hundreds_of_types_stay_within_the_limit(all_on: Workshop) -> None:
    all_on.api.rewrites["GET", TYPES] = lambda _: [
        {
            "id": f"type{number:03}",
            "name": None,
            "use_oauth": True,
            "capabilities": {"source": True},
            "logo_url": "x" * 900,
        }
        for number in range(400)
    ]
    async with all_on.tools() as tools:
        answer = await tools.list_connection_types()
        last = await tools.list_connection_types(offset=399)
    data = proved(all_on, TOOL, answer)
    assert (len(data["types"]), data["total"], data["next_offset"]) == (100, 400, 100)
    assert data["types"][0] == {"id": "type000", "roles": "source", "oauth": True}
    assert len(answer.text) < 4_000
    assert "next_offset" not in last.data


async def test_wrong_arguments_reach_nothing(all_on: Workshop) -> None:
    await refuses(all_on, TOOL, {"limit": 0, "role": "source"}, "`limit`", "`role`")
