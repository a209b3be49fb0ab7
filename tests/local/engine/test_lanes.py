"""The tables of a run side by side: as many as allowed, each for itself, and all of one moment."""

import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bulk_sync_local.connectors.duckdb_output import DuckDBOutput
from bulk_sync_local.connectors.registry import connector
from bulk_sync_local.engine import lanes
from bulk_sync_local.engine.job import Endpoint, TableOutcome
from bulk_sync_local.engine.names import stage_table
from bulk_sync_local.engine.ports import Load
from bulk_sync_local.engine.runner import run_job
from local.engine.kit import Recorder, Workspace

MEET_SECONDS = 20.0


@dataclass
class Meeting(Recorder):
    """Keeps each table waiting amid its rows until `together` tables have got there."""

    together: int = 2
    met: bool = True

    def __post_init__(self) -> None:
        self._barrier = threading.Barrier(self.together)

    def table_progress(self, schema_id: str, records: int) -> None:
        super().table_progress(schema_id, records)
        try:
            self._barrier.wait(MEET_SECONDS)
        except threading.BrokenBarrierError:
            self.met = False


@dataclass
class Counting(Recorder):
    """Counts how many tables are under way at most."""

    now: int = 0
    most: int = 0
    _lock: Any = field(default_factory=threading.Lock)

    def table_started(self, schema_id: str, output_name: str) -> None:
        super().table_started(schema_id, output_name)
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def table_finished(self, schema_id: str, outcome: TableOutcome) -> None:
        super().table_finished(schema_id, outcome)
        with self._lock:
            self.now -= 1


def written_by_another_process(workspace: Workspace, statement: str) -> None:
    """This process has two copies of SQLite, which would not heed each other's locks."""
    code = f"import sqlite3; db = sqlite3.connect({str(workspace.path / 'source.sqlite')!r}); "
    subprocess.run([sys.executable, "-c", f"{code}db.execute({statement!r}); db.commit()"], check=True)


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "cores", lambda: 4)


@pytest.fixture
def tables(workspace: Workspace) -> tuple[str, ...]:
    found = tuple(f"t{number}" for number in range(4))
    for number, one in enumerate(found):
        workspace.sql(
            f"CREATE TABLE {one} (id INTEGER PRIMARY KEY, name TEXT)",
            f"INSERT INTO {one} VALUES (1, 'row of {one}'), ({number + 2}, NULL)",
        )
    return found


@pytest.mark.parametrize("to", ["duckdb", "parquet"])
def test_tables_of_a_run_are_loaded_side_by_side_and_do_not_mix(
    workspace: Workspace, tables: tuple[str, ...], to: str
) -> None:
    """Of the very first run, whose loads all find no schema and no state, and of one that merges."""
    for settings in ({}, {}, {"resync_mode": "resync"}, {"resync_mode": "rebuild"}):
        recorder = Meeting(together=4)
        schema = {"output_schema": "made"} if to == "duckdb" else {}
        workspace.load(to, *tables, recorder=recorder, **schema, **settings)
        assert recorder.met
        for number, one in enumerate(tables):
            rows = workspace.rows(to, one, "made" if schema else None)
            assert [(row["id"], row["name"]) for row in rows] == [(1, f"row of {one}"), (number + 2, None)]


@pytest.mark.parametrize(("at_once", "expected"), [(1, 1), (2, 2), (99, 4)])
def test_no_more_tables_than_the_limit_and_the_cores_allow(
    workspace: Workspace, tables: tuple[str, ...], at_once: int, expected: int
) -> None:
    assert lanes.wanted(workspace.job("duckdb", *tables, at_once=at_once)) == expected
    recorder = Counting()
    workspace.load("duckdb", *tables, recorder=recorder, at_once=at_once)
    assert recorder.most <= expected


def test_a_sqlite_file_takes_one_table_at_a_time(workspace: Workspace, tables: tuple[str, ...]) -> None:
    recorder = Counting()
    workspace.load("sqlite", *tables, recorder=recorder)
    assert recorder.most == 1
    assert [len(workspace.rows("sqlite", one)) for one in tables] == [2] * 4


