"""What the oracle has found, each kept as an example: the shortest history that shows it."""

from typing import Any

import pytest

from bulk_sync_local.engine.job import Endpoint, FieldChoice, TableJob
from local.engine.kit import Workspace

DESTINATIONS = ("duckdb", "sqlite", "parquet")
DUCKDB = Endpoint("duckdb", {"path": "source.duckdb"})


@pytest.fixture
def workspace(tmp_path: Any) -> Workspace:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return Workspace(folder)


@pytest.mark.parametrize("to", DESTINATIONS)
def test_no_row_is_lost_where_a_column_is_called_rowid(workspace: Workspace, to: str) -> None:
    workspace.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, rowid INTEGER)", "INSERT INTO t VALUES (1, 5), (2, 5)")
    workspace.load(to, "t")
    workspace.sql("UPDATE t SET rowid = 6", "INSERT INTO t VALUES (3, 6)")
    workspace.load(to, "t")
    assert [(row["id"], row["rowid"]) for row in workspace.rows(to, "t")] == [(1, 6), (2, 6), (3, 6)]


@pytest.mark.parametrize("to", DESTINATIONS)
def test_one_row_a_key_is_kept_where_a_column_is_called_rowid(workspace: Workspace, to: str) -> None:
    workspace.sql(
        'CREATE TABLE t (k TIMESTAMP, "RowId" INTEGER, v TEXT, PRIMARY KEY (k, "RowId"))',
        "INSERT INTO t VALUES ('2024-01-01 00:00:00', 5, 'first'), ('2024-01-01', 5, 'last'), ('2024-01-02', 5, 'other')",
    )
    for table in (TableJob("t"), TableJob("t", tracking_field="RowId")):
        assert workspace.load(to, table).finished["t"].warnings == 1
        assert [row["v"] for row in workspace.rows(to, "t")] == ["last", "other"]


def test_a_column_called_as_the_stage_calls_its_hidden_ones_is_loaded(workspace: Workspace) -> None:
    workspace.sql(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, at INTEGER, __hidden_0 TEXT)", "INSERT INTO t VALUES (1, 2, 'x')"
    )
    table = TableJob("t", (FieldChoice("at", enabled=False),), tracking_field="at")
    for _ in range(2):
        workspace.load("duckdb", table)
    (row,) = workspace.rows("duckdb", "t")
    assert (row["id"], row["__hidden_0"]) == (1, "x")


def test_nan_becomes_null_in_sqlite_and_is_counted(workspace: Workspace) -> None:
    workspace.duck(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a DOUBLE, b FLOAT)",
        "INSERT INTO t VALUES (1, 'nan', 'nan'), (2, 1, 'inf')",
    )
    outcome = workspace.load("sqlite", "t", source=DUCKDB).finished["t"]
    assert outcome.warnings == 2
    assert "1 value(s) of the column a that are NaN became NULL" in (outcome.message or "")
    assert [(row["a"], row["b"]) for row in workspace.rows("sqlite", "t")] == [(None, None), (1.0, float("inf"))]


def test_a_key_that_is_nan_fails_the_table_in_sqlite(workspace: Workspace) -> None:
    workspace.duck("CREATE TABLE t (id DOUBLE PRIMARY KEY)", "INSERT INTO t VALUES ('nan'), (1)")
    recorder = workspace.run("sqlite", "t", source=DUCKDB)
    assert "key column id cannot be kept in SQLite" in (recorder.finished["t"].message or "")
    workspace.load("duckdb", "t", source=DUCKDB)


@pytest.mark.parametrize("declared", ["DATE", "TIMESTAMP", "TIMESTAMPTZ"])
def test_an_infinite_number_among_sqlites_dates_is_no_infinite_date(workspace: Workspace, declared: str) -> None:
    workspace.sql(
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared})", "INSERT INTO t VALUES (1, 9e999), (2, 'infinity')"
    )
    outcome = workspace.load("duckdb", "t").finished["t"]
    assert outcome.warnings == 1
    first, second = workspace.rows("duckdb", "t")
    assert first["v"] is None
    assert second["v"] is not None


