"""A PostgreSQL database as destination: staged in DuckDB where rows need it, handed over and applied in one transaction.

The stage in the database is made, filled and used up inside that transaction: whatever ends a run, the server
clears it away. Rows are emptied by DELETE, never by TRUNCATE, which readers in an older snapshot would see as an
empty table.
"""

# Names and values in statements are quoted by engine/sql.py.
# ruff: noqa: S608

import hashlib
import secrets
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from bulk_sync_local.connectors.base import ConnectorError
from bulk_sync_local.connectors.confined import connect as duckdb_connect
from bulk_sync_local.connectors.confined import stream
from bulk_sync_local.connectors.handing_over import hand_over
from bulk_sync_local.connectors.mending import mended
from bulk_sync_local.connectors.postgres_catalog import Catalog
from bulk_sync_local.connectors.postgres_session import (
    READ_ONLY,
    READ_WRITE,
    Place,
    connect,
    identity,
    rows,
    said,
    worded,
)
from bulk_sync_local.connectors.postgres_types import handed_over, mends, output_type, stage_declaration
from bulk_sync_local.engine import libraries
from bulk_sync_local.engine.apply import statements
from bulk_sync_local.engine.names import STATE_TABLE, stage_table
from bulk_sync_local.engine.passing import Passing
from bulk_sync_local.engine.ports import Destination, Load, SavedState, TableFailed
from bulk_sync_local.engine.sql import first_row, name, names, text
from bulk_sync_local.engine.state import decode, find_statement, make_statement, save_statements

_SHORT = ("smallint", "integer", "bigint")
_INDEX = "_bulk_sync_key_"
_INDEXABLE_BYTES = 2500  # PostgreSQL takes about 2,700
_STAGE_LIMIT = "96MB"  # not slower than with more: a stage is written once and read in one go
_STAGED_ROWS = 32_768
_HANDED_ROWS = 8_192
_FEW = 20
"""How many times as large as the rows to merge an output is, for these to be few."""
# Syncs that make the same schema or state table at the same moment would fail each other. Any fixed number will do.
_MAKING = 7_202_551_901


