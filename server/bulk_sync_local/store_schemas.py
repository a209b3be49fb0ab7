"""What each sync has selected: its schemas, in the order of the source."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any  # sqlite3.Row has no static column types

from pydantic import TypeAdapter

from bulk_sync_local.engine.job import FieldChoice, RowFilter
from bulk_sync_local.store import Tx


@dataclass(frozen=True, slots=True)
class SchemaSettings:
    """The configuration of one schema. `fields` names every column known when it was last configured."""

    fields: tuple[FieldChoice, ...] = ()
    filters: tuple[RowFilter, ...] = ()
    tracking_field: str | None = None
    data_cutoff_timestamp: str | None = None
    disable_data_cutoff: bool = False
    user_output_name: str | None = None


@dataclass(frozen=True, slots=True)
class StoredSchema:
    """One schema of a sync."""

    schema_id: str
    enabled: bool
    settings: SchemaSettings


_SETTINGS = TypeAdapter(SchemaSettings)


def every(tx: Tx, sync_id: str) -> list[StoredSchema]:
    """All schemas of the sync, enabled or not, in the order of the source."""
    rows = tx.execute("SELECT * FROM sync_schemas WHERE sync_id = ? ORDER BY position, schema_id", (sync_id,))
    return [_from_row(row) for row in rows]


def get(tx: Tx, sync_id: str, schema_id: str) -> StoredSchema | None:
    """The schema, or None."""
    row = tx.execute("SELECT * FROM sync_schemas WHERE sync_id = ? AND schema_id = ?", (sync_id, schema_id)).fetchone()
    return None if row is None else _from_row(row)


def replace_all(tx: Tx, sync_id: str, schemas: Iterable[StoredSchema]) -> None:
    """Makes `schemas`, in this order, the schemas of the sync."""
    tx.execute("DELETE FROM sync_schemas WHERE sync_id = ?", (sync_id,))
    tx.executemany(
        "INSERT INTO sync_schemas (sync_id, schema_id, position, enabled, settings) VALUES (?, ?, ?, ?, ?)",
        [
            (sync_id, schema.schema_id, position, schema.enabled, _SETTINGS.dump_json(schema.settings).decode())
            for position, schema in enumerate(schemas)
        ],
    )


def update(tx: Tx, sync_id: str, schema: StoredSchema) -> None:
    """Overwrites one schema of the sync."""
    tx.execute(
        "UPDATE sync_schemas SET enabled = ?, settings = ? WHERE sync_id = ? AND schema_id = ?",
        (schema.enabled, _SETTINGS.dump_json(schema.settings).decode(), sync_id, schema.schema_id),
    )


def _from_row(row: Any) -> StoredSchema:
    return StoredSchema(row["schema_id"], bool(row["enabled"]), _SETTINGS.validate_json(row["settings"]))
