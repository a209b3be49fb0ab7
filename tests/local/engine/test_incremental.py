"""Tracking fields, watermarks and cutoffs."""

import pytest

from bulk_sync_local.engine.job import Endpoint, TableJob
from local.engine.kit import Recorder, Workspace

TRACKED = TableJob("events", tracking_field="at")
CREATE = "CREATE TABLE events (id INTEGER PRIMARY KEY, name TEXT, at TIMESTAMP)"


def names(workspace: Workspace, to: str) -> dict[int, str]:
    return {row["id"]: row["name"] for row in workspace.rows(to, "events")}


@pytest.mark.parametrize("to", ["duckdb", "sqlite", "parquet"])
def test_only_rows_from_the_watermark_on_are_read_again(workspace: Workspace, to: str) -> None:
    workspace.sql(CREATE, "INSERT INTO events VALUES (1, 'a', '2024-01-01 10:00:00'), (2, 'b', '2024-03-01T10:00:00')")
    workspace.load(to, TRACKED)
    workspace.sql(
        "UPDATE events SET name = 'unnoticed' WHERE id = 1",
        "UPDATE events SET name = 'same moment' WHERE id = 2",
        "INSERT INTO events VALUES (3, 'c', '2024-03-01T12:30:00+02:00'), (4, 'late', '2024-03-01T10:30:00+02:00')",
    )
    recorder = workspace.load(to, TRACKED)
    assert names(workspace, to) == {1: "a", 2: "same moment", 3: "c"}
    assert recorder.finished["events"].records == 2
    assert recorder.said("deleted at the source are not noticed")


@pytest.mark.parametrize("to", ["duckdb", "sqlite", "parquet"])
def test_an_incremental_run_that_finds_nothing_keeps_the_watermark(workspace: Workspace, to: str) -> None:
    workspace.sql(CREATE, "INSERT INTO events VALUES (1, 'a', '2024-01-01')")
    workspace.load(to, TRACKED, mode="append")
    for expected in (0, 0):
        assert workspace.load(to, TRACKED, mode="append").finished["events"].records == expected
    workspace.sql("INSERT INTO events VALUES (2, 'b', '2024-01-02')")
    assert workspace.load(to, TRACKED, mode="append").finished["events"].records == 1
    assert names(workspace, to) == {1: "a", 2: "b"}


def test_the_first_run_after_a_tracking_field_is_set_is_a_full_scan(workspace: Workspace) -> None:
    workspace.sql(CREATE, "INSERT INTO events VALUES (1, 'a', '2024-01-01'), (2, 'b', '2024-01-02')")
    workspace.load("duckdb", "events")
    workspace.sql("UPDATE events SET name = 'A' WHERE id = 1", "DELETE FROM events WHERE id = 2")
    workspace.load("duckdb", TRACKED)
    assert [(row["name"], row["deleted"]) for row in workspace.data("duckdb", "events")] == [("A", False), ("b", True)]


def test_a_refetch_forgets_the_watermark(workspace: Workspace) -> None:
    workspace.sql(CREATE, "INSERT INTO events VALUES (1, 'a', '2024-01-01'), (2, 'b', '2024-01-02')")
    workspace.load("duckdb", TRACKED)
    workspace.sql("UPDATE events SET name = 'A' WHERE id = 1")
    workspace.load("duckdb", TRACKED)
    assert names(workspace, "duckdb")[1] == "a"
    workspace.load("duckdb", TRACKED, resync_mode="refetch")
    assert names(workspace, "duckdb")[1] == "A"


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [("INTEGER", 5, 6), ("TEXT", "2024-a", "2024-b"), ("DATE", "2024-01-05", "2024-01-06"), ("REAL", 1.5, 2.5)],
)
def test_any_ordered_field_can_be_tracked(workspace: Workspace, kind: str, first: object, second: object) -> None:
    insert = "INSERT INTO events VALUES (?, ?)"
    workspace.sql(f"CREATE TABLE events (id INTEGER PRIMARY KEY, at {kind})", rows=[(insert, [(1, first)])])
    workspace.load("duckdb", TRACKED, mode="append")
    workspace.sql(rows=[(insert, [(2, second)])])
    assert workspace.load("duckdb", TRACKED, mode="append").finished["events"].records == 1
    assert workspace.load("duckdb", TRACKED, mode="append").finished["events"].records == 0


def test_a_field_without_an_order_cannot_be_tracked(workspace: Workspace) -> None:
    workspace.sql("CREATE TABLE events (id INTEGER PRIMARY KEY, at BLOB)")
    recorder = workspace.run("duckdb", TRACKED)
    assert "has no order to track" in (recorder.finished["events"].message or "")


