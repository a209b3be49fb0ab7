"""Folders of data files as sources: one table per file, or per folder of part files."""

# Names and values in statements are quoted by engine/sql.py.
# ruff: noqa: S608

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bulk_sync_local.connectors import paths
from bulk_sync_local.connectors.base import Confinement, ConnectorError, SourceField
from bulk_sync_local.connectors.confined import BATCH_ROWS, connect
from bulk_sync_local.connectors.duckdb_reading import reading
from bulk_sync_local.engine.conditions import Condition
from bulk_sync_local.engine.names import is_reserved
from bulk_sync_local.engine.ports import Column, Reading, Shape
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


class FileTables:
    """An open folder of files; `relation` turns a table's files into something DuckDB selects from."""

    def __init__(self, tables: Mapping[str, list[Path]]) -> None:
        self.tables = tables
        self._types: dict[str, dict[str, str]] = {}
        self._views: dict[str, str] = {}
        self._connection = connect(None, allowed_files=[file for files in tables.values() for file in files])

    def close(self) -> None:
        self._connection.close()

    def relation(self, connection: Any, files: Sequence[Path]) -> str:
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
            relation = self.relation(self._connection, self.tables[table])
            self._views[table] = f"t{len(self._views)}"
            self._connection.execute(f"CREATE VIEW {self._views[table]} AS SELECT * FROM {relation}")
            rows = self._connection.execute(f"DESCRIBE {self._views[table]}").fetchall()
            self._types[table] = {row[0]: row[1] for row in rows}
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
    ) -> Reading:
        # A value that does not fit a file's types fails the table: a quick reading is a careful one.
        return reading(
            self._connection, self._views[table], self._types[table], columns, conditions, limit=limit, most=most
        )
