"""Every tool's requests, as bytes, and the local service's answers to them, against the API's description."""

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bulk_sync_mcp import operations
from bulk_sync_mcp.api.client import ApiClient
from bulk_sync_mcp.core.operation import discover
from contract.validator import ContractTransport
from support import Person, Tools, WatchedApi, Workshop, build_workshop

pytestmark = pytest.mark.anyio
EXPECTED = {
    "activateBulkSync",
    "cancelBulkSync",
    "createBulkSync",
    "deleteBulkSync",
    "getBulkSync",
    "getBulkSyncDestination",
    "getBulkSyncExecution",
    "getBulkSyncSchema",
    "getBulkSyncSource",
    "getBulkSyncStatus",
    "getConnection",
    "listBulkSyncExecutions",
    "listBulkSyncSchemas",
    "listBulkSyncStatuses",
    "listBulkSyncs",
    "listConnections",
    "startBulkSyncExecution",
    "updateBulkSync",
}


@dataclass
class Wire:
    """A workshop whose every byte to the local service passes the contract."""

    workshop: Workshop
    transport: ContractTransport

    @property
    def authorization(self) -> str:
        """The header that every request must carry."""
        return self.workshop.application.backend.authorization.get_secret_value()

    def sent(self, operation_id: str) -> list[Any]:
        """The bodies of the requests of one operation."""
        return [json.loads(one.body) for one in self.transport.exchanges if one.operation_id == operation_id]


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncGenerator[Wire]:
    plain = await build_workshop(tmp_path)
    client = plain.api.inner.client
    transport = ContractTransport(client._transport)
    api = WatchedApi(ApiClient(client.backend, transport=transport))
    pipeline = plain.application.pipeline
    context = replace(pipeline.context, api=api)
    application = replace(plain.application, pipeline=replace(pipeline, context=context))
    yield Wire(replace(plain, application=application, api=api), transport)
    await api.aclose()
    await plain.api.aclose()


async def done(tools: Tools, tool: str, **arguments: Any) -> dict[str, Any]:
    answer = await tools.call(tool, arguments)
    assert not answer.error, answer.text
    return answer.data


async def test_all_sixteen_tools_send_and_understand_what_the_description_says(wire: Wire, era: str) -> None:
    shop = wire.workshop
    used: set[str] = set()
    async with shop.tools(era, Person("accept")) as tools:

        async def call(tool: str, **arguments: Any) -> dict[str, Any]:
            used.add(tool)
            return await done(tools, tool, **arguments)

        connections = await call("list_connections")
        assert connections["total"] == 2
        await call("get_bulk_source", connection_id=shop.source_id, include_fields=True)
        await call("get_bulk_destination", connection_id=shop.destination_id)
        table = {
            "id": "customers",
            "fields": [{"id": "name", "obfuscate": True}],
            "filters": [{"field_id": "city", "function": "IsNotNull"}],
            "tracking_field": "id",
        }
        made = await call(
            "create_bulk_sync",
            name="Shop “č”",
            source_connection_id=shop.source_id,
            destination_connection_id=shop.destination_id,
            schemas=[table, "secrets"],
            active=True,
            default_schedule={"frequency": "daily", "hour": "3", "minute": "0"},
            additional_schedules=[{"frequency": "weekly", "day_of_week": "sunday", "resync_mode": "refetch"}],
            destination_configuration={"advanced": {"hard_deletes": False}},
            data_cutoff_timestamp="2020-01-01T00:00:00Z",
        )
        sync_id = made["id"]
        await call("list_bulk_syncs", active=True, name="shop", limit=5)
        await call("get_bulk_sync", sync_id=sync_id)
        await call("list_bulk_sync_schemas", sync_id=sync_id, enabled=True)
        await call("update_bulk_sync", sync_id=sync_id, name="Renamed", mode="snapshot")
        await call(
            "update_bulk_sync",
            sync_id=sync_id,
            schemas=["customers", {"id": "events", "user_output_name": "log"}],
            additional_schedules=[],
            data_cutoff_timestamp=None,
        )
        await call("activate_bulk_sync", sync_id=sync_id, active=False)
        for arguments in (
            {"test": True},
            {"schemas": ["customers"]},
            {"resync_mode": "rebuild", "schemas": ["events"], "fetch_mode": "none"},
        ):
            started = await call("start_bulk_sync_execution", sync_id=sync_id, **arguments)
            ended = await call("wait_for_bulk_sync_execution", sync_id=sync_id, timeout_seconds=60)
            assert ended["status"] == "completed", str(ended)
            await call("get_bulk_sync_execution", sync_id=sync_id, execution_id=started["id"])
        await call("get_bulk_sync_status", sync_id=sync_id)
        page = await call("list_bulk_sync_executions", sync_id=sync_id, limit=2, oldest_first=True)
        await call("list_bulk_sync_executions", sync_id=sync_id, limit=2, oldest_first=True, cursor=page["next_cursor"])
        await call("list_bulk_sync_executions", sync_id=sync_id, only_ended=True)
        await call("start_bulk_sync_execution", sync_id=sync_id)
        cancelled = await tools.cancel_bulk_sync(sync_id=sync_id)
        assert cancelled.code in ("", "conflict"), cancelled.text
        used.add("cancel_bulk_sync")
        await done(tools, "wait_for_bulk_sync_execution", sync_id=sync_id, timeout_seconds=60)
        await call("delete_bulk_sync", sync_id=sync_id)
    wire.transport.verify()
    assert used == {one.name for one in discover(operations) if one.toolset == "default"}
    assert set(wire.transport.operations) | {"cancelBulkSync"} == EXPECTED
    assert wire.sent("startBulkSyncExecution") == [
        {"test": True},
        {"schemas": ["customers"]},
        {"fetch_mode": "none", "resync_mode": "rebuild", "schemas": ["events"]},
        {},
    ]
    assert wire.workshop.rows("SELECT count(*) FROM log") == [(2,)]


