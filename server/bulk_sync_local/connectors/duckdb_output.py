"""DuckDB tables as destination: stage, output and state live in one database and change in one transaction."""

# Names and values in statements are quoted by engine/sql.py.
# ruff: noqa: S608

import shutil
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from bulk_sync_local.connectors.batches import BATCH_ROWS
from bulk_sync_local.engine.apply import Replacing, statements
from bulk_sync_local.engine.names import STATE_TABLE, stage_table
from bulk_sync_local.engine.ports import Destination, Load, SavedState, TableFailed
from bulk_sync_local.engine.sql import first_row, name
from bulk_sync_local.engine.state import decode, find_statement, make_statement, save_statements

_MAKING = Lock()


class DuckDBOutput:
    """Outputs in one schema of an open DuckDB connection, which may spill to the folder `spill`. `lane` tells those
    that are open side by side apart."""

    any_case = True
    batch_rows = BATCH_ROWS

    def __init__(self, connection: Any, schema: str, sync_id: str, spill: Path | None = None, lane: int = 0) -> None:
        self.scratch = connection
        self.stage = stage_table(sync_id, lane)
        self._schema = schema
        self._sync_id = sync_id
        self._spill = spill
        self._begun = False
        # Three parts: a file and a schema of one name would make two ambiguous.
        (self._catalog,) = first_row(connection, "SELECT system.main.current_database()")
        # Macros in the file must not take the place of DuckDB's own functions: they could show what is obfuscated, or
        # read what the stage may read.
        connection.execute("SET search_path = 'system.main'")

    def beside(self, lane: int) -> Destination | None:
        """None where tables refer to others: rows must not come before those that they refer to are committed."""
        references = "SELECT count(*) FROM duckdb_constraints() WHERE constraint_type = 'FOREIGN KEY'"
        if first_row(self.scratch, references)[0]:
            return None
        return DuckDBOutput(self.scratch.cursor(), self._schema, self._sync_id, lane=lane)

    def close(self) -> None:
        self.scratch.close()
        if self._spill is not None and self._spill.exists():
            shutil.rmtree(self._spill)

    def existing(self, output: str) -> Mapping[str, str] | None:
        place = [self._catalog, self._schema.lower(), output.lower()]
        where = "database_name = ? AND lower(schema_name) = ?"
        view = first_row(
            self.scratch, f"SELECT count(*) FROM duckdb_views() WHERE {where} AND lower(view_name) = ?", place
        )
        if view[0]:
            raise TableFailed(f"{output} is a view at the destination, not a table. Choose another output name.")
        rows = self.scratch.execute(
            f"SELECT column_name, data_type FROM duckdb_columns() WHERE {where} AND lower(table_name) = ?", place
        ).fetchall()
        return dict(rows) if rows else None

    def state(self, schema_id: str, output: str) -> SavedState | None:
        if self.existing(STATE_TABLE) is None:
            return None
        query = find_statement(self.reference(STATE_TABLE), self._sync_id, schema_id, output, any_case=self.any_case)
        row = first_row(self.scratch, query)
        return decode(row[0]) if row else None

    def type_name(self, carried: str) -> str:
        return carried

    def stage_type(self, carried: str) -> str:
        return self.type_name(carried)

    def reference(self, table: str) -> str:
        return f"{name(self._catalog)}.{name(self._schema)}.{name(table)}"

    def stage_reference(self, stage: str) -> str:
        return self.reference(stage)

    def begin(self) -> None:
        self.make_place()
        self.scratch.execute("BEGIN")
        self._begun = True

    def make_place(self) -> None:
        """What loads side by side share, ahead of their transactions: made by two at once it would fail one of them."""
        with _MAKING:
            self.scratch.execute(f"CREATE SCHEMA IF NOT EXISTS {name(self._catalog)}.{name(self._schema)}")
            self.scratch.execute(make_statement(self.reference(STATE_TABLE)))

    def apply(self, load: Load) -> None:
        self.apply_statements(load)
        remembered = self.reference(STATE_TABLE)
        for statement in save_statements(
            remembered, self._sync_id, load.schema_id, load.state, load.now, any_case=self.any_case
        ):
            self.scratch.execute(statement)
        load.check_cancel()
        self._begun = False  # a COMMIT that fails has ended the transaction too
        self.scratch.execute("COMMIT")

    def apply_statements(self, load: Load) -> None:
        """Brings the output up to date inside the open transaction; the stage is gone afterwards."""
        stage, output = self.stage_reference(load.stage), self.reference(load.output)
        replacing: Replacing | None = None
        if load.strategy.write == "merge":
            # An UPDATE rewrites every row group it touches at the commit: four times the cost of the load.
            columns = [row[0] for row in self.scratch.execute(f"DESCRIBE {output}").fetchall()]
            if "rowid" not in {one.casefold() for one in [*columns, *(column.name for column in load.columns)]}:
                replacing = Replacing(columns, f"temp.main.{name(load.stage + '_changed')}")
        for statement in statements(load, output=output, stage=stage, replacing=replacing):
            load.check_cancel()
            self.scratch.execute(statement)
        self.scratch.execute(f"DROP TABLE IF EXISTS {stage}")

    def rollback(self) -> None:
        if self._begun:
            self._begun = False
            self.scratch.execute("ROLLBACK")
