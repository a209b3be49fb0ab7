"""How an execution moves on in the store: claimed, reported on, cancelled, finished, found dead.

Every change is conditional on the state it starts from, so that two processes can never both make it.
"""

from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter

from bulk_sync_local.engine.job import RunJob, TableOutcome
from bulk_sync_local.store import Tx
from bulk_sync_local.store_executions import ExecutionStatus, SchemaStatus

_JOB = TypeAdapter(RunJob)


@dataclass(frozen=True, slots=True)
class Pending:
    """An execution that is not finished. `claimed`: a worker took it on; until then it only waits for one."""

    execution_id: str
    claimed: bool
    spawned_at: str | None
    spawn_attempts: int


@dataclass(frozen=True, slots=True)
class Claim:
    """What a worker gets with an execution: the job as it stood when the run was created."""

    job: RunJob
    add_new_objects: bool


@dataclass(frozen=True, slots=True)
class CancelRequests:
    """What is to be cancelled: everything, or the schemas named."""

    everything: bool
    schema_ids: frozenset[str]


def pending(tx: Tx) -> list[Pending]:
    """Every unfinished execution, those of deleted syncs included."""
    rows = tx.execute(
        "SELECT id, status, started_at, spawned_at, spawn_attempts FROM executions WHERE completed_at IS NULL"
    )
    return [Pending(row["id"], row["started_at"] is not None, row["spawned_at"], row["spawn_attempts"]) for row in rows]


def note_spawn(tx: Tx, execution_id: str, attempts_before: int, now: str) -> bool:
    """Counts one attempt to start a worker; false when another process was quicker or a worker has it already."""
    return (
        tx.execute(
            "UPDATE executions SET spawned_at = ?, spawn_attempts = spawn_attempts + 1"
            " WHERE id = ? AND status = 'created' AND spawn_attempts = ?",
            (now, execution_id, attempts_before),
        ).rowcount
        == 1
    )


def claim(tx: Tx, execution_id: str, pid: int, now: str) -> Claim | None:
    """Takes an execution on, or None when it is no longer waiting. The stored job is dropped: it may hold secrets."""
    row = tx.execute(
        "SELECT job, add_new_objects FROM executions WHERE id = ? AND status = 'created'", (execution_id,)
    ).fetchone()
    if row is None:
        return None
    tx.execute(
        "UPDATE executions SET status = 'running', started_at = ?, updated_at = ?, heartbeat_at = ?, worker_pid = ?,"
        " job = NULL WHERE id = ?",
        (now, now, now, pid, execution_id),
    )
    return Claim(_JOB.validate_json(row["job"]), bool(row["add_new_objects"]))


def beat(tx: Tx, execution_id: str, now: str) -> None:
    """Records that the worker is alive."""
    tx.execute("UPDATE executions SET heartbeat_at = ? WHERE id = ?", (now, execution_id))


def cancel_requests(tx: Tx, execution_id: str) -> CancelRequests:
    """What somebody wants cancelled of this execution."""
    rows = tx.execute(
        "SELECT NULL AS schema_id FROM executions WHERE id = ? AND cancel_requested UNION ALL"
        " SELECT schema_id FROM execution_schemas WHERE execution_id = ? AND cancel_requested",
        (execution_id, execution_id),
    ).fetchall()
    return CancelRequests(
        any(row["schema_id"] is None for row in rows),
        frozenset(row["schema_id"] for row in rows if row["schema_id"] is not None),
    )


def schema_started(tx: Tx, execution_id: str, schema_id: str, output_name: str, now: str) -> None:
    """A table of the run is being worked on."""
    tx.execute(
        "UPDATE execution_schemas SET status = 'running', output_name = ?, started_at = ?, updated_at = ?"
        " WHERE execution_id = ? AND schema_id = ? AND completed_at IS NULL",
        (output_name, now, now, execution_id, schema_id),
    )
    _touch(tx, execution_id, now)


def schema_progress(tx: Tx, execution_id: str, schema_id: str, records: int, now: str) -> None:
    """A table has got to `records` rows."""
    tx.execute(
        "UPDATE execution_schemas SET record_count = ?, updated_at = ?"
        " WHERE execution_id = ? AND schema_id = ? AND completed_at IS NULL",
        (records, now, execution_id, schema_id),
    )
    _touch(tx, execution_id, now)


def schema_finished(tx: Tx, execution_id: str, schema_id: str, outcome: TableOutcome, now: str) -> None:
    """A table has ended; the first end recorded stands."""
    tx.execute(
        "UPDATE execution_schemas SET status = ?, status_message = ?, record_count = ?, error_count = ?,"
        " warning_count = ?, completed_at = ?, updated_at = ?"
        " WHERE execution_id = ? AND schema_id = ? AND completed_at IS NULL",
        (
            outcome.status,
            outcome.message,
            outcome.records,
            outcome.errors,
            outcome.warnings,
            now,
            now,
            execution_id,
            schema_id,
        ),
    )
    _touch(tx, execution_id, now)


