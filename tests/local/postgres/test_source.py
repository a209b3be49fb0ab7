"""PostgreSQL as source: what is found, and what of it arrives, the nasty values too."""

from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from bulk_sync_local.connectors.base import SourceTable
from bulk_sync_local.connectors.batches import most_bytes
from bulk_sync_local.connectors.registry import connector
from bulk_sync_local.engine.job import Endpoint, RowFilter, TableJob
from bulk_sync_local.engine.passing import BATCH_ROWS
from local.postgres.kit import POSTGRES, PostgresWorkspace

LONG = "12345678901234567890.12345678901234567890"
ID = "b1a7c9de-0000-4000-8000-000000000001"
# Declared, written, in DuckDB, and as text in PostgreSQL once it has been loaded from there into there.
TYPES: list[tuple[str, str, Any, str]] = [
    ("boolean", "true", True, "true"),
    ("smallint", "-32768", -32768, "-32768"),
    ("bigint", "9223372036854775807", 2**63 - 1, str(2**63 - 1)),
    ("oid", "4294967295", 2**32 - 1, "4294967295"),
    ("real", "1.5", 1.5, "1.5"),
    ("double precision", "Infinity", float("inf"), "Infinity"),
    ("numeric(38,10)", "-1234567890123456789012345678.0123456789",
     Decimal("-1234567890123456789012345678.0123456789"), "-1234567890123456789012345678.0123456789"),
    ("numeric(4)", "1234", Decimal(1234), "1234"),
    ("numeric", LONG, LONG, LONG),
    ("numeric", "NaN", "NaN", "NaN"),
    ("numeric(60,20)", LONG, LONG, LONG),
    ("numeric(3,-2)", "12300", "12300", "12300"),
    ("money", "-1234567.89", Decimal("-1234567.89"), "-1234567.89"),
    ("text", "é🦆'\"\\", "é🦆'\"\\", "é🦆'\"\\"),
    ("varchar(5)", "ab ", "ab ", "ab "),
    ("char(5)", "ab", "ab", "ab"),
    ("bytea", "\\xff00", b"\xff\0", "\\xff00"),
    ("date", "0044-03-15 BC", None, "0044-03-15 BC"),
    ("date", "2024-02-29", date(2024, 2, 29), "2024-02-29"),
    ("time", "10:00:00.5", time(10, 0, 0, 500000), "10:00:00.5"),
    ("time", "24:00", None, "24:00:00"),
    ("timetz", "10:00:00+02", time(10, tzinfo=UTC).replace(tzinfo=None), "10:00:00+02"),
    ("timestamp", "2024-01-01 10:00:00.123456", datetime(2024, 1, 1, 10, 0, 0, 123456), "2024-01-01 10:00:00.123456"),
    ("timestamp", "4713-01-01 BC", None, "4713-01-01 00:00:00 BC"),
    ("timestamp", "294246-12-31 23:59:59.999999", None, "294246-12-31 23:59:59.999999"),
    ("timestamptz", "2024-01-01 10:00:00+02", datetime(2024, 1, 1, 8, tzinfo=UTC), "2024-01-01 08:00:00+00"),
    ("interval", "1 year 2 mons -3 days 04:05:06.789", None, "1 year 2 mons -3 days +04:05:06.789"),
    ("uuid", ID, UUID(ID), ID),
    ("json", '{"b": 1,  "b": 2}', '{"b": 1,  "b": 2}', '{"b": 2}'),
    ("jsonb", '{"a": [1, 1e400]}', None, '{"a": [1, 1' + "0" * 400 + "]}"),
    ("integer[]", "{1,NULL,3}", [1, None, 3], "{1,NULL,3}"),
    ("text[]", '{a,"b,c",NULL}', ["a", "b,c", None], '{a,"b,c",NULL}'),
    ("numeric[]", f"{{{LONG}}}", [LONG], f"{{{LONG}}}"),
    ("timestamp[]", "{infinity}", ["infinity"], "{infinity}"),
    ("shop.mood", "sad", "sad", "sad"),
    ("shop.price", "12.50", Decimal("12.50"), "12.50"),
    ("inet", "10.0.0.1/8", "10.0.0.1/8", "10.0.0.1/8"),
    ("xml", "<a/>", "<a/>", "<a/>"),
    ("int4range", "[1,5)", "[1,5)", "[1,5)"),
    ("bit(3)", "101", "101", "101"),
    ("point", "(1,2)", "(1,2)", "(1,2)"),
]  # fmt: skip


