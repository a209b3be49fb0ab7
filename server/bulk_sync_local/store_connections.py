"""Connections in the store, with the cached description of what each one offers as a source."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any  # settings of a connection are JSON

from pydantic import TypeAdapter

from bulk_sync_local.connectors.base import SourceTable
from bulk_sync_local.store import Tx

_TABLES = TypeAdapter(tuple[SourceTable, ...])


@dataclass(frozen=True, slots=True)
class StoredConnection:
    """One connection. `tables` is None until the source was inspected for the first time; times are text."""

    id: str
    name: str
    type_id: str
    configuration: Mapping[str, Any]
    status: str
    status_error: str | None
    healthcheck_interval: str | None
    tables: tuple[SourceTable, ...] | None
    refresh_started: str | None
    refresh_finished: str | None
    created_at: str
    updated_at: str

    def table(self, schema_id: str) -> SourceTable | None:
        """The cached table of that id."""
        return next((table for table in self.tables or () if table.id == schema_id), None)


def save(tx: Tx, connection: StoredConnection) -> None:
    """Inserts the connection, or replaces the one with the same id."""
    tx.execute(
        "INSERT OR REPLACE INTO connections (id, name, type, configuration, status, status_error,"
        " healthcheck_interval, tables, refresh_started, refresh_finished, created_at, updated_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            connection.id,
            connection.name,
            connection.type_id,
            json.dumps(connection.configuration),
            connection.status,
            connection.status_error,
            connection.healthcheck_interval,
            None if connection.tables is None else _TABLES.dump_json(connection.tables).decode(),
            connection.refresh_started,
            connection.refresh_finished,
            connection.created_at,
            connection.updated_at,
        ),
    )


def get(tx: Tx, connection_id: str) -> StoredConnection | None:
    """The connection, or None."""
    row = tx.execute("SELECT * FROM connections WHERE id = ?", (connection_id,)).fetchone()
    return None if row is None else _from_row(row)


def every(tx: Tx) -> list[StoredConnection]:
    """All connections, by name."""
    return [_from_row(row) for row in tx.execute("SELECT * FROM connections ORDER BY name, id")]


def delete(tx: Tx, connection_id: str) -> None:
    """Removes the connection; what depends on it is the caller's business."""
    tx.execute("DELETE FROM connections WHERE id = ?", (connection_id,))


def used_by(tx: Tx, connection_id: str) -> list[tuple[str, str]]:
    """Id and name of every sync that reads from or writes to the connection."""
    rows = tx.execute(
        "SELECT id, name FROM syncs WHERE deleted_at IS NULL"
        " AND ? IN (source_connection_id, destination_connection_id) ORDER BY name, id",
        (connection_id,),
    )
    return [(row["id"], row["name"]) for row in rows]


def _from_row(row: Any) -> StoredConnection:  # sqlite3.Row has no static column types
    return StoredConnection(
        id=row["id"],
        name=row["name"],
        type_id=row["type"],
        configuration=json.loads(row["configuration"]),
        status=row["status"],
        status_error=row["status_error"],
        healthcheck_interval=row["healthcheck_interval"],
        tables=None if row["tables"] is None else _TABLES.validate_json(row["tables"]),
        refresh_started=row["refresh_started"],
        refresh_finished=row["refresh_finished"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
