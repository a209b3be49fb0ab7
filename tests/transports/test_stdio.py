"""Standard input and output: a real server process, clients of both protocol revisions."""

import json
import signal
import sqlite3
import sys
from typing import Any

import anyio
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.shared.exceptions import MCPError

from bulk_sync_mcp.composition import local_asgi
from bulk_sync_mcp.settings import Settings
from support import LEGACY, Person, Tools, Workshop
from transports.kit import (
    ALL,
    HOLD,
    KEY,
    FakePolytomic,
    Place,
    Running,
    create_and_run,
    customers,
    fake_polytomic,
    processes_of,
    started,
    steadily,
    until,
)

pytestmark = pytest.mark.anyio
SIGNALS = (signal.SIGTERM, signal.SIGINT)
SLOW = {"BULK_SYNC_MCP_BATCH_PAUSE": "1.5"}
SYNC, EXECUTION = "3f1c9a4e-0001-4000-8000-000000000001", "3f1c9a4e-0001-4000-8000-000000000002"
HELD = ("GET", f"/api/bulk/syncs/{SYNC}/executions/{EXECUTION}")


async def test_the_whole_story_with_forms(workshop: Workshop, place: Place, era: str) -> None:
    person = Person("decline")
    async with started(place) as server:
        async with server.tools(era, person) as tools:
            sync_id = await create_and_run(workshop, tools)
            steadily(tools)
            assert customers(workshop) == ALL
            workshop.change_destination("INSERT INTO customers (id, name) VALUES (99, 'by hand')")
            refused = await tools.start_bulk_sync_execution(sync_id=sync_id, resync_mode="rebuild")
            assert refused.code == "confirmation_declined"
            assert customers(workshop) == [*ALL, (99, "by hand")]
            person.answer = "accept"
            accepted = await tools.start_bulk_sync_execution(sync_id=sync_id, resync_mode="rebuild")
            assert not accepted.error, accepted.text
            await tools.wait_for_bulk_sync_execution(sync_id=sync_id, timeout_seconds=60)
            deleted = await tools.delete_bulk_sync(sync_id=sync_id)
            assert not deleted.error, deleted.text
        assert await server.end() == 0
    assert customers(workshop) == ALL
    assert len(person.asked) == 3
    assert [line["evidence_from"] for line in place.audit() if line["event"] == "intent"][-2:] == ["form", "form"]
    assert "Traceback" not in server.errors


async def test_the_whole_story_without_forms(workshop: Workshop, place: Place, era: str) -> None:
    async with started(place) as server:
        async with server.tools(era) as tools:
            sync_id = await create_and_run(workshop, tools)
            workshop.change_destination("INSERT INTO customers (id, name) VALUES (99, 'by hand')")
            preview = await tools.start_bulk_sync_execution(sync_id=sync_id, resync_mode="resync")
            assert preview.code == "confirmation_required"
            assert customers(workshop) == [*ALL, (99, "by hand")]
            again = {"sync_id": sync_id, "resync_mode": "resync", "confirmation": preview.confirmation}
            accepted = await tools.start_bulk_sync_execution(**again)
            assert not accepted.error, accepted.text
            await tools.wait_for_bulk_sync_execution(sync_id=sync_id, timeout_seconds=60)
            replayed = await tools.start_bulk_sync_execution(**again)
            assert replayed.code == "confirmation_used"
        assert await server.end() == 0
    assert customers(workshop) == ALL


async def test_an_ordinary_client_starts_lists_calls_and_stops_it(workshop: Workshop, place: Place) -> None:
    """The SDK's own way of starting a process; its automatic mode, which looks for the newest revision."""
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "bulk_sync_mcp", *place.flags],
        env=place.environment(),
        cwd=place.directory,
    )
    async with Client(parameters) as client:
        assert client.protocol_version == "2026-07-28"
        assert client.server_info is not None
        assert client.server_info.title == "Bulk syncs (local service)"
        assert len((await client.list_tools()).tools) >= 16
        called = await Tools(client).list_connections()
        assert workshop.source_id in called.text


async def test_starting_listing_and_stopping_touches_nothing(bare: Place, era: str) -> None:
    async with started(bare) as server:
        async with server.tools(era) as tools:
            names = [tool.name for tool in (await tools.client.list_tools()).tools]
        assert await server.end() == 0
    assert names[0] == "get_bulk_destination"
    assert not bare.state.exists()
    assert not bare.workspace.exists()
    assert list(bare.home.iterdir()) == []
    assert server.errors == ""


async def test_an_unknown_tool_is_a_protocol_error(bare: Place, era: str) -> None:
    async with started(bare) as server:
        async with server.tools(era) as tools:
            with pytest.raises(MCPError, match="Unknown tool: drop_everything") as caught:
                await tools.drop_everything()
        assert await server.end() == 0
    assert caught.value.error.code == -32602
    assert not bare.state.exists()


