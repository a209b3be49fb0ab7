"""Streamable HTTP: a real server process on loopback, clients of both protocol revisions."""

import re
import signal
import socket
from contextlib import suppress

import anyio
import httpx
import httpx2
import pytest
from mcp.shared.exceptions import MCPError

from bulk_sync_mcp.composition import local_asgi
from bulk_sync_mcp.settings import Settings
from support import LEGACY, MODERN, Person, Workshop
from transports.kit import (
    ALL,
    HOLD,
    KEY,
    PATIENCE,
    Place,
    create_and_run,
    customers,
    fake_polytomic,
    over_http,
    ran,
    started,
    steadily,
    until,
)

pytestmark = pytest.mark.anyio
SIGNALS = (signal.SIGTERM, signal.SIGINT)
TOKEN = "a-token-of-my-own-0123456789"
OWN_TOKEN = {"BULK_SYNC_MCP_HTTP_TOKEN": TOKEN}
SYNC, EXECUTION = "3f1c9a4e-0001-4000-8000-000000000001", "3f1c9a4e-0001-4000-8000-000000000002"
HELD = ("GET", f"/api/bulk/syncs/{SYNC}/executions/{EXECUTION}")
ACCEPT = "application/json, text/event-stream"
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


async def test_the_whole_story_with_forms(workshop: Workshop, place: Place, era: str) -> None:
    person = Person("decline")
    async with over_http(place) as server:
        async with server.tools(era, person) as tools:
            sync_id = await create_and_run(workshop, tools)
            steadily(tools)
            workshop.change_destination("INSERT INTO customers (id, name) VALUES (99, 'by hand')")
            refused = await tools.start_bulk_sync_execution(sync_id=sync_id, resync_mode="rebuild")
            assert refused.code == "confirmation_declined"
            assert customers(workshop) == [*ALL, (99, "by hand")]
            person.answer = "accept"
            accepted = await tools.start_bulk_sync_execution(sync_id=sync_id, resync_mode="rebuild")
            assert not accepted.error, accepted.text
            await tools.wait_for_bulk_sync_execution(sync_id=sync_id, timeout_seconds=60)
        assert await server.running.end(signal.SIGTERM) == 0
    assert customers(workshop) == ALL
    assert len(person.asked) == 2
    principals = {line["principal"] for line in place.audit()}
    assert len(principals) == 1
    assert re.fullmatch(r"http:[0-9a-f]{16}", principals.pop())
    assert server.running.lines == []


async def test_a_confirmation_holds_across_sessions_of_one_token_and_not_for_another(
    workshop: Workshop, place: Place, era: str
) -> None:
    one, other = await workshop.create_sync("One"), await workshop.create_sync("Other")
    async with over_http(place) as server:
        async with server.tools(era) as tools:
            preview = await tools.delete_bulk_sync(sync_id=one)
            kept = (await tools.delete_bulk_sync(sync_id=other)).confirmation
        async with server.tools(era) as tools:
            deleted = await tools.delete_bulk_sync(sync_id=one, confirmation=preview.confirmation)
            assert not deleted.error, deleted.text
        assert await server.running.end(signal.SIGTERM) == 0
    async with over_http(place) as another:
        assert another.token != server.token
        async with another.tools(era) as tools:
            refused = await tools.delete_bulk_sync(sync_id=other, confirmation=kept)
    assert refused.code == "confirmation_invalid"
    assert (await workshop.api.inner.get("/api/bulk/syncs/{id}", id=other)).data["id"] == other
    assert len({line["principal"] for line in place.audit()}) == 2


