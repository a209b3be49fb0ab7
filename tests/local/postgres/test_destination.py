"""PostgreSQL as destination: what a load does to rows, tables, and what others have made of them."""

from random import Random
from string import ascii_letters
from typing import Any

import pytest

from bulk_sync_local.engine.job import Endpoint, FieldChoice, TableJob
from local.engine.test_write_modes import AFTER, BEFORE, fill, model
from local.postgres.kit import POSTGRES, PostgresWorkspace

pytestmark = pytest.mark.usefixtures("workspace")


def relations(workspace: PostgresWorkspace) -> set[str]:
    return {
        row[0]
        for row in workspace.pg(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = 'public' AND c.relkind NOT IN ('i', 't')"
        )
    }


def message(workspace: PostgresWorkspace, table: TableJob | str = "orders", **settings: Any) -> str:
    (outcome,) = workspace.run(POSTGRES, table, **settings).finished.values()
    assert outcome.status == "failed"
    return outcome.message or ""


@pytest.mark.parametrize("resync", [None, "refetch"])
def test_hard_deletes_remove_rows_the_source_no_longer_has(workspace: PostgresWorkspace, resync: str | None) -> None:
    fill(workspace, BEFORE, keyed=True)
    workspace.load(POSTGRES, "orders", hard_deletes=True)
    fill(workspace, AFTER, keyed=True)
    workspace.load(POSTGRES, "orders", hard_deletes=True, resync_mode=resync)
    assert workspace.data(POSTGRES, "orders") == model(BEFORE, AFTER, "replicate", resync, True, hard_deletes=True)


def test_a_row_that_did_not_change_is_not_written_again(workspace: PostgresWorkspace) -> None:
    fill(workspace, BEFORE, keyed=True)
    workspace.load(POSTGRES, "orders")
    first = {row["id"]: row for row in workspace.rows(POSTGRES, "orders")}
    places = dict(workspace.pg("SELECT id, CAST(ctid AS text) FROM orders"))
    fill(workspace, AFTER, keyed=True)
    workspace.load(POSTGRES, "orders", resync_mode="refetch")
    second = {row["id"]: row for row in workspace.rows(POSTGRES, "orders")}
    assert second[1] == first[1]
    assert dict(workspace.pg("SELECT id, CAST(ctid AS text) FROM orders"))[1] == places[1]
    assert second[2]["_polytomic_created_at"] == first[2]["_polytomic_created_at"]
    assert second[2]["_polytomic_updated_at"] > first[2]["_polytomic_updated_at"]
    assert second[3]["_polytomic_deleted_at"] == second[3]["_polytomic_updated_at"]
    fill(workspace, BEFORE, keyed=True)
    workspace.load(POSTGRES, "orders")
    assert [row["deleted"] for row in workspace.data(POSTGRES, "orders")] == [False, False, False, True]


def test_a_load_leaves_nothing_but_output_and_state(workspace: PostgresWorkspace) -> None:
    workspace.pg(f'CREATE TABLE public."{"__stage_" + "0" * 10}" (x int)')
    fill(workspace, BEFORE, keyed=True)
    for resync in (None, "resync", "rebuild", None):
        workspace.load(POSTGRES, "orders", resync_mode=resync)
    assert relations(workspace) == {"orders", "_bulk_sync_state", "__stage_0000000000"}
    assert [file.name for file in workspace.path.iterdir()] == ["source.sqlite"]
    ((keys,),) = workspace.pg("SELECT count(*) FROM pg_indexes WHERE tablename = 'orders'")
    assert keys == 1


def test_a_leftover_stage_of_the_same_sync_is_replaced(workspace: PostgresWorkspace) -> None:
    from bulk_sync_local.engine.names import stage_table

    workspace.pg(f'CREATE TABLE public."{stage_table("sync-1")}" (x int)')
    fill(workspace, BEFORE, keyed=True)
    workspace.load(POSTGRES, "orders")
    assert relations(workspace) == {"orders", "_bulk_sync_state"}