def end_open_schemas(tx: Tx, execution_id: str, status: SchemaStatus, message: str, now: str) -> None:
    """Gives every table that has not ended the same end."""
    tx.execute(
        "UPDATE execution_schemas SET status = ?, status_message = ?, completed_at = ?, updated_at = ?,"
        " error_count = error_count + ? WHERE execution_id = ? AND completed_at IS NULL",
        (status, message, now, now, 1 if status == "failed" else 0, execution_id),
    )


def finish(tx: Tx, execution_id: str, now: str, *, failure: str | None = None) -> ExecutionStatus | None:
    """Ends an execution by what became of its tables; returns the status, or None when it had ended already.

    `failure` is why the run as a whole could not go on; tables that had not ended get it as their failure.
    """
    row = tx.execute(
        "SELECT cancel_requested FROM executions WHERE id = ? AND completed_at IS NULL", (execution_id,)
    ).fetchone()
    if row is None:
        return None
    end_open_schemas(tx, execution_id, "failed", failure or "the run ended without reaching this table", now)
    ends = tx.execute(
        "SELECT schema_id, status, status_message FROM execution_schemas WHERE execution_id = ? ORDER BY position",
        (execution_id,),
    ).fetchall()
    by_status = {
        status: [end["schema_id"] for end in ends if end["status"] == status]
        for status in ("completed", "failed", "canceled")
    }
    reasons = {end["status_message"] for end in ends if end["status"] == "failed"}
    reason = reasons.pop() if len(reasons) == 1 else None
    status, message = _verdict(by_status, bool(row["cancel_requested"]), reason)
    _end(tx, execution_id, status, failure or message, now)
    return status


def interrupt(tx: Tx, execution_id: str, message: str, now: str) -> bool:
    """Ends an execution whose worker is gone; false when it had ended already."""
    row = tx.execute("SELECT 1 FROM executions WHERE id = ? AND completed_at IS NULL", (execution_id,)).fetchone()
    if row is None:
        return False
    end_open_schemas(tx, execution_id, "interrupted", message, now)
    _end(tx, execution_id, "interrupted", message, now)
    return True


def request_cancel(tx: Tx, execution_id: str, now: str) -> Literal["requested", "canceled", "finished"]:
    """Asks for an end: at once when no worker has the execution yet, else at the next batch of each table."""
    row = tx.execute("SELECT status, completed_at FROM executions WHERE id = ?", (execution_id,)).fetchone()
    if row is None or row["completed_at"] is not None:
        return "finished"
    tx.execute("UPDATE executions SET cancel_requested = 1, updated_at = ? WHERE id = ?", (now, execution_id))
    if row["status"] == "created":
        end_open_schemas(tx, execution_id, "canceled", "canceled before it started", now)
        _end(tx, execution_id, "canceled", "canceled before it started", now)
        return "canceled"
    tx.execute("UPDATE executions SET status = 'canceling' WHERE id = ?", (execution_id,))
    return "requested"


def request_schema_cancel(tx: Tx, execution_id: str, schema_id: str, now: str) -> bool:
    """Asks for the end of one table; false when it has ended already or is not part of the execution."""
    changed = tx.execute(
        "UPDATE execution_schemas SET cancel_requested = 1, updated_at = ?"
        " WHERE execution_id = ? AND schema_id = ? AND completed_at IS NULL",
        (now, execution_id, schema_id),
    ).rowcount
    _touch(tx, execution_id, now)
    return changed == 1


def _touch(tx: Tx, execution_id: str, now: str) -> None:
    tx.execute("UPDATE executions SET updated_at = ? WHERE id = ? AND completed_at IS NULL", (now, execution_id))


def _end(tx: Tx, execution_id: str, status: ExecutionStatus, message: str | None, now: str) -> None:
    tx.execute(
        "UPDATE executions SET status = ?, status_message = ?, completed_at = ?, updated_at = ?, job = NULL"
        " WHERE id = ?",
        (status, message, now, now, execution_id),
    )


def _verdict(
    by_status: dict[str, list[str]], cancel_requested: bool, reason: str | None
) -> tuple[ExecutionStatus, str | None]:
    """Status and words for the ends of the tables; `reason` is the one reason all failures share, if they do."""
    completed, failed, canceled = by_status["completed"], by_status["failed"], by_status["canceled"]
    if not failed and not canceled:
        return "completed", None
    counts = f"{len(completed)} of {len(completed) + len(failed) + len(canceled)} tables completed"
    parts = [counts]
    if failed:
        parts.append(f"failed: {', '.join(failed)}" + (f" ({reason})" if reason else ""))
    if canceled:
        parts.append(f"canceled: {', '.join(canceled)}")
    message = "; ".join(parts)
    if canceled and (cancel_requested or not (completed or failed)):
        return "canceled", message
    return ("errors" if completed else "failed"), message
