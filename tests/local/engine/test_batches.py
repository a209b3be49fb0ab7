"""How large the batches are in which rows travel, whatever the rows are, and what happens when memory is short."""

from contextlib import closing
from typing import Any

import pytest

from bulk_sync_local.connectors import batches as sizes
from bulk_sync_local.connectors import sqlite_output
from bulk_sync_local.connectors.batches import UNKNOWN_ROWS, most_bytes
from bulk_sync_local.connectors.confined import connect, stream
from bulk_sync_local.connectors.sqlite import SQLiteTables
from bulk_sync_local.engine.conditions import Condition
from local.engine.kit import Workspace

MOST = 1024
COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) "
SHORT, LONG = "'short'", "hex(zeroblob(2500))"
LATE = f"CASE WHEN i > 4000 THEN {LONG} ELSE {SHORT} END"
IDS = ("i", "i * 1000000007", "i - 9223372036854775807", "CASE WHEN i > 10 THEN 9223372036854770000 + i ELSE i END")


def batches(workspace: Workspace, *, conditions: tuple[Condition, ...] = (), careful: bool = False) -> list[Any]:
    """What is read of the table `t`."""
    with closing(SQLiteTables(workspace.path / "source.sqlite")) as source:
        columns = source.shape("t").columns
        return list(source.read("t", columns, conditions, limit=None, careful=careful, most=MOST).batches)


def rows(found: list[Any]) -> int:
    return sum(batch.num_rows for batch in found)


@pytest.mark.parametrize("careful", [False, True])
@pytest.mark.parametrize("row_id", IDS)
@pytest.mark.parametrize("body", [LONG, LATE])
def test_long_rows_of_sqlite_come_in_batches_of_fewer_rows(
    workspace: Workspace, body: str, row_id: str, *, careful: bool
) -> None:
    workspace.sql(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT)",
        f"{COUNT.format(5000)} INSERT INTO t SELECT {row_id}, {body} FROM n",
    )
    found = batches(workspace, careful=careful)
    assert rows(found) == 5000
    if "CASE" in row_id:
        # Nearly all lie in one place: too few rows are looked at to tell.
        assert max(batch.num_rows for batch in found) <= UNKNOWN_ROWS
    else:
        assert max(batch.nbytes for batch in found) <= most_bytes(MOST)


@pytest.mark.parametrize("key", ["INTEGER PRIMARY KEY", "TEXT PRIMARY KEY", "INTEGER"])
def test_short_rows_of_sqlite_come_in_whole_batches(workspace: Workspace, key: str) -> None:
    workspace.sql(
        f"CREATE TABLE t (id {key}, body TEXT, number REAL)",
        f"{COUNT.format(20_000)} INSERT INTO t SELECT i, 'row ' || i, i / 7.0 FROM n",
    )
    assert [batch.num_rows for batch in batches(workspace)] == [MOST - 1, *[MOST] * 18, 20_000 - 19 * MOST + 1]


MADE = {
    "without row ids": "CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT) WITHOUT ROWID",
    "a view": "CREATE VIEW t AS SELECT id, body FROM other",
    "names of row ids taken": "CREATE TABLE t (rowid INTEGER, _rowid_ TEXT, oid TEXT, body TEXT)",
}


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
@pytest.mark.parametrize("body", [LONG, SHORT])
def test_rows_that_cannot_be_looked_at_beforehand_are_fetched_in_small_numbers(
    workspace: Workspace, made: str, body: str
) -> None:
    into = "other (id, body)" if "VIEW" in made else "t (rowid, body)" if "oid" in made else "t (id, body)"
    workspace.sql(
        "CREATE TABLE other (id INTEGER PRIMARY KEY, body TEXT)",
        made,
        f"{COUNT.format(3000)} INSERT INTO {into} SELECT i, {body} FROM n",
    )
    found = batches(workspace)
    assert rows(found) == 3000
    if body == LONG:
        assert max(batch.num_rows for batch in found) <= 256
    else:
        assert len(found) == 3, "short rows are put together again"


def test_a_reading_that_picks_the_long_rows_fetches_few_of_them(workspace: Workspace) -> None:
    workspace.sql(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT)",
        f"{COUNT.format(5000)} INSERT INTO t SELECT i, {LATE} FROM n",
    )
    found = batches(workspace, conditions=(Condition("id", "BIGINT", "GreaterThan", ("4000",)),))
    assert rows(found) == 1000
    assert max(batch.nbytes for batch in found) <= most_bytes(MOST)


@pytest.mark.parametrize("length", [10, 300, 3000])
def test_long_values_out_of_duckdb_come_in_batches_of_fewer_rows(length: int) -> None:
    with closing(connect(None)) as connection:
        _, found = stream(connection, f"SELECT range AS id, repeat('x', {length}) AS body FROM range(20000)", 8192)
        found_sizes = [(batch.num_rows, batch.nbytes) for batch in found]
    assert sum(number for number, _ in found_sizes) == 20_000
    assert all(size <= most_bytes(8192) or number <= UNKNOWN_ROWS for number, size in found_sizes)
    if length == 10:
        assert max(number for number, _ in found_sizes) == 8192


@pytest.mark.parametrize("key", ["INTEGER PRIMARY KEY", "TEXT PRIMARY KEY"])
def test_a_row_that_is_too_long_for_a_stage_is_loaded_with_more_memory(
    workspace: Workspace, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_output, "SCRATCH_LIMIT", "10MB")
    workspace.sql(
        f"CREATE TABLE t (id {key}, body TEXT)", "INSERT INTO t VALUES (1, 'a'), (2, hex(zeroblob(8000000))), (3, 'c')"
    )
    recorder = workspace.load("sqlite", "t")
    assert recorder.said("need more memory than usual")
    assert [len(row["body"]) for row in workspace.rows("sqlite", "t")] == [1, 16_000_000, 1]


def test_a_wide_table_arrives_whole_batch_by_batch(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "BATCH_BYTES", 480_000)
    columns = [f"c{number}" for number in range(200)]
    workspace.sql(
        f"CREATE TABLE t (id TEXT PRIMARY KEY, {', '.join(f'{one} INTEGER' for one in columns)})",
        f"{COUNT.format(1000)} INSERT INTO t SELECT 'key ' || i, {', '.join(f'i * {n}' for n in range(200))} FROM n",
    )
    recorder = workspace.load("duckdb", "t")
    assert len(recorder.progress["t"]) > 2
    found = workspace.rows("duckdb", "t")
    assert sorted(row["c199"] for row in found) == [number * 199 for number in range(1, 1001)]
    assert all(row["c7"] * 199 == row["c199"] * 7 for row in found)
