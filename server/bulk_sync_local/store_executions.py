"""Executions in the store: read side and creation. Changes of state are in `store_progress.py`.

An execution is finished when `completed_at` is set. A unique index over the unfinished ones keeps a sync to one
execution at a time, whichever process asks.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal  # Any: sqlite3.Row has no static column types

from pydantic import TypeAdapter

from bulk_sync_local.engine.job import ResyncMode, RunJob
from bulk_sync_local.store import Tx

ExecutionStatus = Literal["created", "running", "canceling", "canceled", "completed", "failed", "errors", "interrupted"]
SchemaStatus = Literal["created", "running", "canceled", "completed", "failed", "interrupted"]
OutputDisposition = Literal["retain", "truncate", "rebuild"]
Trigger = Literal["manual", "scheduled"]
"""What started an execution, its `type`: `scheduled` is the API's own example (api/README.md 6)."""

_JOB = TypeAdapter(RunJob)
_DISPOSITIONS: dict[ResyncMode | None, OutputDisposition] = {
    None: "retain",
    "refetch": "retain",
    "resync": "truncate",
    "rebuild": "rebuild",
}


class AlreadyRunningError(Exception):
    """The sync has an unfinished execution."""


@dataclass(frozen=True, slots=True)
class SchemaExecution:
    """One schema inside an execution; times are text."""

    schema_id: str
    output_name: str | None
    status: SchemaStatus
    status_message: str | None
    record_count: int
    error_count: int
    warning_count: int
    created_at: str
    started_at: str | None
    completed_at: str | None
    updated_at: str


@dataclass(frozen=True, slots=True)
class StoredExecution:
    """One execution; times are text."""

    id: str
    sync_id: str
    type: str
    status: ExecutionStatus
    status_message: str | None
    is_test: bool
    resync_mode: ResyncMode | None
    is_partial: bool
    fetch_mode: str
    output_disposition: OutputDisposition
    created_at: str
    started_at: str | None
    completed_at: str | None
    updated_at: str
    heartbeat_at: str | None
    schemas: tuple[SchemaExecution, ...]


def create(
    tx: Tx,
    job: RunJob,
    output_names: Iterable[tuple[str, str]],
    *,
    trigger: Trigger,
    is_partial: bool,
    add_new_objects: bool,
    now: str,
) -> None:
    """Records a new execution with its job. Raises `AlreadyRunningError` when the sync has one unfinished."""
    try:
        tx.execute(
            "INSERT INTO executions (id, sync_id, type, status, is_test, resync_mode, is_partial, fetch_mode,"
            " output_disposition, job, add_new_objects, created_at, updated_at)"
            " VALUES (?, ?, ?, 'created', ?, ?, ?, 'none', ?, ?, ?, ?, ?)",
            (
                job.execution_id,
                job.sync_id,
                trigger,
                job.test,
                job.resync_mode,
                is_partial,
                _DISPOSITIONS[job.resync_mode],
                _JOB.dump_json(job).decode(),
                add_new_objects,
                now,
                now,
            ),
        )
    except sqlite3.IntegrityError as error:
        raise AlreadyRunningError(job.sync_id) from error
    for schema_id, output_name in output_names:
        add_schema(tx, job.execution_id, schema_id, output_name, now)


def record_failure(
    tx: Tx, execution_id: str, sync_id: str, trigger: Trigger, resync_mode: ResyncMode | None, message: str, now: str
) -> None:
    """Records an execution that could not be begun, so that whoever looks at the sync finds out why."""
    tx.execute(
        "INSERT INTO executions (id, sync_id, type, status, status_message, is_test, resync_mode, is_partial,"
        " fetch_mode, output_disposition, add_new_objects, created_at, completed_at, updated_at)"
        " VALUES (?, ?, ?, 'failed', ?, 0, ?, 0, 'none', ?, 0, ?, ?, ?)",
        (execution_id, sync_id, trigger, message, resync_mode, _DISPOSITIONS[resync_mode], now, now, now),
    )


def add_schema(tx: Tx, execution_id: str, schema_id: str, output_name: str, now: str) -> None:
    """Adds one schema, not started, at the end of an execution's list."""
    tx.execute(
        "INSERT INTO execution_schemas (execution_id, schema_id, position, output_name, status, created_at, updated_at)"
        " VALUES (?, ?, (SELECT count(*) FROM execution_schemas WHERE execution_id = ?), ?, 'created', ?, ?)",
        (execution_id, schema_id, execution_id, output_name, now, now),
    )


