"""Executions: started, listed, read."""

from bulk_sync_local import catalog, jobs, paging, render, store_connections, store_executions, store_schemas
from bulk_sync_local.bodies import SchemaId
from bulk_sync_local.dispatch import Answer, Body, Call, Endpoint, Query, QueryBool, QueryCount, data
from bulk_sync_local.engine.job import ResyncMode
from bulk_sync_local.errors import bad_request, conflict
from bulk_sync_local.ids import new_id
from bulk_sync_local.jobs import RunRequest
from bulk_sync_local.lookups import execution_of, sync_of
from bulk_sync_local.store import Tx
from bulk_sync_local.store_connections import StoredConnection
from bulk_sync_local.store_executions import AlreadyRunningError
from bulk_sync_local.store_schemas import StoredSchema
from bulk_sync_local.store_syncs import StoredSync

PAGE = 100
DEFAULT_PAGE = 50


class StartBulkSync(Body):
    schemas: list[SchemaId] | None = None
    resync_mode: ResyncMode | None = None
    fetch_mode: str | None = None
    test: bool | None = None


class ListExecutions(Query):
    page_token: str | None = None
    only_terminal: QueryBool = False
    ascending: QueryBool = False
    limit: QueryCount = DEFAULT_PAGE


def start_bulk_sync_execution(call: Call, tx: Tx) -> Answer:
    """Records a run and has a worker started for it; the answer is the run as just created."""
    sync, service = sync_of(call, tx), call.service
    request = _request(call.body(StartBulkSync))
    source = store_connections.get(tx, sync.source_connection_id)
    destination = store_connections.get(tx, sync.destination_connection_id)
    if source is None or destination is None:
        raise conflict("a connection of this sync is gone")
    _check_resync_mode(sync, destination, request)
    stored = store_schemas.every(tx, sync.id)
    chosen = _chosen(stored, request)
    job = jobs.build(new_id(), sync, source, destination, chosen, request)
    try:
        store_executions.create(
            tx,
            job,
            jobs.output_names(sync, chosen),
            is_partial=len(chosen) < sum(schema.enabled for schema in stored),
            # Schemas named in the call are all the run is about: nothing that turned up since joins it.
            add_new_objects=not request.schemas and sync.settings.automatically_add_new_objects == "all",
            now=service.now(),
        )
    except AlreadyRunningError:
        running = store_executions.unfinished(tx, sync.id)
        detail = "" if running is None else f" ({running.id}, {running.status})"
        raise conflict(
            f"an execution of this sync is already running{detail}; wait for it or cancel it",
            execution_id=None if running is None else running.id,
        ) from None
    created = store_executions.get(tx, sync.id, job.execution_id)
    if created is None:
        raise TypeError("an execution vanished inside the transaction that made it")
    answer = data(render.execution(created, service.clock()))
    return Answer(answer.body, after=lambda: service.supervisor.start_worker(job.execution_id))


def list_bulk_sync_executions(call: Call, tx: Tx) -> Answer:
    sync, query, now = sync_of(call, tx), call.query(ListExecutions), call.service.clock()
    of = f"executions {sync.id} {query.only_terminal} {query.ascending}"
    limit = min(query.limit, PAGE)
    found = store_executions.page(
        tx,
        sync.id,
        only_terminal=query.only_terminal,
        ascending=query.ascending,
        after=paging.position(of, query.page_token),
        limit=limit + 1,
    )
    shown, token = found[:limit], None
    if len(found) > limit:
        last = shown[-1]
        token = paging.token(of, last.updated_at if query.only_terminal else last.created_at, last.id)
    return data([render.execution(entry, now) for entry in shown], pagination={"next_page_token": token})


def get_bulk_sync_execution(call: Call, tx: Tx) -> Answer:
    return data(render.execution(execution_of(call, tx, sync_of(call, tx)), call.service.clock()))


def _request(body: StartBulkSync) -> RunRequest:
    if body.test and body.resync_mode is not None:
        raise bad_request("test and resync_mode exclude each other")
    if body.fetch_mode not in (None, "none"):
        if body.fetch_mode in ("incremental", "full"):
            raise bad_request(f"fetch_mode {body.fetch_mode} is for Salesforce sources only; leave it out")
        raise bad_request("fetch_mode: must be one of none, incremental, full")
    return RunRequest(tuple(dict.fromkeys(body.schemas or ())), body.resync_mode, bool(body.test))


def _check_resync_mode(sync: StoredSync, destination: StoredConnection, request: RunRequest) -> None:
    if request.resync_mode is None:
        return
    entry = catalog.require_info(destination.type_id)
    if request.resync_mode not in entry.resync_modes:
        offered = ", ".join(entry.resync_modes) or "none"
        raise bad_request(f"resync_mode: {entry.name} does not offer {request.resync_mode}; it offers {offered}")
    if sync.mode == "append" and request.resync_mode == "refetch":
        raise bad_request("resync_mode: a sync in append mode has no rows to overwrite; refetch is not offered")


def _chosen(stored: list[StoredSchema], request: RunRequest) -> list[StoredSchema]:
    by_id = {schema.schema_id: schema for schema in stored}
    if not request.schemas:
        enabled = [schema for schema in stored if schema.enabled]
        if not enabled:
            raise bad_request("no schema of this sync is enabled, so there is nothing to run")
        return enabled
    unknown = [schema_id for schema_id in request.schemas if schema_id not in by_id]
    if unknown:
        raise bad_request(f"schemas: this sync has no {', '.join(map(repr, unknown))}", unknown=unknown)
    disabled = [schema_id for schema_id in request.schemas if not by_id[schema_id].enabled]
    if disabled:
        raise bad_request(f"schemas: not enabled in this sync: {', '.join(map(repr, disabled))}", disabled=disabled)
    return [by_id[schema_id] for schema_id in request.schemas]


ENDPOINTS = [
    Endpoint("POST", "/api/bulk/syncs/{id}/executions", start_bulk_sync_execution, body=StartBulkSync, sweep=True),
    Endpoint("GET", "/api/bulk/syncs/{id}/executions", list_bulk_sync_executions, query=ListExecutions, sweep=True),
    Endpoint("GET", "/api/bulk/syncs/{id}/executions/{exec_id}", get_bulk_sync_execution, sweep=True),
]