def test_a_test_run_touches_nothing(workspace: PostgresWorkspace) -> None:
    fill(workspace, BEFORE * 1, keyed=True)
    assert workspace.load(POSTGRES, "orders", test=True).finished["orders"].records == 3
    assert relations(workspace) == set()


@pytest.mark.parametrize("settings", [{}, {"mode": "append"}, {"resync_mode": "refetch"}], ids=str)
def test_a_table_of_somebody_else_is_left_alone(workspace: PostgresWorkspace, settings: dict[str, Any]) -> None:
    workspace.pg("CREATE TABLE orders (id bigint, mine int)", "INSERT INTO orders VALUES (9, 7)")
    fill(workspace, BEFORE, keyed=True)
    assert "not made by this sync" in message(workspace, **settings)
    assert workspace.pg("SELECT * FROM orders") == [(9, 7)]


def test_a_resync_takes_a_table_over_and_keeps_stray_columns_and_grants(workspace: PostgresWorkspace) -> None:
    workspace.pg(
        "CREATE TABLE orders (id bigint PRIMARY KEY, mine int)",
        "INSERT INTO orders VALUES (9, 7)",
        "GRANT SELECT ON orders TO PUBLIC",
    )
    fill(workspace, BEFORE, keyed=True)
    workspace.load(POSTGRES, "orders", resync_mode="resync")
    workspace.load(POSTGRES, "orders")
    assert workspace.pg("SELECT id, mine, name FROM orders ORDER BY id")[0] == (1, None, "one")
    assert workspace.pg("SELECT has_table_privilege('pg_monitor', 'orders', 'SELECT')") == [(True,)]
    assert workspace.pg("SELECT count(*) FROM pg_indexes WHERE tablename = 'orders'") == [(1,)]


def test_a_view_on_the_output_stops_a_rebuild_and_nothing_else(workspace: PostgresWorkspace) -> None:
    fill(workspace, BEFORE, keyed=True)
    workspace.load(POSTGRES, "orders")
    workspace.pg(
        "CREATE VIEW shop.names AS SELECT name FROM orders",
        "ALTER TABLE orders ADD UNIQUE (id)",
        "CREATE TABLE shop.lines (order_id bigint REFERENCES orders (id))",
    )
    fill(workspace, AFTER, keyed=True)
    said = message(workspace, resync_mode="rebuild")
    assert "view shop.names" in said
    assert "constraint lines_order_id_fkey on table shop.lines" in said
    assert workspace.pg("SELECT name FROM shop.names ORDER BY 1") == [("one",), ("three",), ("two",)]
    for resync in (None, "refetch", "resync"):
        workspace.load(POSTGRES, "orders", resync_mode=resync)
        assert ("TWO",) in workspace.pg("SELECT name FROM shop.names")


def test_a_reader_in_an_old_snapshot_sees_the_old_rows_during_and_after_a_resync(workspace: PostgresWorkspace) -> None:
    fill(workspace, BEFORE, keyed=True)
    workspace.load(POSTGRES, "orders")
    fill(workspace, AFTER, keyed=True)
    with workspace.server.session() as reader, reader.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT name FROM orders ORDER BY id")
        before = cursor.fetchall()
        workspace.load(POSTGRES, "orders", resync_mode="resync")
        cursor.execute("SELECT name FROM orders ORDER BY id")
        assert cursor.fetchall() == before == [("one",), ("two",), ("three",)]


def test_a_view_in_place_of_the_output_is_never_dropped(workspace: PostgresWorkspace) -> None:
    workspace.pg("CREATE VIEW orders AS SELECT 1 AS id")
    fill(workspace, BEFORE, keyed=True)
    assert "is a view" in message(workspace, resync_mode="rebuild")
    assert workspace.pg("SELECT * FROM orders") == [(1,)]