async def test_noise_on_standard_input_is_survived(bare: Place) -> None:
    async with started(bare) as server:
        for noise in (
            "",
            "no JSON",
            '{"jsonrpc": "2.0"}',
            "[]",
            '{"jsonrpc":"2.0","id":7,"method":"no/such"}',
            "\ufffd",
        ):
            await server.send(noise)
        async with server.tools(LEGACY) as tools:
            assert (await tools.client.list_tools()).tools
        assert await server.end() == 0
    assert all("Traceback" not in line for line in server.lines)


@pytest.mark.parametrize("how", [None, *SIGNALS], ids=["EOF", "SIGTERM", "SIGINT"])
async def test_an_idle_server_ends_with_status_0(bare: Place, how: signal.Signals | None) -> None:
    async with started(bare) as server:
        async with server.tools(LEGACY) as tools:
            await tools.client.list_tools()
        assert await server.end(how) == 0
    assert "Traceback" not in server.errors


async def waiting(fake: FakePolytomic, server: Running, era: str, then: Any) -> None:
    """Has a wait for an execution in flight, does `then`, and lets the client see whatever comes."""

    async def call(tools: Tools) -> None:
        with pytest.raises((MCPError, anyio.ClosedResourceError, anyio.BrokenResourceError)):
            await tools.wait_for_bulk_sync_execution(sync_id=SYNC, execution_id=EXECUTION)

    async with server.tools(era) as tools, anyio.create_task_group() as group:
        group.start_soon(call, tools)
        await until("the call is in flight", lambda: bool(fake.held))
        await then()


@pytest.mark.parametrize("how", SIGNALS, ids=lambda how: how.name)
async def test_a_signal_ends_it_while_a_call_waits(bare: Place, era: str, how: signal.Signals) -> None:
    async with fake_polytomic({HELD: HOLD}) as fake, started(bare, environment=fake.environment) as server:

        async def stop() -> None:
            server.process.send_signal(how)
            with anyio.fail_after(10):
                assert await server.process.wait() == 0

        await waiting(fake, server, era, stop)
        await until("the request is dropped", lambda: bool(fake.hung_up))
    assert "Traceback" not in server.errors
    assert KEY not in server.errors + "".join(server.lines)


async def test_the_end_of_input_ends_it_while_a_call_waits(bare: Place, era: str) -> None:
    async with fake_polytomic({HELD: HOLD}) as fake, started(bare, environment=fake.environment) as server:

        async def stop() -> None:
            assert server.process.stdin is not None
            await server.process.stdin.aclose()
            with anyio.fail_after(10):
                assert await server.process.wait() == 0

        await waiting(fake, server, era, stop)
    assert "Traceback" not in server.errors


async def test_a_write_cut_off_by_a_signal_is_audited_as_unknown(workshop: Workshop, place: Place, era: str) -> None:
    sync_id = await workshop.create_sync()
    service = local_asgi(Settings(workspace=place.workspace, state_dir=place.state), KEY)
    held = ("POST", f"/api/bulk/syncs/{sync_id}/executions")
    async with (
        fake_polytomic({held: HOLD}, behind=service) as fake,
        started(place, environment=fake.environment) as server,
        server.tools(era) as tools,
        anyio.create_task_group() as group,
    ):

        async def start() -> None:
            with pytest.raises(MCPError):
                await tools.start_bulk_sync_execution(sync_id=sync_id)

        group.start_soon(start)
        await until("the request is sent", lambda: bool(fake.held))
        server.process.send_signal(signal.SIGTERM)
        with anyio.fail_after(10):
            assert await server.process.wait() == 0
    intent, outcome = place.audit()
    assert (intent["event"], outcome["event"], outcome["outcome"]) == ("intent", "outcome", "outcome_unknown")
    assert intent["call"] == outcome["call"]
    assert len([one for one in fake.requests if one[0] == "POST"]) == 1
    assert KEY not in json.dumps(place.audit())


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
async def test_a_run_outlives_its_server_and_another_one_can_wait_for_it(
    workshop: Workshop, place: Place, how: signal.Signals
) -> None:
    sync_id = await workshop.create_sync()
    async with started(place, environment=SLOW) as server:
        async with server.tools(LEGACY) as tools:
            run = await tools.start_bulk_sync_execution(sync_id=sync_id)
        execution_id = str(run.data["id"])
        await server.end(how)
    worker = [words for words in processes_of(place.directory).values() if execution_id in words]
    assert len(worker) == 1, "the worker has ended with its server"
    async with started(place) as another:
        async with another.tools(LEGACY) as tools:
            ended = await tools.wait_for_bulk_sync_execution(
                sync_id=sync_id, execution_id=execution_id, timeout_seconds=60
            )
        assert await another.end() == 0
    assert ended.data["status"] == "completed", ended.text
    assert customers(workshop) == ALL


