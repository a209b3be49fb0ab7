"""The tools against a server that answers with the description's own examples, as if it were Polytomic."""

import base64
import copy
import json
from asyncio import StreamWriter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mcp.client.client import Client

from api.raw_server import Arrival, RawServer, Step, answer, raw_server
from bulk_sync_mcp.composition import Application, compose
from bulk_sync_mcp.settings import Settings
from bulk_sync_mcp.transports import mcp_server
from contract.validator import Contract
from support import MODERN, Person, Tools

pytestmark = pytest.mark.anyio
KEY = "not-a-real-key-Zq8vXw3Rt6"
ORGANIZATION = "3f8b2c6e-0d41-4b7a-9c55-1e2a7d904b11"
SYNC = "a4c1e7d0-95b3-4f2a-8d6e-3c7b1f0a9e52"
SOURCE = "5c0e9b1a-72d4-4f38-a6bb-0d1c2e3f4a5b"
DESTINATION = "e7d3a940-1b5c-4c8e-9f20-8a6b4c2d1e0f"
RUN = "c81f2e64-0a3d-4b97-9e15-6d2c4f8b7a30"
IDLE = {"data": {"current_execution": None, "last_execution": None, "next_execution_time": None}}
Change = Callable[[str, Any], Any]

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("list_bulk_syncs", {"active": True, "limit": 5}),
    ("get_bulk_sync", {"sync_id": SYNC}),
    ("get_bulk_sync_status", {"sync_id": SYNC}),
    ("get_bulk_source", {"connection_id": SOURCE, "include_fields": True}),
    ("get_bulk_destination", {"connection_id": DESTINATION}),
    ("list_connections", {}),
    ("list_bulk_sync_schemas", {"sync_id": SYNC, "enabled": True}),
    ("list_bulk_sync_executions", {"sync_id": SYNC, "only_ended": True}),
    ("get_bulk_sync_execution", {"sync_id": SYNC, "execution_id": RUN}),
    ("wait_for_bulk_sync_execution", {"sync_id": SYNC, "timeout_seconds": 1}),
    (
        "create_bulk_sync",
        {
            "name": "N",
            "source_connection_id": SOURCE,
            "destination_connection_id": DESTINATION,
            "schemas": ["Account", "Contact"],
            "destination_configuration": {"schema": "SALESFORCE"},
        },
    ),
    ("update_bulk_sync", {"sync_id": SYNC, "name": "New", "schemas": ["Contact"]}),
    ("activate_bulk_sync", {"sync_id": SYNC, "active": False}),
    ("cancel_bulk_sync", {"sync_id": SYNC}),
    ("delete_bulk_sync", {"sync_id": SYNC}),
]
"""All but start, which needs a sync of which nothing runs."""


@dataclass
class Examples:
    """The server and the application that takes it for Polytomic."""

    application: Application
    server: RawServer
    operations: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def tools(self) -> AsyncIterator[Tools]:
        server = mcp_server(self.application, "test")
        async with Client(server, mode=MODERN, elicitation_callback=Person("accept"), raise_exceptions=True) as client:
            yield Tools(client)

    def targets(self, method: str) -> list[bytes]:
        """The request targets of one method, as bytes, in the order of arrival."""
        return [arrival.target for arrival in self.server.arrivals if arrival.method == method]


def example(contract: Contract, operation_id: str) -> Any:
    """The first example of an operation's success; None where it answers without a body."""
    responses = contract.operations[operation_id].described["responses"]
    described = responses.get("200") or responses["2XX"]
    examples = described.get("content", {}).get("application/json", {}).get("examples", {})
    return copy.deepcopy(next(iter(examples.values()))["value"]) if examples else None


