"""Bulk syncs in the store: the sync itself. Its schemas, schedules and executions have modules of their own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal  # Any: settings of a source or destination are JSON

from pydantic import TypeAdapter

from bulk_sync_local.engine.job import Mode, NormalizeNames
from bulk_sync_local.store import Tx

AddObjects = Literal["all", "none"]
AddFields = Literal["all", "none", "onlyIncremental", "onlyNonIncremental"]


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """What a full replacement replaces, beside the columns of their own (api/README.md 4)."""

    source_configuration: Mapping[str, Any] = field(default_factory=dict[str, Any])
    destination_configuration: Mapping[str, Any] = field(default_factory=dict[str, Any])
    automatically_add_new_objects: AddObjects = "none"
    automatically_add_new_fields: AddFields = "all"
    normalize_names: NormalizeNames = "enabled"
    data_cutoff_timestamp: str | None = None
    disable_record_timestamps: bool = False
    concurrency_limit: int | None = None
    resync_concurrency_limit: int | None = None


@dataclass(frozen=True, slots=True)
class StoredSync:
    """One sync; times are text."""

    id: str
    name: str
    active: bool
    mode: Mode
    source_connection_id: str
    destination_connection_id: str
    settings: SyncSettings
    created_at: str
    updated_at: str
    subscribers: tuple[str, ...] = ()
    ingestion_failure_threshold: int | None = None

    @property
    def advanced(self) -> Mapping[str, Any]:
        """The `advanced` group of the destination settings; empty when there is none."""
        return self.settings.destination_configuration.get("advanced") or {}


_SETTINGS = TypeAdapter(SyncSettings)


def insert(tx: Tx, sync: StoredSync) -> None:
    """Adds a sync."""
    tx.execute(
        "INSERT INTO syncs (name, active, mode, source_connection_id, destination_connection_id, settings,"
        " subscribers, ingestion_failure_threshold, updated_at, created_at, id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*_values(sync), sync.created_at, sync.id),
    )


def update(tx: Tx, sync: StoredSync) -> None:
    """Overwrites the sync of the same id, its creation time apart."""
    tx.execute(
        "UPDATE syncs SET name = ?, active = ?, mode = ?, source_connection_id = ?, destination_connection_id = ?,"
        " settings = ?, subscribers = ?, ingestion_failure_threshold = ?, updated_at = ? WHERE id = ?",
        (*_values(sync), sync.id),
    )


def touch(tx: Tx, sync_id: str, now: str) -> None:
    """Records that the configuration of the sync changed at `now`."""
    tx.execute("UPDATE syncs SET updated_at = ? WHERE id = ?", (now, sync_id))


def get(tx: Tx, sync_id: str) -> StoredSync | None:
    """The sync, or None when there is none or it was deleted."""
    row = tx.execute("SELECT * FROM syncs WHERE id = ? AND deleted_at IS NULL", (sync_id,)).fetchone()
    return None if row is None else _from_row(row)


def page(
    tx: Tx, *, active: bool | None = None, after: tuple[str, str] | None = None, limit: int | None = None
) -> list[StoredSync]:
    """Syncs by `updated_at` descending, then `id`; those after the pair (`updated_at`, `id`), at most `limit`."""
    clauses, values = ["deleted_at IS NULL"], list[object]()
    if active is not None:
        clauses.append("active = ?")
        values.append(active)
    if after is not None:
        clauses.append("(updated_at < ? OR (updated_at = ? AND id > ?))")
        values += [after[0], after[0], after[1]]
    values.append(-1 if limit is None else limit)
    query = f"SELECT * FROM syncs WHERE {' AND '.join(clauses)} ORDER BY updated_at DESC, id LIMIT ?"  # noqa: S608
    return [_from_row(row) for row in tx.execute(query, values)]


def mark_deleted(tx: Tx, sync_id: str, now: str) -> None:
    """Makes the sync invisible; `purge_deleted` removes it once nothing of it runs."""
    tx.execute("UPDATE syncs SET deleted_at = ? WHERE id = ?", (now, sync_id))


def has_deleted(tx: Tx) -> bool:
    """Whether a deleted sync still waits for `purge_deleted`."""
    return tx.execute("SELECT 1 FROM syncs WHERE deleted_at IS NOT NULL LIMIT 1").fetchone() is not None


def purge_deleted(tx: Tx) -> list[str]:
    """Removes deleted syncs that have no unfinished execution; returns the ids of the executions that went."""
    gone = (
        "deleted_at IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM executions e WHERE e.sync_id = syncs.id AND e.completed_at IS NULL)"
    )
    rows = tx.execute(f"SELECT id FROM executions WHERE sync_id IN (SELECT id FROM syncs WHERE {gone})")  # noqa: S608
    executions = [row["id"] for row in rows]
    tx.execute(f"DELETE FROM syncs WHERE {gone}")  # noqa: S608
    return executions


def _values(sync: StoredSync) -> tuple[object, ...]:
    return (
        sync.name,
        sync.active,
        sync.mode,
        sync.source_connection_id,
        sync.destination_connection_id,
        _SETTINGS.dump_json(sync.settings).decode(),
        json.dumps(sync.subscribers),
        sync.ingestion_failure_threshold,
        sync.updated_at,
    )


def _from_row(row: Any) -> StoredSync:  # sqlite3.Row has no static column types
    return StoredSync(
        id=row["id"],
        name=row["name"],
        active=bool(row["active"]),
        mode=row["mode"],
        source_connection_id=row["source_connection_id"],
        destination_connection_id=row["destination_connection_id"],
        settings=_SETTINGS.validate_json(row["settings"]),
        subscribers=tuple(json.loads(row["subscribers"])),
        ingestion_failure_threshold=row["ingestion_failure_threshold"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