def test_two_syncs_share_a_schema_but_not_an_output(workspace: PostgresWorkspace) -> None:
    fill(workspace, BEFORE, keyed=True)
    workspace.load(POSTGRES, "orders", output_schema="Ware house é")
    assert "not made by this sync" in message(workspace, output_schema="Ware house é", sync_id="2")
    workspace.load(POSTGRES, "orders", output_schema="Ware house é", sync_id="2", table_prefix="b_")
    workspace.load(POSTGRES, "orders", output_schema="Ware house é", resync_mode="rebuild")
    assert len(workspace.rows(POSTGRES, "orders", "Ware house é")) == 3


@pytest.mark.parametrize("schema", ["pg_catalog", "information_schema", "s" * 64])
def test_schemas_that_cannot_be_are_refused(workspace: PostgresWorkspace, schema: str) -> None:
    fill(workspace, BEFORE, keyed=True)
    assert "Choose" in message(workspace, output_schema=schema)


def test_names_that_would_be_cut_off_are_refused_before_anything_is_read(workspace: PostgresWorkspace) -> None:
    fill(workspace, BEFORE, keyed=True)
    for test in (True, False):
        assert "63 bytes" in message(workspace, TableJob("orders", user_output_name="é" * 32), test=test)
        column = TableJob("orders", (FieldChoice("name", user_output_name="n" * 64),))
        assert "63 bytes" in message(workspace, column, test=test)
    workspace.load(POSTGRES, TableJob("orders", user_output_name="é" * 31))


def test_new_columns_are_added_and_changed_types_refused(workspace: PostgresWorkspace) -> None:
    fill(workspace, BEFORE, keyed=True)
    workspace.load(POSTGRES, "orders")
    workspace.sql("ALTER TABLE orders ADD COLUMN paid BOOLEAN", "UPDATE orders SET paid = 1 WHERE id = 2")
    workspace.load(POSTGRES, "orders")
    assert workspace.pg("SELECT id, paid FROM orders ORDER BY 1") == [(1, None), (2, True), (3, None)]
    workspace.sql("ALTER TABLE orders DROP COLUMN seen", "ALTER TABLE orders ADD COLUMN seen TEXT")
    assert "would be text" in message(workspace)
    workspace.load(POSTGRES, "orders", resync_mode="rebuild")


def test_composite_keys_reserved_words_and_quotes_are_only_names(workspace: PostgresWorkspace) -> None:
    workspace.sql(
        'CREATE TABLE "sel""ect\'; DROP 表" ("order" INTEGER, "na""me" TEXT, "é\'" TEXT, PRIMARY KEY ("na""me", "order"))',
        "INSERT INTO \"sel\"\"ect'; DROP 表\" VALUES (1, 'a', 'b'), (1, 'c', 'd')",
    )
    for _ in range(2):
        workspace.load(POSTGRES, "sel\"ect'; DROP 表", normalize_names="disabled", output_schema="group")
    assert workspace.pg('SELECT "order", "na""me", "é\'" FROM "group"."sel""ect\'; DROP 表" ORDER BY 2') == [
        (1, "a", "b"),
        (1, "c", "d"),
    ]


def test_a_key_too_long_for_an_index_is_merged_without(workspace: PostgresWorkspace) -> None:
    workspace.sql("CREATE TABLE t (k TEXT PRIMARY KEY, v INTEGER)")
    workspace.sql("INSERT INTO t SELECT hex(randomblob(40000)), 1 FROM (VALUES (1), (2))")
    workspace.load(POSTGRES, "t")
    workspace.sql("UPDATE t SET v = 2")
    workspace.load(POSTGRES, "t")
    assert workspace.pg("SELECT v FROM t") == [(2,), (2,)]


