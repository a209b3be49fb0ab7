"""Log files of an execution, their export as a background job, and the console log of ingestion."""

from bulk_sync_local import log_files, store_executions, store_exports
from bulk_sync_local.clock import to_text
from bulk_sync_local.dispatch import Answer, Call, Endpoint, Query, QueryBool, QueryCount, Uuid, data
from bulk_sync_local.errors import bad_request, not_found
from bulk_sync_local.ids import new_id
from bulk_sync_local.lookups import connection_of, execution_of, sync_of
from bulk_sync_local.routes.console_logs import PAGE
from bulk_sync_local.store import Tx
from bulk_sync_local.store_executions import StoredExecution

FAMILY = "exportlogs"
FAMILIES = ("createmodel", "updatemodel", "previewmodel", "samplemodel", FAMILY, "connectionproxy")
"""Job families of the API (api/README.md 6); the local service has jobs of one."""


class Export(Query):
    notify: QueryBool = False


class ReadIngestLog(Query):
    sync_id: Uuid | None = None
    limit: QueryCount = PAGE
    after: str | None = None


def get_execution_logs(call: Call, tx: Tx) -> Answer:
    execution, clock = _execution(call, tx), call.service.clock
    addresses = [log_files.address(tx, execution, name, call.origin, clock) for name in log_files.NAMES]
    expires = to_text(clock() + log_files.LIFE)
    return data({"URLs": addresses, "Expires": expires, **_note(call)})


def export_execution_logs(call: Call, tx: Tx) -> Answer:
    """A job at first; the archive's address once a job for these logs has been done."""
    if call.query(Export).notify:
        raise bad_request("notify: this service sends no mail; leave it out and ask for the job")
    execution = _execution(call, tx)
    if execution.completed_at is not None and store_exports.exported(tx, execution.id):
        return data({"url": _archive(call, tx, execution), **_note(call)}, job=None)
    export_id = new_id()
    store_exports.create(tx, export_id, execution.id, call.service.now())
    return data(None, job=_job(export_id, "created"))


def get_job(call: Call, tx: Tx) -> Answer:
    family = call.path["type"]
    if family not in FAMILIES:
        raise bad_request(f"type: there is no job family {family!r}; known: {', '.join(FAMILIES)}")
    job_id = call.uuid("id", "job")
    export = store_exports.get(tx, job_id) if family == FAMILY else None
    execution = store_executions.get(tx, export.sync_id, export.execution_id) if export is not None else None
    if execution is None:
        raise not_found(f"{family} job", job_id)
    if execution.completed_at is None:
        # What is still being written is not packed: the archive would be another one a moment later.
        return data(_job(job_id, "running"))
    return data(_job(job_id, "done", {"url": _archive(call, tx, execution), **_note(call)}))


def get_ingest_console_log(call: Call, tx: Tx) -> Answer:
    """Always empty: nothing is ingested between runs here."""
    connection_of(call, tx, "connection_id")
    query = call.query(ReadIngestLog)
    return data({"entries": [], "next_cursor": query.after})


def _execution(call: Call, tx: Tx) -> StoredExecution:
    return execution_of(call, tx, sync_of(call, tx, "sync_id"), "execution_id")


def _archive(call: Call, tx: Tx, execution: StoredExecution) -> str:
    return log_files.address(tx, execution, log_files.ARCHIVE, call.origin, call.service.clock)


def _note(call: Call) -> dict[str, str]:
    return {} if call.origin is not None else {"note": log_files.NOTE}


def _job(job_id: str, status: str, result: object = None) -> dict[str, object]:
    return {"job_id": job_id, "type": FAMILY, "status": status, "result": result, "error": None}


_EXECUTION = "/api/bulk/syncs/{sync_id}/executions/{execution_id}"

ENDPOINTS = [
    Endpoint("GET", f"{_EXECUTION}/logs", get_execution_logs),
    Endpoint("POST", f"{_EXECUTION}/logs/export", export_execution_logs, query=Export, sweep=True),
    Endpoint("GET", "/api/jobs/{type}/{id}", get_job, sweep=True),
    Endpoint(
        "GET",
        "/api/connections/{connection_id}/ingest/consolelog",
        get_ingest_console_log,
        query=ReadIngestLog,
    ),
]
