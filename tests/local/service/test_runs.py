"""Running a sync, from the connections to rows at the destination."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from bulk_sync_local.config import LocalConfig
from bulk_sync_local.engine.lanes import cores
from local.service.harness import Api, output_rows

pytestmark = pytest.mark.anyio


def _sql(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def _statuses(execution: dict) -> dict[str, str]:
    return {entry["schema"]: entry["status"] for entry in execution["schemas"]}


async def test_a_run_moves_the_rows_and_reports_each_table(api: Api, sync_id: str, workspace: Path) -> None:
    started = await api.ok("POST", f"/api/bulk/syncs/{sync_id}/executions", {})
    assert started["status"] == "created"
    assert (started["output_disposition"], started["is_resync"], started["is_partial"]) == ("retain", False, False)
    assert [entry["output_name"] for entry in started["schemas"]] == ["customers", "orders"]
    done = await api.finished(sync_id, started["id"])
    assert (done["status"], done["record_count"]) == ("completed", 6)
    assert _statuses(done) == {"customers": "completed", "orders": "completed"}
    assert done["created_at"] <= done["started_at"] <= done["completed_at"]
    assert output_rows(workspace / "warehouse.sqlite", "orders") == 3
    status = await api.ok("GET", f"/api/bulk/syncs/{sync_id}/status")
    assert status["current_execution"] is None
    assert status["last_execution"]["id"] == started["id"]
    assert status["next_execution_time"] is None


async def test_a_run_into_duckdb_works_as_well(api: Api, workspace: Path) -> None:
    sync_id = await api.sync(
        await api.connection("sqlite", "shop.sqlite"), await api.connection("duckdb", "warehouse.duckdb")
    )
    assert (await api.run(sync_id))["status"] == "completed"
    assert (workspace / "warehouse.duckdb").exists()


async def test_an_empty_list_of_schemas_runs_every_enabled_one(api: Api, sync_id: str) -> None:
    assert len((await api.run(sync_id, schemas=[]))["schemas"]) == 2


async def test_a_run_of_one_schema_is_partial_and_leaves_the_others_alone(
    api: Api, sync_id: str, workspace: Path
) -> None:
    done = await api.run(sync_id, schemas=["orders"])
    assert (done["is_partial"], _statuses(done)) == (True, {"orders": "completed"})
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        output_rows(workspace / "warehouse.sqlite", "customers")


@pytest.mark.parametrize(
    ("mode", "disposition"), [("refetch", "retain"), ("resync", "truncate"), ("rebuild", "rebuild")]
)
async def test_a_resync_mode_is_reported_as_what_it_does_to_the_output(
    api: Api, sync_id: str, mode: str, disposition: str
) -> None:
    await api.run(sync_id)
    started = await api.ok("POST", f"/api/bulk/syncs/{sync_id}/executions", {"resync_mode": mode})
    assert (started["is_resync"], started["output_disposition"]) == (True, disposition)
    assert (await api.finished(sync_id, started["id"]))["status"] == "completed"


async def test_a_test_run_leaves_the_destination_untouched(api: Api, sync_id: str, workspace: Path) -> None:
    done = await api.run(sync_id, test=True)
    assert (done["is_test"], done["status"]) == (True, "completed")
    assert not (workspace / "warehouse.sqlite").exists()


async def test_a_table_that_fails_does_not_keep_the_others_from_completing(
    api: Api, sync_id: str, workspace: Path
) -> None:
    _sql(workspace / "warehouse.sqlite", "CREATE TABLE orders (foreign_data TEXT)")
    done = await api.run(sync_id)
    assert done["status"] == "errors"
    assert _statuses(done) == {"customers": "completed", "orders": "failed"}
    assert done["error_count"] > 0
    assert "orders" in done["status_message"]
    assert next(entry for entry in done["schemas"] if entry["schema"] == "orders")["status_message"]


async def test_a_run_whose_source_is_gone_fails_with_the_reason(api: Api, sync_id: str, workspace: Path) -> None:
    (workspace / "shop.sqlite").unlink()
    done = await api.run(sync_id)
    assert (done["status"], set(_statuses(done).values())) == ("failed", {"failed"})
    assert "shop.sqlite" in done["status_message"]
    log = await api.ok("GET", f"/api/bulk/syncs/{sync_id}/executions/{done['id']}/consolelog")
    assert [entry["level"] for entry in log["entries"]] == ["ERROR"]


async def test_a_new_table_of_the_source_joins_a_run_when_the_sync_takes_up_all(api: Api, workspace: Path) -> None:
    sync_id = await api.sync(
        await api.connection("sqlite", "shop.sqlite"),
        await api.connection("sqlite", "warehouse.sqlite"),
        automatically_add_new_objects="all",
    )
    _sql(workspace / "shop.sqlite", "CREATE TABLE refunds (id INTEGER PRIMARY KEY)")
    assert set(_statuses(await api.run(sync_id, schemas=["orders"]))) == {"orders"}
    assert _statuses(await api.run(sync_id))["refunds"] == "completed"


async def test_a_new_table_of_the_source_stays_out_by_default(api: Api, sync_id: str, workspace: Path) -> None:
    _sql(workspace / "shop.sqlite", "CREATE TABLE refunds (id INTEGER PRIMARY KEY)")
    assert "refunds" not in _statuses(await api.run(sync_id))
    listed = await api.ok("GET", f"/api/bulk/syncs/{sync_id}/schemas?filters[enabled]=false")
    assert [entry["id"] for entry in listed] == ["refunds"]


@pytest.mark.parametrize(("policy", "expected"), [("all", {"id", "name", "city"}), ("none", {"id", "name"})])
async def test_new_columns_follow_the_policy_of_the_sync(
    api: Api, workspace: Path, policy: str, expected: set[str]
) -> None:
    sync_id = await api.sync(
        await api.connection("sqlite", "shop.sqlite"),
        await api.connection("sqlite", "warehouse.sqlite"),
        automatically_add_new_fields=policy,
        disable_record_timestamps=True,
    )
    _sql(workspace / "shop.sqlite", "ALTER TABLE customers ADD COLUMN city TEXT")
    await api.run(sync_id)
    with closing(sqlite3.connect(workspace / "warehouse.sqlite")) as connection:
        names = {row[1] for row in connection.execute("PRAGMA table_info(customers)")}
    assert {name for name in names if not name.startswith("_polytomic_")} == expected
    schema = await api.ok("GET", f"/api/bulk/syncs/{sync_id}/schemas/customers")
    assert {field["id"] for field in schema["fields"] if field["enabled"]} == expected


@pytest.mark.parametrize(("policy", "joined"), [("onlyIncremental", {"orders"}), ("onlyNonIncremental", {"customers"})])
async def test_new_columns_may_follow_how_their_table_is_read(
    api: Api, workspace: Path, policy: str, joined: set[str]
) -> None:
    sync_id = await api.sync(
        await api.connection("sqlite", "shop.sqlite"),
        await api.connection("sqlite", "warehouse.sqlite"),
        schemas=["customers", {"id": "orders", "tracking_field": "id"}],
        automatically_add_new_fields=policy,
    )
    for table in ("customers", "orders"):
        _sql(workspace / "shop.sqlite", f"ALTER TABLE {table} ADD COLUMN city TEXT")
    await api.run(sync_id)
    with closing(sqlite3.connect(workspace / "warehouse.sqlite")) as connection:
        found = {
            table
            for table in ("customers", "orders")
            if "city" in {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        }
    assert found == joined
    for table in ("customers", "orders"):
        schema = await api.ok("GET", f"/api/bulk/syncs/{sync_id}/schemas/{table}")
        assert next(field["enabled"] for field in schema["fields"] if field["id"] == "city") is (table in joined)


async def test_a_cancelled_run_ends_as_canceled_and_changes_nothing(
    open_api: Callable[..., Api], config: LocalConfig, workspace: Path
) -> None:
    api = open_api(replace(config, batch_pause=60))
    sync_id = await api.sync(
        await api.connection("sqlite", "shop.sqlite"), await api.connection("sqlite", "warehouse.sqlite")
    )
    execution_id = await api.start(sync_id)
    await api.running(sync_id, execution_id)
    answer = await api.ok("POST", f"/api/bulk/syncs/{sync_id}/executions/{execution_id}/cancel")
    assert "requested" in answer["message"]
    assert (await api.ok("GET", f"/api/bulk/syncs/{sync_id}/executions/{execution_id}"))["status"] in (
        "canceling",
        "canceled",
    )
    done = await api.finished(sync_id, execution_id)
    assert (done["status"], set(_statuses(done).values())) == ("canceled", {"canceled"})
    assert "ended" in (await api.ok("POST", f"/api/bulk/syncs/{sync_id}/executions/{execution_id}/cancel"))["message"]
    assert "no execution" in (await api.ok("POST", f"/api/bulk/syncs/{sync_id}/cancel"))["message"]


async def test_one_table_can_be_cancelled_and_the_other_goes_on(
    open_api: Callable[..., Api], config: LocalConfig
) -> None:
    api = open_api(replace(config, batch_pause=1))
    sync_id = await api.sync(
        await api.connection("sqlite", "shop.sqlite"), await api.connection("sqlite", "warehouse.sqlite")
    )
    execution_id = await api.start(sync_id)
    await api.ok("POST", f"/api/bulk/syncs/{sync_id}/schemas/orders/cancel")
    done = await api.finished(sync_id, execution_id)
    assert (done["status"], _statuses(done)) == ("errors", {"customers": "completed", "orders": "canceled"})
    assert "nothing to cancel" in (await api.ok("POST", f"/api/bulk/syncs/{sync_id}/schemas/orders/cancel"))["message"]


@pytest.mark.parametrize("how", ["deactivate", "delete"])
async def test_deactivating_and_deleting_stop_the_run(
    open_api: Callable[..., Api], config: LocalConfig, workspace: Path, how: str
) -> None:
    api = open_api(replace(config, batch_pause=60))
    sync_id = await api.sync(
        await api.connection("sqlite", "shop.sqlite"), await api.connection("sqlite", "warehouse.sqlite"), active=True
    )
    execution_id = await api.start(sync_id)
    await api.running(sync_id, execution_id)
    if how == "deactivate":
        assert await api.ok("POST", f"/api/bulk/syncs/{sync_id}/activate", {"active": False}) == {
            "id": sync_id,
            "active": False,
        }
        assert (await api.finished(sync_id, execution_id))["status"] == "canceled"
        return
    await api.ok("DELETE", f"/api/bulk/syncs/{sync_id}")
    assert "no such" in await api.refused(404, "GET", f"/api/bulk/syncs/{sync_id}")
    assert "no such" in await api.refused(404, "GET", f"/api/bulk/syncs/{sync_id}/executions/{execution_id}")
    assert await api.ok("GET", "/api/bulk/syncs") == []


async def test_console_lines_are_followed_by_cursor(api: Api, sync_id: str) -> None:
    done = await api.run(sync_id)
    path = f"/api/bulk/syncs/{sync_id}/executions/{done['id']}/consolelog"
    log = await api.ok("GET", path)
    assert log["entries"][0]["message"].startswith("started")
    again = await api.ok("GET", f"{path}?after={log['next_cursor']}")
    assert again == {"entries": [], "next_cursor": log["next_cursor"]}
    assert len((await api.ok("GET", f"{path}?limit=1"))["entries"]) == 1
    one = await api.ok("GET", f"/api/bulk/syncs/{sync_id}/executions/{done['id']}/schemas/orders/consolelog?limit=500")
    assert all(entry["payload"] == {"schema": "orders"} for entry in one["entries"])
    assert "cursor" in await api.refused(400, "GET", f"{path}?after=x")


async def test_statuses_of_several_syncs_show_the_latest_run_of_each_schema(api: Api, sync_id: str) -> None:
    await api.run(sync_id)
    second = await api.run(sync_id, schemas=["orders"])
    (found,) = await api.ok("GET", f"/api/bulk/syncs/status?sync_id={sync_id}&sync_id={sync_id}")
    assert (found["sync_id"], found["status"], len(found["schemas"])) == (sync_id, "completed", 2)
    assert {entry["schema"]: entry["execution_id"] == second["id"] for entry in found["schemas"]} == {
        "customers": False,
        "orders": True,
    }
    assert await api.ok("GET", "/api/bulk/syncs/status?active=true") == []
    assert len(await api.ok("GET", "/api/bulk/syncs/status?all=true")) == 1
    assert "sync_id" in await api.refused(400, "GET", "/api/bulk/syncs/status")
    await api.refused(404, "GET", "/api/bulk/syncs/status?sync_id=00000000-0000-4000-8000-000000000000")


async def test_executions_are_paged_newest_first_and_reversed_on_request(api: Api, sync_id: str) -> None:
    ids = [(await api.run(sync_id, schemas=["orders"], test=True))["id"] for _ in range(3)]
    path = f"/api/bulk/syncs/{sync_id}/executions"
    for query, expected in (("", ids[::-1]), ("&ascending=true", ids), ("&only_terminal=true", ids[::-1])):
        seen: list[str] = []
        token = ""
        while True:
            body = (await api.send("GET", f"{path}?limit=2{query}{token}")).json()
            seen += [entry["id"] for entry in body["data"]]
            if body["pagination"]["next_page_token"] is None:
                break
            token = f"&page_token={body['pagination']['next_page_token']}"
        assert seen == expected
    first = (await api.send("GET", f"{path}?limit=2")).json()["pagination"]["next_page_token"]
    assert "page_token" in await api.refused(400, "GET", f"{path}?page_token={first}&ascending=true")
    assert "page_token" in await api.refused(400, "GET", f"{path}?page_token=nonsense")


@pytest.mark.parametrize(
    ("limits", "resync_mode", "beside"),
    [
        ({}, None, True),
        ({"concurrency_limit": 1}, None, False),
        ({"concurrency_limit": 1}, "resync", False),
        ({"concurrency_limit": 2, "resync_concurrency_limit": 1}, None, True),
        ({"concurrency_limit": 2, "resync_concurrency_limit": 1}, "rebuild", False),
    ],
    ids=str,
)
async def test_tables_are_loaded_side_by_side_up_to_the_limit_of_the_sync(
    open_api: Callable[..., Api],
    config: LocalConfig,
    limits: dict[str, int],
    resync_mode: str | None,
    beside: bool,
) -> None:
    api = open_api(replace(config, batch_pause=0.3))
    source, destination = await api.connection("sqlite", "shop.sqlite"), await api.connection("duckdb", "out.duckdb")
    sync_id = await api.sync(source, destination, **limits)
    done = await api.run(sync_id, **({"resync_mode": resync_mode} if resync_mode else {}))
    assert done["status"] == "completed"
    first, second = sorted(done["schemas"], key=lambda one: one["started_at"])
    assert (second["started_at"] < first["completed_at"]) is (beside and cores() > 1)


async def test_a_parquet_folder_inside_the_one_that_is_read_does_not_join_the_sync(api: Api, workspace: Path) -> None:
    api.run_here()
    for table in ("first", "second"):
        (workspace / "lake").mkdir(exist_ok=True)
        duckdb.sql("SELECT 1 AS id").write_parquet(str(workspace / "lake" / f"{table}.parquet"))
        if table == "first":
            sides = [await api.connection("parquet", "lake"), await api.connection("parquet", "lake/copies")]
            sync_id = await api.sync(*sides, automatically_add_new_objects="all")
        done = await api.run(sync_id)
    assert [one["schema"] for one in done["schemas"]] == ["first", "second"]
    assert [one["schema"] for one in (await api.run(sync_id))["schemas"]] == ["first", "second"]
    listed = await api.ok("GET", f"/api/bulk/syncs/{sync_id}/schemas")
    assert {one["id"]: one["enabled"] for one in listed} == {"first": True, "second": True, "copies": False}
