"""list_connections: what there is, without settings or secrets."""

import pytest

from operations.kit import CONNECTIONS, HOSTILE, proved, refuses
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "list_connections"


async def test_it_tells_name_type_and_health_and_no_settings(workshop: Workshop, era: str) -> None:
    async with workshop.tools(era) as tools:
        answer = await tools.list_connections()
    data = proved(workshop, TOOL, answer)
    assert [(row["name"], row["type"], row["status"]) for row in data["connections"]] == [
        ("Shop database", "sqlite", "healthy"),
        ("Warehouse", "duckdb", "healthy"),
    ]
    assert data["total"] == 2
    assert "source.db" not in answer.text
    assert len(workshop.api.calls) == 1


async def test_it_pages_by_offset_and_filters_by_name_or_type(workshop: Workshop) -> None:
    async with workshop.tools() as tools:
        first = proved(workshop, TOOL, await tools.list_connections(limit=1))
        second = proved(workshop, TOOL, await tools.list_connections(limit=1, offset=first["next_offset"]))
        past = proved(workshop, TOOL, await tools.list_connections(offset=9))
        by_type = proved(workshop, TOOL, await tools.list_connections(name="DUCK"))
        by_name = proved(workshop, TOOL, await tools.list_connections(name="shop"))
    assert [row["name"] for page in (first, second) for row in page["connections"]] == ["Shop database", "Warehouse"]
    assert "next_offset" not in second
    assert (past["connections"], past["total"]) == ([], 2)
    assert [row["name"] for row in by_type["connections"]] == ["Warehouse"]
    assert [row["name"] for row in by_name["connections"]] == ["Shop database"]


async def test_secrets_unknown_keys_and_hostile_names_of_the_backend_do_no_harm(workshop: Workshop) -> None:
    workshop.api.rewrites["GET", CONNECTIONS] = lambda rows: [
        {**rows[0], "name": HOSTILE, "type": None, "configuration": {"password": "hunter2"}, "status": "odd", "n": {}},
        {**rows[1], "status": None, "status_error": "no route\nto host"},
    ]
    async with workshop.tools() as tools:
        answer = await tools.list_connections()
        none = await tools.list_connections(name="none")
    data = proved(workshop, TOOL, answer)
    hostile, warehouse = sorted(data["connections"], key=lambda row: "error" in row)
    assert len(hostile["name"]) <= 80
    assert "\u202e" not in answer.text
    assert "hunter2" not in answer.text
    assert hostile["status"] == "odd"
    assert warehouse["error"] == "no route to host"
    assert none.data["connections"] == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [({"limit": 0}, "`limit`"), ({"offset": -1}, "`offset`"), ({"limit": "5"}, "`limit`"), ({"type": "x"}, "`type`")],
)
async def test_wrong_arguments_are_named_and_reach_nothing(
    workshop: Workshop, arguments: dict[str, object], named: str
) -> None:
    await refuses(workshop, TOOL, arguments, named)


async def test_where_there_is_none_it_says_which_tool_makes_one_and_how_to_have_it(workshop: Workshop) -> None:
    workshop.api.rewrites["GET", CONNECTIONS] = lambda _: []
    async with workshop.tools() as tools:
        data = proved(workshop, TOOL, await tools.list_connections())
    assert data["total"] == 0
    assert data["next"].startswith("There is no connection yet. `create_connection` makes one.")
    assert "a person can switch it on with --toolsets default,connections" in data["next"]
