"""Evidence `operator`: approved with the secret, elsewhere, and never by whoever asks."""

import re
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from approvals.kit import SECRET, Printed, Visitor, guarded_workshop, in_thread, with_evidence
from bulk_sync_mcp.composition import operating_system_user
from support import MODERN, Called, Person, Workshop
from transports.kit import Running, over_http, place_of, ran, started, until

pytestmark = pytest.mark.anyio


async def approvals(workshop: Workshop, *words: str, given: str = "") -> Printed:
    """The command as an operator runs it; `given` is its standard input."""
    return await in_thread("approvals", *words, *place_of(workshop).flags, given=given)


def reference_in(waiting: Called) -> str:
    assert waiting.code == "approval_required", waiting.text
    found = re.search(r"approvals approve ([0-9a-f]{10})", waiting.text)
    assert found is not None
    return found.group(1)


def told_link(errors: str) -> Visitor:
    found = re.search(r"http://127\.0\.0\.1:\d+/approval/\S+", errors)
    assert found is not None, errors
    return Visitor(found.group())


async def test_an_operator_approves_in_another_process_and_the_same_call_runs_once(
    for_operator: Workshop, era: str, capfd: pytest.CaptureFixture[str]
) -> None:
    sync_id = await for_operator.create_sync()
    async with for_operator.tools(era, Person("accept")) as tools:
        waiting = await tools.delete_bulk_sync(sync_id=sync_id)
        reference = reference_in(waiting)
        link = told_link(capfd.readouterr().err)
        still = await tools.delete_bulk_sync(sync_id=sync_id)
        assert reference_in(still) == reference
        place = place_of(for_operator)
        approved = await ran(place, "approvals", "approve", reference, *place.flags, given=SECRET + "\n")
        assert approved.status == 0, approved.err
        assert "Shop" in approved.err
        assert for_operator.api.mutations == []
        done = await tools.delete_bulk_sync(sync_id=sync_id)
        assert not done.error, done.text
        replayed = await tools.delete_bulk_sync(sync_id=sync_id)
    assert replayed.code == "not_found"
    intent = next(line for line in for_operator.audit() if line["event"] == "intent")
    assert intent["evidence_from"] == f"operator:operator:{operating_system_user()}"
    said = waiting.text + still.text + done.text + str(waiting.data) + str(for_operator.audit())
    identity = link.url.rpartition("/")[2]
    assert identity not in said
    assert "127.0.0.1" not in said
    assert SECRET not in said + approved.out + approved.err


async def test_an_operator_approves_on_the_page_told_on_standard_error(
    for_operator: Workshop, era: str, capfd: pytest.CaptureFixture[str]
) -> None:
    sync_id = await for_operator.create_sync()
    async with for_operator.tools(era) as tools:
        await tools.delete_bulk_sync(sync_id=sync_id)
        visitor = told_link(capfd.readouterr().err)
        assert (await visitor.send("approve", name="Shop", secret="not this one")).status_code == 403
        assert reference_in(await tools.delete_bulk_sync(sync_id=sync_id))
        assert (await visitor.send("approve", name="Shop", secret=SECRET)).status_code == 200
        done = await tools.delete_bulk_sync(sync_id=sync_id)
    assert not done.error, done.text
    intent = next(line for line in for_operator.audit() if line["event"] == "intent")
    assert intent["evidence_from"] == "operator:page"


async def test_a_wrong_secret_approves_nothing(for_operator: Workshop) -> None:
    sync_id = await for_operator.create_sync()
    async with for_operator.tools() as tools:
        reference = reference_in(await tools.delete_bulk_sync(sync_id=sync_id))
        refused = await approvals(for_operator, "approve", reference, given="not the secret\n")
        assert refused.status == 1
        assert "not the operator secret" in refused.err
        assert "not the secret" not in refused.out + refused.err
        assert reference_in(await tools.delete_bulk_sync(sync_id=sync_id)) == reference
    assert for_operator.api.mutations == []


async def test_a_policy_of_ones_own_with_another_secret_approves_nothing(
    for_operator: Workshop, tmp_path: Path
) -> None:
    from bulk_sync_mcp.guard.secret import hashed

    sync_id = await for_operator.create_sync()
    own = tmp_path / "own.toml"
    own.write_text(f'operator_secret_hash = "{hashed("my own secret")}"\n')
    async with for_operator.tools() as tools:
        reference = reference_in(await tools.delete_bulk_sync(sync_id=sync_id))
        refused = await approvals(for_operator, "approve", reference, "--policy", str(own), given="my own secret\n")
    assert refused.status == 1


