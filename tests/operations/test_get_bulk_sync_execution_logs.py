"""Log files of an execution: their addresses are secrets."""

import pytest

from operations.kit import ABSENT, proved, refuses_wrong_ids, scripted
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "get_bulk_sync_execution_logs"
PATH = "/api/bulk/syncs/{sync_id}/executions/{execution_id}/logs"
IDS = {"sync_id": ABSENT, "execution_id": ABSENT}
SIGNED = "https://logs.example.com/records.json?X-Amz-Security-Token=" + "Ab1%2F" * 400 + "&signature=abc"


async def ran(workshop: Workshop) -> dict[str, str]:
    sync_id = await workshop.create_sync()
    run = await workshop.run_once(sync_id)
    return {"sync_id": sync_id, "execution_id": run["id"]}


async def test_only_count_and_expiry_are_told_unless_the_addresses_are_asked_for(all_on: Workshop, era: str) -> None:
    ids = await ran(all_on)
    async with all_on.tools(era) as tools:
        answer = await tools.call(TOOL, ids)
    data = proved(all_on, TOOL, answer)
    assert data["files"] == 2
    assert "(in 14 min" in data["expires"]
    assert "include_addresses" in data["next"]
    assert "signature" not in answer.text
    assert "addresses" not in data


async def test_addresses_are_given_whole_when_asked_for(all_on: Workshop) -> None:
    made = scripted(all_on, {("GET", PATH): lambda: {"URLs": [SIGNED], "Expires": "2026-05-12T05:20:00Z"}})
    async with made.tools() as tools:
        answer = await tools.call(TOOL, {**IDS, "include_addresses": True})
    data = proved(made, TOOL, answer)
    assert data["addresses"] == [SIGNED]
    assert "next" not in data


async def test_in_process_the_service_says_that_its_addresses_do_not_open(all_on: Workshop) -> None:
    ids = await ran(all_on)
    async with all_on.tools() as tools:
        data = proved(all_on, TOOL, await tools.call(TOOL, {**ids, "include_addresses": True}))
    assert len(data["addresses"]) == 2
    assert "listens on no port" in data["note"]


async def test_what_is_no_web_address_is_counted_and_not_passed_on(all_on: Workshop) -> None:
    odd = ["javascript:alert(1)", "https://logs.example.com/a b", "file:///etc/passwd"]
    made = scripted(all_on, {("GET", PATH): lambda: {"URLs": odd, "Expires": None}})
    async with made.tools() as tools:
        data = proved(made, TOOL, await tools.call(TOOL, {**IDS, "include_addresses": True}))
    assert data == {"files": 3, "addresses": []}


async def test_an_execution_without_logs_is_told_to_have_none(all_on: Workshop) -> None:
    made = scripted(all_on, {("GET", PATH): lambda: {"URLs": None, "Expires": None}})
    async with made.tools() as tools:
        assert proved(made, TOOL, await tools.call(TOOL, IDS)) == {"files": 0}


async def test_it_reads_and_says_that_addresses_are_secrets(all_on: Workshop) -> None:
    operation = all_on.application.registry.get(TOOL)
    assert operation is not None
    assert operation.read_only
    assert "secrets" in operation.description


async def test_wrong_ids_are_refused(all_on: Workshop) -> None:
    await refuses_wrong_ids(all_on, TOOL, "sync_id", execution_id=ABSENT)