@asynccontextmanager
async def examples(
    directory: Path, change: Change | None = None, *, strict: bool = True, **settings: Any
) -> AsyncIterator[Examples]:
    """A server of examples, each passed through `change`, and an application on it.

    It ends the connection on a request that the description does not have; without `strict` only the path counts.
    """
    contract = Contract.load()
    made: list[Examples] = []

    async def respond(writer: StreamWriter) -> bool:
        arrival: Arrival = made[0].server.arrivals[-1]
        path, _, query = arrival.target.decode("ascii").partition("?")
        if strict:
            found = contract.check_request(arrival.method, path, query, arrival.headers, arrival.body)
        else:
            found, _ = contract.find(arrival.method, path)
        made[0].operations.append(found.operation_id)
        body = example(contract, found.operation_id)
        body = change(found.operation_id, body) if change else body
        headers = {"X-Polytomic-Version": "2025-09-18"} | ({"Content-Type": "application/json"} if body else {})
        step = answer(200 if body is not None else 204, body, headers=headers)
        return await step.handler(writer)

    async with raw_server(Step(respond)) as server:
        given = {
            "polytomic_api_key": KEY,
            "polytomic_base_url": server.origin,
            "state_dir": directory / "state",
            "workspace": directory / "unused",
            **settings,
        }
        application = compose(Settings(**given))
        made.append(Examples(application, server))
        yield made[0]
        await application.api.aclose()


@pytest.mark.parametrize(("tool", "arguments"), CALLS, ids=[tool for tool, _ in CALLS])
async def test_the_examples_are_understood(tmp_path: Path, tool: str, arguments: dict[str, Any]) -> None:
    async with examples(tmp_path) as polytomic, polytomic.tools() as tools:
        told = await tools.call(tool, arguments)
    assert not told.error, told.text
    assert polytomic.operations
    for arrival in polytomic.server.arrivals:
        assert f"authorization: bearer {KEY}".lower().encode() in arrival.raw.lower()
        assert arrival.headers["authorization"] == f"Bearer {KEY}"
        assert arrival.headers["x-polytomic-version"] == "2025-09-18"
        assert b"\r\nX-Polytomic-Version: 2025-09-18\r\n" in arrival.raw
        assert KEY.encode() not in arrival.target + arrival.body
    assert KEY not in told.text


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        ({}, {}),
        ({"test": True}, {"test": True}),
        ({"schemas": ["Contact"]}, {"schemas": ["Contact"]}),
        ({"fetch_mode": "full"}, {"fetch_mode": "full"}),
    ],
)
async def test_starting_sends_exactly_this(tmp_path: Path, arguments: dict[str, Any], body: dict[str, Any]) -> None:
    def idle(operation_id: str, given: Any) -> Any:
        if operation_id == "startBulkSyncExecution":
            given["data"]["is_test"] = bool(body.get("test"))
        return IDLE if operation_id == "getBulkSyncStatus" else given

    async with examples(tmp_path, idle) as polytomic, polytomic.tools() as tools:
        told = await tools.start_bulk_sync_execution(sync_id=SYNC, **arguments)
    assert not told.error, told.text
    (start,) = [arrival for arrival in polytomic.server.arrivals if arrival.method == "POST"]
    assert start.raw.startswith(f"POST /api/bulk/syncs/{SYNC}/executions HTTP/1.1\r\n".encode())
    assert json.loads(start.body) == body
    assert start.headers["content-type"] == "application/json"
    assert 8 <= len(start.headers["idempotency-key"]) <= 255


async def test_a_rerun_names_the_enabled_tables_and_a_retained_output_is_a_mismatch(tmp_path: Path) -> None:
    """The first example is of an ordinary run: as the answer to a rebuild it must not pass."""

    def idle(operation_id: str, given: Any) -> Any:
        return IDLE if operation_id == "getBulkSyncStatus" else given

    async with examples(tmp_path, idle) as polytomic, polytomic.tools() as tools:
        told = await tools.start_bulk_sync_execution(sync_id=SYNC, resync_mode="rebuild")
    assert told.code == "mismatch"
    assert "is_resync is False, not True" in told.text
    (start,) = [arrival for arrival in polytomic.server.arrivals if arrival.method == "POST"]
    assert json.loads(start.body) == {"resync_mode": "rebuild", "schemas": ["Account", "Contact"]}


async def test_a_run_that_goes_on_in_the_example_is_not_doubled(tmp_path: Path) -> None:
    async with examples(tmp_path) as polytomic, polytomic.tools() as tools:
        told = await tools.start_bulk_sync_execution(sync_id=SYNC)
    assert told.code == "already_running"
    assert RUN in told.text
    assert polytomic.targets("POST") == []