def test_rows_without_a_tracking_value_are_announced(workspace: Workspace) -> None:
    workspace.sql(CREATE, "INSERT INTO events VALUES (1, 'a', NULL), (2, 'b', '2024-01-02')")
    assert workspace.load("duckdb", TRACKED).said("1 row(s) have no value in the tracking field")


def test_an_obfuscated_or_deselected_tracking_field_still_drives_the_sync(workspace: Workspace) -> None:
    from bulk_sync_local.engine.job import FieldChoice

    workspace.sql(CREATE, "INSERT INTO events VALUES (1, 'a', '2024-01-01'), (2, 'b', '2024-01-02')")
    for to, choice in (("duckdb", FieldChoice("at", obfuscated=True)), ("parquet", FieldChoice("at", enabled=False))):
        table = TableJob("events", (choice,), tracking_field="at")
        workspace.load(to, table, mode="append")
        assert workspace.load(to, table, mode="append").finished["events"].records == 0
        assert not any("__hidden" in column for column in workspace.rows(to, "events")[0])


def test_rows_older_than_the_cutoff_are_not_read_and_not_taken_for_deleted(workspace: Workspace) -> None:
    workspace.sql(
        CREATE, "INSERT INTO events VALUES (1, 'old', '2023-01-01'), (2, 'new', '2024-01-02'), (3, '-', NULL)"
    )
    workspace.load("duckdb", TRACKED)
    cut = TableJob("events", tracking_field="at", data_cutoff="2024-01-01T00:00:00Z")
    workspace.load("duckdb", cut, resync_mode="refetch")
    assert [row["deleted"] for row in workspace.data("duckdb", "events")] == [False, False, False]
    workspace.load("duckdb", cut, resync_mode="rebuild")
    assert names(workspace, "duckdb") == {2: "new", 3: "-"}


def test_a_cutoff_without_a_usable_tracking_field_is_a_warning(workspace: Workspace) -> None:
    workspace.sql(CREATE, "INSERT INTO events VALUES (1, 'a', '2024-01-01')")
    assert workspace.load("duckdb", TableJob("events", data_cutoff="2024-06-01")).said("cutoff needs a tracking field")
    by_id = TableJob("events", tracking_field="id", data_cutoff="2024-06-01")
    assert workspace.load("duckdb", by_id).said("the tracking field is BIGINT, not a time")
    assert names(workspace, "duckdb") == {1: "a"}


def test_the_watermark_of_another_output_is_not_used(workspace: Workspace) -> None:
    workspace.sql(CREATE, "INSERT INTO events VALUES (1, 'a', '2024-01-01'), (2, 'b', '2024-01-02')")
    workspace.load("duckdb", TRACKED)
    moved = TableJob("events", tracking_field="at", user_output_name="moved")
    recorder: Recorder = workspace.load("duckdb", moved)
    assert recorder.finished["events"].records == 2


def test_a_source_in_duckdb_is_read_incrementally_too(workspace: Workspace) -> None:
    source = Endpoint("duckdb", {"path": "source.duckdb"})
    workspace.duck(
        'CREATE TABLE events (id BIGINT PRIMARY KEY, name VARCHAR, "at" TIMESTAMPTZ)',
        "INSERT INTO events VALUES (1, 'a', '2024-01-01 00:00:00+00'), (2, 'b', '2024-01-02 00:00:00+00')",
    )
    workspace.load("sqlite", TRACKED, source=source)
    workspace.duck(
        "UPDATE events SET name = 'A' WHERE id = 1", "INSERT INTO events VALUES (3, 'c', '2024-01-02 01:00:00+00')"
    )
    assert workspace.load("sqlite", TRACKED, source=source).finished["events"].records == 2
    assert names(workspace, "sqlite") == {1: "a", 2: "b", 3: "c"}


@pytest.mark.parametrize("to", ["duckdb", "sqlite", "parquet"])
def test_a_row_that_is_read_again_unchanged_is_not_written_again(workspace: Workspace, to: str) -> None:
    workspace.sql(CREATE, "INSERT INTO events VALUES (1, 'a', '2024-01-01'), (2, 'b', '2024-01-01')")
    workspace.load(to, TRACKED)
    first = {row["id"]: row for row in workspace.rows(to, "events")}
    workspace.sql(
        "UPDATE events SET name = 'B' WHERE id = 2",
        "INSERT INTO events VALUES (3, 'c', '2024-01-02')",
    )
    workspace.load(to, TRACKED)
    second = {row["id"]: row for row in workspace.rows(to, "events")}
    assert second[1] == first[1]
    assert (second[2]["name"], second[3]["name"]) == ("B", "c")
    assert second[2]["_polytomic_created_at"] == first[2]["_polytomic_created_at"]
    assert second[2]["_polytomic_updated_at"] > first[2]["_polytomic_updated_at"]
