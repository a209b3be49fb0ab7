"""Destinations that another process holds: said in words, the old data stays, and the next run works."""

import multiprocessing
import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from bulk_sync_local.connectors import confined, sqlite
from bulk_sync_local.engine.job import TableOutcome
from local.engine.kit import PATHS, Recorder, Workspace

PATIENCE = 30


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "_LOCK_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(sqlite, "_LOCK_WAIT_MILLISECONDS", 0)


def _hold_duckdb(path: str, how: str, ready: Any, done: Any) -> None:
    with duckdb.connect(path, read_only=how == "read"):
        ready.set()
        done.wait(PATIENCE)


def _hold_sqlite(path: str, how: str, ready: Any, done: Any) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"BEGIN {'DEFERRED' if how == 'read' else how}")
        connection.execute("SELECT count(*) FROM big").fetchall()
        ready.set()
        done.wait(PATIENCE)
        connection.rollback()
    connection.close()


def _hold_file(path: str, how: str, ready: Any, done: Any) -> None:
    import fcntl

    with (Path(path) / "big.parquet").open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        before = file.read()
        ready.set()
        done.wait(PATIENCE)
        file.seek(0)
        assert file.read() == before


_HOLDERS: dict[str, Callable[..., None]] = {"duckdb": _hold_duckdb, "sqlite": _hold_sqlite, "parquet": _hold_file}


@contextmanager
def held(workspace: Workspace, to: str, how: str) -> Generator[Callable[[], None]]:
    """Another process holds the destination until what this gives is called."""
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    holder = context.Process(target=_HOLDERS[to], args=(str(workspace.path / PATHS[to]), how, ready, done))
    holder.start()

    def release() -> None:
        done.set()
        holder.join(PATIENCE)
        assert holder.exitcode == 0

    try:
        assert ready.wait(PATIENCE)
        yield release
    finally:
        release()


def prepared(workspace: Workspace, to: str) -> None:
    workspace.sql(
        "CREATE TABLE big (id INTEGER PRIMARY KEY, name TEXT)",
        "CREATE TABLE small (id INTEGER PRIMARY KEY, name TEXT)",
        "INSERT INTO big VALUES (1, 'old')",
        "INSERT INTO small VALUES (1, 'old')",
    )
    workspace.load(to, "big", "small")
    workspace.sql("UPDATE big SET name = 'new'", "UPDATE small SET name = 'new'")


def names(workspace: Workspace, to: str) -> list[str]:
    return [row["name"] for table in ("big", "small") for row in workspace.rows(to, table)]


@pytest.mark.parametrize(
    ("to", "how"), [("duckdb", "write"), ("duckdb", "read"), ("sqlite", "EXCLUSIVE"), ("sqlite", "IMMEDIATE"), ("sqlite", "read")]
)  # fmt: skip
@pytest.mark.parametrize("resync", [None, "rebuild"])
def test_a_file_that_another_process_holds_is_told_and_left_alone(
    workspace: Workspace, to: str, how: str, resync: str | None
) -> None:
    prepared(workspace, to)
    with held(workspace, to, how):
        outcomes = workspace.run(to, "big", "small", resync_mode=resync).finished
    for outcome in outcomes.values():
        assert outcome.status == "failed"
        assert "Another process h" in (outcome.message or ""), outcome
        assert "Close it there, or wait until it is done" in (outcome.message or "")
    assert names(workspace, to) == ["old", "old"]
    workspace.load(to, "big", "small", resync_mode=resync)
    assert names(workspace, to) == ["new", "new"]


class Releasing(Recorder):
    """Has the lock let go when the first table has ended."""

    release: Callable[[], None]

    def table_finished(self, schema_id: str, outcome: TableOutcome) -> None:
        super().table_finished(schema_id, outcome)
        self.release()


@pytest.mark.parametrize("how", ["IMMEDIATE", "read"])
def test_tables_that_come_once_the_lock_is_gone_are_loaded(workspace: Workspace, how: str) -> None:
    prepared(workspace, "sqlite")
    with held(workspace, "sqlite", how) as release:
        recorder = Releasing()
        recorder.release = release
        workspace.run("sqlite", "big", "small", recorder=recorder)
    assert [one.status for one in recorder.finished.values()] == ["failed", "completed"]
    assert names(workspace, "sqlite") == ["old", "new"]
    workspace.load("sqlite", "big", "small")
    assert names(workspace, "sqlite") == ["new", "new"]


def test_a_parquet_file_that_another_process_reads_is_replaced_behind_its_back(workspace: Workspace) -> None:
    """The holder keeps the old content, whatever lock it has; everybody who opens the file anew gets the new one."""
    prepared(workspace, "parquet")
    with held(workspace, "parquet", "write"):
        workspace.load("parquet", "big", "small")
    assert names(workspace, "parquet") == ["new", "new"]


def test_a_damaged_file_whose_name_speaks_of_locks_is_not_called_locked(workspace: Workspace) -> None:
    workspace.sql("CREATE TABLE big (id INTEGER PRIMARY KEY)")
    (workspace.path / "out.duckdb").symlink_to(workspace.path / "locked.duckdb")
    (workspace.path / "locked.duckdb").write_bytes(b"something else entirely")
    said = workspace.run("duckdb", "big").finished["big"].message or ""
    assert "Another process" not in said
    assert "cannot be opened as a DuckDB database" in said