async def test_targets_are_these_bytes(tmp_path: Path) -> None:
    async with examples(tmp_path) as polytomic, polytomic.tools() as tools:
        await tools.list_bulk_sync_schemas(sync_id=SYNC.upper(), enabled=True)
        await tools.list_bulk_sync_executions(sync_id=SYNC, limit=7, cursor="a+b/c=&d č")
        await tools.get_bulk_source(connection_id=SOURCE, include_fields=True)
        await tools.get_bulk_sync_execution(sync_id=SYNC, execution_id=RUN)
    assert polytomic.targets("GET") == [
        f"/api/bulk/syncs/{SYNC}/schemas?filters%5Benabled%5D=true".encode(),
        f"/api/bulk/syncs/{SYNC}/executions?limit=7&page_token=a%2Bb%2Fc%3D%26d%20%C4%8D".encode(),
        f"/api/connections/{SOURCE}/bulksync/source?include_fields=true".encode(),
        f"/api/bulk/syncs/{SYNC}/executions/{RUN}".encode(),
    ]


async def test_an_organization_id_makes_it_basic(tmp_path: Path) -> None:
    expected = base64.b64encode(f"{ORGANIZATION}:{KEY}".encode()).decode()
    async with examples(tmp_path, polytomic_organization_id=ORGANIZATION) as polytomic:
        async with polytomic.tools() as tools:
            told = await tools.list_connections()
        assert not told.error
        (arrival,) = polytomic.server.arrivals
    assert arrival.headers["authorization"] == f"Basic {expected}"
    assert f"Authorization: Basic {expected}\r\n".encode() in arrival.raw


async def test_an_update_puts_the_whole_example_back(tmp_path: Path) -> None:
    whole = example(Contract.load(), "getBulkSync")["data"]
    async with examples(tmp_path) as polytomic, polytomic.tools() as tools:
        told = await tools.update_bulk_sync(sync_id=SYNC, name="New")
    assert not told.error, told.text
    (put,) = [arrival for arrival in polytomic.server.arrivals if arrival.method == "PUT"]
    body = json.loads(put.body)
    left_out = {"id", "organization_id", "created_at", "created_by", "updated_at", "updated_by"}
    assert set(body) == set(whole) - left_out
    assert body["name"] == "New"
    assert body["default_schedule"]["id"] == whole["default_schedule"]["id"]
    for key in set(body) - {"name", "default_schedule", "additional_schedules"}:
        assert body[key] == whole[key]


def newer(operation_id: str, given: Any) -> Any:
    """An example as a server of a later version might tell it: keys more, values unknown."""
    values = {"mode": "mirror", "frequency": "fortnightly", "normalize_names": "strict", "cache_status": "odd"}
    if not operation_id.startswith(("start", "getBulkSyncExecution", "getBulkSyncStatus")):
        values |= {"status": "hibernating", "output_disposition": "compact"}

    def grown(value: Any) -> Any:
        if isinstance(value, list):
            return [grown(item) for item in value]
        if isinstance(value, dict):
            changed = {key: values.get(key, grown(item)) for key, item in value.items()}
            return {**changed, "key_of_2027": {"nested": [1, None, {"x": "y"}]}}
        return value

    return None if given is None else {**given, "data": grown(given["data"])}


@pytest.mark.parametrize(("tool", "arguments"), CALLS, ids=[tool for tool, _ in CALLS])
async def test_keys_and_values_of_a_later_server_are_tolerated(
    tmp_path: Path, tool: str, arguments: dict[str, Any]
) -> None:
    # What is put back contains what was read, which the description of requests is too narrow for.
    async with examples(tmp_path, newer, strict=False) as polytomic, polytomic.tools() as tools:
        told = await tools.call(tool, arguments)
    assert not told.error, told.text
    sent = [json.loads(arrival.body) for arrival in polytomic.server.arrivals if arrival.method == "PUT"]
    for body in sent:
        (table,) = body["schemas"]
        kept = (body, body["default_schedule"], *body["additional_schedules"], table, *table["fields"])
        assert all("key_of_2027" in one for one in kept)
        assert (body["mode"], body["default_schedule"]["frequency"]) == ("mirror", "fortnightly")
