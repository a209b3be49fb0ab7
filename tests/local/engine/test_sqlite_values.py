"""What becomes of SQLite's values, clean and dirty, in each destination."""

import struct
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_sync_local.connectors.sqlite_types import carried_type
from local.engine.kit import Workspace

DESTINATIONS = ("duckdb", "sqlite", "parquet")
INSERT = "INSERT INTO t VALUES (?, ?)"


def column(workspace: Workspace, declared: str, values: list[Any], to: str = "duckdb") -> tuple[list[Any], int]:
    """The values as they arrive, and how many warnings the load gave."""
    workspace.sql(
        "DROP TABLE IF EXISTS t",
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared})",
        rows=[(INSERT, list(enumerate(values)))],
    )
    recorder = workspace.load(to, "t", resync_mode="rebuild")
    warnings = recorder.finished["t"].warnings
    if warnings:
        assert f"v ({warnings})" in (recorder.finished["t"].message or "")
    return [row["v"] for row in workspace.rows(to, "t")], warnings


CLEAN = [
    ("INTEGER", [1, -(2**63), 2**63 - 1, None], [1, -(2**63), 2**63 - 1, None]),
    ("REAL", [0.1, 1e300, 5, None], [0.1, 1e300, 5.0, None]),
    ("TEXT", ["", "x\0y", "'; DROP", "表é🦆", None], ["", "x\0y", "'; DROP", "表é🦆", None]),
    ("VARCHAR(10)", ["longer than ten", 5], ["longer than ten", "5"]),
    ("", ["a", 5, 0.1, 1e100, 2**60], ["a", "5", "0.1", "1.0e+100", str(2**60)]),
    ("BLOB", [b"", b"\0\xff", None], [b"", b"\0\xff", None]),
    ("BOOLEAN", [0, 1, "TRUE", None], [False, True, True, None]),
    ("DATE", ["2024-02-29", None], [date(2024, 2, 29), None]),
    ("TIME", ["10:30:00", None], [time(10, 30), None]),
    ("DATETIME", ["2024-01-01 10:00:00.123456", "2024-01-01T10:00:00Z", "2024-01-01T10:00:00+05:30", "2024-1-1 1:00+05:30", "2024-01-01"],
     [datetime(2024, 1, 1, 10, 0, 0, 123456), datetime(2024, 1, 1, 10), datetime(2024, 1, 1, 4, 30), datetime(2023, 12, 31, 19, 30), datetime(2024, 1, 1)]),
    ("TIMESTAMPTZ", ["2024-01-01T10:00:00+05:30"], [datetime(2024, 1, 1, 4, 30, tzinfo=UTC)]),
    ("DECIMAL(10,2)", [0.1, 12345678.9, -5, 99999999.99], [Decimal("0.10"), Decimal("12345678.90"), Decimal("-5.00"), Decimal("99999999.99")]),
    ("NUMERIC(30,4)", [1.5, 2**60], [Decimal("1.5000"), Decimal(2**60)]),
    ("NUMERIC", [1.25, 7, 2**53], [1.25, 7.0, float(2**53)]),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "values", "expected"), CLEAN, ids=[one[0] or "undeclared" for one in CLEAN])
def test_values_that_fit_arrive_unchanged(
    workspace: Workspace, declared: str, values: list[Any], expected: list[Any]
) -> None:
    assert column(workspace, declared, values) == (expected, 0)


DIRTY = [
    ("INTEGER", [1, "abc", 1.5, b"\1", 2], [1, None, None, None, 2]),
    ("REAL", [1.5, "abc", b"\1"], [1.5, None, None]),
    ("TEXT", ["ok", b"\xff\xfe", "also"], ["ok", None, "also"]),
    ("BLOB", [b"ok", 5, 1.5], [b"ok", None, None]),
    ("BOOLEAN", [1, 2, "maybe", 0.5], [True, None, None, None]),
    ("DATE", ["2024-01-01", "2024-01-01 10:00:00", 20240101, "nope"], [date(2024, 1, 1), None, None, None]),
    ("TIMESTAMP", ["2024-01-01", "2024-13-01", 1704067200, 2460310.5], [datetime(2024, 1, 1), None, None, None]),
    (
        "DATETIME",
        ["2024-01-01 10:00:05", "2024-01-01 10:00: 5", "2024-01-01 10:0 :05"],
        [datetime(2024, 1, 1, 10, 0, 5), None, None],
    ),
    ("TIME", ["10:00:00", "25:00:00", 7], [time(10), None, None]),
    ("DECIMAL(10,2)", [1.25, 1.005, 1e12, "abc"], [Decimal("1.25"), None, None, None]),
    ("NUMERIC(20,2)", [1.25, 1.005, "abc"], [Decimal("1.25"), None, None]),
    ("NUMERIC", [2**53 + 1, "abc", 3], [None, None, 3.0]),
]


@pytest.mark.parametrize(("declared", "values", "expected"), DIRTY, ids=[one[0] for one in DIRTY])
def test_values_that_do_not_fit_become_null_and_are_counted(
    workspace: Workspace, declared: str, values: list[Any], expected: list[Any]
) -> None:
    arrived, warnings = column(workspace, declared, values)
    assert arrived == expected
    assert warnings == sum(value is None for value in expected)


def test_a_dirty_value_far_into_the_table_is_met_with_care(workspace: Workspace) -> None:
    values: list[Any] = [*range(130_000), "abc", *range(10)]
    arrived, warnings = column(workspace, "INTEGER", values)
    assert warnings == 1
    assert arrived[130_000] is None
    assert arrived[:3] + arrived[-1:] == [0, 1, 2, 9]