async def test_every_request_says_who_asks_and_which_version_and_only_posts_carry_a_key(wire: Wire) -> None:
    sync_id = await wire.workshop.create_sync()
    async with wire.workshop.tools(person=Person("accept")) as tools:
        await done(tools, "update_bulk_sync", sync_id=sync_id, name="New")
        await done(tools, "activate_bulk_sync", sync_id=sync_id, active=True)
        await done(tools, "delete_bulk_sync", sync_id=sync_id)
    wire.transport.verify()
    keys: list[str] = []
    for one in wire.transport.exchanges[1:]:
        assert one.headers["authorization"] == wire.authorization
        assert one.headers["x-polytomic-version"] == "2025-09-18"
        assert ("idempotency-key" in one.headers) is (one.method == "POST"), one.operation_id
        keys += [one.headers["idempotency-key"]] if one.method == "POST" else []
    assert len(set(keys)) == len(keys) == 1


async def test_a_table_whose_name_needs_encoding_stays_one_path_segment(wire: Wire) -> None:
    odd = "a/b ?x=1&č#%"
    wire.workshop.change_source(f'CREATE TABLE "{odd}" (id INTEGER PRIMARY KEY)')
    source_id = wire.workshop.source_id
    await wire.workshop.api.inner.post("/api/connections/{id}/schemas/refresh", id=source_id)
    sync_id = await wire.workshop.create_sync(schemas=["customers"])
    async with wire.workshop.tools(person=Person("accept")) as tools:
        listed = await done(tools, "list_bulk_sync_schemas", sync_id=sync_id)
        assert odd in [row["id"] for row in listed["schemas"]]
        await done(tools, "update_bulk_sync", sync_id=sync_id, schemas=["customers", odd])
    wire.transport.verify()
    paths = {one.raw_path for one in wire.transport.exchanges if one.operation_id == "getBulkSyncSchema"}
    assert f"/api/bulk/syncs/{sync_id}/schemas/a%2Fb%20%3Fx%3D1%26%C4%8D%23%25" in paths


async def test_what_the_local_service_refuses_is_described_too(wire: Wire) -> None:
    sync_id = await wire.workshop.create_sync()
    async with wire.workshop.tools(person=Person("accept")) as tools:
        for tool, arguments in (
            ("get_bulk_sync", {"sync_id": wire.workshop.source_id}),
            ("start_bulk_sync_execution", {"sync_id": sync_id, "fetch_mode": "full"}),
            ("update_bulk_sync", {"sync_id": sync_id, "default_schedule": {"frequency": "daily", "hour": "99"}}),
            ("list_bulk_syncs", {"cursor": "nonsense"}),
        ):
            answer = await tools.call(tool, arguments)
            assert answer.code in ("not_found", "bad_request", "invalid_arguments"), answer.text
    wire.transport.verify()