def read(workspace: PostgresWorkspace, to: str, table: str | TableJob = "shop.t", **settings: Any) -> Any:
    job = replace(TableJob(table) if isinstance(table, str) else table, user_output_name="t")
    return workspace.load(to, job, source=workspace.endpoint, **settings).finished[job.schema_id]


def found(workspace: PostgresWorkspace, *, fields: bool = True) -> dict[str, SourceTable]:
    tables = connector(POSTGRES).discover(workspace.settings, workspace.confinement, include_fields=fields)
    return {table.id: table for table in tables}


def test_every_type_arrives_exactly(workspace: PostgresWorkspace) -> None:
    columns = ", ".join(f"v{index} {kind}" for index, (kind, *_) in enumerate(TYPES))
    values = ", ".join("'" + written.replace("'", "''") + "'" for _, written, *_ in TYPES)
    workspace.pg(
        "CREATE TYPE shop.mood AS ENUM ('sad', 'glad')",
        "CREATE DOMAIN shop.price AS numeric(10,2) CHECK (VALUE > 0)",
        f"CREATE TABLE shop.t (id int PRIMARY KEY, {columns})",
        f"INSERT INTO shop.t VALUES (1, {values})",
        "INSERT INTO shop.t (id) VALUES (2)",
    )
    for to in ("duckdb", POSTGRES, "sqlite", "parquet"):
        for count in range(2):
            outcome = read(workspace, to)
            assert (outcome.warnings, outcome.message) == (0, None), (to, count)
    first, second = workspace.rows("duckdb", "t")
    for index, (kind, _, expected, _) in enumerate(TYPES):
        assert second[f"v{index}"] is None
        if expected is not None and kind != "timetz":
            assert first[f"v{index}"] == expected, kind
    texts = ", ".join(f"CAST(v{index} AS text)" for index in range(len(TYPES)))
    (row,) = workspace.pg(f"SELECT {texts} FROM t WHERE id = 1")
    for (kind, _, _, expected), value in zip(TYPES, row, strict=True):
        assert value == expected, kind
    assert workspace.pg("SELECT count(*) FROM t WHERE _polytomic_updated_at > _polytomic_created_at") == [(0,)]
    assert workspace.query("duckdb", "SELECT CAST(v26 AS VARCHAR) AS v FROM {} WHERE id = 1", "t") == [
        {"v": "1 year 2 months -3 days 04:05:06.789"}
    ]


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("timestamp", "infinity"),
        ("timestamptz", "-infinity"),
        ("timestamp", "294276-12-31"),
        ("date", "infinity"),
        ("date", "-infinity"),
        ("numeric(10,2)", "NaN"),
        ("interval", "30000000 hours"),
        ("integer[]", "{{1,2},{3,4}}"),
        ("text[]", "[2:3]={a,b}"),
    ],
)
@pytest.mark.parametrize("to", ["duckdb", POSTGRES])
def test_a_value_that_does_not_fit_becomes_null_and_is_counted(
    workspace: PostgresWorkspace, kind: str, written: str, to: str
) -> None:
    workspace.pg(
        f"CREATE TABLE shop.t (id int PRIMARY KEY, v {kind}, w timestamp)",
        f"INSERT INTO shop.t VALUES (1, '{written}', '2024-01-01'), (2, NULL, 'infinity'), (3, NULL, NULL)",
    )
    outcome = read(workspace, to)
    assert outcome.warnings == 2
    assert "v (1)" in outcome.message
    assert "w (1)" in outcome.message
    rows = workspace.rows(to, "t")
    assert [(row["id"], row["v"], row["w"]) for row in rows] == [
        (1, None, datetime(2024, 1, 1)),
        (2, None, None),
        (3, None, None),
    ]


