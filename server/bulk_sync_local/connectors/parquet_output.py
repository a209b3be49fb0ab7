"""A folder of Parquet files as destination: one file per table, replaced as a whole.

The new content is put together in a database in memory (what does not fit goes to a folder beside the files),
written to a temporary file and moved over the old one. What the sync remembers is in the file's own metadata,
so the two cannot disagree.
"""

# Names and values in statements are quoted by engine/sql.py.
# ruff: noqa: S608

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bulk_sync_local.connectors import paths
from bulk_sync_local.connectors.base import Confinement
from bulk_sync_local.connectors.confined import SCRATCH_LIMIT, connect, glob_escaped
from bulk_sync_local.connectors.duckdb_output import DuckDBOutput
from bulk_sync_local.engine.names import stage_table
from bulk_sync_local.engine.ports import Destination, Load, SavedState, TableFailed
from bulk_sync_local.engine.sql import first_row, text
from bulk_sync_local.engine.state import decode, encode

_METADATA_KEY = "bulk_sync_state"
# Parquet has no such type, or keeps less of it than DuckDB.
_OTHER_TYPE = {
    "HUGEINT": "VARCHAR", "UHUGEINT": "VARCHAR", "INTERVAL": "VARCHAR", "TIME WITH TIME ZONE": "VARCHAR",
    "TIMESTAMP_S": "TIMESTAMP", "TIMESTAMP_MS": "TIMESTAMP",
}  # fmt: skip


def open_folder(
    folder: Path, confinement: Confinement, sync_id: str, files: Sequence[Path], *, read_only: bool
) -> Destination:
    """The folder as destination, rid of what a killed run of the sync has left in it; stages may be read from `files`."""
    spill = folder / f"{stage_table(sync_id)}.spill"
    if not read_only:
        for left in folder.glob(f"{stage_table(sync_id)}*.tmp"):
            left.unlink()
        if spill.exists():
            shutil.rmtree(spill)
    scratch = connect(None, allowed_files=files, allowed_folders=[folder], spill=spill, memory_limit=SCRATCH_LIMIT)
    return ParquetOutput(scratch, folder, confinement, sync_id, spill)


class ParquetOutput(DuckDBOutput):
    def __init__(
        self,
        connection: Any,
        folder: Path,
        confinement: Confinement,
        sync_id: str,
        spill: Path | None = None,
        lane: int = 0,
    ) -> None:
        super().__init__(connection, "main", sync_id, spill, lane)
        self._folder = folder
        self._confinement = confinement
        self._temporary = folder / f"{self.stage}.tmp"

    def beside(self, lane: int) -> Destination | None:
        return ParquetOutput(self.scratch.cursor(), self._folder, self._confinement, self._sync_id, lane=lane)

    def make_place(self) -> None:
        """The folder is there, and what the sync remembers is in the files."""

    def existing(self, output: str) -> Mapping[str, str] | None:
        file = self._file(output)
        if not file.exists():
            return None
        rows = self.scratch.execute(f"DESCRIBE SELECT * FROM {_read(file)}").fetchall()
        return {row[0]: row[1] for row in rows}

    def state(self, schema_id: str, output: str) -> SavedState | None:
        file = self._file(output)
        row = first_row(
            self.scratch,
            f"SELECT value FROM parquet_kv_metadata({text(glob_escaped(file))}) WHERE key = '{_METADATA_KEY}'",
        )
        if row is None:
            return None
        sync_id, schema, state = bytes(row[0]).decode().split("\n", 2)
        return decode(state) if (sync_id, schema) == (self._sync_id, schema_id) else None

    def type_name(self, carried: str) -> str:
        return _OTHER_TYPE.get(carried, carried)

    def apply(self, load: Load) -> None:
        file = self._file(load.output)
        if load.strategy.write == "recreate":
            load = replace(load, strategy=replace(load.strategy, write="create"))
        elif load.strategy.write != "create":
            rows = " LIMIT 0" if load.strategy.write == "replace_rows" else ""
            self.scratch.execute(f"CREATE TABLE {self.reference(load.output)} AS SELECT * FROM {_read(file)}{rows}")
        self.apply_statements(load)
        load.check_cancel()
        remembered = f"{self._sync_id}\n{load.schema_id}\n{encode(load.state)}"
        self.scratch.execute(
            f"COPY {self.reference(load.output)} TO {text(str(self._temporary))} "
            f"(FORMAT parquet, KV_METADATA {{{_METADATA_KEY}: {text(remembered)}}})"
        )
        with self._temporary.open("rb") as written:
            os.fsync(written.fileno())
        load.check_cancel()
        self._temporary.replace(file)
        self.rollback()

    def rollback(self) -> None:
        super().rollback()
        self._temporary.unlink(missing_ok=True)

    def _file(self, output: str) -> Path:
        """The file of an output; a link in its place is only accepted when it stays inside the roots."""
        if output in (".", "..") or any(character in output for character in '/\\:*?"<>|\0'):
            raise TableFailed(f"{output} cannot be the name of a file. Give the table another output name.")
        file = self._folder / f"{output}.parquet"
        return paths.resolved(str(file), self._confinement)


def _read(file: Path) -> str:
    return f"read_parquet({text(glob_escaped(file))}, hive_partitioning = false)"
