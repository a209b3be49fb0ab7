"""Every mode with every resync mode, keyed and not, into every destination, held against a small model."""

from typing import Any

import pytest

from bulk_sync_local.engine.job import Endpoint, TableJob
from local.engine.kit import PATHS, Workspace

DESTINATIONS = ("duckdb", "sqlite", "parquet")
Rows = list[dict[str, Any]]

BEFORE = [(1, "one", 10), (2, "two", 20), (3, "three", 30)]
AFTER = [(1, "one", 10), (2, "TWO", 20), (4, "four", 40)]


def model(
    before: list[tuple[Any, ...]],
    after: list[tuple[Any, ...]],
    mode: str,
    resync: str | None,
    keyed: bool,
    *,
    tracked: bool = False,
    hard_deletes: bool = False,
) -> Rows:
    """What the output holds after a first run on `before` and a second on `after`."""
    live = [{"id": row[0], "name": row[1], "seen": row[2], "deleted": False} for row in after]
    old = [{"id": row[0], "name": row[1], "seen": row[2], "deleted": False} for row in before]
    if resync in ("resync", "rebuild") or mode == "snapshot" or (mode == "replicate" and not keyed):
        return live
    watermark = max(row[2] for row in before)
    if mode == "append":
        return sorted(old + [row for row in live if not tracked or row["seen"] > watermark], key=repr_key)
    read = live if resync == "refetch" or not tracked else [row for row in live if row["seen"] >= watermark]
    merged = {row["id"]: row for row in old}
    if not tracked or resync == "refetch":
        there = {row["id"] for row in live}
        for key, row in list(merged.items()):
            if key not in there:
                if hard_deletes:
                    del merged[key]
                else:
                    merged[key] = {**row, "deleted": True}
    merged |= {row["id"]: row for row in read}
    return [merged[key] for key in sorted(merged)]


def repr_key(row: dict[str, Any]) -> str:
    return repr(row)


def fill(workspace: Workspace, rows: list[tuple[Any, ...]], *, keyed: bool) -> None:
    key = " PRIMARY KEY" if keyed else ""
    workspace.sql(
        "DROP TABLE IF EXISTS orders",
        f"CREATE TABLE orders (id INTEGER{key}, name TEXT, seen INTEGER)",
        rows=[("INSERT INTO orders VALUES (?, ?, ?)", rows)],
    )


@pytest.mark.parametrize("to", DESTINATIONS)
@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "keyless"])
@pytest.mark.parametrize("tracked", [True, False], ids=["tracked", "untracked"])
@pytest.mark.parametrize("resync", [None, "refetch", "resync", "rebuild"])
@pytest.mark.parametrize("mode", ["replicate", "snapshot", "append"])
def test_two_runs_leave_what_the_model_says(
    workspace: Workspace, mode: str, resync: str | None, tracked: bool, keyed: bool, to: str
) -> None:
    table = TableJob("orders", tracking_field="seen" if tracked else None)
    fill(workspace, BEFORE, keyed=keyed)
    workspace.load(to, table, mode=mode)
    first = workspace.data(to, "orders")
    fill(workspace, AFTER, keyed=keyed)
    recorder = workspace.run(to, table, mode=mode, resync_mode=resync)
    after = workspace.data(to, "orders")
    if mode == "append" and resync == "refetch":
        assert recorder.finished["orders"].status == "failed"
        assert after == first
        return
    assert recorder.finished["orders"].status == "completed", recorder.finished
    expected = model(BEFORE, AFTER, mode, resync, keyed, tracked=tracked)
    assert sorted(after, key=repr_key) == sorted(expected, key=repr_key)


@pytest.mark.parametrize("to", DESTINATIONS)
@pytest.mark.parametrize("resync", [None, "refetch"])
def test_hard_deletes_remove_rows_the_source_no_longer_has(workspace: Workspace, resync: str | None, to: str) -> None:
    fill(workspace, BEFORE, keyed=True)
    workspace.load(to, "orders", hard_deletes=True)
    fill(workspace, AFTER, keyed=True)
    workspace.load(to, "orders", hard_deletes=True, resync_mode=resync)
    assert workspace.data(to, "orders") == model(BEFORE, AFTER, "replicate", resync, True, hard_deletes=True)
    assert "_polytomic_deleted_at" not in workspace.rows(to, "orders")[0]


@pytest.mark.parametrize("to", DESTINATIONS)
def test_a_row_that_comes_back_is_no_longer_marked_deleted(workspace: Workspace, to: str) -> None:
    fill(workspace, BEFORE, keyed=True)
    workspace.load(to, "orders")
    fill(workspace, BEFORE[:2], keyed=True)
    workspace.load(to, "orders")
    assert [row["deleted"] for row in workspace.data(to, "orders")] == [False, False, True]
    fill(workspace, BEFORE, keyed=True)
    workspace.load(to, "orders")
    assert [row["deleted"] for row in workspace.data(to, "orders")] == [False, False, False]