@pytest.mark.parametrize("to", DESTINATIONS)
@pytest.mark.parametrize(
    "declared", ["INTEGER", "REAL", "TEXT", "BLOB", "DATE", "TIMESTAMP", "DECIMAL(10,2)", "BOOLEAN"]
)
def test_a_column_of_nulls_loads(workspace: Workspace, declared: str, to: str) -> None:
    assert column(workspace, declared, [None, None], to) == ([None, None], 0)


@pytest.mark.parametrize("to", ["sqlite", "parquet"])
def test_every_type_survives_in_the_other_destinations(workspace: Workspace, to: str) -> None:
    for declared, values, expected in CLEAN:
        arrived, warnings = column(workspace, declared, values, to)
        assert warnings == 0
        if to == "sqlite":
            expected = [as_sqlite(value, declared) for value in expected]
        assert arrived == expected, declared


def as_sqlite(value: Any, declared: str) -> Any:
    if isinstance(value, Decimal):
        return float(value) if declared == "DECIMAL(10,2)" else str(value.quantize(Decimal("0.0001")))
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ").replace("+00:00", "+00")
    return value.isoformat() if isinstance(value, date | time) else value


def test_rows_without_a_key_value_are_left_out_and_counted_as_errors(workspace: Workspace) -> None:
    workspace.sql(
        "CREATE TABLE t (k TEXT PRIMARY KEY, v INTEGER)", "INSERT INTO t VALUES ('a', 1), (NULL, 2), (NULL, 3)"
    )
    outcome = workspace.load("duckdb", "t").finished["t"]
    assert (outcome.records, outcome.errors) == (1, 2)
    assert [row["k"] for row in workspace.rows("duckdb", "t")] == ["a"]


@pytest.mark.parametrize(("tracking", "kept"), [(None, "second"), ("v", "first")])
def test_of_rows_that_share_a_key_the_latest_is_kept(workspace: Workspace, tracking: str | None, kept: str) -> None:
    """Two texts that SQLite tells apart are one moment."""
    from bulk_sync_local.engine.job import TableJob

    workspace.sql(
        "CREATE TABLE t (k TIMESTAMP PRIMARY KEY, name TEXT, v INTEGER)",
        "INSERT INTO t VALUES ('2024-01-01 00:00:00', 'first', 2), ('2024-01-01', 'second', 1)",
    )
    outcome = workspace.load("duckdb", TableJob("t", tracking_field=tracking)).finished["t"]
    assert (outcome.records, outcome.warnings) == (1, 1)
    assert [row["name"] for row in workspace.rows("duckdb", "t")] == [kept]


def test_views_and_generated_columns_are_read(workspace: Workspace) -> None:
    workspace.sql(
        "CREATE TABLE t (a INTEGER, b INTEGER AS (a * 2) STORED)", "INSERT INTO t (a) VALUES (1), (2)",
        "CREATE VIEW doubled AS SELECT b, a + 1 AS c FROM t",
    )  # fmt: skip
    workspace.load("duckdb", "t", "doubled")
    assert [row["b"] for row in workspace.rows("duckdb", "t")] == [2, 4]
    assert [(row["b"], row["c"]) for row in workspace.rows("duckdb", "doubled")] == [(2, "2"), (4, "3")]


@pytest.mark.parametrize(
    ("declared", "carried"),
    [("int", "BIGINT"), ("UNSIGNED BIG INT", "VARCHAR"), ("bigint unsigned", "BIGINT"), ("double  precision", "DOUBLE"),
     ("decimal(5)", "DECIMAL(5,0)"), ("numeric(50,2)", "DOUBLE"), ("interval", "VARCHAR"), ("json", "VARCHAR"),
     ("point(1,2,3)", "VARCHAR"), ("datetime(6)", "TIMESTAMP")],
)  # fmt: skip
def test_declared_types_are_read_whatever_their_spelling(declared: str, carried: str) -> None:
    assert carried_type(declared) == carried


VALUES = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(max_size=5), st.binary(max_size=5)
)


@settings(max_examples=15, deadline=None)
@given(
    values=st.lists(VALUES, max_size=6),
    declared=st.sampled_from(["INTEGER", "REAL", "TEXT", "BLOB", "", "BOOLEAN", "NUMERIC"]),
)
def test_whatever_sqlite_holds_arrives_exactly_or_is_counted(
    tmp_path_factory: pytest.TempPathFactory, values: list[Any], declared: str
) -> None:
    values = [value for value in values if not (isinstance(value, str) and has_surrogate(value))]
    workspace = Workspace(tmp_path_factory.mktemp("w"))
    arrived, warnings = column(workspace, declared, values)
    stored = stored_values(workspace)
    assert warnings == sum(new is None and old is not None for new, old in zip(arrived, stored, strict=True))
    for new, old in zip(arrived, stored, strict=True):
        assert new is None or same(new, old), (declared, old, new)


def has_surrogate(value: str) -> bool:
    return any(0xD800 <= ord(character) <= 0xDFFF for character in value)


def stored_values(workspace: Workspace) -> list[Any]:
    import sqlite3

    db = sqlite3.connect(workspace.path / "source.sqlite")
    try:
        return [row[0] for row in db.execute("SELECT v FROM t ORDER BY id")]
    finally:
        db.close()


def same(new: Any, old: Any) -> bool:
    if isinstance(new, str) and isinstance(old, int | float):
        return float(new) == old if isinstance(old, float) else new == str(old)
    if isinstance(new, bytes) or isinstance(old, bytes):
        return (new.encode() if isinstance(new, str) else new) == (old.encode() if isinstance(old, str) else old)
    if isinstance(new, float) and isinstance(old, float):
        return struct.pack("d", new) == struct.pack("d", old)
    return bool(new == old) or (isinstance(new, bool) and str(old).lower() == str(new).lower())
