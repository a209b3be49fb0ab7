"""Executions: started, listed, read."""

from bulk_sync_local import paging, render, starting, store_executions
from bulk_sync_local.bodies import SchemaId
from bulk_sync_local.dispatch import Answer, Body, Call, Endpoint, Query, QueryBool, QueryCount, data
from bulk_sync_local.engine.job import ResyncMode
from bulk_sync_local.errors import bad_request
from bulk_sync_local.jobs import RunRequest
from bulk_sync_local.lookups import execution_of, sync_of
from bulk_sync_local.store import Tx

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
    created = starting.record(tx, sync, request, "manual", service.now())
    answer = data(render.execution(created, service.clock()))
    return Answer(answer.body, after=lambda: service.supervisor.start_worker(created.id))


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


ENDPOINTS = [
    Endpoint("POST", "/api/bulk/syncs/{id}/executions", start_bulk_sync_execution, body=StartBulkSync, sweep=True),
    Endpoint("GET", "/api/bulk/syncs/{id}/executions", list_bulk_sync_executions, query=ListExecutions, sweep=True),
    Endpoint("GET", "/api/bulk/syncs/{id}/executions/{exec_id}", get_bulk_sync_execution, sweep=True),
]