async def test_only_the_token_lets_in(bare: Place) -> None:
    async with over_http(bare) as server:
        token = server.token
        assert len(token) >= 32
        wrong = [None, "wrong", token[:-1], token + "x", token.upper(), f"{token} {token}"]
        for method in ("GET", "POST", "DELETE", "OPTIONS"):
            for given in wrong:
                refused = await server.request(method, token=given, accept=ACCEPT)
                assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
                assert token not in refused.text
        for path in ("/", "/mcp/", "/health/", "/health/x", "//health", "/HEALTH", "/nothing"):
            assert (await server.request("GET", path)).status_code == 401
        for header in (f"Basic {token}", token, "Bearer", f"Bearer\t{token}"):
            assert (await server.request("POST", authorization=header)).status_code == 401
        async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as http:
            twice = [("Authorization", f"Bearer {token}"), ("Authorization", "Bearer wrong")]
            assert (await http.post(server.url, headers=twice)).status_code == 401
        for scheme in ("Bearer", "bearer"):
            allowed = await server.request("POST", accept=ACCEPT, body=PING, authorization=f"{scheme} {token}")
            assert allowed.status_code != 401
        with pytest.raises((MCPError, ExceptionGroup, httpx.HTTPError)):
            async with server.tools(LEGACY, token="wrong") as tools:
                await tools.list_connections()
        assert not bare.state.exists()


async def test_health_is_open_and_tells_nothing_secret(bare: Place) -> None:
    environment = {"POLYTOMIC_API_KEY": KEY, "POLYTOMIC_BASE_URL": "https://example.invalid"}
    async with over_http(bare, environment=environment) as server:
        answer = await server.request("GET", "/health")
        assert (answer.status_code, sorted(answer.json())) == (200, ["backend", "status", "version"])
        assert answer.json()["backend"] == "polytomic"
        for secret in (KEY, server.token, str(bare.directory), "example.invalid"):
            assert secret not in answer.text + str(answer.headers)
        assert (await server.request("POST", "/health")).status_code == 405


async def test_foreign_hosts_and_origins_are_refused_even_with_the_token(bare: Place) -> None:
    async with over_http(bare) as server:
        for headers in (
            {"host": "evil.example"},
            {"host": "127.0.0.1.evil.example:80"},
            {"origin": "https://evil.example"},
            {"origin": "http://localhost.evil.example:1"},
            {"origin": "null"},
        ):
            refused = await server.request(
                "POST", token=server.token, body=PING, accept=ACCEPT, content_type="application/json", **headers
            )
            assert refused.status_code in (403, 421), headers


async def test_it_listens_on_loopback_alone(bare: Place) -> None:
    async with over_http(bare) as server:
        port = int(server.origin.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE):
            pass
        # Any address that was not named stands for those of the network: a wildcard listener would take it.
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.2", port), timeout=PATIENCE)


async def test_a_token_of_ones_own_works_and_is_not_printed(bare: Place, era: str) -> None:
    environment = {**OWN_TOKEN, "BULK_SYNC_MCP_LOG_LEVEL": "DEBUG"}
    async with over_http(bare, environment=environment) as server:
        async with server.tools(era) as tools:
            assert len((await tools.client.list_tools()).tools) >= 16
        assert await server.running.end(signal.SIGTERM) == 0
    assert TOKEN not in server.running.errors
    assert server.running.lines == []


async def test_a_log_of_everything_shows_no_key(bare: Place) -> None:
    routes = {("GET", "/api/connections"): (200, {"data": []})}
    async with fake_polytomic(routes) as fake:
        environment = {**fake.environment, **OWN_TOKEN, "BULK_SYNC_MCP_LOG_LEVEL": "DEBUG"}
        async with over_http(bare, environment=environment) as server:
            async with server.tools(LEGACY) as tools:
                assert not (await tools.list_connections()).error
            assert await server.running.end(signal.SIGTERM) == 0
    assert fake.requests[0][2]["authorization"] == f"Bearer {KEY}"
    assert KEY not in server.running.errors
    assert TOKEN not in server.running.errors


@pytest.mark.parametrize("how", SIGNALS, ids=lambda how: how.name)
async def test_a_signal_ends_an_idle_server_with_status_0(bare: Place, how: signal.Signals) -> None:
    async with over_http(bare) as server:
        assert await server.running.end(how) == 0
    assert "Traceback" not in server.running.errors
    assert not bare.state.exists()


