"""Rows that go to PostgreSQL without a stage: the same rows, the same counts, and a stage where one is needed."""

from datetime import datetime

import pytest

from bulk_sync_local.engine.job import Endpoint, FieldChoice, TableJob
from local.engine.kit import Recorder
from local.postgres.kit import POSTGRES, PostgresWorkspace

AGAIN = "reading again"


def names(workspace: PostgresWorkspace) -> dict[int, str | None]:
    return {row["id"]: row["name"] for row in workspace.rows(POSTGRES, "t")}


@pytest.mark.parametrize("key", ["INTEGER PRIMARY KEY", "INTEGER"])
@pytest.mark.parametrize("settings", [{}, {"mode": "snapshot"}, {"mode": "append"}, {"resync_mode": "resync"}])
def test_rows_that_need_no_cleaning_are_read_once_and_arrive_whole(
    workspace: PostgresWorkspace, key: str, settings: dict[str, str]
) -> None:
    workspace.sql(
        f"CREATE TABLE t (id {key}, name TEXT, price DECIMAL(9,2), at TIMESTAMP, raw BLOB)",
        "INSERT INTO t VALUES (1, 'a', 1.25, '2024-01-01 10:00:00.5', x'00ff'), (2, NULL, NULL, NULL, NULL)",
    )
    for _ in range(2):
        recorder = workspace.load(POSTGRES, "t", **settings)
        assert not recorder.said(AGAIN)
        assert recorder.progress["t"] == [2]
        assert (recorder.finished["t"].records, recorder.finished["t"].warnings) == (2, 0)
    rows = workspace.data(POSTGRES, "t")
    assert len(rows) == (4 if settings.get("mode") == "append" else 2)
    first, last = rows[0], rows[-1]
    moment = datetime(2024, 1, 1, 10, 0, 0, 500_000)
    assert [first[column] for column in ("id", "name", "price", "at", "raw")] == [
        1, "a", "1.25", moment, b"\x00\xff"
    ]  # fmt: skip
    assert [last[column] for column in ("id", "name", "price", "at", "raw")] == [2, None, None, None, None]


def test_a_table_of_one_row_is_passed_on_too(workspace: PostgresWorkspace) -> None:
    workspace.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)", "INSERT INTO t VALUES (7, 'only')")
    assert not workspace.load(POSTGRES, "t").said(AGAIN)
    assert names(workspace) == {7: "only"}


def test_long_rows_are_passed_on_few_at_a_time(workspace: PostgresWorkspace) -> None:
    workspace.sql(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30) "
        "INSERT INTO t SELECT i, hex(zeroblob(500000)) FROM n",
    )
    recorder = workspace.load(POSTGRES, "t")
    assert not recorder.said(AGAIN)
    assert recorder.progress["t"] == [*range(2, 30, 3), 30]
    assert {len(name or "") for name in names(workspace).values()} == {1_000_000}


def test_values_that_do_not_fit_are_counted_on_the_way(workspace: PostgresWorkspace) -> None:
    workspace.sql(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, count INTEGER, at TIMESTAMP)",
        "INSERT INTO t VALUES (1, 'a', 'many', '2024-01-01'), (2, 'b', 2, 'soon'), (3, 'c', 3.5, '2024-01-02T01:00Z')",
    )
    recorder = workspace.load(POSTGRES, "t")
    assert recorder.finished["t"].warnings == 3
    assert "count (2), at (1)" in (recorder.finished["t"].message or "")
    rows = workspace.rows(POSTGRES, "t")
    assert [row["count"] for row in rows] == [None, 2, None]
    assert [row["at"] for row in rows] == [datetime(2024, 1, 1), None, datetime(2024, 1, 2, 1)]


def test_rows_that_come_in_another_order_than_their_keys_go_by_way_of_a_stage(workspace: PostgresWorkspace) -> None:
    workspace.sql(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, long TEXT)",
        "CREATE INDEX by_name ON t (name)",  # all that is read, so SQLite reads it instead of the table
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) "
        "INSERT INTO t SELECT i, printf('%04d', 500 - i), printf('%500d', i) FROM n",
    )
    table = TableJob("t", fields=(FieldChoice("id"), FieldChoice("name")), new_fields=False)
    recorder = workspace.load(POSTGRES, table)
    assert recorder.said(AGAIN)
    assert names(workspace) == {i: f"{500 - i:04d}" for i in range(1, 501)}


