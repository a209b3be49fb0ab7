"""The vendor's SDK, unmodified, at work on the local service: every operation it has, in the order of real work."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from polytomic import (
    AsyncPolytomic,
    BulkField,
    BulkFilter,
    BulkSchema,
    BulkSyncAdditionalScheduleRequest,
    BulkSyncDefaultScheduleRequest,
    BulkSyncScheduleApi,
    Polytomic,
    SchemaConfiguration,
    UpdateBulkField,
)
from polytomic.core.api_error import ApiError
from polytomic.core.request_options import RequestOptions
from polytomic.errors import BadRequestError, ConflictError, NotFoundError, UnprocessableEntityError

from contract.validator import Contract
from local.sdk.sdk import Watched, basic, sdk
from local.sdk.test_coverage import WITHOUT_METHOD
from local.served import KEY, Served, served, until
from local.service.harness import make_source, output_rows

MANUAL = BulkSyncDefaultScheduleRequest(frequency="manual")
ENDED = ("completed", "errors", "failed", "canceled", "interrupted")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("sdk")) as running:
        make_source(running.workspace / "shop.sqlite")
        yield running


@pytest.fixture
def watched(service: Served) -> Iterator[Watched]:
    with sdk(service) as found:
        yield found


def finished(client: Polytomic, sync_id: str, execution_id: str) -> Any:
    """The execution once it has ended, polled as the vendor's guide says."""

    def ended() -> Any:
        execution = client.bulk_sync.executions.get(sync_id, execution_id).data
        return execution if execution.status in ENDED else None

    return until("the execution ends", ended)


def connections(client: Polytomic) -> tuple[str, str]:
    """A source and a destination, found out about, tried, made, changed and read."""
    types = {entry.id: entry for entry in client.connections.get_types().data}
    assert types["sqlite"].capabilities.source
    described = client.connections.get_connection_type_schema("sqlite")
    assert "path" in described.model_dump()["properties"]
    client.connections.test_connection(type="sqlite", configuration={"path": "shop.sqlite"})
    with pytest.raises(BadRequestError, match="nowhere"):
        client.connections.test_connection(type="sqlite", configuration={"path": "nowhere/x.sqlite"})
    source = client.connections.create(name="Shop", type="sqlite", configuration={"path": "shop.sqlite"}).data
    target = client.connections.create(name="?", type="sqlite", configuration={"path": "warehouse.sqlite"}).data
    changed = client.connections.update(target.id, name="Warehouse", configuration={"path": "warehouse.sqlite"})
    assert (changed.data.name, changed.data.type.id) == ("Warehouse", "sqlite")
    assert client.connections.get(target.id).data.name == "Warehouse"
    assert {entry.id for entry in client.connections.list().data} >= {source.id, target.id}
    return source.id, target.id


def source_and_target(client: Polytomic, source: str, target: str) -> None:
    """What the two offer, and what the source holds."""
    client.schemas.refresh(source)
    cached = client.schemas.get_status(source).data
    assert cached.last_refresh_finished >= cached.last_refresh_started
    offered = client.bulk_sync.get_source(source, include_fields=True).data
    assert [schema.id for schema in offered.schemas] == ["customers", "orders"]
    assert [field.id for field in offered.schemas[1].fields if field.is_primary_key] == ["id"]
    assert {mode.id for mode in client.bulk_sync.get_destination(target).data.modes} >= {"replicate", "snapshot"}
    assert client.schemas.get(source, "orders").data.name == "orders"
    records = client.schemas.get_records(source, "orders").data
    assert [record["email"] for record in records] == ["0@example.com", "1@example.com", "2@example.com"]
    assert client.bulk_sync.executions.get_ingest_console_logs(source).data.entries == []


def sync(client: Polytomic, source: str, target: str) -> str:
    """A sync made, read back and replaced by what was read."""
    configured = SchemaConfiguration(id="orders", enabled=True, fields=["id", "total"])
    made = client.bulk_sync.create(
        name="Shop to warehouse",
        source_connection_id=source,
        destination_connection_id=target,
        destination_configuration={},
        default_schedule=MANUAL,
        mode="replicate",
        schemas=["customers", configured],
        idempotency_key="first-sync-0001",
    ).data
    replaced = client.bulk_sync.update(
        made.id,
        name="Shop",
        source_connection_id=made.source_connection_id,
        destination_connection_id=made.destination_connection_id,
        destination_configuration={"advanced": {"table_prefix": "shop_"}},
        default_schedule=BulkSyncDefaultScheduleRequest(id=made.default_schedule.id, frequency="manual"),
        additional_schedules=[
            BulkSyncAdditionalScheduleRequest(
                frequency="weekly",
                day_of_week="sunday",
                hour="3",
                minute="0",
                resync_mode="refetch",
                schemas=["orders"],
            )
        ],
        mode="replicate",
    ).data
    assert replaced.additional_schedules[0].resync_mode == "refetch"
    assert client.bulk_sync.get(made.id).data.destination_configuration == {"advanced": {"table_prefix": "shop_"}}
    return made.id