def test_tables_views_and_keys_are_found(workspace: PostgresWorkspace) -> None:
    workspace.pg(
        "CREATE TABLE shop.lines (amount money, line int, \"order\" bigint, PRIMARY KEY (\"order\", line))",
        "CREATE VIEW shop.v AS SELECT line FROM shop.lines",
        "CREATE MATERIALIZED VIEW shop.m AS SELECT line FROM shop.lines",
        'CREATE SCHEMA "a.b"',
        'CREATE TABLE "a.b".c (x jsonb)',
        "CREATE TABLE shop.parts (x int) PARTITION BY RANGE (x)",
        "CREATE TABLE shop.parts_1 PARTITION OF shop.parts FOR VALUES FROM (0) TO (9)",
        'CREATE TABLE public."__stage_x" (x int)',
        "CREATE TABLE public._bulk_sync_state (x int)",
    )  # fmt: skip
    tables = found(workspace)
    assert list(tables) == ['"a.b".c', "shop.lines", "shop.m", "shop.parts", "shop.v"]
    assert [(one.id, one.type, one.remote_type, one.is_primary_key) for one in tables["shop.lines"].fields] == [
        ("amount", "number", "money", False),
        ("line", "number", "integer", True),
        ("order", "number", "bigint", True),
    ]
    assert [one.type for one in tables['"a.b".c'].fields] == ["object"]
    assert found(workspace, fields=False)["shop.v"].fields == ()
    for table in tables:
        read(workspace, "duckdb", table, resync_mode="rebuild")


def test_a_role_is_offered_what_it_may_read(workspace: PostgresWorkspace, reader: str) -> None:
    workspace.pg(
        "CREATE TABLE shop.secret (x int)",
        "REVOKE ALL ON shop.secret FROM reader",
        "CREATE TABLE shop.people (id int PRIMARY KEY, salary int)",
        "REVOKE ALL ON shop.people FROM reader",
        "GRANT SELECT (id) ON shop.people TO reader",
        "CREATE TABLE shop.t (id int PRIMARY KEY)",
        "INSERT INTO shop.t VALUES (1)",
        "INSERT INTO shop.people VALUES (7, 1)",
    )
    workspace.user = reader
    tables = found(workspace)
    assert list(tables) == ["shop.people", "shop.t"]
    assert [one.id for one in tables["shop.people"].fields] == ["id"]
    read(workspace, "duckdb", "shop.people")
    assert workspace.rows("duckdb", "t")[0]["id"] == 7


def test_a_source_cannot_be_written_to_by_a_view(workspace: PostgresWorkspace) -> None:
    workspace.pg(
        "CREATE TABLE shop.log (x int)",
        "CREATE FUNCTION shop.note() RETURNS int LANGUAGE sql AS 'INSERT INTO shop.log VALUES (1) RETURNING x'",
        "CREATE VIEW shop.v AS SELECT shop.note() AS x",
        "CREATE TABLE shop.t (id int)",
    )
    recorder = workspace.run("duckdb", "shop.v", "shop.t", source=workspace.endpoint)
    assert [one.status for one in recorder.finished.values()] == ["failed", "completed"]
    assert "read-only transaction" in (recorder.finished["shop.v"].message or "")
    assert workspace.pg("SELECT count(*) FROM shop.log") == [(0,)]


def test_all_tables_of_a_run_are_of_one_moment(workspace: PostgresWorkspace) -> None:
    workspace.pg("CREATE TABLE shop.a (id int PRIMARY KEY)", "CREATE TABLE shop.b (id int PRIMARY KEY)")

    def between(records: int) -> bool:
        workspace.pg("INSERT INTO shop.b VALUES ((SELECT count(*) FROM shop.b))")
        return False

    from local.engine.kit import Recorder

    recorder = Recorder(cancel=between)
    workspace.load("duckdb", "shop.a", "shop.b", source=workspace.endpoint, recorder=recorder, at_once=1)
    assert workspace.rows("duckdb", "shop_b") == []
    assert workspace.pg("SELECT count(*) > 0 FROM shop.b") == [(True,)]


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("timestamp", "2024-01-01 10:00:00.5", "2024-01-01 10:00:00.6"),
        ("timestamptz", "2024-01-01 10:00:00+02", "2024-01-01 09:00:00+00"),
        ("date", "2024-01-01", "2024-01-02"),
        ("numeric(10,2)", "9.99", "10.01"),
        ("money", "9.99", "10.01"),
        ("oid", "9", "10"),
        ("text", "b", "c"),
        ("double precision", "9.5", "10.25"),
    ],
)
def test_a_tracked_table_is_read_from_where_it_stopped(
    workspace: PostgresWorkspace, kind: str, old: str, new: str
) -> None:
    workspace.pg(
        f"CREATE TABLE shop.t (id int PRIMARY KEY, v {kind})",
        f"INSERT INTO shop.t VALUES (1, '{old}'), (3, NULL)",
    )
    table = TableJob("shop.t", tracking_field="v")
    read(workspace, "duckdb", table, mode="append")
    workspace.pg(f"INSERT INTO shop.t VALUES (2, '{new}')")
    assert read(workspace, "duckdb", table, mode="append").records == 1
    assert [row["id"] for row in workspace.rows("duckdb", "t")] == [1, 2, 3]


