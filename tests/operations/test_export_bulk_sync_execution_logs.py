"""Exports of logs, and the job that makes them."""

from dataclasses import replace
from pathlib import Path

import pytest

from bulk_sync_mcp.guard.policy import Evidence
from bulk_sync_mcp.guard.rules import Policy
from operations.every_tool import with_every_tool
from operations.kit import ABSENT, confirmed, proved, refuses_wrong_ids, start_held
from support import LEGACY, MODERN, Person, Workshop, build_workshop

pytestmark = pytest.mark.anyio
TOOL = "export_bulk_sync_execution_logs"


async def ran(workshop: Workshop) -> dict[str, str]:
    sync_id = await workshop.create_sync()
    run = await workshop.run_once(sync_id)
    workshop.api.calls.clear()
    return {"sync_id": sync_id, "execution_id": run["id"]}


async def test_an_export_is_a_job_that_ends_with_an_address(all_on: Workshop, era: str) -> None:
    ids = await ran(all_on)
    async with all_on.tools(era) as tools:
        answer = await tools.call(TOOL, ids)
        data = proved(all_on, TOOL, answer)
        assert data["effects"] == [f"Has the backend pack the logs of execution {ids['execution_id']} into an archive."]
        assert data["ready"] is False
        assert data["next"] == f"Call `get_job` with job_id {data['job_id']} until it is done."
        job = proved(all_on, "get_job", await tools.get_job(job_id=data["job_id"]))
        assert job["status"] == "done"
        again = proved(all_on, TOOL, await tools.call(TOOL, ids))
    assert again["ready"] is True
    assert "address" not in again
    assert "include_addresses" in again["next"]


async def test_the_address_is_given_only_when_asked_for(all_on: Workshop) -> None:
    ids = await ran(all_on)
    async with all_on.tools() as tools:
        await tools.call(TOOL, ids)
        data = proved(all_on, TOOL, await tools.call(TOOL, {**ids, "include_addresses": True}))
    assert data["address"].startswith("http://localhost/logs/")
    assert "listens on no port" in data["note"]


async def test_logs_of_a_running_execution_are_not_ready(all_held: Workshop) -> None:
    sync_id = await all_held.create_sync()
    execution_id = await start_held(all_held, sync_id)
    async with all_held.tools() as tools:
        data = proved(all_held, TOOL, await tools.call(TOOL, {"sync_id": sync_id, "execution_id": execution_id}))
        job = proved(all_held, "get_job", await tools.get_job(job_id=data["job_id"]))
    assert job["status"] == "running"
    assert "Not ready yet" in job["next"]


async def test_a_mail_is_told_as_an_effect_and_refused_where_none_is_sent(all_on: Workshop) -> None:
    ids = await ran(all_on)
    async with all_on.tools() as tools:
        refused = await tools.call(TOOL, {**ids, "notify": True})
    assert refused.code == "bad_request"
    assert "sends no mail" in refused.text
    intent = next(line for line in all_on.audit() if line["event"] == "intent")
    assert intent["effects"] == ["ExportsLogs:mail"]


def strict(workshop: Workshop, policy: Policy) -> Workshop:
    """The workshop under another policy."""
    from bulk_sync_mcp import composition

    gate = replace(workshop.application.gate, policy=policy)
    pipeline = replace(workshop.application.pipeline, admit=composition._admit(gate))
    return replace(workshop, application=replace(workshop.application, gate=gate, pipeline=pipeline))


@pytest.mark.parametrize(("era", "forms"), [(LEGACY, True), (MODERN, False)])
async def test_where_policy_asks_nothing_is_exported_before_a_yes(all_on: Workshop, era: str, forms: bool) -> None:
    guarded = strict(all_on, Policy(effects={"ExportsLogs": Evidence.confirm}))
    ids = await ran(guarded)
    person = Person("decline") if forms else None
    async with guarded.tools(era, person) as tools:
        if person is None:
            preview, done = await confirmed(tools, TOOL, **ids)
            assert "Has the backend pack the logs" in preview.text
        else:
            refused = await tools.call(TOOL, {**ids, "notify": True})
            assert refused.code == "confirmation_declined"
            assert "MAILS the owner of the credential" in person.asked[0]
            assert guarded.api.mutations == []
            person.answer = "accept"
            done = await tools.call(TOOL, ids)
    proved(guarded, TOOL, done)
    assert len(guarded.api.mutations) == 1


async def test_it_is_refused_where_access_is_read_only(tmp_path: Path) -> None:
    made = await build_workshop(tmp_path, access="read-only", toolsets=["all"])
    assert made.application.registry.get(TOOL) is None
    assert made.application.registry.get("get_job") is not None
    await made.api.aclose()


async def test_wrong_ids_are_refused(all_on: Workshop) -> None:
    await refuses_wrong_ids(with_every_tool(all_on), TOOL, "sync_id", execution_id=ABSENT)
    sync_id = await all_on.create_sync()
    async with all_on.tools() as tools:
        missing = await tools.call(TOOL, {"sync_id": sync_id, "execution_id": ABSENT})
    assert missing.code == "not_found"
    assert all_on.api.mutations == []