@pytest.mark.parametrize("to", DESTINATIONS)
def test_a_row_that_did_not_change_is_not_written_again(workspace: Workspace, to: str) -> None:
    fill(workspace, BEFORE, keyed=True)
    workspace.load(to, "orders")
    first = {row["id"]: row for row in workspace.rows(to, "orders")}
    fill(workspace, AFTER, keyed=True)
    workspace.load(to, "orders", resync_mode="refetch")
    second = {row["id"]: row for row in workspace.rows(to, "orders")}
    assert second[1] == first[1]
    assert second[2]["_polytomic_created_at"] == first[2]["_polytomic_created_at"]
    assert second[2]["_polytomic_updated_at"] > first[2]["_polytomic_updated_at"]
    assert second[3]["_polytomic_deleted_at"] == second[3]["_polytomic_updated_at"]


@pytest.mark.parametrize("to", DESTINATIONS)
def test_without_record_timestamps_the_output_has_only_the_deletion_mark(workspace: Workspace, to: str) -> None:
    fill(workspace, BEFORE, keyed=True)
    workspace.load(to, "orders", record_timestamps=False)
    fill(workspace, AFTER, keyed=True)
    workspace.load(to, "orders", record_timestamps=False)
    assert list(workspace.rows(to, "orders")[0]) == ["id", "name", "seen", "_polytomic_deleted_at"]
    assert workspace.data(to, "orders") == model(BEFORE, AFTER, "replicate", None, True)


@pytest.mark.parametrize("to", DESTINATIONS)
@pytest.mark.parametrize("mode", ["replicate", "snapshot", "append"])
def test_an_empty_source_makes_an_empty_output(workspace: Workspace, mode: str, to: str) -> None:
    fill(workspace, [], keyed=True)
    assert workspace.load(to, "orders", mode=mode).finished["orders"].records == 0
    assert workspace.rows(to, "orders") == []
    workspace.load(to, "orders", mode=mode)
    assert workspace.rows(to, "orders") == []


@pytest.mark.parametrize("to", DESTINATIONS)
def test_a_source_that_became_empty_marks_every_row(workspace: Workspace, to: str) -> None:
    fill(workspace, BEFORE, keyed=True)
    workspace.load(to, "orders")
    fill(workspace, [], keyed=True)
    workspace.load(to, "orders")
    assert [row["deleted"] for row in workspace.data(to, "orders")] == [True, True, True]


@pytest.mark.parametrize("to", DESTINATIONS)
def test_a_table_whose_output_was_dropped_by_hand_is_loaded_whole_again(workspace: Workspace, to: str) -> None:
    table = TableJob("orders", tracking_field="seen")
    fill(workspace, BEFORE, keyed=True)
    workspace.load(to, table)
    if to == "parquet":
        (workspace.path / "out" / "orders.parquet").unlink()
    elif to == "sqlite":
        workspace.sql("DROP TABLE orders", file="out.sqlite")
    else:
        workspace.duck("DROP TABLE orders", file="out.duckdb")
    workspace.load(to, table)
    assert [row["id"] for row in workspace.rows(to, "orders")] == [1, 2, 3]


@pytest.mark.parametrize("to", ["duckdb", "sqlite"])
def test_an_index_that_somebody_made_on_the_output_does_not_hinder_a_merge(workspace: Workspace, to: str) -> None:
    workspace.sql(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)", "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')"
    )
    workspace.load(to, "t")
    index = "CREATE UNIQUE INDEX own ON t (id)"
    workspace.duck(index, file=PATHS[to]) if to == "duckdb" else workspace.sql(index, file=PATHS[to])
    workspace.sql("UPDATE t SET v = 'x' WHERE id = 2", "DELETE FROM t WHERE id = 3", "INSERT INTO t VALUES (4, 'd')")
    workspace.load(to, "t")
    rows = [(row["id"], row["v"], row["deleted"]) for row in workspace.data(to, "t")]
    assert rows == [(1, "a", False), (2, "x", False), (3, "c", True), (4, "d", False)]


@pytest.mark.parametrize("to", DESTINATIONS)
def test_a_table_with_only_key_columns_merges(workspace: Workspace, to: str) -> None:
    workspace.sql("CREATE TABLE pairs (a INTEGER, b TEXT, PRIMARY KEY (b, a))", "INSERT INTO pairs VALUES (1, 'x')")
    workspace.load(to, "pairs", record_timestamps=False, hard_deletes=True)
    workspace.sql("INSERT INTO pairs VALUES (1, 'y')")
    workspace.load(to, "pairs", record_timestamps=False, hard_deletes=True)
    assert sorted(workspace.rows(to, "pairs"), key=repr) == [{"a": 1, "b": "x"}, {"a": 1, "b": "y"}]