async def test_a_denied_call_is_told_so(for_operator: Workshop, era: str) -> None:
    sync_id = await for_operator.create_sync()
    async with for_operator.tools(era) as tools:
        reference = reference_in(await tools.delete_bulk_sync(sync_id=sync_id))
        denied = await approvals(for_operator, "deny", reference)
        assert denied.status == 0, denied.err
        late = await approvals(for_operator, "approve", reference, given=SECRET + "\n")
        assert late.status == 1
        assert "already been denied" in late.err
        refused = await tools.delete_bulk_sync(sync_id=sync_id)
    assert refused.code == "approval_denied"
    assert for_operator.api.mutations == []


def approved_in_process(workshop: Workshop, reference: str) -> None:
    """What the command does once the secret is right."""
    store = workshop.application.gate.store
    standing = store.find(reference)
    assert standing is not None
    assert store.decide(standing.ticket, "approved", "operator:test")


async def test_a_table_enabled_after_approval_voids_it(for_operator: Workshop, era: str) -> None:
    sync_id = await for_operator.create_sync()
    call = {"sync_id": sync_id, "resync_mode": "rebuild"}
    async with for_operator.tools(era) as tools:
        approved_in_process(for_operator, reference_in(await tools.start_bulk_sync_execution(**call)))
        body = {"schemas": [{"id": "secrets", "enabled": True}]}
        await for_operator.api.inner.patch("/api/bulk/syncs/{id}/schemas", body=body, id=sync_id)
        refused = await tools.start_bulk_sync_execution(**call)
        assert refused.code == "plan_changed"
        assert "“secrets”" in refused.text
        assert reference_in(await tools.start_bulk_sync_execution(**call))
    assert for_operator.api.mutations == []


async def test_a_table_enabled_before_approval_makes_the_old_reference_useless(for_operator: Workshop) -> None:
    sync_id = await for_operator.create_sync()
    call = {"sync_id": sync_id, "resync_mode": "rebuild"}
    async with for_operator.tools() as tools:
        old = reference_in(await tools.start_bulk_sync_execution(**call))
        body = {"schemas": [{"id": "secrets", "enabled": True}]}
        await for_operator.api.inner.patch("/api/bulk/syncs/{id}/schemas", body=body, id=sync_id)
        new = reference_in(await tools.start_bulk_sync_execution(**call))
    assert old != new
    assert for_operator.application.gate.store.find(old) is None


OtherCall = Callable[[Workshop, str, str], Awaitable[Called]]


async def by_another_principal(workshop: Workshop, one: str, _other: str) -> Called:
    async with workshop.tools(principal="somebody else") as tools:
        return await tools.delete_bulk_sync(sync_id=one)


async def for_another_sync(workshop: Workshop, _one: str, other: str) -> Called:
    async with workshop.tools() as tools:
        return await tools.delete_bulk_sync(sync_id=other)


async def through_another_tool(workshop: Workshop, one: str, _other: str) -> Called:
    async with workshop.tools() as tools:
        return await tools.start_bulk_sync_execution(sync_id=one, resync_mode="rebuild")


@pytest.mark.parametrize("other_call", [by_another_principal, for_another_sync, through_another_tool])
async def test_an_approval_holds_for_exactly_the_call_it_was_given_for(
    for_operator: Workshop, other_call: OtherCall
) -> None:
    one, other = await for_operator.create_sync("One"), await for_operator.create_sync("Other")
    async with for_operator.tools() as tools:
        reference = reference_in(await tools.delete_bulk_sync(sync_id=one))
    approved_in_process(for_operator, reference)
    assert reference_in(await other_call(for_operator, one, other)) != reference
    assert for_operator.api.mutations == []


async def test_an_approval_expires_unused(for_operator: Workshop) -> None:
    sync_id = await for_operator.create_sync()
    async with for_operator.tools() as tools:
        reference = reference_in(await tools.delete_bulk_sync(sync_id=sync_id))
        approved_in_process(for_operator, reference)
        for_operator.clock.advance(minutes=10, seconds=1)
        assert reference_in(await tools.delete_bulk_sync(sync_id=sync_id)) != reference
    assert for_operator.api.mutations == []