@pytest.mark.parametrize("kind", ["numeric", "interval", "inet", "jsonb", "int[]"])
def test_what_has_no_order_is_not_tracked_or_compared(workspace: PostgresWorkspace, kind: str) -> None:
    workspace.pg(f"CREATE TABLE shop.t (id int PRIMARY KEY, v {kind})")
    recorder = workspace.run("duckdb", TableJob("shop.t", tracking_field="v"), source=workspace.endpoint)
    assert "no order to track" in (recorder.finished["shop.t"].message or "")
    if kind in ("numeric", "inet"):
        table = TableJob("shop.t", filters=(RowFilter("v", "GreaterThan", "9"),))
        recorder = workspace.run("duckdb", table, source=workspace.endpoint)
        assert "by order" in (recorder.finished["shop.t"].message or "")


def test_filters_and_cutoffs_keep_what_they_should(workspace: PostgresWorkspace) -> None:
    workspace.pg(
        "CREATE TABLE shop.t (id int PRIMARY KEY, at timestamptz)",
        "INSERT INTO shop.t VALUES (1, '2024-01-01'), (2, '2024-03-01'), (3, NULL), (4, 'infinity'), (5, '-infinity')",
    )
    read(workspace, "duckdb", TableJob("shop.t", filters=(RowFilter("id", "Between", [2, 9]),), tracking_field="at",
                                       data_cutoff="2024-02-01T00:00:00Z"))  # fmt: skip
    assert [row["id"] for row in workspace.rows("duckdb", "t")] == [2, 3, 4, 5]


def test_a_table_that_is_gone_is_told(workspace: PostgresWorkspace) -> None:
    recorder = workspace.run("duckdb", "shop.gone", source=workspace.endpoint)
    assert "no table shop.gone" in (recorder.finished["shop.gone"].message or "")


def test_a_test_run_reads_five_rows(workspace: PostgresWorkspace) -> None:
    workspace.pg("CREATE TABLE shop.t (id int PRIMARY KEY)", "INSERT INTO shop.t SELECT generate_series(1, 9)")
    assert read(workspace, POSTGRES, test=True).records == 5


def test_text_without_an_encoding_is_refused_when_it_is_not_utf8(workspace: PostgresWorkspace) -> None:
    workspace.server.sql(
        "DROP DATABASE IF EXISTS bytes",
        "CREATE DATABASE bytes ENCODING 'SQL_ASCII' TEMPLATE template0",
    )
    source = Endpoint(POSTGRES, {**workspace.settings, "database": "bytes"})
    workspace.server.sql("CREATE TABLE t (a text)", "INSERT INTO t VALUES ('é')", database="bytes")
    workspace.load("duckdb", "public.t", source=source)
    workspace.server.sql("INSERT INTO t VALUES (E'\\xff')", database="bytes")
    recorder = workspace.run("duckdb", "public.t", source=source)
    assert "invalid byte sequence" in (recorder.finished["public.t"].message or "")


def test_long_rows_are_read_in_batches_of_few(workspace: PostgresWorkspace) -> None:
    workspace.pg(
        "CREATE TABLE shop.t (id int, v text)",
        "INSERT INTO shop.t SELECT i, repeat('x', 10000) FROM generate_series(1, 2000) AS i",
    )
    recorder = workspace.load(POSTGRES, TableJob("shop.t", user_output_name="t"), source=workspace.endpoint)
    counts = recorder.progress["shop.t"]
    assert counts[-1] == 2000
    # The driver stops at the row that fills a batch.
    assert max(later - before for before, later in pairwise([0, *counts])) * 10_000 <= most_bytes(BATCH_ROWS) + 10_000