class PostgresOutput:
    """Outputs in one schema. `kept` are tables of it that the run reads and therefore never writes.

    Raises `ConnectorError` when no tables can be made there.
    """

    any_case = False
    batch_rows = _STAGED_ROWS

    def __init__(
        self,
        place: Place,
        schema: str,
        sync_id: str,
        *,
        read_only: bool = False,
        spill: Path | None = None,
        files: Sequence[Path] = (),
    ) -> None:
        self._place = place
        self._schema = schema
        self._sync_id = sync_id
        self._settings = READ_ONLY if read_only else READ_WRITE
        self._spill = spill
        self.stage = stage_table(sync_id)
        self.kept = frozenset[str]()
        self._open: Any = self._connect(first=True)
        try:
            self._check_schema()
        except BaseException:
            self._open.close()
            raise
        if spill is not None and spill.exists():
            shutil.rmtree(spill)
        self.scratch = duckdb_connect(None, allowed_files=files, spill=spill, memory_limit=_STAGE_LIMIT)

    def beside(self, lane: int) -> Destination | None:
        """None where tables refer to each other: rows must not come before those that they refer to are committed."""
        with worded(self._place, "Looking at the destination"):
            if self._catalog.has_references():
                return None
        other = copy(self)
        other.stage = stage_table(self._sync_id, lane)
        other._spill = None
        other._open = other._connect()
        other.scratch = self.scratch.cursor()
        return other

    def close(self) -> None:
        self.scratch.close()
        self.rollback()
        if self._open is not None:
            self._open.close()
        if self._spill is not None and self._spill.exists():
            shutil.rmtree(self._spill)

    def identity(self) -> tuple[Any, ...]:
        with worded(self._place, "Looking at the destination"):
            return identity(self._connection)

    def _check_schema(self) -> None:
        with worded(self._place, "Looking at the destination"):
            allowed = self._catalog.may_make_tables()
        if not allowed:
            raise ConnectorError(
                f"The role {self._place.username} may not make tables in the schema {self._schema}. "
                "Grant it USAGE and CREATE there, or choose another schema or role."
            )

    def existing(self, output: str) -> Mapping[str, str] | None:
        if output in self.kept:
            raise TableFailed(
                f"{output} is a table of the same database that this sync reads. Choose another schema or output name."
            )
        with worded(self._place, "Looking at the destination", TableFailed):
            return self._catalog.columns(output)

    def state(self, schema_id: str, output: str) -> SavedState | None:
        if self.existing(STATE_TABLE) is None:
            return None
        with worded(self._place, "Looking at the destination", TableFailed):
            state = self.reference(STATE_TABLE)
            query = find_statement(state, self._sync_id, schema_id, output, any_case=self.any_case)
            found = self._catalog.rows(query)
        return decode(found[0][0]) if found else None

    def type_name(self, carried: str) -> str:
        return output_type(carried)

    def stage_type(self, carried: str) -> str:
        return carried

    def reference(self, table: str) -> str:
        return f"{name(self._schema)}.{name(table)}"

    def stage_reference(self, stage: str) -> str:
        return name(stage)

    def begin(self) -> None:
        """The stage is outside the database: nothing begins there before `apply`."""
        self.rollback()

    def rollback(self) -> None:
        if self._open is None:
            return
        try:
            self._open.rollback()
        except libraries.adbc_postgresql().Error:
            # The connection is gone, and what it had begun with it. The next table gets a new one.
            lost, self._open = self._open, None
            lost.close()

    def apply(self, load: Load) -> None:
        self._apply(load, lambda: self._hand_over(load), lambda: load.state)
        self.scratch.execute(f"DROP TABLE {self.stage_reference(load.stage)}")

    def apply_rows(self, load: Load, rows: Passing, state: Callable[[], SavedState]) -> None:
        self._apply(load, lambda: self._pass_on(load, rows), state)

    def _apply(self, load: Load, hand_over: Callable[[], None], state: Callable[[], SavedState]) -> None:
        with worded(self._place, "Loading into the destination", TableFailed):
            self._make_place()
            if load.strategy.write == "recreate":
                self._check_dependents(load.output)
            becomes_output = load.strategy.write in ("create", "recreate")
            self._make_stage(load, logged=becomes_output)
            hand_over()
            self._complete_stage(load, becomes_output=becomes_output)
            stage = self.reference(load.stage)
            as_output = replace(load, stage_is_output=True)
            for statement in statements(as_output, output=self.reference(load.output), stage=stage):
                load.check_cancel()
                self._run(statement)
            if not becomes_output:
                self._run(f"DROP TABLE {stage}")
            self._save_state(load, state())
            load.check_cancel()
        self._commit()

    def _make_place(self) -> None:
        """What loads side by side share, in a transaction of its own: made by two at once it would fail one of them."""
        if self._catalog.has_schema() and self._catalog.columns(STATE_TABLE) is not None:
            return
        self._run(f"SELECT pg_advisory_xact_lock({_MAKING})")
        if not self._catalog.has_schema():  # a role need not be allowed to make one that is there
            self._run(f"CREATE SCHEMA IF NOT EXISTS {name(self._schema)}")
        self._run(make_statement(self.reference(STATE_TABLE)))
        self._connection.commit()

    def _check_dependents(self, output: str) -> None:
        found = self._catalog.dependents(output)
        if found:
            raise TableFailed(
                f"{output} cannot be dropped: {', '.join(found)} depend(s) on it. Drop that first and make it anew "
                "afterwards, or keep the table: a resync empties it instead of dropping it."
            )

    def _make_stage(self, load: Load, *, logged: bool) -> None:
        stage = self.reference(load.stage)
        definitions = ", ".join(f"{name(one.name)} {stage_declaration(one.type)}" for one in load.columns)
        self._run(f"DROP TABLE IF EXISTS {stage}")
        self._run(f"CREATE {'' if logged else 'UNLOGGED '}TABLE {stage} ({definitions})")

    def _hand_over(self, load: Load) -> None:
        staged = self.stage_reference(load.stage)
        kinds = [row[1] for row in self.scratch.execute(f"DESCRIBE {staged}").fetchall()]
        values = dict(zip((one.name for one in load.columns), kinds[: len(load.columns)], strict=True))
        changed = mended(load, self.scratch, staged, values, mends, "PostgreSQL")
        columns = ", ".join(
            f"{handed_over(kind, changed.get(column, name(column)))} AS {name(column)}"
            for column, kind in values.items()
        )
        self._ingest(load, stream(self.scratch, f"SELECT {columns} FROM {staged}", _HANDED_ROWS))

    def _pass_on(self, load: Load, rows: Passing) -> None:
        kinds = [*rows.stage.stage_types, *(stamp.type for stamp in rows.stage.stamps)]
        values = {column.name: (kind, name(column.name)) for column, kind in zip(load.columns, kinds, strict=True)}
        tests = [one.test for value in values.values() for one in mends(*value)]
        columns = {column: handed_over(*value) for column, value in values.items()}
        self._ingest(load, rows.stream(columns, " OR ".join(tests) or "false"))

    def _ingest(self, load: Load, handed: tuple[Any, Generator[Any]]) -> None:
        with self._connection.cursor() as cursor:

            def ingest(reader: Any) -> None:
                cursor.adbc_ingest(load.stage, reader, mode="append", db_schema_name=self._schema)

            hand_over(handed, ingest, load.check_cancel, libraries.adbc_postgresql().Error)

    def _complete_stage(self, load: Load, *, becomes_output: bool) -> None:
        stage = self.reference(load.stage)
        late = [one for one in load.columns if stage_declaration(one.type) != one.type]
        if late:
            casts = ", ".join(
                f"ALTER COLUMN {name(one.name)} TYPE {one.type} USING CAST({name(one.name)} AS {one.type})"
                for one in late
            )
            self._run(f"ALTER TABLE {stage} {casts}")
        if becomes_output and load.key:
            self._index(load, stage)
        if not becomes_output:
            self._see_to_index(load)
        if load.strategy.write == "merge":
            if self._few(load, stage):
                # PostgreSQL, which reckons with a disk that has to seek, would sooner read the whole output, twice.
                self._run("SET LOCAL enable_hashjoin = off")
                self._run("SET LOCAL enable_mergejoin = off")
            else:
                self._run(f"ANALYZE {stage}")

    def _see_to_index(self, load: Load) -> None:
        """Makes the index of an output that is kept, or drops it: rows whose keys are too long for it have to go in."""
        merges = load.strategy.write == "merge"
        if not load.key or self._longest_key(load) > _INDEXABLE_BYTES:
            for index in self._catalog.indexes(load.output, _INDEX):
                self._run(f"DROP INDEX {self.reference(index)}")
        elif merges and not self._catalog.has_index(load.output, load.key) and self._holds_short_keys(load):
            self._index(load, self.reference(load.output))

    def _holds_short_keys(self, load: Load) -> bool:
        if self._short_by_type(load):
            return True
        lengths = " + ".join(f"coalesce(max(octet_length(CAST({name(key)} AS text))), 0)" for key in load.key)
        ((longest,),) = rows(self._connection, f"SELECT {lengths} FROM {self.reference(load.output)}")
        return longest <= _INDEXABLE_BYTES

    def _index(self, load: Load, table: str) -> None:
        """What merging finds rows by. Not unique, since the sync may be switched to append."""
        if self._longest_key(load) > _INDEXABLE_BYTES:
            return  # merging is slower without, and no less right
        # A random name: those of a table's indexes stay when the table is renamed by hand.
        index = f"{_INDEX}{secrets.token_hex(6)}"
        self._run(f"CREATE INDEX {name(index)} ON {table} ({names(load.key)})")

    def _few(self, load: Load, stage: str) -> bool:
        """Whether the rows of an increment are so few that they are best looked up in the index of the output."""
        if load.strategy.absent != "keep" or not self._catalog.has_index(load.output, load.key):
            return False
        sizes = f"pg_relation_size({text(stage)}) * {_FEW} < pg_relation_size({text(self.reference(load.output))})"
        ((few,),) = rows(self._connection, f"SELECT {sizes}")
        return bool(few)

    def _short_by_type(self, load: Load) -> bool:
        return all(column.type in _SHORT for column in load.columns if column.name in load.key)

    def _longest_key(self, load: Load) -> int:
        """No key in the stage has more bytes than this."""
        if self._short_by_type(load):
            return 0
        lengths = " + ".join(f"coalesce(max(strlen(CAST({name(key)} AS VARCHAR))), 0)" for key in load.key)
        return int(first_row(self.scratch, f"SELECT {lengths} FROM {self.stage_reference(load.stage)}")[0])

    def _save_state(self, load: Load, state: SavedState) -> None:
        for statement in save_statements(
            self.reference(STATE_TABLE), self._sync_id, load.schema_id, state, load.now, any_case=self.any_case
        ):
            self._run(statement)

    def _commit(self) -> None:
        try:
            self._connection.commit()
        except libraries.adbc_postgresql().Error as failure:
            raise TableFailed(
                f"The connection broke while the load was committed ({said(failure, self._place)}). The table is "
                "either as it was before or as it is after the load, nothing between: look at it, or run it again."
            ) from None

    @property
    def _connection(self) -> Any:
        if self._open is None:
            self._open = self._connect()
        return self._open

    def _connect(self, *, first: bool = False) -> Any:
        """A connection; the first of a run is had when all those of earlier runs of the sync have ended.

        A worker that was killed, or lost its connection, may have left a session that is still at its commit. Who
        read the output and its state before that is through would load the same rows again.
        """
        connection = connect(self._place, self._settings)
        if self._settings is READ_WRITE:
            number = _number(self._sync_id)
            try:
                with worded(self._place, "Waiting for an earlier session of this sync to end"):
                    if first:
                        rows(connection, f"SELECT pg_advisory_lock({number})")
                    rows(connection, f"SELECT pg_advisory_lock_shared({number})")
                    if first:
                        rows(connection, f"SELECT pg_advisory_unlock({number})")
            except BaseException:
                connection.close()
                raise
        return connection

    @property
    def _catalog(self) -> Catalog:
        return Catalog(self._connection, self._schema)

    def _run(self, statement: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)


def _number(sync_id: str) -> int:
    """What a sync's lock is called."""
    return int.from_bytes(hashlib.sha256(sync_id.encode()).digest()[:8], signed=True)