async def test_of_two_calls_at_once_under_one_approval_one_runs(for_operator: Workshop, era: str) -> None:
    sync_id = await for_operator.create_sync()
    await for_operator.run_once(sync_id)
    for_operator.api.calls.clear()
    call = {"sync_id": sync_id, "resync_mode": "rebuild"}
    codes: list[str] = []
    async with for_operator.tools(era) as tools:
        approved_in_process(for_operator, reference_in(await tools.start_bulk_sync_execution(**call)))

        async def start() -> None:
            codes.append((await tools.start_bulk_sync_execution(**call)).code)

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(start)
        await tools.wait_for_bulk_sync_execution(sync_id=sync_id, timeout_seconds=60)
    assert codes.count("") == 1, codes
    assert len(for_operator.api.mutations) == 1


async def test_without_a_secret_configured_the_call_is_refused(tmp_path: Path, era: str) -> None:
    policy = with_evidence("operator").partition("\n")[2]
    async with guarded_workshop(tmp_path, policy) as workshop:
        sync_id = await workshop.create_sync()
        async with workshop.tools(era, Person("accept")) as tools:
            refused = await tools.delete_bulk_sync(sync_id=sync_id)
    assert refused.code == "denied"
    assert "no operator secret is configured" in refused.text


async def test_the_command_line_waits_for_an_operator_too(for_operator: Workshop) -> None:
    sync_id = await for_operator.create_sync()
    place = place_of(for_operator)
    settings = for_operator.application.settings
    call = ["call", "delete_bulk_sync", f"sync_id={sync_id}", "--policy", str(settings.policy), *place.flags]
    waiting = await in_thread(*call)
    assert waiting.status != 0
    assert "127.0.0.1" not in waiting.out + waiting.err
    found = re.search(r"approvals approve ([0-9a-f]{10})", waiting.err)
    assert found is not None, waiting.err
    assert (await approvals(for_operator, "approve", found.group(1), given=SECRET + "\n")).status == 0
    done = await in_thread(*call)
    assert done.status == 0, done.err


async def link_of(server: Running) -> Visitor:
    await until("the link is told", lambda: "/approval/" in server.errors)
    return told_link(server.errors)


@pytest.mark.parametrize("how", [None, signal.SIGTERM])
async def test_a_stdio_server_has_a_port_only_while_an_approval_is_open_and_ends_with_one(
    for_operator: Workshop, how: signal.Signals | None
) -> None:
    one, other = await for_operator.create_sync("One"), await for_operator.create_sync("Other")
    place = place_of(for_operator)
    async with started(place, "--policy", str(for_operator.application.settings.policy)) as server:
        async with server.tools(MODERN) as tools:
            waiting = await tools.delete_bulk_sync(sync_id=one)
            first = await link_of(server)
            assert (await first.send("approve", name="One", secret=SECRET)).status_code == 200
            await until("the port closes", lambda: not listens(first))
            done = await tools.delete_bulk_sync(sync_id=one)
            assert not done.error, done.text
            assert reference_in(await tools.delete_bulk_sync(sync_id=other)) != reference_in(waiting)
        second = Visitor(re.findall(r"http://\S+/approval/\S+", server.errors)[-1])
        assert listens(second)
        assert await server.end(how) == 0
        assert not listens(second)
    assert "Traceback" not in server.errors


async def test_a_server_over_http_shows_the_page_and_binds_the_approval_to_the_credential(
    for_operator: Workshop,
) -> None:
    sync_id = await for_operator.create_sync()
    place = place_of(for_operator)
    async with over_http(place, "--policy", str(for_operator.application.settings.policy)) as server:
        async with server.tools(MODERN) as tools:
            reference_in(await tools.delete_bulk_sync(sync_id=sync_id))
            visitor = await link_of(server.running)
            assert "an assistant connected over HTTP" in (await visitor.read()).text
            assert (await visitor.send("approve", name="Shop", secret=SECRET)).status_code == 200
            done = await tools.delete_bulk_sync(sync_id=sync_id)
            assert not done.error, done.text
        assert await server.running.end(signal.SIGTERM) == 0
    assert "Traceback" not in server.running.errors


def listens(visitor: Visitor) -> bool:
    """Whether anything takes connections at the address."""
    try:
        socket.create_connection(("127.0.0.1", int(visitor.origin.rpartition(":")[2])), timeout=5).close()
    except OSError:
        return False
    return True