def test_nul_characters_are_taken_out_and_told(workspace: PostgresWorkspace) -> None:
    workspace.duck(
        "CREATE TABLE t (id BIGINT PRIMARY KEY, a VARCHAR, l VARCHAR[], s STRUCT(x VARCHAR), ts TIMESTAMP, d DATE)",
        "INSERT INTO t VALUES (1, 'a' || chr(0) || 'b', ['x' || chr(0), NULL], {'x': chr(0) || chr(0) || '\\' || 'u0000'},"
        " 'infinity', '5000-01-01 (BC)'), (2, 'plain', [], NULL, '2024-01-01', '2024-01-01')",
    )
    outcome = workspace.load(POSTGRES, "t", source=Endpoint("duckdb", {"path": "source.duckdb"})).finished["t"]
    assert outcome.warnings == 5
    assert "1 value(s) of the column a lost a NUL character" in (outcome.message or "")
    assert workspace.pg("SELECT a, l, CAST(s AS text), ts, d FROM t WHERE id = 1") == [
        ("ab", ["x", None], '{"x": "\\\\u0000"}', None, None)
    ]


def test_a_key_with_a_nul_character_fails_the_table(workspace: PostgresWorkspace) -> None:
    workspace.duck("CREATE TABLE t (id VARCHAR PRIMARY KEY)", "INSERT INTO t VALUES ('a'), ('a' || chr(0))")
    recorder = workspace.run(POSTGRES, "t", source=Endpoint("duckdb", {"path": "source.duckdb"}))
    assert "key column id" in (recorder.finished["t"].message or "")
    assert relations(workspace) == {"_bulk_sync_state"}
    assert workspace.pg("SELECT count(*) FROM _bulk_sync_state") == [(0,)]


def test_a_role_without_rights_is_told_so(workspace: PostgresWorkspace, reader: str) -> None:
    fill(workspace, BEFORE, keyed=True)
    workspace.user = reader
    assert "may not make tables in the schema public" in message(workspace)
    assert "may not make tables in the schema other" in message(workspace, output_schema="other", test=True)


def test_the_sync_never_writes_to_a_table_it_reads(workspace: PostgresWorkspace) -> None:
    workspace.pg("CREATE TABLE orders (id bigint PRIMARY KEY)", "INSERT INTO orders VALUES (1)")
    source = Endpoint(POSTGRES, {**workspace.settings, "host": "localhost"})
    table = TableJob("public.orders", user_output_name="orders")
    for resync in ("resync", "rebuild"):
        assert "that this sync reads" in message(workspace, table, resync_mode=resync, source=source)
    workspace.load(POSTGRES, table, source=source, output_schema="shop")


def test_dates_past_the_end_of_the_calendar_become_null_and_the_first_day_is_kept(workspace: PostgresWorkspace) -> None:
    workspace.duck(
        "CREATE TABLE t (id BIGINT PRIMARY KEY, d DATE, ts TIMESTAMP)",
        "INSERT INTO t VALUES (1, '5874898-01-01', '4714-11-24 (BC) 00:00:00'), (2, '5874897-12-31', '2024-01-01'),"
        " (3, '4714-11-24 (BC)', NULL), (4, '4714-11-23 (BC)', '4714-11-23 (BC) 23:59:59')",
    )
    outcome = workspace.load(POSTGRES, "t", source=Endpoint("duckdb", {"path": "source.duckdb"})).finished["t"]
    assert outcome.warnings == 3
    assert workspace.pg("SELECT CAST(d AS text), CAST(ts AS text) FROM t ORDER BY id") == [
        (None, "4714-11-24 00:00:00 BC"),
        ("5874897-12-31", "2024-01-01 00:00:00"),
        ("4714-11-24 BC", None),
        (None, None),
    ]


