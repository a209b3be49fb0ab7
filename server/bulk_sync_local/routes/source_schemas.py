"""The cached description of a source: read, and refreshed."""

from dataclasses import dataclass, replace

from bulk_sync_local import catalog, jobs, render, samples, store_connections
from bulk_sync_local.connectors.base import ConnectorError, SourceTable
from bulk_sync_local.dispatch import Answer, Call, Endpoint, data, refusal
from bulk_sync_local.engine.job import Endpoint as Side
from bulk_sync_local.errors import ApiError, bad_request, conflict, not_found
from bulk_sync_local.lookups import connection_of
from bulk_sync_local.store import Tx


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a source offered, or why it could not be read. `read_from` is what was read."""

    read_from: Side
    started: str
    tables: tuple[SourceTable, ...] | None
    error: str | None


def prepare_refresh(call: Call) -> Inspected:
    """Reads the source before the call is answered: a refresh that was answered is finished."""
    with call.service.store.read() as tx:
        stored = connection_of(call, tx)
    if not catalog.require_info(stored.type_id).is_source:
        raise bad_request(f"connections of type {stored.type_id} cannot be read from, so there is nothing to refresh")
    started, side = call.service.now(), Side(stored.type_id, stored.configuration)
    try:
        return Inspected(side, started, jobs.read_source(call.service.config, side), None)
    except ConnectorError as error:
        return Inspected(side, started, None, str(error))


def refresh_connection_schemas(call: Call, tx: Tx) -> Answer:
    stored, inspected = connection_of(call, tx), call.found(Inspected)
    if Side(stored.type_id, stored.configuration) != inspected.read_from:
        raise conflict("the connection was changed while it was being read; refresh it again")
    if inspected.tables is None:
        store_connections.save(tx, replace(stored, status="unhealthy", status_error=inspected.error))
        return refusal(ApiError(400, f"the source could not be read: {inspected.error}"))
    store_connections.save(
        tx,
        replace(
            stored,
            status="healthy",
            status_error=None,
            tables=inspected.tables,
            refresh_started=inspected.started,
            refresh_finished=call.service.now(),
        ),
    )
    return Answer(status=202, headers={"Location": f"/api/connections/{stored.id}/schemas/status"})


def get_connection_schema_status(call: Call, tx: Tx) -> Answer:
    stored = connection_of(call, tx)
    return data(
        {
            "cache_status": "empty" if stored.tables is None else "fresh",
            "last_refresh_started": stored.refresh_started,
            "last_refresh_finished": stored.refresh_finished,
        }
    )


def get_connection_schema(call: Call, tx: Tx) -> Answer:
    table = connection_of(call, tx).table(call.path["schema_id"])
    if table is None:
        raise not_found("schema of this connection", call.path["schema_id"])
    return data(render.source_table(table, include_fields=True))


def prepare_records(call: Call) -> samples.Rows:
    """Reads the source itself: samples of rows are not cached."""
    with call.service.store.read() as tx:
        stored = connection_of(call, tx)
    if not catalog.require_info(stored.type_id).is_source:
        raise bad_request(f"connections of type {stored.type_id} cannot be read from, so there are no records")
    schema_id = call.path["schema_id"]
    if stored.table(schema_id) is None:
        raise not_found("schema of this connection", schema_id)
    try:
        return samples.read(call.service.config, Side(stored.type_id, stored.configuration), schema_id)
    except ConnectorError as error:
        raise bad_request(f"the source could not be read: {error}") from error


def get_connection_schema_records(call: Call, tx: Tx) -> Answer:
    return data(list(call.found(samples.Rows).rows))


ENDPOINTS = [
    Endpoint("POST", "/api/connections/{id}/schemas/refresh", refresh_connection_schemas, prepare=prepare_refresh),
    Endpoint("GET", "/api/connections/{id}/schemas/status", get_connection_schema_status),
    Endpoint("GET", "/api/connections/{id}/schemas/{schema_id}", get_connection_schema),
    Endpoint(
        "GET",
        "/api/connections/{id}/schemas/{schema_id}/records",
        get_connection_schema_records,
        prepare=prepare_records,
    ),
]