def get(tx: Tx, sync_id: str, execution_id: str) -> StoredExecution | None:
    """The execution, or None when this sync has none of that id."""
    rows = tx.execute("SELECT * FROM executions WHERE sync_id = ? AND id = ?", (sync_id, execution_id)).fetchall()
    found = _with_schemas(tx, rows)
    return found[0] if found else None


def unfinished(tx: Tx, sync_id: str) -> StoredExecution | None:
    """The execution of the sync that is not finished, if any; there is never more than one."""
    rows = tx.execute("SELECT * FROM executions WHERE sync_id = ? AND completed_at IS NULL", (sync_id,)).fetchall()
    found = _with_schemas(tx, rows)
    return found[0] if found else None


def last_finished(tx: Tx, sync_id: str) -> StoredExecution | None:
    """The execution of the sync that finished last, if any."""
    rows = tx.execute(
        "SELECT * FROM executions WHERE sync_id = ? AND completed_at IS NOT NULL"
        " ORDER BY completed_at DESC, id DESC LIMIT 1",
        (sync_id,),
    ).fetchall()
    found = _with_schemas(tx, rows)
    return found[0] if found else None


def page(
    tx: Tx, sync_id: str, *, only_terminal: bool, ascending: bool, after: tuple[str, str] | None, limit: int
) -> list[StoredExecution]:
    """Executions by creation time, or finished ones by `updated_at`; newest first unless `ascending`.

    `after` is the sort time and id of the last one before the page (api/README.md 1, Pagination).
    """
    time = "updated_at" if only_terminal else "created_at"
    direction, beyond = ("ASC", ">") if ascending else ("DESC", "<")
    clauses, values = ["sync_id = ?"], list[object]([sync_id])
    if only_terminal:
        clauses.append("completed_at IS NOT NULL")
    if after is not None:
        clauses.append(f"({time}, id) {beyond} (?, ?)")
        values += after
    values.append(limit)
    query = (
        f"SELECT * FROM executions WHERE {' AND '.join(clauses)}"  # noqa: S608
        f" ORDER BY {time} {direction}, id {direction} LIMIT ?"
    )
    return _with_schemas(tx, tx.execute(query, values).fetchall())


def latest_per_schema(tx: Tx, sync_id: str) -> dict[str, tuple[str, SchemaExecution]]:
    """By schema id: the execution it was last part of, and how it stands or went there."""
    rows = tx.execute(
        "SELECT s.* FROM execution_schemas s JOIN executions e ON e.id = s.execution_id WHERE e.sync_id = ?"
        " ORDER BY (e.completed_at IS NULL), e.created_at, e.id",
        (sync_id,),
    )
    return {row["schema_id"]: (row["execution_id"], _schema_from_row(row)) for row in rows}


def _with_schemas(tx: Tx, rows: list[Any]) -> list[StoredExecution]:
    ids = [row["id"] for row in rows]
    marks = ", ".join("?" * len(ids))
    query = f"SELECT * FROM execution_schemas WHERE execution_id IN ({marks}) ORDER BY position"  # noqa: S608
    schemas: dict[str, list[SchemaExecution]] = {execution_id: [] for execution_id in ids}
    for row in tx.execute(query, ids):
        schemas[row["execution_id"]].append(_schema_from_row(row))
    return [_from_row(row, tuple(schemas[row["id"]])) for row in rows]


def _schema_from_row(row: Any) -> SchemaExecution:
    return SchemaExecution(
        schema_id=row["schema_id"],
        output_name=row["output_name"],
        status=row["status"],
        status_message=row["status_message"],
        record_count=row["record_count"],
        error_count=row["error_count"],
        warning_count=row["warning_count"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        completed_at=row["completed_at"],
        updated_at=row["updated_at"],
    )


def _from_row(row: Any, schemas: tuple[SchemaExecution, ...]) -> StoredExecution:
    return StoredExecution(
        id=row["id"],
        sync_id=row["sync_id"],
        type=row["type"],
        status=row["status"],
        status_message=row["status_message"],
        is_test=bool(row["is_test"]),
        resync_mode=row["resync_mode"],
        is_partial=bool(row["is_partial"]),
        fetch_mode=row["fetch_mode"],
        output_disposition=row["output_disposition"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        completed_at=row["completed_at"],
        updated_at=row["updated_at"],
        heartbeat_at=row["heartbeat_at"],
        schemas=schemas,
    )