def schemas(client: Polytomic, sync_id: str) -> None:
    """The selection, listed by filter, replaced, and patched with what was read."""
    enabled = client.bulk_sync.schemas.list(sync_id, filters={"enabled": "true"}).data
    assert [schema.id for schema in enabled] == ["customers", "orders"]
    client.bulk_sync.schemas.update(
        sync_id,
        "orders",
        enabled=True,
        fields=[UpdateBulkField(id="id"), UpdateBulkField(id="total"), UpdateBulkField(id="email", obfuscated=True)],
        filters=[BulkFilter(field_id="total", function="GreaterThan", value=0)],
    )
    read = client.bulk_sync.schemas.get(sync_id, "orders").data
    assert [field.obfuscated for field in read.fields] == [False, False, True]
    patched = client.bulk_sync.schemas.patch(sync_id, schemas=[read]).data
    assert patched == [read]
    [cleared] = client.bulk_sync.schemas.patch(
        sync_id, schemas=[BulkSchema(id="orders", filters=[], fields=[BulkField(id="id"), BulkField(id="email")])]
    ).data
    assert [field.id for field in cleared.fields if field.enabled] == ["id", "email"]


def schedules(client: Polytomic, sync_id: str) -> None:
    """One more schedule: made, read, moved, deleted."""
    before = client.bulk_sync.schedules.list(sync_id).data
    client.bulk_sync.schedules.create(
        sync_id, schedule=BulkSyncScheduleApi(frequency="daily", hour="4", minute="30", selective_mode="none")
    )
    [added] = [entry for entry in client.bulk_sync.get(sync_id).data.additional_schedules if entry.frequency == "daily"]
    read = client.bulk_sync.schedules.get(sync_id, added.id).data
    assert (read.hour, read.minute, read.is_default) == ("4", "30", False)
    moved = client.bulk_sync.schedules.update(
        sync_id, added.id, schedule=BulkSyncScheduleApi(frequency="daily", hour="5", minute="0")
    )
    assert moved.data.hour == "5"
    client.bulk_sync.schedules.delete(sync_id, added.id)
    assert len(client.bulk_sync.schedules.list(sync_id).data) == len(before)
    with pytest.raises(NotFoundError):
        client.bulk_sync.schedules.get(sync_id, added.id)


def error_handling(client: Polytomic, sync_id: str) -> None:
    """Who is told of failures: merged, although it is a PUT."""
    client.bulk_sync.error_handling.update(sync_id, subscribers=["dana@example.com"])
    client.bulk_sync.error_handling.update(sync_id, ingestion_failure_threshold=60)
    told = client.bulk_sync.error_handling.get(sync_id).data
    assert (told.subscribers, told.ingestion_failure_threshold) == (["dana@example.com"], 60)


def runs(client: Polytomic, sync_id: str, warehouse: Path) -> str:
    """A run and a rerun, watched to their ends, paged, summed up, and seen at the destination."""
    assert client.bulk_sync.activate(sync_id, active=True).data.active
    started = client.bulk_sync.start(sync_id, idempotency_key="first-run-00001").data
    assert client.bulk_sync.start(sync_id, idempotency_key="first-run-00001").data.id == started.id
    done = finished(client, sync_id, started.id)
    assert (done.status, done.record_count, done.output_disposition) == ("completed", 6, "retain")
    assert (output_rows(warehouse, "shop_orders"), output_rows(warehouse, "shop_customers")) == (3, 3)
    again = client.bulk_sync.start(sync_id, resync_mode="resync", schemas=["customers"]).data
    rerun = finished(client, sync_id, again.id)
    assert (rerun.status, rerun.is_resync, rerun.output_disposition) == ("completed", True, "truncate")
    status = client.bulk_sync.get_status(sync_id).data
    assert (status.current_execution, status.last_execution.id) == (None, again.id)
    [summary] = client.bulk_sync.executions.list_status(sync_id=[sync_id]).data
    assert {entry.schema_ for entry in summary.schemas} == {"customers", "orders"}
    first = client.bulk_sync.executions.list(sync_id, limit=1, ascending=True)
    rest = client.bulk_sync.executions.list(
        sync_id, limit=1, ascending=True, page_token=first.pagination.next_page_token
    )
    assert [page.data[0].id for page in (first, rest)] == [started.id, again.id]
    assert client.bulk_sync.executions.cancel(sync_id, again.id).data.message
    assert client.bulk_sync.cancel(sync_id).data.message
    return started.id