def test_a_value_postgresql_cannot_hold_goes_by_way_of_a_stage(workspace: PostgresWorkspace) -> None:
    workspace.sql(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)",
        "INSERT INTO t VALUES (1, 'a'), (2, 'b' || char(0) || 'c')",
    )
    recorder = workspace.load(POSTGRES, "t")
    assert recorder.said(AGAIN)
    assert recorder.finished["t"].warnings == 1
    assert names(workspace) == {1: "a", 2: "bc"}


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("INTEGER", [-5, 7, 7, 8]),
        ("DATE", ["2024-01-05", "2024-01-06", "2024-01-06", "2024-01-07"]),
        ("TIMESTAMP", ["1969-12-31 23:59:59.999999", "2024-01-06 00:00:00.000001", "2024-01-06 00:00:00.000001", "2025-01-01 00:00:00"]),
        ("TIMESTAMPTZ", ["2024-01-06 00:00:00+02:00", "2024-01-06 00:00:00Z", "2024-01-06 01:00:00+01", "2025-01-01 00:00:00Z"]),
    ],
)  # fmt: skip
def test_the_watermark_is_that_of_the_rows_passed_on(
    workspace: PostgresWorkspace, kind: str, values: list[object]
) -> None:
    insert = "INSERT INTO t VALUES (?, ?, ?)"
    workspace.sql(
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, at {kind})",
        rows=[(insert, [(1, "old", values[0]), (2, "latest", values[1]), (3, "none", None)])],
    )
    tracked = TableJob("t", tracking_field="at")
    first = workspace.load(POSTGRES, tracked)
    assert not first.said(AGAIN)
    assert first.said("1 row(s) have no value in the tracking field")
    workspace.sql(
        "UPDATE t SET name = 'unnoticed' WHERE id = 1",
        rows=[(insert, [(4, "same", values[2]), (5, "new", values[3])])],
    )
    assert workspace.load(POSTGRES, tracked).finished["t"].records == 3
    assert names(workspace) == {1: "old", 2: "latest", 3: "none", 4: "same", 5: "new"}


def test_a_table_cancelled_on_the_way_can_be_loaded_afterwards(workspace: PostgresWorkspace) -> None:
    workspace.sql(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150000) "
        "INSERT INTO t SELECT i, 'x' FROM n",
    )
    recorder = Recorder(cancel=lambda records: 0 < records < 150_000)
    workspace.run(POSTGRES, "t", recorder=recorder)
    assert recorder.finished["t"].status == "canceled"
    assert workspace.pg("SELECT count(*) FROM pg_class WHERE relname = 't'") == [(0,)]
    assert workspace.load(POSTGRES, "t").finished["t"].records == 150_000


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_files_are_read_on_the_way_and_what_they_hold_arrives_whole(workspace: PostgresWorkspace, kind: str) -> None:
    folder = workspace.path / "in"
    folder.mkdir()
    workspace.duck(
        "CREATE TABLE t AS SELECT range AS id, 'name ' || range AS name, TIMESTAMP '2024-01-01' + to_minutes(range) AS at "
        "FROM range(40000)",
        f"COPY t TO '{folder}/t.{kind}' (FORMAT {kind})",
    )
    recorder = workspace.load(POSTGRES, TableJob("t", tracking_field="at"), source=Endpoint(kind, {"path": "in"}))
    assert not recorder.said(AGAIN)
    assert len(recorder.progress["t"]) > 1
    assert recorder.progress["t"] == sorted(recorder.progress["t"])
    assert recorder.progress["t"][-1] == recorder.finished["t"].records == 40_000
    assert names(workspace) == {i: f"name {i}" for i in range(40_000)}
    canceled = Recorder(cancel=lambda records: records > 0)
    workspace.run(POSTGRES, "t", source=Endpoint(kind, {"path": "in"}), recorder=canceled)
    assert canceled.finished["t"].status == "canceled"
    assert len(names(workspace)) == 40_000
