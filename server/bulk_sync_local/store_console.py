"""Console lines of executions."""

from dataclasses import dataclass

from bulk_sync_local.store import Tx


@dataclass(frozen=True, slots=True)
class ConsoleLine:
    """One line. `id` grows with every line of the store; `level` is upper case; `timestamp` is text."""

    id: int
    schema_id: str | None
    level: str
    message: str
    timestamp: str


def append(tx: Tx, execution_id: str, schema_id: str | None, level: str, message: str, now: str) -> None:
    """Adds a line."""
    tx.execute(
        "INSERT INTO console_lines (execution_id, schema_id, level, message, timestamp) VALUES (?, ?, ?, ?, ?)",
        (execution_id, schema_id, level.upper(), message, now),
    )


def every(tx: Tx, execution_id: str) -> list[ConsoleLine]:
    """Every line of an execution, oldest first."""
    return latest(tx, execution_id, schema_id=None, after=0, limit=-1)


def latest(tx: Tx, execution_id: str, *, schema_id: str | None, after: int, limit: int) -> list[ConsoleLine]:
    """The newest `limit` lines with an id above `after`, oldest first; of one schema, or of all for None."""
    rows = tx.execute(
        "SELECT id, schema_id, level, message, timestamp FROM console_lines"
        " WHERE execution_id = ? AND id > ? AND (? IS NULL OR schema_id = ?) ORDER BY id DESC LIMIT ?",
        (execution_id, after, schema_id, schema_id, limit),
    ).fetchall()
    return [
        ConsoleLine(row["id"], row["schema_id"], row["level"], row["message"], row["timestamp"])
        for row in reversed(rows)
    ]