def logs(client: Polytomic, http: httpx.Client, sync_id: str, execution_id: str) -> None:
    """Console lines, log files opened at their signed addresses, and their export as a job."""
    executions = client.bulk_sync.executions
    newest = executions.get_console_logs(sync_id, execution_id, limit=1).data
    assert [line.level for line in newest.entries] == ["INFO"]
    assert executions.get_console_logs(sync_id, execution_id, after=newest.next_cursor).data.entries == []
    of_orders = executions.get_schema_console_logs(sync_id, execution_id, "orders").data.entries
    assert {line.payload["schema"] for line in of_orders} <= {"orders"}
    given = executions.get_logs(sync_id, execution_id).data
    files = [http.get(address) for address in given.ur_ls]
    assert [file.status_code for file in files] == [200, 200]
    assert {json.loads(line)["schema_id"] for line in files[1].text.splitlines()} == {"customers", "orders"}
    job = executions.export_logs(sync_id, execution_id).job
    done = client.jobs.get(job.type, job.job_id).data
    assert done.status == "done"
    address = executions.export_logs(sync_id, execution_id).data.url
    with zipfile.ZipFile(io.BytesIO(http.get(address).content)) as archive:
        assert len(archive.namelist()) == 2
    assert http.get(address + "0").status_code == 403


def cancelling(client: Polytomic, slow: Polytomic, sync_id: str) -> None:
    """A run held by a slow worker: a second is refused, one table and then all of it is cancelled."""
    held = slow.bulk_sync.start(sync_id).data
    with pytest.raises(ConflictError) as refused:
        client.bulk_sync.start(sync_id)
    assert held.id in refused.value.body.message
    assert client.bulk_sync.get_status(sync_id).data.current_execution.id == held.id
    assert client.bulk_sync.schemas.cancel(sync_id, "orders").data.message
    assert client.bulk_sync.executions.cancel(sync_id, held.id).data.message
    assert finished(client, sync_id, held.id).status == "canceled"


def removal(client: Polytomic, sync_id: str, source: str) -> None:
    """A connection in use is kept; the sync goes, then the connection."""
    with pytest.raises(UnprocessableEntityError) as refused:
        client.connections.delete(source)
    assert refused.value.body.metadata["used_by"][0]["id"] == sync_id
    client.bulk_sync.delete(sync_id)
    with pytest.raises(NotFoundError):
        client.bulk_sync.get(sync_id)
    client.connections.delete(source)


def test_the_sdk_drives_every_operation_it_has(service: Served, watched: Watched) -> None:
    client = watched.client
    organization = client.organization.get_current().data
    assert client.identity.get().data.organization_id == organization.id
    source, target = connections(client)
    source_and_target(client, source, target)
    sync_id = sync(client, source, target)
    schemas(client, sync_id)
    schedules(client, sync_id)
    error_handling(client, sync_id)
    execution = runs(client, sync_id, service.workspace / "warehouse.sqlite")
    with httpx.Client(trust_env=False) as http:
        logs(client, http, sync_id, execution)
    with served(service.place.directory, BULK_SYNC_MCP_BATCH_PAUSE="60") as beside, sdk(beside) as slow:
        cancelling(client, slow.client, sync_id)
    assert [entry.id for entry in client.bulk_sync.list(active=True).data] == [sync_id]
    removal(client, sync_id, source)
    assert set(watched.seen) == set(Contract.load().operations) - WITHOUT_METHOD


def test_the_sdk_pages_through_syncs_by_its_request_options(watched: Watched) -> None:
    client = watched.client
    source, target = (
        client.connections.create(name=name, type="sqlite", configuration={"path": path}).data.id
        for name, path in (("Shop", "shop.sqlite"), ("Pages", "pages.sqlite"))
    )
    made = {
        client.bulk_sync.create(
            name=f"Sync {number}",
            source_connection_id=source,
            destination_connection_id=target,
            destination_configuration={},
            default_schedule=MANUAL,
        ).data.id
        for number in range(3)
    }
    seen, token = list[str](), ""
    while True:
        asked = RequestOptions(additional_query_parameters={"limit": 2, "page_token": token})
        page = client.bulk_sync.list(request_options=asked)
        seen += [entry.id for entry in page.data]
        token = page.model_dump()["pagination"]["next_page_token"]
        if not token:
            break
    assert len(seen) == len(set(seen))
    assert set(seen) >= made
    client.connections.delete(source, force=True)
    assert not {entry.id for entry in client.bulk_sync.list().data} & made


def test_the_sdk_gets_in_with_a_basic_key_and_not_with_a_wrong_one(service: Served, watched: Watched) -> None:
    organization_id = watched.client.organization.get_current().data.id
    with sdk(service, **basic(organization_id)) as by_organization:
        assert by_organization.client.identity.get().data.organization_id == organization_id
    for wrong in ({"token": "wrong"}, basic(organization_id, "wrong"), basic("somebody-else")):
        with sdk(service, **wrong) as refused, pytest.raises(ApiError) as error:
            refused.client.connections.list()
        assert error.value.status_code == 401


@pytest.mark.anyio
async def test_the_async_sdk_works_as_well(service: Served) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        client = AsyncPolytomic(base_url=service.url, token=KEY, httpx_client=http)
        made = await client.connections.create(name="Async", type="sqlite", configuration={"path": "shop.sqlite"})
        offered = await client.bulk_sync.get_source(made.data.id)
        assert [schema.id for schema in offered.data.schemas] == ["customers", "orders"]
        await client.connections.delete(made.data.id)
        with pytest.raises(NotFoundError):
            await client.connections.get(made.data.id)