def test_nanoseconds_are_rounded_and_told_and_never_in_a_key(workspace: PostgresWorkspace) -> None:
    workspace.duck(
        "CREATE TABLE t (id BIGINT PRIMARY KEY, ns TIMESTAMP_NS)",
        "CREATE TABLE k (ns TIMESTAMP_NS PRIMARY KEY)",
        "INSERT INTO t VALUES (1, '2024-01-01 00:00:00.000001999'), (2, 'infinity'), (3, '2024-01-01 00:00:00.000001')",
        "INSERT INTO k VALUES ('2024-01-01 00:00:00.000001001'), ('2024-01-01 00:00:00.000001')",
    )
    recorder = workspace.run(POSTGRES, "t", "k", source=Endpoint("duckdb", {"path": "source.duckdb"}))
    assert recorder.finished["t"].warnings == 2
    assert "1 value(s) of the column ns lost nanoseconds" in (recorder.finished["t"].message or "")
    assert workspace.pg("SELECT CAST(ns AS text) FROM t ORDER BY id") == [
        ("2024-01-01 00:00:00.000002",),
        (None,),
        ("2024-01-01 00:00:00.000001",),
    ]
    assert "key column ns cannot be kept in PostgreSQL" in (recorder.finished["k"].message or "")


def test_a_backslash_before_u0000_in_json_is_no_nul_character(workspace: PostgresWorkspace) -> None:
    workspace.pg(
        "CREATE TABLE shop.t (id int PRIMARY KEY, j jsonb)", """INSERT INTO shop.t VALUES (1, '"\\\\u0000"')"""
    )
    table = TableJob("shop.t", user_output_name="t")
    assert workspace.load(POSTGRES, table, source=workspace.endpoint).finished["shop.t"].warnings == 0
    assert workspace.pg("SELECT CAST(j AS text) FROM t") == [('"\\\\u0000"',)]


def test_names_that_differ_in_case_alone_are_two_columns_and_two_tables(workspace: PostgresWorkspace) -> None:
    workspace.sql('CREATE TABLE people (id INTEGER PRIMARY KEY, "Name" TEXT)', "INSERT INTO people VALUES (1, 'ann')")
    workspace.load(POSTGRES, "people", normalize_names="disabled")
    workspace.load(POSTGRES, "people", normalize_names="enabled")
    (row,) = workspace.rows(POSTGRES, "people")
    assert (row["Name"], row["name"]) == ("ann", "ann")
    workspace.load(POSTGRES, TableJob("people", user_output_name="People"))
    workspace.load(POSTGRES, "people", normalize_names="enabled")
    assert {"people", "People"} <= relations(workspace)


def long_key(number: int) -> str:
    """What PostgreSQL cannot make short."""
    return "".join(Random(number).choices(ascii_letters, k=9000))


@pytest.mark.parametrize("first", ["short", "long"])
def test_keys_too_long_for_an_index_come_and_go_without_harm(workspace: PostgresWorkspace, first: str) -> None:
    keys = {"short": "a", "long": long_key(1)}
    table = TableJob("t", tracking_field="at")
    workspace.sql("CREATE TABLE t (k TEXT PRIMARY KEY, at INTEGER)")
    runs = [(keys.pop(first), None), (keys.popitem()[1], None), ("c", None), (long_key(2), "resync"), ("d", "refetch")]
    for place, (key, resync) in enumerate(runs):
        workspace.sql(rows=[("INSERT INTO t VALUES (?, ?)", [(key, place)])])
        workspace.load(POSTGRES, table, resync_mode=resync)
        assert len(workspace.rows(POSTGRES, "t")) == place + 1
    workspace.load(POSTGRES, table, mode="append", resync_mode="resync")


def test_rows_that_are_appended_are_free_of_the_index_they_were_merged_by(workspace: PostgresWorkspace) -> None:
    workspace.sql("CREATE TABLE t (k TEXT PRIMARY KEY)", "INSERT INTO t VALUES ('a')")
    workspace.load(POSTGRES, "t")
    workspace.sql(rows=[("INSERT INTO t VALUES (?)", [(long_key(1),)])])
    workspace.load(POSTGRES, "t", mode="append")
    assert len(workspace.rows(POSTGRES, "t")) == 3
