"""The destinations, looked at with plain libraries: what each output holds, and what lies about beside them."""

import json
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow.parquet as parquet

from local.kills.history import TABLES, Output, Table
from local.postgres.server import DATABASE, PASSWORD, Server

STATE = "_bulk_sync_state"
DELETED = "_polytomic_deleted_at"
SESSIONS = "FROM pg_stat_activity WHERE application_name = 'bulk-sync'"


class Place(Protocol):
    """One destination."""

    type_id: str
    configuration: dict[str, Any]

    def outputs(self, prefix: str) -> dict[str, Output | None]:
        """What the outputs of one sync hold, None where there is none."""
        ...

    def sight(self) -> object:
        """Something cheap that differs whenever a load has got further."""
        ...

    def strays(self, prefixes: Iterable[str]) -> list[str]:
        """Whatever is there beside complete outputs of these syncs."""
        ...


def _output(table: Table, columns: list[str], rows: Iterable[tuple[Any, ...]], state: str | bytes) -> Output:
    """From the rows of a query for the table's columns and, where the output has it, the deletion mark."""
    width = len(table.columns)
    marked = DELETED in columns
    found = Counter((tuple(row[:width]), marked and row[width] is not None) for row in rows)
    known = json.loads(state)
    return Output(found, None if known["watermark"] is None else int(known["watermark"]), known["rows"])


def _wanted(table: Table, columns: list[str]) -> list[str]:
    return [*table.columns, *([DELETED] if DELETED in columns else [])]


@dataclass
class Files:
    """Destinations that are files. They are looked at in a copy: opening them would mend what a kill has left."""

    folder: Path
    copies: Path
    type_id: str

    @property
    def configuration(self) -> dict[str, Any]:
        return {"path": f"{self.folder.name}/{self._name}"}

    @property
    def _name(self) -> str:
        return f"out.{self.type_id}" if self.type_id != "parquet" else "out"

    def sight(self) -> object:
        found: list[tuple[str, int, int]] = []
        for file in sorted(self.folder.rglob("*")):
            try:
                status = file.stat()
            except FileNotFoundError:
                continue
            found.append((file.name, status.st_size, status.st_mtime_ns))
        return found

    @contextmanager
    def _copy(self) -> Generator[Path]:
        shutil.copytree(self.folder, self.copies)
        try:
            yield self.copies / self._name
        finally:
            shutil.rmtree(self.copies)

    def outputs(self, prefix: str) -> dict[str, Output | None]:
        with self._copy() as copy:
            if not copy.exists():
                return dict.fromkeys(table.name for table in TABLES)
            if self.type_id == "parquet":
                return {table.name: self._file(copy / f"{prefix}{table.name}.parquet", table) for table in TABLES}
            with closing(sqlite3.connect(copy) if self.type_id == "sqlite" else duckdb.connect(str(copy))) as db:
                if self.type_id == "sqlite":
                    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                return {table.name: self._queried(db, prefix, table) for table in TABLES}

    def _queried(self, db: Any, prefix: str, table: Table) -> Output | None:
        there = {STATE, prefix + table.name} & set(self._names(db))
        if not there - {STATE}:
            return None
        assert len(there) == 2, f"{prefix}{table.name} has no state beside it"
        columns = [one[0] for one in db.execute(f"SELECT * FROM {prefix}{table.name} LIMIT 0").description]
        states = db.execute(f"SELECT state FROM {STATE} WHERE output_name = ?", [prefix + table.name]).fetchall()
        assert len(states) == 1, states
        query = f"SELECT {', '.join(_wanted(table, columns))} FROM {prefix}{table.name}"
        return _output(table, columns, db.execute(query).fetchall(), states[0][0])

    def _file(self, file: Path, table: Table) -> Output | None:
        if not file.exists():
            return None
        with parquet.ParquetFile(file) as opened:
            columns = opened.schema_arrow.names
            read = opened.read(columns=_wanted(table, columns))
            state = opened.metadata.metadata[b"bulk_sync_state"].split(b"\n", 2)[2]
        rows = zip(*(column.to_pylist() for column in read.columns), strict=True)
        return _output(table, columns, rows, state)

    def strays(self, prefixes: Iterable[str]) -> list[str]:
        expected = {prefix + table.name for prefix in prefixes for table in TABLES}
        if self.type_id == "parquet":
            allowed = {"out", *(f"{one}.parquet" for one in expected)}
            return [file.name for file in self.folder.rglob("*") if file.name not in allowed]
        left = [file.name for file in self.folder.iterdir() if file.name != self._name]
        with (
            self._copy() as copy,
            closing(sqlite3.connect(copy) if self.type_id == "sqlite" else duckdb.connect(str(copy))) as db,
        ):
            return left + [one for one in self._names(db) if one not in expected | {STATE}]

    def _names(self, db: Any) -> list[str]:
        """Tables and all else that has a name, save for the index that merging needs."""
        if self.type_id == "sqlite":
            found = db.execute(
                "SELECT name FROM sqlite_schema WHERE name NOT LIKE '\\_bulk\\_sync\\_key\\_%' ESCAPE '\\'"
            )
        else:
            found = db.execute(
                "SELECT table_name FROM duckdb_tables() UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal"
            )
        return [row[0] for row in found.fetchall()]


@dataclass
class Schema:
    """A schema of a PostgreSQL server."""

    server: Server
    workspace: Path
    type_id: str = "postgresql"

    @property
    def configuration(self) -> dict[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": self.server.port,
            "database": DATABASE,
            "username": "admin",
            "password": PASSWORD,
        }

    def sight(self) -> object:
        return self.server.sql(f"SELECT pid, state, left(query, 60), backend_xid IS NULL {SESSIONS}")

    def outputs(self, prefix: str) -> dict[str, Output | None]:
        return {table.name: self._queried(prefix, table) for table in TABLES}

    def _queried(self, prefix: str, table: Table) -> Output | None:
        there = {STATE, prefix + table.name} & set(self._names())
        if not there - {STATE}:
            return None
        assert len(there) == 2, f"{prefix}{table.name} has no state beside it"
        columns = [
            one[0]
            for one in self.server.sql(
                f"SELECT attname FROM pg_attribute WHERE attrelid = '{prefix}{table.name}'::regclass AND attnum > 0"
            )
        ]
        # One statement, so that both are of one moment.
        (found,) = self.server.sql(
            f"SELECT (SELECT array_agg(state) FROM {STATE} WHERE output_name = '{prefix}{table.name}'), "
            f"(SELECT json_agg(json_build_array({', '.join(_wanted(table, columns))})) FROM {prefix}{table.name})"
        )
        (state,), rows = found
        return _output(table, columns, [tuple(row) for row in json.loads(rows or "[]")], state)

    def strays(self, prefixes: Iterable[str]) -> list[str]:
        expected = {STATE, *(prefix + table.name for prefix in prefixes for table in TABLES)}
        left = [one for one in self._names() if one not in expected and not re.match("_bulk_sync_key_", one)]
        left += [file.name for file in self.workspace.iterdir() if file.name != "source.sqlite"]
        return left + [str(row) for row in self.server.sql(f"SELECT pid, state, query {SESSIONS}")]

    def _names(self) -> list[str]:
        query = "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = 'public'"
        return [row[0] for row in self.server.sql(query)]
