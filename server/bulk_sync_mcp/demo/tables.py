"""Tables read and written with each format's own library, so that proof does not rest on the engine.

SQLite through Python's `sqlite3`, the rest through `duckdb`. A DuckDB file is locked by whoever writes to it:
everything here is opened only while no run is active, and closed at once.
"""

# Names and values in statements are quoted by `name` and `text`.
# ruff: noqa: S608

import sqlite3
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from bulk_sync_mcp.demo.places import NotUsable, Place

Row = tuple[Any, ...]
_FETCH = 10_000
_LOCK_WAIT = 10.0


@dataclass(frozen=True)
class Column:
    """A column and its declared type."""

    name: str
    declared: str


class Tables(Protocol):
    """The open tables of a place. `table` is its id as the API knows it."""

    def names(self) -> list[str]: ...
    def columns(self, table: str) -> list[Column]: ...
    def key(self, table: str) -> list[str]: ...
    def reference(self, table: str) -> str: ...
    def rows(self, query: str, values: Sequence[object] = ()) -> Iterator[Row]: ...
    def run(self, statement: str, values: Sequence[object] = ()) -> None: ...


def name(identifier: str) -> str:
    """An identifier quoted for SQL."""
    return '"' + identifier.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text quoted for SQL."""
    return "'" + value.replace("'", "''") + "'"


@contextmanager
def opened(place: Place, *, write: bool = False) -> Generator[Tables]:
    """The tables of a place. With `write` only for SQLite and DuckDB files."""
    if place.kind == "sqlite":
        uri = f"file:{quote(str(place.path))}?mode={'rw' if write else 'ro'}"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None)
        connection.text_factory = _decoded
        try:
            yield SQLiteTables(connection)
        finally:
            connection.close()
        return
    connected = _connect(place, write=write)
    try:
        yield DuckDBTables(connected, place) if place.kind == "duckdb" else FileTables(connected, place)
    finally:
        connected.close()


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _connect(place: Place, *, write: bool) -> Any:
    import duckdb

    deadline = time.monotonic() + _LOCK_WAIT
    while True:
        try:
            if place.kind != "duckdb":
                connection = duckdb.connect(":memory:")
            else:
                config: dict[str, Any] = {"enable_external_access": "false"}
                connection = duckdb.connect(str(place.path), read_only=not write, config=config)
        except duckdb.IOException as failure:
            if time.monotonic() > deadline:
                raise NotUsable(f"{place.path} cannot be opened: {str(failure).splitlines()[0]}") from failure
            time.sleep(0.1)
        else:
            connection.execute("SET TimeZone = 'UTC'")
            return connection


class SQLiteTables:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def names(self) -> list[str]:
        rows = self.rows("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT GLOB 'sqlite_*'")
        return sorted(str(row[0]) for row in rows)

    def columns(self, table: str) -> list[Column]:
        query = f"SELECT name, upper(coalesce(type, '')) FROM pragma_table_xinfo({text(table)}) WHERE hidden <> 1"
        return [Column(*row) for row in self.rows(query)]

    def key(self, table: str) -> list[str]:
        query = f"SELECT name FROM pragma_table_xinfo({text(table)}) WHERE pk > 0 ORDER BY pk"
        return [str(row[0]) for row in self.rows(query)]

    def reference(self, table: str) -> str:
        return name(table)

    def rows(self, query: str, values: Sequence[object] = ()) -> Iterator[Row]:
        yield from self._connection.execute(query, values)

    def run(self, statement: str, values: Sequence[object] = ()) -> None:
        self._connection.execute(statement, values)


class DuckDBTables:
    """A DuckDB file: the schema of the place, or all schemas with ids as the API makes them."""

    def __init__(self, connection: Any, place: Place) -> None:
        self._connection = connection
        query = (
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal AND NOT temporary UNION ALL "
            "SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal AND NOT temporary"
        )
        self._places: dict[str, tuple[str, str]] = {}
        for schema, table in self.rows(query):
            if place.schema:
                if schema == place.schema:
                    self._places[table] = (schema, table)
            else:
                plain = schema == "main" and "." not in table
                self._places[table if plain else f"{schema}.{table}"] = (schema, table)

    def names(self) -> list[str]:
        return sorted(self._places)

    def columns(self, table: str) -> list[Column]:
        rows = self.rows(f"DESCRIBE SELECT * FROM {self.reference(table)}")
        return [Column(row[0], str(row[1]).upper()) for row in rows]

    def key(self, table: str) -> list[str]:
        query = (
            "SELECT constraint_column_names FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY' "
            "AND schema_name = ? AND table_name = ?"
        )
        return [str(column) for row in self.rows(query, self._places[table]) for column in row[0]]

    def reference(self, table: str) -> str:
        return ".".join(name(part) for part in self._places[table])

    def rows(self, query: str, values: Sequence[object] = ()) -> Iterator[Row]:
        found = self._connection.execute(query, list(values))
        while batch := found.fetchmany(_FETCH):
            yield from batch

    def run(self, statement: str, values: Sequence[object] = ()) -> None:
        self._connection.execute(statement, list(values))


class FileTables(DuckDBTables):
    """A folder of files; a table is a file, or a folder of Parquet parts."""

    def __init__(self, connection: Any, place: Place) -> None:
        super().__init__(connection, place)
        self._kind = place.kind
        self._files: dict[str, list[Path]] = {}
        if not place.path.is_dir():
            return
        for found in sorted(place.path.iterdir()):
            if found.is_file() and found.suffix.lower() == f".{place.kind}":
                self._files[found.stem] = [found]
            elif found.is_dir() and place.kind == "parquet":
                parts = [part for part in sorted(found.iterdir()) if part.suffix.lower() == ".parquet"]
                if parts:
                    self._files[found.name] = parts

    def names(self) -> list[str]:
        return sorted(self._files)

    def key(self, table: str) -> list[str]:
        return []

    def reference(self, table: str) -> str:
        files = ", ".join(text(glob_escaped(file)) for file in self._files[table])
        if self._kind == "parquet":
            return f"read_parquet([{files}], hive_partitioning = false)"
        return f"read_csv([{files}], sample_size = -1, hive_partitioning = false)"


def glob_escaped(path: Path) -> str:
    """`path` so that DuckDB's readers take every character of it literally."""
    return "".join(f"[{one}]" if one in "*?[" else one for one in str(path))