@pytest.mark.parametrize("resync", [None, "resync", "refetch"])
def test_a_view_on_the_output_survives_every_run_that_keeps_the_table(workspace: Workspace, resync: str | None) -> None:
    for to in ("duckdb", "sqlite"):
        fill(workspace, BEFORE, keyed=True)
        workspace.load(to, "orders")
        view = "CREATE VIEW names AS SELECT name FROM orders"
        if to == "sqlite":
            workspace.sql(view, file="out.sqlite")
        else:
            workspace.duck(view, file="out.duckdb")
        fill(workspace, AFTER, keyed=True)
        workspace.load(to, "orders", resync_mode=resync)
        assert "TWO" in {row["name"] for row in workspace.rows(to, "names")}


@pytest.mark.parametrize("to", ["duckdb", "sqlite"])
def test_a_view_survives_even_a_rebuild(workspace: Workspace, to: str) -> None:
    fill(workspace, BEFORE, keyed=True)
    workspace.load(to, "orders")
    view = "CREATE VIEW names AS SELECT name FROM orders"
    if to == "sqlite":
        workspace.sql(view, file="out.sqlite")
    else:
        workspace.duck(view, file="out.duckdb")
    fill(workspace, AFTER, keyed=True)
    workspace.load(to, "orders", resync_mode="rebuild")
    assert {row["name"] for row in workspace.rows(to, "names")} == {"one", "TWO", "four"}


def test_truncate_existing_keeps_the_table_of_a_keyless_source(workspace: Workspace) -> None:
    fill(workspace, BEFORE, keyed=False)
    for to in ("duckdb", "sqlite"):
        workspace.load(to, "orders")
    workspace.duck("ALTER TABLE orders ADD COLUMN mine INTEGER", file="out.duckdb")
    workspace.sql("ALTER TABLE orders ADD COLUMN mine INTEGER", file="out.sqlite")
    for to in ("duckdb", "sqlite"):
        workspace.load(to, "orders", truncate_existing=True)
        assert "mine" in workspace.rows(to, "orders")[0]
        workspace.load(to, "orders")
        assert "mine" not in workspace.rows(to, "orders")[0]


@pytest.mark.parametrize("to", DESTINATIONS)
def test_a_test_run_checks_five_records_and_touches_nothing(workspace: Workspace, to: str) -> None:
    fill(workspace, [(i, str(i), i) for i in range(20)], keyed=True)
    before = workspace.fingerprint()
    recorder = workspace.load(to, "orders", test=True)
    assert recorder.finished["orders"].records == 5
    assert workspace.fingerprint() == before
    workspace.load(to, "orders")
    before = workspace.fingerprint()
    workspace.load(to, "orders", test=True)
    assert workspace.fingerprint() == before


@pytest.mark.parametrize("to", DESTINATIONS)
@pytest.mark.parametrize("kind", ["duckdb", "parquet", "csv"])
def test_other_sources_load_into_every_destination(workspace: Workspace, kind: str, to: str) -> None:
    select = "SELECT * FROM (VALUES (1, 'one', 1.5), (2, NULL, 2.5)) AS t (id, name, price)"
    if kind == "duckdb":
        workspace.duck(
            "CREATE TABLE orders (id BIGINT PRIMARY KEY, name VARCHAR, price DOUBLE)", "INSERT INTO orders " + select
        )
        source = Endpoint("duckdb", {"path": "source.duckdb"})
    else:
        (workspace.path / "in").mkdir()
        workspace.duck(f"COPY ({select}) TO '{workspace.path}/in/orders.{kind}'", file="made.duckdb")
        source = Endpoint(kind, {"path": "in"})
    for mode, count in (("replicate", 2), ("replicate", 2), ("snapshot", 2), ("append", 4)):
        workspace.load(to, "orders", source=source, mode=mode)
        rows = workspace.rows(to, "orders")
        assert len(rows) == count
        assert [(row["id"], row["name"], float(row["price"])) for row in rows[:: count // 2]] == [
            (1, "one", 1.5),
            (2, None, 2.5),
        ]


def test_rows_in_sqlite_are_found_by_an_index_on_the_key_that_counts(workspace: Workspace) -> None:
    def indexed() -> list[Any]:
        query = "SELECT name FROM pragma_index_info('_bulk_sync_key_t') -- {}"
        return [row["name"] for row in workspace.query("sqlite", query, "t")]

    workspace.sql("CREATE TABLE t (a INTEGER PRIMARY KEY, b INTEGER)", "INSERT INTO t VALUES (1, 2)")
    for _ in range(2):
        workspace.load("sqlite", "t")
    assert indexed() == ["a"]
    workspace.sql("DROP TABLE t", "CREATE TABLE t (a INTEGER, b INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1, 2)")
    workspace.load("sqlite", "t", resync_mode="resync")
    workspace.load("sqlite", "t")
    assert indexed() == ["b"]
