"""A SQLite file as destination: staged in DuckDB, handed over in a temporary table, applied in one transaction.

The temporary table lives outside the file, so the file is locked only while the stage is applied, and a
killed run leaves nothing in it but a journal that SQLite itself rolls back.
"""

# Names and values in statements are quoted by engine/sql.py.
# ruff: noqa: S608

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bulk_sync_local.connectors.batches import BATCH_ROWS
from bulk_sync_local.connectors.confined import SCRATCH_LIMIT, stream
from bulk_sync_local.connectors.confined import connect as duckdb_connect
from bulk_sync_local.connectors.handing_over import hand_over
from bulk_sync_local.connectors.mending import Mend, mended
from bulk_sync_local.engine import libraries
from bulk_sync_local.engine.apply import statements
from bulk_sync_local.engine.names import STATE_TABLE, stage_table
from bulk_sync_local.engine.ports import Destination, Load, SavedState, TableFailed
from bulk_sync_local.engine.sql import name, text
from bulk_sync_local.engine.state import decode, find_statement, make_statement, save_statements
from bulk_sync_local.engine.types import decimal, is_nested

_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"})
_SAME = {
    "BOOLEAN": "BOOLEAN", "BLOB": "BLOB", "DATE": "DATE", "TIME": "TIME", "FLOAT": "REAL", "DOUBLE": "REAL",
    "TIMESTAMP": "TIMESTAMP", "TIMESTAMP_S": "TIMESTAMP", "TIMESTAMP_MS": "TIMESTAMP", "TIMESTAMP_NS": "TIMESTAMP",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ",
}  # fmt: skip
_EXACT_DIGITS = 15


def declared_type(carried: str) -> str:
    """What a carried type is declared as; what SQLite cannot hold exactly becomes text."""
    digits = decimal(carried)
    if digits is not None:
        # SQLite keeps such a number as a double, exact up to fifteen digits.
        return f"DECIMAL({digits[0]},{digits[1]})" if digits[0] <= _EXACT_DIGITS else "TEXT"
    if carried in _INTEGERS:
        return "INTEGER"
    return _SAME.get(carried, "TEXT")


def handed_over(carried: str, column: str) -> str:
    """The DuckDB expression whose Arrow value SQLite stores as `declared_type` reads it."""
    declared = declared_type(carried)
    if declared in ("INTEGER", "BOOLEAN"):
        return f"CAST({column} AS BIGINT)"
    if declared == "REAL" or declared.startswith("DECIMAL"):
        return f"CAST({column} AS DOUBLE)"
    if declared == "BLOB":
        return column
    return f"CAST(to_json({column}) AS VARCHAR)" if is_nested(carried) else f"CAST({column} AS VARCHAR)"


def mends(carried: str, column: str) -> list[Mend]:
    """What SQLite cannot hold: it makes NULL of NaN."""
    return [Mend(f"isnan({column})", "that are NaN became NULL")] if carried in ("FLOAT", "DOUBLE") else []


