"""Folders of data files as sources: one table per file, or per folder of part files."""

# Names and values in statements are quoted by engine/sql.py.
# ruff: noqa: S608

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulk_sync_local.connectors import paths
from bulk_sync_local.connectors.base import Confinement, ConnectorError, SourceField
from bulk_sync_local.connectors.batches import BATCH_ROWS
from bulk_sync_local.connectors.confined import connect
from bulk_sync_local.connectors.duckdb_reading import as_carried, labels, selection
from bulk_sync_local.engine import libraries
from bulk_sync_local.engine.conditions import Condition
from bulk_sync_local.engine.names import is_reserved
from bulk_sync_local.engine.ports import Column, Query, Shape
from bulk_sync_local.engine.types import carried, field_type


def tables_in(folder: Path, suffix: str, confinement: Confinement, *, part_folders: bool) -> dict[str, list[Path]]:
    """The tables of a folder and the real paths of their files. Raises `ConnectorError`.

    A file is named without its suffix. With `part_folders` a folder directly inside, holding such files, is
    one table. Hidden files are left out.
    """
    tables: dict[str, list[Path]] = {}
    for found in sorted(folder.iterdir()):
        if found.name.startswith(".") or is_reserved(found.stem):
            continue
        if found.suffix.lower() == suffix and not found.is_dir():
            tables[found.stem] = [paths.file_inside(found, confinement)]
        elif part_folders and found.is_dir():
            inside = paths.resolved(str(found), confinement)
            parts = [part for part in sorted(inside.iterdir()) if part.suffix.lower() == suffix]
            if not parts:
                continue
            if found.name in tables:
                raise ConnectorError(f"The folder holds both a file and a folder called {found.name}. Rename one.")
            tables[found.name] = [paths.file_inside(part, confinement) for part in parts]
    return tables


@dataclass(frozen=True, slots=True)
class Relation:
    """The files of a table, as something DuckDB selects from, and how many rows they have."""

    sql: str
    rows: int


class FileTables:
    """An open folder of files; `relation` says how those of a table are read."""

    def __init__(self, tables: Mapping[str, list[Path]]) -> None:
        self.tables = tables
        self._types: dict[str, dict[str, str]] = {}
        self._relations: dict[str, Relation] = {}
        self.files = [file for files in tables.values() for file in files]
        self._connection = connect(None, allowed_files=self.files)

    def close(self) -> None:
        self._connection.close()

    def relation(self, connection: Any, files: Sequence[Path]) -> Relation:
        raise NotImplementedError  # csv.py and parquet.py say how their files are read

    def names(self) -> list[str]:
        return sorted(self.tables)

    def fields(self, table: str) -> tuple[SourceField, ...]:
        shape = self.shape(table)
        types = self._types[table]
        return tuple(SourceField(c.name, c.name, field_type(c.type), types[c.name]) for c in shape.columns)

    def shape(self, table: str) -> Shape:
        if table not in self.tables:
            raise ConnectorError(f"The source has no table {table} any more. Refresh the schemas of the connection.")
        if table not in self._types:
            self._relations[table] = self.relation(self._connection, self.tables[table])
            self._types[table] = self._look(table)
        return Shape(tuple(Column(one, carried(kind).type) for one, kind in self._types[table].items()))

    def read(
        self,
        table: str,
        columns: Sequence[Column],
        conditions: Sequence[Condition],
        *,
        limit: int | None,
        careful: bool,
        most: int = BATCH_ROWS,
    ) -> Query:
        # A value that does not fit a file's types fails the table: a quick reading is a careful one.
        try:
            changed = self._look(table) != self._types[table]
        except libraries.duckdb().BinderException:  # CSV files are read with the types that were seen
            changed = True
        if changed:
            raise ConnectorError(f"The files of the table {table} changed while they were looked at. Run it again.")
        relation, types = self._relations[table], self._types[table]
        values = [as_carried(types[column.name], column.name) for column in columns]
        sql = selection(relation.sql, values, types, conditions, limit=limit)
        return Query(sql, labels(columns), None if conditions or limit is not None else relation.rows)

    def _look(self, table: str) -> dict[str, str]:
        """The columns that the files have now, with their types."""
        rows = self._connection.execute(f"DESCRIBE SELECT * FROM {self._relations[table].sql}").fetchall()
        return {row[0]: row[1] for row in rows}