@pytest.mark.parametrize(("era", "how"), [(LEGACY, signal.SIGINT), (MODERN, signal.SIGTERM)])
async def test_a_signal_ends_it_with_sessions_open_and_a_call_waiting(
    bare: Place, era: str, how: signal.Signals
) -> None:
    async with fake_polytomic({HELD: HOLD}) as fake, over_http(bare, environment=fake.environment) as server:

        async def wait() -> None:
            # What the client makes of a server that goes away is its own business.
            with suppress(MCPError, ExceptionGroup, httpx2.HTTPError):
                async with server.tools(era) as tools:
                    await tools.wait_for_bulk_sync_execution(sync_id=SYNC, execution_id=EXECUTION)

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await until("the call is in flight", lambda: bool(fake.held))
            server.running.process.send_signal(how)
            with anyio.fail_after(PATIENCE):
                assert await server.running.process.wait() == 0
            group.cancel_scope.cancel()
        await until("the request is dropped", lambda: bool(fake.hung_up))
    assert "Traceback" not in server.running.errors
    assert KEY not in server.running.errors


async def test_a_write_cut_off_by_a_signal_is_audited_as_unknown(workshop: Workshop, place: Place, era: str) -> None:
    sync_id = await workshop.create_sync()
    service = local_asgi(Settings(workspace=place.workspace, state_dir=place.state), KEY)
    held = ("POST", f"/api/bulk/syncs/{sync_id}/executions")
    async with (
        fake_polytomic({held: HOLD}, behind=service) as fake,
        over_http(place, environment=fake.environment) as server,
        anyio.create_task_group() as group,
    ):

        async def start() -> None:
            with suppress(MCPError, ExceptionGroup, httpx2.HTTPError):
                async with server.tools(era) as tools:
                    await tools.start_bulk_sync_execution(sync_id=sync_id)

        group.start_soon(start)
        await until("the request is sent", lambda: bool(fake.held))
        server.running.process.send_signal(signal.SIGTERM)
        with anyio.fail_after(PATIENCE):
            assert await server.running.process.wait() == 0
        group.cancel_scope.cancel()
    intent, outcome = place.audit()
    assert (intent["event"], outcome["event"], outcome["outcome"]) == ("intent", "outcome", "outcome_unknown")
    assert len([one for one in fake.requests if one[0] == "POST"]) == 1


async def test_a_port_in_use_is_told_in_one_line(bare: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for words in (["--transport", "http", "--port", port], ["local", "--port", port]):
            refused = await ran(bare, *words, *bare.flags)
            assert refused.status == 2
            assert refused.err.startswith(f"bulk-sync-mcp: cannot listen on 127.0.0.1:{port}: ")
            assert "--port" in refused.err
            assert refused.err.count("\n") == 1


async def test_a_call_the_client_gives_up_stops(bare: Place, era: str) -> None:
    routes = {HELD: HOLD, ("GET", "/api/connections"): (200, {"data": []})}
    async with (
        fake_polytomic(routes) as fake,
        over_http(bare, environment=fake.environment) as server,
        server.tools(era) as tools,
    ):
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: tools.wait_for_bulk_sync_execution(sync_id=SYNC, execution_id=EXECUTION))
            await until("the call is in flight", lambda: bool(fake.held))
            group.cancel_scope.cancel()
        await until("the server drops its request", lambda: bool(fake.hung_up))
        assert not (await tools.list_connections()).error


async def test_stdio_and_http_do_not_share_confirmations(workshop: Workshop, place: Place) -> None:
    sync_id = await workshop.create_sync()
    async with started(place) as one, over_http(place) as other:
        async with one.tools(LEGACY) as tools:
            preview = await tools.delete_bulk_sync(sync_id=sync_id)
        async with other.tools(LEGACY) as tools:
            refused = await tools.delete_bulk_sync(sync_id=sync_id, confirmation=preview.confirmation)
        assert await one.end() == 0
    assert refused.code == "confirmation_invalid"