class SQLiteOutput:
    """Outputs in one file; `connect` makes a connection to it, again after one has been lost."""

    any_case = True
    batch_rows = BATCH_ROWS

    def __init__(self, connect: Callable[[], Any], path: Path, sync_id: str, files: Sequence[Path]) -> None:
        self._connect = connect
        self._open: Any = connect()
        self._sync_id = sync_id
        self.stage = stage_table(sync_id)
        self._spill = path.with_name(f"{self.stage}.spill")
        if self._spill.exists():
            shutil.rmtree(self._spill)
        self.scratch = duckdb_connect(None, allowed_files=files, spill=self._spill, memory_limit=SCRATCH_LIMIT)

    def beside(self, lane: int) -> Destination | None:
        """A SQLite file takes one transaction that writes at a time."""
        return None

    def close(self) -> None:
        self.scratch.close()
        self.rollback()
        if self._open is not None:
            self._open.close()
        if self._spill.exists():
            shutil.rmtree(self._spill)

    def existing(self, output: str) -> Mapping[str, str] | None:
        found = self._rows(f"SELECT type FROM sqlite_schema WHERE lower(name) = lower({text(output)})")
        if not found:
            return None
        if found[0][0] != "table":
            raise TableFailed(
                f"{output} is a {found[0][0]} at the destination, not a table. Choose another output name."
            )
        rows = self._rows(f"SELECT name, upper(coalesce(type, '')) FROM pragma_table_xinfo({text(output)})")
        return dict(rows)

    def state(self, schema_id: str, output: str) -> SavedState | None:
        if self.existing(STATE_TABLE) is None:
            return None
        rows = self._rows(find_statement(name(STATE_TABLE), self._sync_id, schema_id, output, any_case=self.any_case))
        return decode(rows[0][0]) if rows else None

    def type_name(self, carried: str) -> str:
        return declared_type(carried)

    def stage_type(self, carried: str) -> str:
        return carried

    def stage_reference(self, stage: str) -> str:
        return name(stage)

    def begin(self) -> None:
        """The stage is outside the file: nothing begins there before `apply`."""
        # A fresh transaction: one that has already read could not be turned into a writing one.
        self.rollback()

    def apply(self, load: Load) -> None:
        stage = f"temp.{name(load.stage)}"
        definitions = ", ".join(f"{name(column.name)} {column.type}" for column in load.columns)
        self._run(f"DROP TABLE IF EXISTS {stage}")
        self._run(f"CREATE TEMP TABLE {name(load.stage)} ({definitions})")
        self._hand_over(load)
        if load.strategy.write == "merge":
            self._index(load)
            self._run(f"CREATE INDEX temp.{name(load.stage + '_key')} ON {name(load.stage)} ({_listed(load.key)})")
        copied = replace(load, stage_is_output=False)
        for statement in statements(copied, output=f"main.{name(load.output)}", stage=stage):
            load.check_cancel()
            self._run(statement)
        remembered = f"main.{name(STATE_TABLE)}"
        self._run(make_statement(remembered))
        for statement in save_statements(
            remembered, self._sync_id, load.schema_id, load.state, load.now, any_case=self.any_case
        ):
            self._run(statement)
        # Before the commit: nothing may fail after it.
        self._run(f"DROP TABLE {stage}")
        load.check_cancel()
        self._connection.commit()
        self.scratch.execute(f"DROP TABLE {self.stage_reference(load.stage)}")

    def _index(self, load: Load) -> None:
        """SQLite joins badly without; not unique, since the sync may be switched to append."""
        index = f"_bulk_sync_key_{load.output}"
        covered = tuple(row[0] for row in self._rows(f"SELECT name FROM pragma_index_info({text(index)})"))
        if covered != load.key:
            self._run(f"DROP INDEX IF EXISTS main.{name(index)}")
            self._run(f"CREATE INDEX main.{name(index)} ON {name(load.output)} ({_listed(load.key)})")

    def _hand_over(self, load: Load) -> None:
        kinds = [row[1] for row in self.scratch.execute(f"DESCRIBE {self.stage_reference(load.stage)}").fetchall()]
        values = dict(zip((one.name for one in load.columns), kinds[: len(load.columns)], strict=True))
        mended(load, self.scratch, self.stage_reference(load.stage), values, mends, "SQLite")
        columns = ", ".join(f"{handed_over(kind, name(column))} AS {name(column)}" for column, kind in values.items())
        query = f"SELECT {columns} FROM {self.stage_reference(load.stage)}"
        with self._connection.cursor() as cursor:

            def ingest(reader: Any) -> None:
                cursor.adbc_ingest(load.stage, reader, mode="append", temporary=True)

            hand_over(stream(self.scratch, query), ingest, load.check_cancel, libraries.adbc_sqlite().Error)

    def rollback(self) -> None:
        if self._open is None:
            return
        try:
            self._open.rollback()
        except libraries.adbc_sqlite().Error:
            # SQLite ends a transaction by itself, when the disk is full for one. The driver then has none to roll
            # back and begins no other, so that every further statement would be committed on its own.
            lost, self._open = self._open, None
            lost.close()

    @property
    def _connection(self) -> Any:
        if self._open is None:
            self._open = self._connect()
        return self._open

    def _run(self, statement: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()


def _listed(columns: tuple[str, ...]) -> str:
    return ", ".join(name(column) for column in columns)
