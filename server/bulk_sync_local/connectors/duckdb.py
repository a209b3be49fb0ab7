"""DuckDB files, as source and as destination."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from bulk_sync_local.connectors import paths
from bulk_sync_local.connectors.base import Confinement, ConnectorError, ConnectorInfo, SourceField, SourceTable
from bulk_sync_local.connectors.batches import BATCH_ROWS
from bulk_sync_local.connectors.confined import connect
from bulk_sync_local.connectors.duckdb_output import DuckDBOutput
from bulk_sync_local.connectors.duckdb_reading import reading
from bulk_sync_local.engine.conditions import Condition
from bulk_sync_local.engine.job import RunJob
from bulk_sync_local.engine.names import is_reserved, stage_table
from bulk_sync_local.engine.ports import Column, Destination, Reading, Shape, Source
from bulk_sync_local.engine.sql import first_row, name
from bulk_sync_local.engine.types import carried, field_type

_SYSTEM = ("information_schema", "pg_catalog")


class DuckDBFile:
    info = ConnectorInfo(
        type_id="duckdb",
        name="DuckDB",
        configuration_schema={
            "type": "object",
            "properties": {"path": {"type": "string", "minLength": 1, "description": "Path of the database file."}},
            "required": ["path"],
            "additionalProperties": False,
        },
        is_source=True,
        is_destination=True,
        supports_namespaces=True,
        modes=("replicate", "snapshot", "append"),
        resync_modes=("refetch", "resync", "rebuild"),
        destination_settings={
            "schema": {"type": "string"},
            "advanced.table_prefix": {"type": "string"},
            "advanced.truncate_existing": {"type": "boolean"},
            "advanced.hard_deletes": {"type": "boolean"},
        },
    )

    def check(self, configuration: Mapping[str, Any], confinement: Confinement) -> None:
        """A file that is not there yet passes: it may be meant as a destination."""
        path = paths.output_file(configuration, confinement)
        if path.exists():
            connect(path, read_only=True).close()

    def discover(
        self, configuration: Mapping[str, Any], confinement: Confinement, *, include_fields: bool
    ) -> list[SourceTable]:
        path = paths.existing_file(configuration, confinement)
        with closing(DuckDBTables(connect(path, read_only=True))) as tables:
            return [
                SourceTable(table, table, tables.fields(table) if include_fields else ()) for table in tables.names()
            ]

    def open_source(self, configuration: Mapping[str, Any], confinement: Confinement) -> Source:
        return DuckDBTables(connect(paths.existing_file(configuration, confinement), read_only=True))

    def open_destination(
        self, job: RunJob, confinement: Confinement, *, read_only: bool, files: Sequence[Path] = ()
    ) -> Destination | None:
        path = paths.output_file(job.destination.configuration, confinement)
        schema = job.output_schema or "main"
        if schema.lower() in _SYSTEM:
            raise ConnectorError(f"The schema {schema} is DuckDB's own. Choose another.")
        if read_only and not path.exists():
            return None
        stage = stage_table(job.sync_id)
        spill = None if read_only else path.with_name(f"{stage}.spill")
        if spill is not None:
            if spill.exists():
                shutil.rmtree(spill)
            _make(path, path.with_name(f"{stage}.new"))
        connection = connect(path, read_only=read_only, allowed_files=files, spill=spill)
        try:
            _refuse_triggers(connection, path)
            return DuckDBOutput(connection, schema, job.sync_id, spill)
        except BaseException:
            connection.close()
            raise


def _refuse_triggers(connection: Any, path: Path) -> None:
    """They run inside a load, and could copy what the sync does not select: from its stage, or the files it reads."""
    rows = connection.execute("SELECT trigger_name FROM system.main.duckdb_triggers()").fetchall()
    if rows:
        raise ConnectorError(
            f"{path.name} holds triggers ({', '.join(sorted(row[0] for row in rows))}), which could copy what the "
            "sync does not select. Drop them, or load into another file."
        )


def _make(path: Path, new: Path) -> None:
    """Makes the database file where there is none. DuckDB takes a few steps to write one, and could not open what
    is left when it is stopped between them: so it is made as `new`, and gets its name when it is whole."""
    new.unlink(missing_ok=True)
    if path.exists():
        return
    try:
        connect(new).close()
    except ConnectorError as failure:
        new.unlink(missing_ok=True)
        raise ConnectorError(str(failure).replace(new.name, path.name)) from failure
    try:
        # Unlike a renaming, a link never takes the place of a file that somebody else has made meanwhile.
        path.hardlink_to(new)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        new.rename(path)
    new.unlink(missing_ok=True)


class DuckDBTables:
    """An open DuckDB source. Nobody can write to the file while it is open, so all reads agree."""

    files = ()

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        (self._catalog,) = first_row(connection, "SELECT current_database()")
        rows = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal AND NOT temporary "
            "UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal AND NOT temporary"
        ).fetchall()
        self._places = {table_id(*row): row for row in rows if not is_reserved(row[1])}
        self._types: dict[str, dict[str, str]] = {}

    def beside(self) -> Source:
        return DuckDBTables(self._connection.cursor())

    def close(self) -> None:
        self._connection.close()

    def names(self) -> list[str]:
        return sorted(self._places)

    def fields(self, table: str) -> tuple[SourceField, ...]:
        shape = self.shape(table)
        types = self._types[table]
        return tuple(
            SourceField(c.name, c.name, field_type(c.type), types[c.name], c.name in shape.key) for c in shape.columns
        )

    def shape(self, table: str) -> Shape:
        if table not in self._places:
            raise ConnectorError(f"The source has no table {table} any more. Refresh the schemas of the connection.")
        schema, plain = self._places[table]
        rows = self._connection.execute(f"DESCRIBE {self._reference(table)}").fetchall()
        self._types[table] = {row[0]: row[1] for row in rows}
        key = first_row(
            self._connection,
            "SELECT constraint_column_names FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY' "
            "AND database_name = ? AND schema_name = ? AND table_name = ?",
            [self._catalog, schema, plain],
        )
        columns = tuple(Column(row[0], carried(row[1]).type) for row in rows)
        return Shape(columns, tuple(key[0]) if key else ())

    def read(
        self,
        table: str,
        columns: Sequence[Column],
        conditions: Sequence[Condition],
        *,
        limit: int | None,
        careful: bool,
        most: int = BATCH_ROWS,
    ) -> Reading:
        # DuckDB's values always fit their columns: a quick reading is a careful one.
        return reading(
            self._connection, self._reference(table), self._types[table], columns, conditions, limit=limit, most=most
        )

    def _reference(self, table: str) -> str:
        schema, plain = self._places[table]
        return f"{name(self._catalog)}.{name(schema)}.{name(plain)}"


def table_id(schema: str, table: str) -> str:
    """What the API calls a table: its name alone in the schema `main`, unless that reads like two."""
    return table if schema == "main" and "." not in table else f"{schema}.{table}"