def test_outputs_that_refer_to_each_other_are_loaded_one_after_another(workspace: Workspace) -> None:
    """In the order of the sync, as a row can only come after the one that it refers to."""
    workspace.sql(
        "CREATE TABLE customers (id INTEGER PRIMARY KEY)", "CREATE TABLE orders (id INTEGER PRIMARY KEY, who INTEGER)"
    )
    workspace.duck(
        "CREATE TABLE customers (id BIGINT PRIMARY KEY)",
        "CREATE TABLE orders (id BIGINT, who BIGINT REFERENCES customers (id))",
        file="out.duckdb",
    )
    workspace.load("duckdb", "customers", "orders", resync_mode="resync")
    workspace.sql("INSERT INTO customers VALUES (1)", "INSERT INTO orders VALUES (1, 1)")
    recorder = Counting()
    workspace.load("duckdb", "customers", "orders", recorder=recorder)
    assert recorder.most == 1
    assert [row["who"] for row in workspace.rows("duckdb", "orders")] == [1]


@pytest.mark.parametrize("to", ["duckdb", "parquet"])
def test_a_table_that_fails_and_one_that_is_cancelled_leave_those_beside_them_alone(
    workspace: Workspace, tables: tuple[str, ...], to: str
) -> None:
    workspace.load(to, *tables)
    workspace.sql(
        "ALTER TABLE t1 RENAME COLUMN name TO other", *(f"INSERT INTO {one} VALUES (9, 'new')" for one in tables)
    )

    @dataclass
    class Cancelling(Recorder):
        def cancel_requested(self, schema_id: str) -> bool:
            return schema_id == "t2" and bool(self.progress.get("t2"))

    recorder = workspace.run(to, *tables, recorder=Cancelling())
    assert [one.status for one in recorder.finished.values()] == ["completed", "failed", "canceled", "completed"]
    assert [len(workspace.rows(to, one)) for one in tables] == [3, 2, 2, 3]
    workspace.load(to, *tables, resync_mode="rebuild")
    assert [len(workspace.rows(to, one)) for one in tables] == [3] * 4


@pytest.mark.parametrize(("at_once", "ends_as"), [(4, "completed"), (1, "failed")])
def test_tables_that_lack_memory_beside_others_are_loaded_by_themselves_when_these_have_ended(
    workspace: Workspace, tables: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, at_once: int, ends_as: str
) -> None:
    recorder = Recorder()
    apply, tried = DuckDBOutput.apply_statements, set[str]()

    def apply_in_need_of_memory(output: DuckDBOutput, load: Load) -> None:
        if load.schema_id not in tried:
            tried.add(load.schema_id)
            output.scratch.execute("SELECT count(*) FROM (SELECT DISTINCT repeat(CAST(i AS VARCHAR), 600000000) "
                "FROM range(3) AS r (i))")  # fmt: skip
        apply(output, load)

    workspace.load("duckdb", *tables)
    workspace.sql(*(f"INSERT INTO {one} VALUES (9, 'new')" for one in tables))
    monkeypatch.setattr(DuckDBOutput, "apply_statements", apply_in_need_of_memory)
    workspace.run("duckdb", *tables, recorder=recorder, at_once=at_once)
    assert {one.status for one in recorder.finished.values()} == {ends_as}
    assert recorder.said("Out of Memory" if ends_as == "failed" else "Memory did not do for several tables")
    assert {len(workspace.rows("duckdb", one)) for one in tables} == {2 if ends_as == "failed" else 3}


def test_when_the_run_cannot_be_reported_no_further_table_is_begun(
    workspace: Workspace, tables: tuple[str, ...]
) -> None:
    class Broken(Exception):
        pass

    @dataclass
    class Breaking(Recorder):
        def table_started(self, schema_id: str, output_name: str) -> None:
            super().table_started(schema_id, output_name)
            if schema_id == "t1":
                raise Broken

    recorder = Breaking()
    with pytest.raises(Broken):
        run_job(workspace.job("duckdb", *tables, at_once=1), recorder, workspace.confinement)
    assert list(recorder.started) == ["t0", "t1"]
    assert list(recorder.finished) == ["t0"]


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_lanes_of_a_sqlite_source_see_one_state_or_there_is_only_one(workspace: Workspace, journal: str) -> None:
    workspace.sql(f"PRAGMA journal_mode = {journal}", "CREATE TABLE t (id INTEGER PRIMARY KEY)")
    source: Any = connector("sqlite")
    first = source.open_source({"path": "source.sqlite"}, workspace.confinement)
    second = first.beside()
    assert second is not None
    if journal == "wal":  # in the other mode nobody can write while it is read
        written_by_another_process(workspace, "INSERT INTO t VALUES (1)")
        assert second.beside() is None
        assert first.beside() is None
    for one in (second, first):
        columns = one.shape("t").columns
        batches = one.read("t", columns, (), limit=None, careful=False).batches
        assert sum(batch.num_rows for batch in batches) == 0
        one.close()


