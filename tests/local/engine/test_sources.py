"""DuckDB, Parquet and CSV as sources: what is found and what of it arrives."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from bulk_sync_local.connectors.registry import connector
from bulk_sync_local.engine.job import Endpoint
from local.engine.kit import Workspace

DUCKDB = Endpoint("duckdb", {"path": "source.duckdb"})

TYPES: list[tuple[str, str, Any, Any]] = [
    ("TINYINT", "-128", -128, -128),
    ("UBIGINT", "18446744073709551615", 2**64 - 1, str(2**64 - 1)),
    ("HUGEINT", "170141183460469231731687303715884105727", 2**127 - 1, str(2**127 - 1)),
    ("FLOAT", "1.5", 1.5, 1.5),
    ("DECIMAL(38,10)", "1234567890123456789012345678.0123456789", Decimal("1234567890123456789012345678.0123456789"),
     "1234567890123456789012345678.0123456789"),
    ("BOOLEAN", "true", True, 1),
    ("VARCHAR", "é🦆", "é🦆", "é🦆"),
    ("DATE", "2024-02-29", date(2024, 2, 29), "2024-02-29"),
    ("TIME", "10:00:00.5", time(10, 0, 0, 500000), "10:00:00.5"),
    ("TIMESTAMP", "2024-01-01 10:00:00", datetime(2024, 1, 1, 10), "2024-01-01 10:00:00"),
    ("TIMESTAMP_S", "2024-01-01 10:00:00", datetime(2024, 1, 1, 10), "2024-01-01 10:00:00"),
    ("TIMESTAMPTZ", "2024-01-01 10:00:00+02", datetime(2024, 1, 1, 8, tzinfo=UTC), "2024-01-01 08:00:00+00"),
    ("UUID", "b1a7c9de-0000-4000-8000-000000000001", UUID("b1a7c9de-0000-4000-8000-000000000001"),
     "b1a7c9de-0000-4000-8000-000000000001"),
    ("ENUM('a', 'b')", "b", "b", "b"),
    ("JSON", '{"a": 1}', '{"a": 1}', '{"a": 1}'),
    ("INTEGER[]", "[1, NULL, 3]", [1, None, 3], "[1,null,3]"),
    ("STRUCT(a INTEGER, b VARCHAR)", "{'a': 1, 'b': x}", {"a": 1, "b": "x"}, '{"a":1,"b":"x"}'),
]  # fmt: skip


@pytest.mark.parametrize("to", ["duckdb", "sqlite", "parquet"])
def test_every_duckdb_type_arrives_exactly(workspace: Workspace, to: str) -> None:
    columns = ", ".join(f"v{index} {kind}" for index, (kind, *_) in enumerate(TYPES))
    values = ", ".join("'" + written.replace("'", "''") + "'" for _, written, *_ in TYPES)
    workspace.duck(
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, {columns})",
        f"INSERT INTO t VALUES (1, {values})",
        "INSERT INTO t (id) VALUES (2)",
    )
    for _ in range(2):
        workspace.load(to, "t", source=DUCKDB)
    first, second = workspace.rows(to, "t")
    assert first["_polytomic_created_at"] == first["_polytomic_updated_at"]
    for index, (kind, _, in_duckdb, in_sqlite) in enumerate(TYPES):
        assert second[f"v{index}"] is None
        as_text = to == "sqlite" or (to == "parquet" and kind == "HUGEINT")
        assert first[f"v{index}"] == (in_sqlite if as_text else in_duckdb), kind


def test_a_blob_and_a_composite_key_are_found_and_merged(workspace: Workspace) -> None:
    workspace.duck(
        "CREATE SCHEMA sales",
        "CREATE TABLE sales.t (a INTEGER, b BLOB, v VARCHAR, PRIMARY KEY (b, a))",
        "INSERT INTO sales.t VALUES (1, '\\xFF\\x00'::BLOB, 'x'), (1, ''::BLOB, 'y')",
    )
    (table,) = connector("duckdb").discover(DUCKDB.configuration, workspace.confinement, include_fields=True)
    assert table.id == "sales.t"
    assert [(one.id, one.type, one.is_primary_key) for one in table.fields] == [
        ("a", "number", True),
        ("b", "binary", True),
        ("v", "string", False),
    ]
    for _ in range(2):
        workspace.load("duckdb", "sales.t", source=DUCKDB)
    assert {(row["b"], row["v"]) for row in workspace.rows("duckdb", "sales_t")} == {(b"\xff\0", "x"), (b"", "y")}


def test_discovery_lists_tables_in_name_order_without_those_of_the_engine(workspace: Workspace) -> None:
    workspace.sql(
        "CREATE TABLE b (x INTEGER PRIMARY KEY, y DATE)", "CREATE TABLE a (x TEXT)", "CREATE VIEW c AS SELECT 1"
    )
    found = connector("sqlite").discover({"path": "source.sqlite"}, workspace.confinement, include_fields=True)
    assert [one.id for one in found] == ["a", "b", "c"]
    assert [(one.id, one.type, one.remote_type, one.is_primary_key) for one in found[1].fields] == [
        ("x", "number", "INTEGER", True),
        ("y", "datetime", "DATE", False),
    ]
    workspace.load("duckdb", "a", "b")
    found = connector("duckdb").discover({"path": "out.duckdb"}, workspace.confinement, include_fields=False)
    assert [(one.id, one.fields) for one in found] == [("a", ()), ("b", ())]


def test_csv_types_come_from_every_row_and_lose_nothing(workspace: Workspace) -> None:
    folder = workspace.path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "no.csv").write_text("a\n1\n")
    lines = ["n,zip,late,big,day,empty"] + ["1,00123,7,12345678901234567890,2024-01-01,"] * 30_000
    lines.append("2,99999,seven,1,2024-01-02,")
    (folder / "T One.csv").write_text("\n".join(lines) + "\n")
    source = Endpoint("csv", {"path": "in"})
    (table,) = connector("csv").discover(source.configuration, workspace.confinement, include_fields=True)
    assert [(one.id, one.type) for one in table.fields] == [
        ("n", "number"), ("zip", "string"), ("late", "string"), ("big", "number"), ("day", "datetime"), ("empty", "string"),
    ]  # fmt: skip
    workspace.load("duckdb", "T One", source=source)
    row = workspace.rows("duckdb", "t_one")[0]
    assert (row["n"], row["zip"], row["late"], row["big"], row["day"], row["empty"]) == (
        1, "00123", "7", 12345678901234567890, date(2024, 1, 1), None,
    )  # fmt: skip


def test_csv_settings_are_heeded(workspace: Workspace) -> None:
    (workspace.path / "in").mkdir()
    (workspace.path / "in" / "t.csv").write_text("a;b,c\nd;e,f\n")
    source = Endpoint("csv", {"path": "in", "delimiter": ";", "header": False})
    workspace.load("duckdb", "t", source=source)
    assert sorted(list(row.values())[:2] for row in workspace.rows("duckdb", "t")) == [["a", "b,c"], ["d", "e,f"]]


def test_a_csv_file_that_cannot_be_read_fails_only_its_table(workspace: Workspace) -> None:
    (workspace.path / "in").mkdir()
    (workspace.path / "in" / "bad.csv").write_bytes(b"a,b\n1,\xff\xfe\n" * 3)
    (workspace.path / "in" / "good.csv").write_text("a\n1\n")
    recorder = workspace.run("duckdb", "bad", "good", source=Endpoint("csv", {"path": "in"}))
    assert [recorder.finished[one].status for one in ("bad", "good")] == ["failed", "completed"]
    assert "\n" not in (recorder.finished["bad"].message or "")


def test_a_folder_of_part_files_is_one_table(workspace: Workspace) -> None:
    (workspace.path / "in" / "parts").mkdir(parents=True)
    workspace.duck(
        f"COPY (SELECT 1 AS a) TO '{workspace.path}/in/parts/1.parquet'",
        f"COPY (SELECT 2 AS a, 'x' AS b) TO '{workspace.path}/in/parts/2.parquet'",
        f"COPY (SELECT 3 AS a) TO '{workspace.path}/in/whole.parquet'",
        file="made.duckdb",
    )
    source = Endpoint("parquet", {"path": "in"})
    found = connector("parquet").discover(source.configuration, workspace.confinement, include_fields=True)
    assert [(one.id, [field.id for field in one.fields]) for one in found] == [("parts", ["a", "b"]), ("whole", ["a"])]
    workspace.load("duckdb", "parts", "whole", source=source)
    assert [(row["a"], row["b"]) for row in workspace.rows("duckdb", "parts")] == [(1, None), (2, "x")]


def test_an_output_can_be_the_source_of_another_sync(workspace: Workspace) -> None:
    workspace.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)", "INSERT INTO t VALUES (1, 'x')")
    workspace.load("parquet", "t")
    workspace.load("sqlite", "t", source=Endpoint("parquet", {"path": "out"}), sync_id="2")
    (row,) = workspace.rows("sqlite", "t")
    assert row["_polytomic_created_at"] > workspace.rows("parquet", "t")[0]["_polytomic_created_at"].isoformat(sep=" ")


def test_progress_is_told_batch_by_batch(workspace: Workspace) -> None:
    workspace.duck("CREATE TABLE t AS SELECT range AS id FROM range(300000)")
    recorder = workspace.load("duckdb", "t", source=DUCKDB)
    assert len(recorder.progress["t"]) >= 3
    assert recorder.progress["t"] == sorted(recorder.progress["t"])
    assert recorder.progress["t"][-1] == recorder.finished["t"].records == 300_000
