"""Tables side by side into and out of PostgreSQL."""

import threading
from contextlib import closing
from typing import Any

import pytest

from bulk_sync_local.connectors.base import ConnectorError
from bulk_sync_local.connectors.registry import connector
from bulk_sync_local.engine import lanes
from local.engine.kit import Recorder
from local.engine.test_lanes import Counting, Meeting
from local.postgres.kit import POSTGRES, PostgresWorkspace
from local.postgres.server import ADMIN, PASSWORD

TABLES = ("t0", "t1", "t2", "t3")


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "cores", lambda: 4)


@pytest.mark.parametrize("key", ["PRIMARY KEY", ""], ids=["keyed", "unkeyed"])
def test_tables_are_loaded_side_by_side_into_a_schema_that_is_made_for_them(
    workspace: PostgresWorkspace, key: str
) -> None:
    for one in TABLES:
        workspace.sql(f"CREATE TABLE {one} (id INTEGER {key}, name TEXT)", f"INSERT INTO {one} VALUES (1, 'of {one}')")
    for settings in ({}, {}, {"resync_mode": "resync"}, {"resync_mode": "rebuild"}):
        recorder = Meeting(together=4)
        workspace.load(POSTGRES, *TABLES, recorder=recorder, output_schema="made", **settings)
        assert recorder.met
        for one in TABLES:
            assert workspace.pg(f"SELECT id, name FROM made.{one}") == [(1, f"of {one}")]
    found = workspace.pg("SELECT relname FROM pg_class WHERE relnamespace = 'made'::regnamespace AND relkind = 'r'")
    assert {row[0] for row in found} == {*TABLES, "_bulk_sync_state"}


def test_tables_read_side_by_side_are_of_one_moment(workspace: PostgresWorkspace) -> None:
    workspace.pg("CREATE TABLE shop.a (id int PRIMARY KEY)", "CREATE TABLE shop.b (id int PRIMARY KEY)")
    source: Any = connector(POSTGRES)
    with closing(source.open_source(workspace.settings, workspace.confinement)) as first:
        workspace.pg("INSERT INTO shop.b VALUES (1)")
        with closing(first.beside()) as second:
            for one in (first, second):
                columns = one.shape("shop.b").columns
                batches = one.read("shop.b", columns, (), limit=None, careful=False).batches
                assert sum(batch.num_rows for batch in batches) == 0
    recorder = Meeting()
    workspace.pg("INSERT INTO shop.a VALUES (2)")
    workspace.load("duckdb", "shop.a", "shop.b", source=workspace.endpoint, recorder=recorder)
    assert recorder.met
    assert [workspace.rows("duckdb", one)[0]["id"] for one in ("shop_a", "shop_b")] == [2, 1]


def test_a_run_waits_for_every_session_of_an_earlier_one(workspace: PostgresWorkspace) -> None:
    job = workspace.job(POSTGRES, "t0")
    postgres: Any = connector(POSTGRES)

    def opened() -> Any:
        return postgres.open_destination(job, workspace.confinement, read_only=False)

    first = opened()
    second = first.beside(1)
    first.close()
    later: list[Any] = []
    waiting = threading.Thread(target=lambda: later.append(opened()), daemon=True)
    waiting.start()
    workspace.server.wait_for(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'bulk-sync' AND wait_event = 'advisory'"
    )
    assert not later
    second.close()
    waiting.join(30)
    later[0].close()


def test_where_the_server_gives_no_further_connection_tables_go_one_after_another(
    workspace: PostgresWorkspace,
) -> None:
    for one in TABLES:
        workspace.sql(f"CREATE TABLE {one} (id INTEGER PRIMARY KEY)", f"INSERT INTO {one} VALUES (1)")
    password = PASSWORD.replace("'", "''")
    workspace.pg(f"CREATE ROLE few LOGIN PASSWORD '{password}' CONNECTION LIMIT 1", "GRANT ALL ON SCHEMA public TO few")
    workspace.user = "few"
    try:
        recorder = workspace.load(POSTGRES, *TABLES)
        assert recorder.said("Not more than 1 at a time")
        assert recorder.said("too many connections")
    finally:
        workspace.user = ADMIN
        workspace.pg("DROP OWNED BY few", "DROP ROLE few")


def test_outputs_that_refer_to_each_other_are_loaded_one_after_another(workspace: PostgresWorkspace) -> None:
    """In the order of the sync, as a row can only come after the one that it refers to."""
    workspace.sql(
        "CREATE TABLE customers (id INTEGER PRIMARY KEY)", "CREATE TABLE orders (id INTEGER PRIMARY KEY, who INTEGER)"
    )
    workspace.load(POSTGRES, "customers", "orders")
    workspace.pg(
        "ALTER TABLE customers ADD PRIMARY KEY (id)", "ALTER TABLE orders ADD FOREIGN KEY (who) REFERENCES customers"
    )
    workspace.sql("INSERT INTO customers VALUES (1)", "INSERT INTO orders VALUES (1, 1)")
    recorder = Counting()
    workspace.load(POSTGRES, "customers", "orders", recorder=recorder)
    assert recorder.most == 1
    assert workspace.pg("SELECT id, who FROM orders") == [(1, 1)]


def test_a_lost_connection_costs_the_table_that_meets_it_and_no_other(workspace: PostgresWorkspace) -> None:
    """Wherever it is lost: here between two tables, so that the second cannot even be looked at."""
    for one in TABLES:
        workspace.sql(f"CREATE TABLE {one} (id INTEGER PRIMARY KEY)", f"INSERT INTO {one} VALUES (1)")

    class Ending(Recorder):
        def table_started(self, schema_id: str, output_name: str) -> None:
            super().table_started(schema_id, output_name)
            if schema_id == "t1":
                workspace.pg(
                    "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity WHERE application_name = 'bulk-sync'"
                )

    recorder = workspace.run(POSTGRES, *TABLES, at_once=1, recorder=Ending())
    assert [one.status for one in recorder.finished.values()] == ["completed", "failed", "completed", "completed"]
    workspace.load(POSTGRES, *TABLES)


def test_a_source_that_loses_its_connection_goes_on_in_the_same_state_while_another_is_there(
    workspace: PostgresWorkspace,
) -> None:
    workspace.pg("CREATE TABLE shop.a (id int PRIMARY KEY)")
    source: Any = connector(POSTGRES)
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'bulk-sync' AND pid = {}"
    pids = "SELECT pid FROM pg_stat_activity WHERE application_name = 'bulk-sync' ORDER BY backend_start"
    first = source.open_source(workspace.settings, workspace.confinement)
    with closing(first), closing(first.beside()) as second:
        workspace.pg("INSERT INTO shop.a VALUES (1)")
        pid = workspace.pg(pids)[0][0]
        assert workspace.pg(ended.format(pid)) == [(True,)]
        workspace.server.wait_for(f"SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = {pid})")
        columns = first.shape("shop.a").columns
        batches = first.read("shop.a", columns, (), limit=None, careful=False).batches
        assert sum(batch.num_rows for batch in batches) == 0
        for (one,) in workspace.pg(pids):
            workspace.pg(ended.format(one))
        workspace.server.wait_for(f"SELECT 1 WHERE NOT EXISTS ({pids})")
        for one in (first, second):
            with pytest.raises(ConnectorError, match="The connection was lost"):
                one.shape("shop.a")