def test_a_run_says_so_when_its_source_was_written_to_while_it_was_opened(
    workspace: Workspace, tables: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from bulk_sync_local.connectors.sqlite import SQLiteTables

    workspace.sql("PRAGMA journal_mode = wal")
    before = SQLiteTables.beside

    def written_to(self: SQLiteTables) -> Any:
        written_by_another_process(workspace, "INSERT INTO t3 VALUES (77, 'late')")
        return before(self)

    monkeypatch.setattr(SQLiteTables, "beside", written_to)
    recorder = workspace.load("duckdb", *tables)
    assert recorder.said("Not more than 1 at a time: the source has just been written to.")
    assert len(workspace.rows("duckdb", "t3")) == 2


@pytest.mark.parametrize("kind", ["duckdb", "parquet", "csv"])
def test_other_sources_are_read_side_by_side(workspace: Workspace, kind: str) -> None:
    folder = workspace.path / "in"
    folder.mkdir()
    for one in ("a", "b"):
        workspace.duck(f"CREATE TABLE {one} AS SELECT range AS id, '{one}' AS name FROM range(3)")
        workspace.duck(f"COPY {one} TO '{folder / one}.{kind}'") if kind != "duckdb" else None
    source = Endpoint(kind, {"path": "source.duckdb" if kind == "duckdb" else "in"})
    recorder = Meeting()
    workspace.load("duckdb", "a", "b", source=source, recorder=recorder)
    assert recorder.met
    for one in ("a", "b"):
        assert [(row["id"], row["name"]) for row in workspace.rows("duckdb", one)] == [(n, one) for n in range(3)]


def test_what_a_killed_run_left_of_any_lane_is_cleared_away(workspace: Workspace, tables: tuple[str, ...]) -> None:
    folder = workspace.path / "out"
    folder.mkdir()
    for lane in range(5):
        Path(folder / f"{stage_table('sync-1', lane)}.tmp").write_bytes(b"half a file")
    kept = folder / f"{stage_table('sync-2')}.tmp"
    kept.write_bytes(b"another sync's")
    workspace.load("parquet", *tables[:1], at_once=1)
    assert sorted(folder.iterdir()) == sorted([kept, folder / "t0.parquet"])


def test_many_tables_side_by_side_end_as_they_do_one_after_another(workspace: Workspace) -> None:
    """With what differs from table to table: a key or none, a tracking field or none, rows that go and come."""
    names = [f"table_{number}" for number in range(8)]
    for number, one in enumerate(names):
        key = "PRIMARY KEY" if number % 3 else ""
        workspace.sql(f"CREATE TABLE {one} (id INTEGER {key}, seen INTEGER, name TEXT)")
    outcomes: dict[int, list[Any]] = {}
    for step, resync in enumerate((None, None, "refetch", "resync", None)):
        for number, one in enumerate(names):
            workspace.sql(
                f"DELETE FROM {one} WHERE id % 7 = {step}",
                f"UPDATE {one} SET seen = {step}, name = 'changed at {step}' WHERE id % 5 = {number % 5}",
                rows=[
                    (
                        f"INSERT INTO {one} VALUES (?, ?, ?)",
                        [(step * 100 + n, step, f"{one} {n}") for n in range(number * 3)],
                    )
                ],
            )
        for at_once in (1, 4):
            recorder = workspace.load(
                "duckdb", *names, at_once=at_once, resync_mode=resync, output_schema=f"by_{at_once}",
                sync_id=f"sync-{at_once}",
            )  # fmt: skip
            outcomes[at_once] = list(recorder.finished.values())
        assert outcomes[1] == outcomes[4]
        for one in names:
            found = {
                at_once: [
                    (row["id"], row["seen"], row["name"], row.get("_polytomic_deleted_at") is None)
                    for row in workspace.query("duckdb", "SELECT * FROM {} ORDER BY ALL", one, f"by_{at_once}")
                ]
                for at_once in (1, 4)
            }
            assert found[1] == found[4], (step, one)
