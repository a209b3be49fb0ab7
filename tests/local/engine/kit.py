"""What the engine's tests share: a workspace, a reporter that remembers, and ways to look at an output."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import duckdb

from bulk_sync_local.connectors.base import Confinement
from bulk_sync_local.engine.job import Endpoint, RunJob, TableJob, TableOutcome
from bulk_sync_local.engine.runner import run_job

PATHS = {"sqlite": "out.sqlite", "duckdb": "out.duckdb", "parquet": "out"}
STAMPS = ("_polytomic_created_at", "_polytomic_updated_at", "_polytomic_deleted_at")


@dataclass
class Recorder:
    """Remembers what it is told; `cancel` is asked with the number of records so far."""

    cancel: Callable[[int], bool] = lambda records: False
    started: dict[str, str] = field(default_factory=dict)
    progress: dict[str, list[int]] = field(default_factory=dict)
    finished: dict[str, TableOutcome] = field(default_factory=dict)
    lines: list[tuple[str | None, str, str]] = field(default_factory=list)

    def table_started(self, schema_id: str, output_name: str) -> None:
        self.started[schema_id] = output_name

    def table_progress(self, schema_id: str, records: int) -> None:
        self.progress.setdefault(schema_id, []).append(records)

    def table_finished(self, schema_id: str, outcome: TableOutcome) -> None:
        assert schema_id not in self.finished
        self.finished[schema_id] = outcome

    def log(self, schema_id: str | None, level: Literal["info", "warning", "error"], message: str) -> None:
        self.lines.append((schema_id, level, message))

    def cancel_requested(self, schema_id: str) -> bool:
        return self.cancel(self.progress.get(schema_id, [0])[-1])

    def said(self, words: str) -> bool:
        return any(words in message for _, _, message in self.lines)


@dataclass
class CancelAt(Recorder):
    """Has one table cancelled when asked about it for the `question`-th time."""

    table: str = "big"
    question: int = 1
    asked: int = 0

    def cancel_requested(self, schema_id: str) -> bool:
        self.asked += schema_id == self.table
        return schema_id == self.table and self.asked == self.question


@dataclass
class Workspace:
    """A folder with a SQLite source `source.sqlite`, and destinations of each kind."""

    path: Path

    @property
    def confinement(self) -> Confinement:
        return Confinement((self.path,), self.path)

    def sql(
        self, *statements: str, file: str = "source.sqlite", rows: Sequence[tuple[str, Iterable[Any]]] = ()
    ) -> None:
        """Runs statements on a SQLite file, then `rows`: statement and rows of values."""
        db = sqlite3.connect(self.path / file)
        try:
            for statement in statements:
                db.execute(statement)
            for statement, values in rows:
                db.executemany(statement, values)
            db.commit()
        finally:
            db.close()

    def duck(self, *statements: str, file: str = "source.duckdb") -> list[tuple[Any, ...]]:
        """Runs statements on a DuckDB file and returns the rows of the last."""
        rows: list[tuple[Any, ...]] = []
        with duckdb.connect(str(self.path / file)) as db:
            for statement in statements:
                rows = db.execute(statement).fetchall()
        return rows

    def job(self, to: str, *tables: TableJob | str, **settings: Any) -> RunJob:
        source = settings.pop("source", Endpoint("sqlite", {"path": "source.sqlite"}))
        jobs = tuple(TableJob(one) if isinstance(one, str) else one for one in tables)
        sync = settings.pop("sync_id", "sync-1")
        return RunJob("execution-1", sync, source, Endpoint(to, {"path": PATHS[to]}), jobs, **settings)

    def run(self, to: str, *tables: TableJob | str, **settings: Any) -> Recorder:
        recorder = settings.pop("recorder", None) or Recorder()
        job = self.job(to, *tables, **settings)
        run_job(job, recorder, self.confinement)
        assert set(recorder.finished) == set(recorder.started)
        # In the order of the job, not in that in which they happened to end.
        recorder.finished = {one.schema_id: recorder.finished[one.schema_id] for one in job.tables}
        return recorder

    def load(self, to: str, *tables: TableJob | str, **settings: Any) -> Recorder:
        """As `run`, and every table must complete."""
        recorder = self.run(to, *tables, **settings)
        assert {one.status for one in recorder.finished.values()} == {"completed"}, recorder.finished
        return recorder

    def rows(self, to: str, table: str, schema: str | None = None) -> list[dict[str, Any]]:
        """The rows of an output, by column; ordered by their first column."""
        return self.query(to, "SELECT * FROM {} ORDER BY 1", table, schema)

    def query(self, to: str, query: str, table: str, schema: str | None = None) -> list[dict[str, Any]]:
        """What `query`, with the output in place of `{}`, answers."""
        name = f'"{schema}"."{table}"' if schema else f'"{table}"'
        if to == "sqlite":
            db = sqlite3.connect(self.path / PATHS[to])
            try:
                cursor = db.execute(query.format(name))
                columns = [column[0] for column in cursor.description]
                return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
            finally:
                db.close()
        if to == "parquet":
            with duckdb.connect() as con:
                return _dicts(con, query.format(f"'{self.path / PATHS[to] / (table + '.parquet')}'"))
        with duckdb.connect(str(self.path / PATHS[to]), read_only=True) as con:
            return _dicts(con, query.format(name))

    def data(self, to: str, table: str) -> list[dict[str, Any]]:
        """The rows without the sync's own columns, save for `deleted`: whether the row is marked so."""
        rows = self.rows(to, table)
        for row in rows:
            row["deleted"] = row.get("_polytomic_deleted_at") is not None
            for stamp in STAMPS:
                row.pop(stamp, None)
        return rows

    def fingerprint(self) -> dict[str, bytes]:
        """Every file below the workspace and its content."""
        return {
            str(file.relative_to(self.path)): file.read_bytes()
            for file in sorted(self.path.rglob("*"))
            if file.is_file()
        }


def _dicts(con: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    cursor = con.execute(query)
    columns = [column[0] for column in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
