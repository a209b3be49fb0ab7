"""Console lines of an execution, and of one schema in it."""

from bulk_sync_local import store_console
from bulk_sync_local.dispatch import Answer, Call, Endpoint, Query, QueryCount, data
from bulk_sync_local.errors import bad_request, not_found
from bulk_sync_local.lookups import execution_of, sync_of
from bulk_sync_local.store import Tx

PAGE = 50


class ReadLog(Query):
    limit: QueryCount = PAGE
    after: str | None = None


def get_execution_console_log(call: Call, tx: Tx) -> Answer:
    return _lines(call, tx, None)


def get_schema_console_log(call: Call, tx: Tx) -> Answer:
    return _lines(call, tx, call.path["schema_id"])


def _lines(call: Call, tx: Tx, schema_id: str | None) -> Answer:
    """The latest lines, oldest first; `next_cursor` is the last one's, or the one given when there is nothing new."""
    query = call.query(ReadLog)
    execution = execution_of(call, tx, sync_of(call, tx, "sync_id"), "execution_id")
    if schema_id is not None and schema_id not in {entry.schema_id for entry in execution.schemas}:
        raise not_found("schema of this execution", schema_id)
    if query.after and not (query.after.isascii() and query.after.isdigit() and len(query.after) <= 18):
        raise bad_request("after: not a next_cursor of a console log")
    lines = store_console.latest(
        tx, execution.id, schema_id=schema_id, after=int(query.after or 0), limit=min(query.limit, PAGE)
    )
    return data(
        {
            "entries": [
                {
                    "id": str(line.id),
                    "level": line.level,
                    "message": line.message,
                    "payload": None if line.schema_id is None else {"schema": line.schema_id},
                    "timestamp": line.timestamp,
                }
                for line in lines
            ],
            "next_cursor": str(lines[-1].id) if lines else query.after,
        }
    )


_EXECUTION = "/api/bulk/syncs/{sync_id}/executions/{execution_id}"

ENDPOINTS = [
    Endpoint("GET", f"{_EXECUTION}/consolelog", get_execution_console_log, query=ReadLog, sweep=True),
    Endpoint(
        "GET",
        f"{_EXECUTION}/schemas/{{schema_id}}/consolelog",
        get_schema_console_log,
        query=ReadLog,
        sweep=True,
    ),
]