async def test_two_servers_on_one_workspace_do_not_run_one_sync_twice(workshop: Workshop, place: Place) -> None:
    sync_id = await workshop.create_sync()
    results: list[str] = []
    async with started(place, environment=SLOW) as one, started(place, environment=SLOW) as other:
        async with one.tools(LEGACY) as first, other.tools(LEGACY) as second, anyio.create_task_group() as group:

            async def start(tools: Tools) -> None:
                results.append((await tools.start_bulk_sync_execution(sync_id=sync_id)).code)

            group.start_soon(start, first)
            group.start_soon(start, second)
        assert sorted(results) in (["", "already_running"], ["", "conflict"]), results
        assert (await one.end(), await other.end()) == (0, 0)
    executions = await workshop.api.inner.get("/api/bulk/syncs/{id}/executions", id=sync_id)
    assert len(executions.data) == 1


async def test_a_confirmation_dies_with_the_process_that_gave_it(workshop: Workshop, place: Place, era: str) -> None:
    sync_id = await workshop.create_sync()
    async with started(place) as server:
        async with server.tools(era) as tools:
            preview = await tools.delete_bulk_sync(sync_id=sync_id)
            confirmation = preview.confirmation
        await server.end(signal.SIGKILL)
    async with started(place) as another:
        async with another.tools(era) as tools:
            refused = await tools.delete_bulk_sync(sync_id=sync_id, confirmation=confirmation)
        assert await another.end() == 0
    assert refused.code == "confirmation_invalid"
    assert (await workshop.api.inner.get("/api/bulk/syncs/{id}", id=sync_id)).data["id"] == sync_id
    principals = {line["principal"] for line in place.audit()}
    assert len(principals) == 2
    assert all(principal.startswith("stdio:") for principal in principals)


async def test_32_reads_at_once_over_one_session(workshop: Workshop, place: Place, era: str) -> None:
    sync_ids = [await workshop.create_sync(f"Sync {number}") for number in range(4)]
    answers: dict[int, str] = {}
    async with started(place) as server:
        async with server.tools(era) as tools, anyio.create_task_group() as group:

            async def read(number: int) -> None:
                called = await tools.get_bulk_sync(sync_id=sync_ids[number % 4])
                assert not called.error, called.text
                answers[number] = str(called.data["name"])

            for number in range(32):
                group.start_soon(read, number)
        assert await server.end() == 0
    assert answers == {number: f"Sync {number % 4}" for number in range(32)}
    assert "Traceback" not in server.errors


async def test_a_cancelled_call_stops_and_the_session_goes_on(bare: Place, era: str) -> None:
    me = {"data": {"id": "u", "is_user": True}}
    routes = {HELD: HOLD, ("GET", "/api/me"): (200, me), ("GET", "/api/connections"): (200, {"data": []})}
    async with fake_polytomic(routes) as fake, started(bare, environment=fake.environment) as server:
        async with server.tools(era) as tools:
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: tools.wait_for_bulk_sync_execution(sync_id=SYNC, execution_id=EXECUTION))
                await until("the call is in flight", lambda: bool(fake.held))
                group.cancel_scope.cancel()
            await until("the server drops its request", lambda: bool(fake.hung_up))
            assert not (await tools.list_connections()).error
        assert await server.end() == 0
    assert "notifications/cancelled" not in "".join(server.lines)
    assert len(fake.held) == 1


async def test_a_raw_cancellation_gets_no_answer(bare: Place) -> None:
    """As a client of 2025-11-25 writes it, line by line."""
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "0"}}
    call = {
        "name": "wait_for_bulk_sync_execution",
        "arguments": {"sync_id": SYNC, "execution_id": EXECUTION},
    }
    async with fake_polytomic({HELD: HOLD}) as fake, started(bare, environment=fake.environment) as server:
        await server.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}))
        assert json.loads(await server.line())["result"]["protocolVersion"] == "2025-11-25"
        await server.send(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}))
        await server.send(json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call}))
        await until("the call is in flight", lambda: bool(fake.held))
        cancel = {"requestId": 2, "reason": "the user lost patience"}
        await server.send(json.dumps({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancel}))
        await until("the server drops its request", lambda: bool(fake.hung_up))
        await server.send(json.dumps({"jsonrpc": "2.0", "id": 3, "method": "ping"}))
        while True:
            answered = json.loads(await server.line())
            if answered.get("id") == 3:
                break
        assert await server.end() == 0
    assert "result" not in json.loads(next((line for line in server.lines if '"id":2' in line), "{}"))


async def test_the_store_is_sound_after_a_server_was_killed(workshop: Workshop, place: Place) -> None:
    sync_id = await workshop.create_sync()
    async with started(place) as server:
        async with server.tools(LEGACY) as tools:
            await tools.start_bulk_sync_execution(sync_id=sync_id)
        await server.end(signal.SIGKILL)
    async with workshop.tools() as tools:
        await tools.wait_for_bulk_sync_execution(sync_id=sync_id, timeout_seconds=60)
    assert workshop.application.pipeline.audit.verify() == 2
    with sqlite3.connect(place.state / "local" / "store.sqlite") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
