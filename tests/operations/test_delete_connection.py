"""delete_connection: unused ones go, used ones stay, and `force` names everything it takes along."""

from typing import Any

import pytest

from operations.connections_kit import connection_of
from operations.kit import ABSENT, CONNECTIONS, STATUS, SYNCS, asked_of, confirmed, proved, refuses, refuses_wrong_ids
from support import Person, Workshop

pytestmark = pytest.mark.anyio
TOOL = "delete_connection"


async def test_an_unused_one_goes_after_its_name_was_typed(all_on: Workshop, era: str) -> None:
    person = Person("accept")
    async with all_on.tools(era, person) as tools:
        data = proved(all_on, TOOL, await tools.delete_connection(connection_id=all_on.destination_id))
    assert "DELETES the connection “Warehouse” with its credentials." in person.asked[0]
    assert person.asked[0].endswith("type the name: Warehouse")
    assert data["name"] == "Warehouse"
    assert [one["name"] for one in (await all_on.api.inner.get(CONNECTIONS)).data] == ["Shop database"]
    assert all_on.api.mutations == [("DELETE", "/api/connections/{id}", None)]


@pytest.mark.parametrize("answer", ["decline", "wrong"])
async def test_any_other_answer_keeps_it(all_on: Workshop, answer: str) -> None:
    async with all_on.tools(person=Person(answer)) as tools:
        refused = await tools.delete_connection(connection_id=all_on.source_id)
    assert refused.code == "confirmation_declined"
    assert all_on.api.mutations == []


async def test_a_used_one_is_refused_with_the_syncs_that_use_it(all_on: Workshop) -> None:
    sync_id = await all_on.create_sync("Reports")
    async with all_on.tools() as tools:
        refused = await tools.delete_connection(connection_id=all_on.source_id)
    assert refused.code == "conflict"
    assert sync_id in refused.text
    assert "“Reports”" in refused.text
    assert all_on.api.mutations == []


async def test_force_names_every_sync_and_deletes_them_with_it(all_on: Workshop) -> None:
    await all_on.create_sync("Reports")
    await all_on.create_sync("Archive")
    all_on.api.calls.clear()
    async with all_on.tools() as tools:
        preview, answer = await confirmed(tools, TOOL, connection_id=all_on.source_id, force=True)
    data = proved(all_on, TOOL, answer)
    for name in ("Reports", "Archive"):
        assert f"DELETES the bulk sync “{name}” with its schedules" in preview.text
    assert "models, fieldsets and model syncs, which this server cannot list" in preview.text
    assert data["deleted_bulk_syncs"] == ["Archive", "Reports"]
    assert (await all_on.api.inner.get(SYNCS)).data == []
    assert [call[:2] for call in all_on.api.mutations] == [("DELETE", "/api/connections/{id}")]


async def test_a_sync_that_begins_to_use_it_meanwhile_voids_the_answer(all_on: Workshop) -> None:
    await all_on.create_sync("Reports")

    async def another() -> None:
        await all_on.create_sync("Another")

    async with all_on.tools(person=Person("accept", while_asked=another)) as tools:
        refused = await tools.delete_connection(connection_id=all_on.source_id, force=True)
    assert refused.code == "plan_changed"
    assert "“Another”" in refused.text
    assert all_on.api.mutations == []


async def test_what_runs_is_named_too(all_on: Workshop) -> None:
    await all_on.create_sync("Reports")
    running = {"id": ABSENT, "status": "running", "is_resync": True, "output_disposition": "rebuild"}
    all_on.api.rewrites["GET", STATUS] = lambda data: {**data, "current_execution": running}
    asked = await asked_of(all_on, TOOL, connection_id=all_on.source_id, force=True)
    assert f"CANCELS the running execution {ABSENT}" in asked


async def test_more_syncs_than_one_question_can_name_are_refused(all_on: Workshop) -> None:
    ends = {"source_connection_id": all_on.source_id, "destination_connection_id": all_on.destination_id}
    all_on.api.rewrites["GET", SYNCS] = lambda _: [
        {"id": f"{number:08}-0000-4000-8000-000000000000", "name": f"Sync {number}", **ends} for number in range(9)
    ]
    async with all_on.tools() as tools:
        refused = await tools.delete_connection(connection_id=all_on.source_id, force=True)
    assert refused.code == "conflict"
    assert "9 bulk syncs use this connection" in refused.text
    assert all_on.api.mutations == []


async def test_every_page_of_syncs_is_looked_through(all_on: Workshop) -> None:
    from support import Altered

    ends = {"source_connection_id": all_on.source_id, "destination_connection_id": all_on.destination_id}
    pages: dict[str | None, Altered] = {
        None: Altered([{"id": "a", "name": "First"}], "two"),
        "two": Altered([{"id": "b", "name": "Second", **ends}], "three"),
        "three": Altered([{"id": "c", "name": "Third"}], None),
    }
    asked: list[str | None] = []
    plain = all_on.api.get

    async def get(template: str, **arguments: Any) -> Any:
        if template != SYNCS:
            return await plain(template, **arguments)
        token = arguments["query"].get("page_token")
        asked.append(token)
        return pages[token]

    all_on.api.get = get  # type: ignore[method-assign]
    async with all_on.tools() as tools:
        refused = await tools.delete_connection(connection_id=all_on.source_id)
    assert "“Second”" in refused.text
    assert asked == [None, "two", "three", None]


async def test_wrong_arguments_reach_nothing(all_on: Workshop) -> None:
    await refuses(all_on, TOOL, {"connection_id": all_on.source_id, "force": "true"}, "`force`")
    await refuses_wrong_ids(all_on, TOOL, "connection_id", force=True)
    assert (await connection_of(all_on, all_on.source_id))["name"] == "Shop database"
