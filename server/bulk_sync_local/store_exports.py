"""Log exports in the store, and the key that signs the addresses of log files."""

from dataclasses import dataclass

from bulk_sync_local.store import Tx


@dataclass(frozen=True, slots=True)
class LogExport:
    """One export job: which execution's logs it packs."""

    id: str
    sync_id: str
    execution_id: str


def create(tx: Tx, export_id: str, execution_id: str, now: str) -> None:
    """Records an export."""
    tx.execute(
        "INSERT INTO log_exports (id, execution_id, created_at) VALUES (?, ?, ?)", (export_id, execution_id, now)
    )


def get(tx: Tx, export_id: str) -> LogExport | None:
    """The export, None when there is none or its sync was deleted."""
    row = tx.execute(
        "SELECT x.id, e.sync_id, x.execution_id FROM log_exports x JOIN executions e ON e.id = x.execution_id"
        " JOIN syncs s ON s.id = e.sync_id WHERE x.id = ? AND s.deleted_at IS NULL",
        (export_id,),
    ).fetchone()
    return None if row is None else LogExport(row["id"], row["sync_id"], row["execution_id"])


def exported(tx: Tx, execution_id: str) -> bool:
    """Whether the logs of the execution were exported before."""
    return tx.execute("SELECT 1 FROM log_exports WHERE execution_id = ?", (execution_id,)).fetchone() is not None


def signing_key(tx: Tx) -> bytes:
    """The key of this store, made with it."""
    return bytes(tx.execute("SELECT key FROM signing_key").fetchone()["key"])
