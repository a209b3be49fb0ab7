"""The audit log in the way a call takes: nothing is sent without a line, and no line hides what happened."""

import json
import logging
from pathlib import Path

import pytest

from bulk_sync_mcp.composition import compose
from bulk_sync_mcp.guard.consent import _WORTH  # pyright: ignore[reportPrivateUsage]
from bulk_sync_mcp.observe.audit import OBTAINED, AuditLog
from bulk_sync_mcp.settings import Settings
from support import Person, Workshop, build_workshop

pytestmark = pytest.mark.anyio


def log_of(workshop: Workshop) -> AuditLog:
    log = workshop.application.pipeline.audit
    assert isinstance(log, AuditLog)
    return log


def fails(*_given: object) -> None:
    raise OSError(28, "No space left on device")


async def test_without_a_line_on_disk_nothing_is_sent(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, era: str
) -> None:
    sync_id = await workshop.create_sync()
    workshop.api.calls.clear()
    monkeypatch.setattr(log_of(workshop), "_put", fails)
    async with workshop.tools(era, Person("accept")) as tools:
        refused = await tools.start_bulk_sync_execution(sync_id=sync_id)
        assert refused.code == "audit_unavailable"
        assert "No space left on device" in refused.text
        assert "changed: none" in refused.text
        assert "spent" not in refused.text
        refused = await tools.delete_bulk_sync(sync_id=sync_id)
        assert refused.code == "audit_unavailable"
        assert "A confirmation given for it is spent" in refused.text
    assert workshop.api.mutations == []
    monkeypatch.undo()
    async with workshop.tools(era) as tools:
        assert not (await tools.start_bulk_sync_execution(sync_id=sync_id)).error
    assert log_of(workshop).inspect().problems == []


async def test_an_outcome_that_cannot_be_written_does_not_hide_the_result(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sync_id = await workshop.create_sync()
    monkeypatch.setattr(log_of(workshop), "outcome", fails)
    async with workshop.tools() as tools:
        with caplog.at_level(logging.ERROR):
            started = await tools.start_bulk_sync_execution(sync_id=sync_id)
    assert not started.error
    assert "audit line not written: done of start_bulk_sync_execution, call " in caplog.text
    monkeypatch.undo()
    [unfinished] = log_of(workshop).inspect().unfinished
    assert unfinished["arguments"] == {"sync_id": sync_id}


async def test_a_refusal_that_cannot_be_written_is_still_told(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync_id = await workshop.create_sync()
    monkeypatch.setattr(log_of(workshop), "refusal", fails)
    async with workshop.tools() as tools:
        assert (await tools.delete_bulk_sync(sync_id=sync_id)).code == "confirmation_required"


async def test_intent_and_outcome_say_what_was_done_by_whom_on_what_evidence(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    async with workshop.tools(person=Person("accept")) as tools:
        started = await tools.start_bulk_sync_execution(sync_id=sync_id, resync_mode="rebuild")
    intent, outcome = workshop.audit()
    assert intent["arguments"] == {"sync_id": sync_id, "resync_mode": "rebuild"}
    assert (intent["evidence_required"], intent["evidence_obtained"], intent["evidence_from"]) == (
        "confirm",
        "human",
        "form",
    )
    assert "DropsOutput:resync" in intent["effects"]
    assert len(intent["plan_digest"]) == 64
    assert (intent["principal"], intent["backend"]) == ("test", "http://localhost")
    assert "unattended" not in intent
    assert (outcome["outcome"], outcome["changed"], outcome["sync_id"]) == ("done", "done", sync_id)
    assert started.data["execution_id" if "execution_id" in started.data else "id"] in outcome.values()


async def test_every_line_says_that_the_unattended_switch_is_on(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    sync = "1249c7f8-0d0b-4c3e-9b5e-3f1f6a0c7d11"
    policy.write_text(f'[[unattended]]\nsync = "{sync}"\neffects = ["DropsOutput"]\n')
    workshop = await build_workshop(tmp_path, policy=policy, unattended=True)
    sync_id = await workshop.create_sync()
    async with workshop.tools() as tools:
        await tools.start_bulk_sync_execution(sync_id=sync_id)
        await tools.delete_bulk_sync(sync_id=sync_id)
    await workshop.api.aclose()
    assert [line["unattended"] for line in workshop.audit()] == [True, True, True]


def test_evidence_is_named_as_the_guard_counts_it() -> None:
    assert {channel: worth.name for channel, worth in _WORTH.items()} == OBTAINED


async def test_no_secret_of_inputs_or_configuration_is_in_the_log(tmp_path: Path) -> None:
    planted = ["Planted-Api-Key-0815", "planted.in.configuration", "Planted-Token-4711-x"]
    settings = Settings(
        polytomic_api_key=planted[0],  # pyright: ignore[reportArgumentType]
        http_token=planted[2],  # pyright: ignore[reportArgumentType]
        polytomic_base_url="http://127.0.0.1:9",
        state_dir=tmp_path / "state",
        workspace=tmp_path / "data",
    )
    plain = compose(settings)
    local = await build_workshop(tmp_path / "local")
    from mcp.client.client import Client

    from bulk_sync_mcp.transports import mcp_server

    async with local.tools() as tools:
        workshop_log = AuditLog(
            local.application.settings.guard_dir, "x", local.clock, secrets=[planted[0], planted[2]]
        )
        object.__setattr__(local.application.pipeline, "audit", workshop_log)
        created = await tools.create_bulk_sync(
            name=f"Shop {planted[0]} {planted[2]}",
            source_connection_id=local.source_id,
            destination_connection_id=local.destination_id,
            schemas=["customers"],
            source_configuration={"password": planted[1], "host": planted[1], "advanced": {"x": [planted[1]]}},
        )
        await tools.delete_bulk_sync(sync_id=local.source_id, confirmation="planted.in.configuration")
    async with Client(mcp_server(plain, "test")) as client:
        await client.call_tool("delete_bulk_sync", {"sync_id": local.source_id, "confirmation": planted[0]})
    await plain.api.aclose()
    await local.api.aclose()
    written = json.dumps(local.audit()) + (settings.guard_dir / "audit.jsonl").read_text()
    assert len(local.audit()) >= 2, created.text
    assert "[removed]" in written
    for secret in planted:
        assert secret not in written
