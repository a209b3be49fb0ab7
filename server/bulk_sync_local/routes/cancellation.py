"""Cancelling: a sync's run, one execution, one schema of the run. All of it is asked for, and takes effect later."""

from bulk_sync_local import store_executions, store_progress
from bulk_sync_local.dispatch import Answer, Call, Endpoint, data
from bulk_sync_local.lookups import execution_of, schema_of, sync_of
from bulk_sync_local.store import Tx

_MESSAGES = {
    "requested": "cancellation requested; each table stops at its next batch, with its earlier content intact",
    "canceled": "canceled before it started",
    "finished": "nothing to cancel: the execution has ended",
}


def cancel_bulk_sync(call: Call, tx: Tx) -> Answer:
    running = store_executions.unfinished(tx, sync_of(call, tx).id)
    if running is None:
        return data({"message": "nothing to cancel: no execution of this sync is running"})
    return data({"message": _MESSAGES[store_progress.request_cancel(tx, running.id, call.service.now())]})


def cancel_bulk_sync_execution(call: Call, tx: Tx) -> Answer:
    execution = execution_of(call, tx, sync_of(call, tx))
    return data({"message": _MESSAGES[store_progress.request_cancel(tx, execution.id, call.service.now())]})


def cancel_bulk_sync_schema(call: Call, tx: Tx) -> Answer:
    sync = sync_of(call, tx)
    schema = schema_of(call, tx, sync)
    running = store_executions.unfinished(tx, sync.id)
    if running is not None and store_progress.request_schema_cancel(
        tx, running.id, schema.schema_id, call.service.now()
    ):
        return data({"message": "cancellation requested; the table stops at its next batch"})
    return data({"message": "nothing to cancel: no running execution is working on this schema"})


ENDPOINTS = [
    Endpoint("POST", "/api/bulk/syncs/{id}/cancel", cancel_bulk_sync, sweep=True),
    Endpoint("POST", "/api/bulk/syncs/{id}/executions/{exec_id}/cancel", cancel_bulk_sync_execution, sweep=True),
    Endpoint("POST", "/api/bulk/syncs/{id}/schemas/{schema_id}/cancel", cancel_bulk_sync_schema, sweep=True),
]
