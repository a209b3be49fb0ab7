"""How syncs stand: one in detail, several in brief."""

from datetime import datetime

from bulk_sync_local import render, store_executions, store_schedules, store_schemas, store_syncs, timing
from bulk_sync_local.clock import to_text
from bulk_sync_local.dispatch import Answer, Call, Endpoint, Query, QueryBool, Uuid, data
from bulk_sync_local.errors import bad_request, not_found
from bulk_sync_local.lookups import sync_of
from bulk_sync_local.scheduler import schedules_fire
from bulk_sync_local.store import Tx
from bulk_sync_local.store_syncs import StoredSync

NOBODY_FIRES = (
    "No schedule fires at present: nothing that fires them runs on this state directory. `bulk-sync-mcp local` does "
    "while it runs, and so does an MCP server on the local service from its first call on."
)


class ListStatuses(Query):
    all: QueryBool = False
    active: QueryBool = False
    sync_id: tuple[Uuid, ...] = ()


def get_bulk_sync_status(call: Call, tx: Tx) -> Answer:
    sync = sync_of(call, tx)
    current, now = store_executions.unfinished(tx, sync.id), call.service.clock()
    last = store_executions.last_finished(tx, sync.id)
    return data(
        {
            "current_execution": None if current is None else render.execution(current, now),
            "last_execution": None if last is None else render.execution(last, now),
            "next_execution_time": _next(tx, sync, now),
            "ingestion_status": None,
            **_note(call, tx, sync),
        }
    )


def list_bulk_sync_statuses(call: Call, tx: Tx) -> Answer:
    query = call.query(ListStatuses)
    if query.all:
        syncs = store_syncs.page(tx)
    elif query.active:
        syncs = store_syncs.page(tx, active=True)
    elif query.sync_id:
        syncs = [_named(tx, sync_id) for sync_id in dict.fromkeys(query.sync_id)]
    else:
        raise bad_request("name the syncs: all=true, active=true, or sync_id once or more")
    return data([_summary(tx, sync, call.service.clock()) for sync in syncs])


def _named(tx: Tx, sync_id: str) -> StoredSync:
    found = store_syncs.get(tx, sync_id)
    if found is None:
        raise not_found("bulk sync", sync_id)
    return found


def _next(tx: Tx, sync: StoredSync, now: datetime) -> str | None:
    at = timing.upcoming(store_schedules.every(tx, sync.id), now) if sync.active else None
    return None if at is None else to_text(at)


def _note(call: Call, tx: Tx, sync: StoredSync) -> render.Json:
    """A `note`, which is outside the typed contract, when schedules that are on do not fire."""
    schedules = store_schedules.every(tx, sync.id) if sync.active else []
    notes = [render.note_on(schedules)]
    if any(timing.fires(one.settings) for one in schedules) and not schedules_fire(call.service.config):
        notes.append(NOBODY_FIRES)
    said = [note for note in notes if note is not None]
    return {"note": " ".join(said)} if said else {}


def _summary(tx: Tx, sync: StoredSync, now: datetime) -> render.Json:
    latest = store_executions.unfinished(tx, sync.id) or store_executions.last_finished(tx, sync.id)
    per_schema = store_executions.latest_per_schema(tx, sync.id)
    enabled = [schema.schema_id for schema in store_schemas.every(tx, sync.id) if schema.enabled]
    return {
        "sync_id": sync.id,
        "status": None if latest is None else latest.status,
        "nextExecutionTime": _next(tx, sync, now),
        "schemas": [
            {
                "schema": entry.schema_id,
                "execution_id": execution_id,
                "status": entry.status,
                "status_message": entry.status_message,
                "record_count": entry.record_count,
                "error_count": entry.error_count,
                "warning_count": entry.warning_count,
                "started_at": entry.started_at,
                "completed_at": entry.completed_at,
            }
            for execution_id, entry in (per_schema[schema_id] for schema_id in enabled if schema_id in per_schema)
        ],
    }


ENDPOINTS = [
    Endpoint("GET", "/api/bulk/syncs/status", list_bulk_sync_statuses, query=ListStatuses, sweep=True),
    Endpoint("GET", "/api/bulk/syncs/{id}/status", get_bulk_sync_status, sweep=True),
]