@pytest.mark.parametrize("to", DESTINATIONS)
def test_a_row_marked_deleted_that_comes_back_is_live_again_with_hard_deletes_too(
    workspace: Workspace, to: str
) -> None:
    workspace.sql(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)", "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')"
    )
    workspace.load(to, "t")
    workspace.sql("DELETE FROM t WHERE id > 1")
    workspace.load(to, "t")
    workspace.sql("INSERT INTO t VALUES (2, 'b')")
    workspace.load(to, "t", hard_deletes=True)
    assert [(row["id"], row["deleted"]) for row in workspace.data(to, "t")] == [(1, False), (2, False)]
    workspace.load(to, "t", hard_deletes=True, resync_mode="rebuild")
    assert "_polytomic_deleted_at" not in workspace.rows(to, "t")[0]


@pytest.mark.parametrize("to", DESTINATIONS)
def test_a_month_that_becomes_thirty_days_is_written(workspace: Workspace, to: str) -> None:
    workspace.duck("CREATE TABLE t (id INTEGER PRIMARY KEY, v INTERVAL)", "INSERT INTO t VALUES (1, '1 month')")
    workspace.load(to, "t", source=DUCKDB)
    # An UPDATE of DuckDB itself leaves a value that is equal.
    workspace.duck("DELETE FROM t", "INSERT INTO t VALUES (1, '30 days')")
    workspace.load(to, "t", source=DUCKDB)
    (row,) = workspace.query(to, "SELECT CAST(v AS VARCHAR) AS v FROM {}", "t")
    assert row["v"] == "30 days"


def test_a_hidden_tracking_field_of_another_type_fails_with_a_remedy(workspace: Workspace) -> None:
    table = TableJob("t", (FieldChoice("at", enabled=False),), tracking_field="at")
    workspace.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, at INTEGER)", "INSERT INTO t VALUES (1, 5)")
    workspace.load("duckdb", table)
    workspace.sql("DROP TABLE t", "CREATE TABLE t (id INTEGER PRIMARY KEY, at TIMESTAMP)")
    said = workspace.run("duckdb", table).finished["t"].message or ""
    assert "The tracking field at is TIMESTAMP now" in said
    workspace.load("duckdb", table, resync_mode="resync")
    workspace.load("duckdb", table)


def test_a_table_whose_latest_tracking_value_holds_a_nul_is_read_on_from_there(workspace: Workspace) -> None:
    table = TableJob("t", tracking_field="at")
    workspace.sql(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT)", rows=[("INSERT INTO t VALUES (?, ?)", [(1, "a\0b")])]
    )
    workspace.load("duckdb", table)
    workspace.sql(rows=[("INSERT INTO t VALUES (?, ?)", [(2, "a\0a"), (3, "a\0c")])])
    assert workspace.load("duckdb", table).finished["t"].records == 2
    assert [row["id"] for row in workspace.rows("duckdb", "t")] == [1, 3]


@pytest.mark.parametrize("to", DESTINATIONS)
@pytest.mark.parametrize("tracked", [None, "seen"])
def test_a_structure_called_as_a_statement_calls_a_table_is_merged(
    workspace: Workspace, tracked: str | None, to: str
) -> None:
    columns = ", ".join(f"{one} STRUCT(a INTEGER)" for one in ("o", "s", "c"))
    workspace.duck(f"CREATE TABLE t (id INTEGER PRIMARY KEY, seen INTEGER, {columns})")
    for place in range(3):
        workspace.duck(
            "UPDATE t SET seen = seen + 1", f"INSERT INTO t VALUES ({place}, {place + 1}, {{'a': 1}}, {{'a': 2}}, NULL)"
        )
        workspace.load(to, TableJob("t", tracking_field=tracked), source=DUCKDB)
    assert [(row["id"], row["seen"]) for row in workspace.rows(to, "t")] == [(0, 3), (1, 3), (2, 3)]
