"""Completion of names and ids: bounded, helpful, and silent when the backend is."""

from typing import Any

import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError

from bulk_sync_mcp.completions import MOST
from operations.kit import CONNECTIONS, HOSTILE, SCHEMAS, SYNCS
from support import Tools, Workshop

pytestmark = pytest.mark.anyio
SYNC = "bulk-sync://syncs/{id}"
REVISION = "bulk-sync://syncs/{id}/revisions/{revision}"


async def completed(
    tools: Tools, where: str, argument: str, value: str, given: dict[str, str] | None = None
) -> types.Completion:
    """What completes a value, in a prompt or in the address of a resource."""
    ref: Any = types.ResourceTemplateReference(uri=where) if ":" in where else types.PromptReference(name=where)
    done = await tools.client.complete(ref, {"name": argument, "value": value}, context_arguments=given)
    return done.completion


async def values(tools: Tools, where: str, argument: str, value: str, **given: str) -> list[str]:
    return (await completed(tools, where, argument, value, given or None)).values


async def test_a_sync_is_completed_by_name_and_its_address_by_id(workshop: Workshop, era: str) -> None:
    shop, stock = await workshop.create_sync("Shop"), await workshop.create_sync("Web shop stock")
    await workshop.create_sync("Ledger")
    async with workshop.tools(era) as tools:
        assert await values(tools, "plan_resync", "sync", "sho") == ["Shop", "Web shop stock"]
        assert await values(tools, "plan_resync", "sync", "zzz") == []
        assert await values(tools, SYNC, "id", "shop") == [shop, stock]
        assert await values(tools, SYNC, "id", stock[:8]) == [stock]
        assert await values(tools, "plan_resync", "sync", stock[:8]) == [stock]
        assert len(await values(tools, "plan_resync", "sync", "")) == 3


async def test_a_name_two_syncs_share_is_completed_by_their_ids(workshop: Workshop) -> None:
    both = {await workshop.create_sync("Twin"), await workshop.create_sync("Twin")}
    async with workshop.tools() as tools:
        assert set(await values(tools, "plan_resync", "sync", "tw")) == both


async def test_connections_and_tables_are_completed(workshop: Workshop, era: str) -> None:
    sync_id = await workshop.create_sync("Shop", schemas=["customers", "events"])
    async with workshop.tools(era) as tools:
        assert await values(tools, "set_up_sync", "source", "shop") == ["Shop database"]
        assert await values(tools, "set_up_sync", "destination", "") == ["Shop database", "Warehouse"]
        for chosen in ("Shop", sync_id):
            assert await values(tools, "plan_resync", "tables", "", sync=chosen) == ["customers", "events"]
            assert await values(tools, "plan_resync", "tables", "customers, e", sync=chosen) == ["customers, events"]
        assert await values(tools, "plan_resync", "tables", "c") == []
        assert await values(tools, "plan_resync", "tables", "c", sync="No such") == []
        assert await values(tools, "plan_resync", "reason", "c") == []


async def test_revisions_are_completed_by_number(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    async with workshop.tools() as tools:
        for limit in (2, 3):
            await tools.update_bulk_sync(sync_id=sync_id, concurrency_limit=limit)
        workshop.api.calls.clear()
        assert await values(tools, REVISION, "revision", "", id=sync_id) == ["2", "1"]
        assert await values(tools, REVISION, "revision", "1", id=sync_id) == ["1"]
    assert workshop.api.calls == []


async def test_a_completion_costs_one_request_which_serves_the_next_keys_too(workshop: Workshop) -> None:
    await workshop.create_sync("Shop")
    async with workshop.tools() as tools:
        for value in ("", "s", "sh", "sho"):
            assert await values(tools, "plan_resync", "sync", value) == ["Shop"]
        assert [call[1] for call in workshop.api.calls] == [SYNCS]
        workshop.clock.advance(seconds=11)
        await values(tools, "plan_resync", "sync", "s")
        await values(tools, "set_up_sync", "source", "s")
        await values(tools, "plan_resync", "tables", "", sync="Shop")
    assert [call[1] for call in workshop.api.calls] == [SYNCS, SYNCS, CONNECTIONS, SCHEMAS]


async def test_at_most_a_hundred_values_come_and_more_are_told(workshop: Workshop) -> None:
    many = [{"id": f"00000000-0000-4000-8000-{number:012}", "name": f"Sync {number}"} for number in range(MOST + 7)]
    workshop.api.rewrites[("GET", SYNCS)] = lambda _data: many
    async with workshop.tools() as tools:
        found = await completed(tools, "plan_resync", "sync", "sync")
    assert (len(found.values), found.total, found.has_more) == (MOST, MOST + 7, True)


async def test_a_backend_that_fails_completes_nothing(workshop: Workshop, era: str) -> None:
    async def fail() -> None:
        from bulk_sync_mcp.core.errors import ApiFailure

        raise ApiFailure("backend_unreachable", "No answer.")

    workshop.api.before[("GET", SYNCS)] = fail
    async with workshop.tools(era) as tools:
        found = await completed(tools, "plan_resync", "sync", "s")
    assert (found.values, found.has_more) == ([], False)


async def test_names_are_cleaned(workshop: Workshop) -> None:
    await workshop.create_sync(name=HOSTILE)
    async with workshop.tools() as tools:
        (name,) = await values(tools, "plan_resync", "sync", "")
    assert "\n" not in name
    assert "\u202e" not in name
    assert len(name) <= 80


@pytest.mark.parametrize(
    ("where", "argument"),
    [("no_such", "sync"), ("plan_resync", "nothing"), ("bulk-sync://nothing/{id}", "id"), (SYNC, "revision")],
)
async def test_what_cannot_be_completed_is_refused(workshop: Workshop, era: str, where: str, argument: str) -> None:
    async with workshop.tools(era) as tools:
        with pytest.raises(MCPError) as refused:
            await completed(tools, where, argument, "x")
    assert refused.value.error.code == -32602


async def test_a_completion_asks_for_no_more_syncs_than_the_api_tells_at_once(workshop: Workshop) -> None:
    asked: list[Any] = []
    inner = workshop.api._call

    async def noting(method: str, template: str, arguments: Any) -> Any:
        asked.append(arguments.get("query"))
        return await inner(method, template, arguments)

    workshop.api._call = noting  # type: ignore[method-assign]
    async with workshop.tools() as tools:
        await values(tools, "plan_resync", "sync", "x")
    assert asked == [{"limit": 50}]
