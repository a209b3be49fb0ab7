"""Schedules that fire: what they start, when, once, and what they leave alone. Time is moved by hand."""

import asyncio
import logging
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bulk_sync_local import scheduler, store_schedules
from bulk_sync_local.clock import to_text
from bulk_sync_local.config import LocalConfig
from local.service.harness import Api, output_rows, sync_body

pytestmark = pytest.mark.anyio

HOURLY = {"frequency": "hourly", "minute": "15"}
UNPUBLISHED = ["custom", "builder", "runafter", "multi", "dbtcloud"]


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 5, 12, 4, 0, tzinfo=UTC)  # a Tuesday

    def __call__(self) -> datetime:
        return self.now

    def to(self, text: str) -> None:
        self.now = datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def timed(open_api: Callable[..., Api], config: LocalConfig, clock: Clock) -> Api:
    return open_api(config, clock=clock)


@pytest.fixture
async def held(open_api: Callable[..., Api], config: LocalConfig, clock: Clock) -> Api:
    """A service that records runs and has no worker take them on, so that they are under way until cancelled."""
    api = open_api(config, clock=clock)
    api.service.supervisor.start_worker = lambda execution_id, attempts_before=0: None
    return api


async def active(api: Api, **changes: Any) -> str:
    """An active sync of both tables, hourly unless said otherwise."""
    source = await api.connection("sqlite", "shop.sqlite")
    destination = await api.connection("sqlite", "warehouse.sqlite")
    return await api.sync(source, destination, **{"active": True, "default_schedule": HOURLY, **changes})


async def executions(api: Api, sync_id: str) -> list[dict[str, Any]]:
    """Every execution, oldest first."""
    return await api.ok("GET", f"/api/bulk/syncs/{sync_id}/executions?ascending=true")


async def status(api: Api, sync_id: str) -> dict[str, Any]:
    return await api.ok("GET", f"/api/bulk/syncs/{sync_id}/status")


async def console(api: Api, sync_id: str, execution: dict[str, Any]) -> list[str]:
    path = f"/api/bulk/syncs/{sync_id}/executions/{execution['id']}/consolelog"
    return [entry["message"] for entry in (await api.ok("GET", path))["entries"]]


async def fired(api: Api, sync_id: str) -> dict[str, Any]:
    """The one execution there is by now, at its end."""
    api.scheduler.tick()
    (one,) = await executions(api, sync_id)
    return await api.finished(sync_id, one["id"])


def tables(execution: dict[str, Any]) -> list[str]:
    return [entry["schema"] for entry in execution["schemas"]]


def sql(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


async def test_an_hourly_schedule_starts_a_run_at_its_minute_and_tells_the_next(
    timed: Api, clock: Clock, workspace: Path
) -> None:
    sync_id = await active(timed)
    assert (await status(timed, sync_id))["next_execution_time"] == "2026-05-12T04:15:00.000000Z"
    clock.to("2026-05-12T04:14:59.999999")
    assert timed.scheduler.tick() == datetime(2026, 5, 12, 4, 15, tzinfo=UTC)
    assert await executions(timed, sync_id) == []
    clock.to("2026-05-12T04:15")
    done = await fired(timed, sync_id)
    assert (done["type"], done["status"], done["is_resync"], done["is_partial"]) == (
        "scheduled",
        "completed",
        False,
        False,
    )
    assert output_rows(workspace / "warehouse.sqlite", "orders") == 3
    assert "the firing of 2026-05-12T04:15:00Z (hourly, minute 15) started this run" in (
        await console(timed, sync_id, done)
    )
    assert (await status(timed, sync_id))["next_execution_time"] == "2026-05-12T05:15:00.000000Z"
    (brief,) = await timed.ok("GET", "/api/bulk/syncs/status?active=true")
    assert brief["nextExecutionTime"] == "2026-05-12T05:15:00.000000Z"
    timed.scheduler.tick()
    assert len(await executions(timed, sync_id)) == 1
    clock.to("2026-05-12T05:15:01")
    timed.scheduler.tick()
    assert [one["type"] for one in await executions(timed, sync_id)] == ["scheduled", "scheduled"]


async def test_the_next_time_that_is_told_is_that_of_the_next_run(held: Api, clock: Clock) -> None:
    clock.to("2026-12-31T22:00")
    sync_id = await active(
        held,
        default_schedule={"frequency": "hourly", "minute": "40"},
        additional_schedules=[
            {"frequency": "daily", "hour": "0", "minute": "10"},
            {"frequency": "weekly", "day_of_week": "friday", "hour": "1", "minute": "20"},
            {"frequency": "runafter"},
        ],
    )
    times: list[str] = []
    for _ in range(5):
        told = datetime.fromisoformat((await status(held, sync_id))["next_execution_time"])
        clock.now = told - timedelta(microseconds=1)
        held.scheduler.tick()
        assert len(await executions(held, sync_id)) == len(times)
        clock.now = told
        held.scheduler.tick()
        times.append((await executions(held, sync_id))[-1]["created_at"])
        assert times[-1] == to_text(told)
        await held.ok("POST", f"/api/bulk/syncs/{sync_id}/cancel")
    expected = ["12-31T22:40", "12-31T23:40", "01-01T00:10", "01-01T00:40", "01-01T01:20"]
    assert [time[5:16] for time in times] == expected


async def test_a_run_started_by_hand_is_told_apart(held: Api, clock: Clock) -> None:
    sync_id = await active(held)
    await held.start(sync_id)
    await held.ok("POST", f"/api/bulk/syncs/{sync_id}/cancel")
    clock.to("2026-05-12T04:15")
    held.scheduler.tick()
    assert [one["type"] for one in await executions(held, sync_id)] == ["manual", "scheduled"]


@pytest.mark.parametrize(
    ("schedule", "before", "at"),
    [
        ({"frequency": "daily", "hour": "0", "minute": "5"}, "2026-12-31T23:59:59", "2027-01-01T00:05"),
        (
            {"frequency": "weekly", "day_of_week": "Sunday", "hour": "23", "minute": "59"},
            "2026-05-17T23:58:59",
            "2026-05-17T23:59",
        ),
        ({"frequency": "continuous"}, "2026-05-12T04:00:59", "2026-05-12T04:01"),
    ],
)
async def test_every_frequency_fires_at_its_time(
    held: Api, clock: Clock, schedule: dict[str, str], before: str, at: str
) -> None:
    clock.to(before if schedule["frequency"] != "continuous" else "2026-05-12T04:00")
    sync_id = await active(held, default_schedule=schedule)
    clock.to(before)
    held.scheduler.tick()
    assert await executions(held, sync_id) == []
    clock.to(at)
    held.scheduler.tick()
    assert len(await executions(held, sync_id)) == 1


async def test_a_continuous_schedule_starts_the_next_run_within_a_minute_of_the_end_of_the_last(
    held: Api, clock: Clock
) -> None:
    sync_id = await active(held, default_schedule={"frequency": "continuous"})
    clock.to("2026-05-12T04:01")
    held.scheduler.tick()
    clock.to("2026-05-12T04:02")
    held.scheduler.tick()
    (one,) = await executions(held, sync_id)
    await held.ok("POST", f"/api/bulk/syncs/{sync_id}/cancel")
    done = await held.finished(sync_id, one["id"])
    assert not [line for line in await console(held, sync_id, done) if "skipped" in line]
    clock.to("2026-05-12T04:03")
    held.scheduler.tick()
    assert len(await executions(held, sync_id)) == 2


async def test_a_firing_that_meets_a_run_is_skipped_and_said_so_there(held: Api, clock: Clock) -> None:
    sync_id = await active(held)
    execution_id = await held.start(sync_id)
    clock.to("2026-05-12T04:16")
    held.scheduler.tick()
    await held.ok("POST", f"/api/bulk/syncs/{sync_id}/cancel")
    done = await held.finished(sync_id, execution_id)
    assert (
        "the firing of 2026-05-12T04:15:00Z (hourly, minute 15; 1 min late) was skipped, because this run was not over"
        in await console(held, sync_id, done)
    )
    clock.to("2026-05-12T04:20")
    held.scheduler.tick()
    assert [one["id"] for one in await executions(held, sync_id)] == [execution_id]
    assert (await status(held, sync_id))["next_execution_time"] == "2026-05-12T05:15:00.000000Z"


async def test_a_run_whose_worker_is_dead_does_not_keep_its_sync_from_firing(
    open_api: Callable[..., Api], config: LocalConfig, clock: Clock
) -> None:
    slow = open_api(replace(config, batch_pause=60), clock=clock)
    sync_id = await active(slow)
    execution_id = await slow.start(sync_id)
    await slow.running(sync_id, execution_id)
    with slow.service.store.read() as tx:
        (pid,) = tx.execute("SELECT worker_pid FROM executions").fetchone()
    os.kill(pid, signal.SIGKILL)
    while Path(f"/proc/{pid}").exists():
        os.sched_yield()
    clock.to("2026-05-12T04:15")
    slow.scheduler.tick()
    assert next(one["status"] for one in await executions(slow, sync_id)) == "interrupted"
    assert len(await executions(slow, sync_id)) == 2


@pytest.mark.parametrize(
    ("schedule", "until", "expected"),
    [
        (HOURLY, "2026-05-15T12:00", ["the firing of 2026-05-15T11:15:00Z (hourly, minute 15; 45 min late)"]),
        (
            {"frequency": "daily", "hour": "3"},
            "2026-05-19T02:59",
            ["the firing of 2026-05-18T03:00:00Z (daily, 03:00 UTC; 1439 min late)"],
        ),
        ({"frequency": "weekly", "day_of_week": "sunday"}, "2026-05-18T00:01", []),
        ({"frequency": "daily", "hour": "3", "resync_mode": "rebuild"}, "2026-05-13T03:16", []),
        (
            {"frequency": "daily", "hour": "3", "resync_mode": "resync"},
            "2026-05-13T03:15",
            ["daily, 03:00 UTC, resync"],
        ),
    ],
)
async def test_after_a_downtime_what_was_missed_is_made_up_for_once_if_it_is_not_too_late(
    held: Api, clock: Clock, schedule: dict[str, str], until: str, expected: list[str]
) -> None:
    sync_id = await active(held, default_schedule={"frequency": "manual"}, additional_schedules=[schedule])
    clock.to(until)
    for _ in range(2):
        held.scheduler.tick()
    found = await executions(held, sync_id)
    assert len(found) == len(expected)
    for execution, words in zip(found, expected, strict=True):
        assert words in (await console(held, sync_id, execution))[0]


async def test_of_several_schedules_that_are_due_one_run_is_started_for_the_rarest(held: Api, clock: Clock) -> None:
    sync_id = await active(
        held,
        default_schedule={"frequency": "hourly"},
        additional_schedules=[
            {"frequency": "daily", "hour": "3"},
            {
                "frequency": "weekly",
                "day_of_week": "sunday",
                "hour": "3",
                "resync_mode": "resync",
                "schemas": ["orders"],
            },
            {"frequency": "continuous"},
        ],
    )
    clock.to("2026-05-17T03:00")
    held.scheduler.tick()
    (one,) = await executions(held, sync_id)
    assert (one["is_resync"], one["output_disposition"], tables(one)) == (True, "truncate", ["orders"])
    lines = await console(held, sync_id, one)
    assert "weekly, sunday 03:00 UTC, resync, orders" in lines[0]
    assert [line.endswith("was skipped, because this run was started at its time") for line in lines[1:3]] == [True] * 2
    clock.to("2026-05-17T03:01")
    held.scheduler.tick()
    assert len(await executions(held, sync_id)) == 1


@pytest.mark.parametrize("how", ["created so", "deactivated", "updated", "deleted"])
async def test_only_an_active_sync_fires(held: Api, clock: Clock, how: str) -> None:
    sync_id = await active(held, active=how != "created so")
    path = f"/api/bulk/syncs/{sync_id}"
    if how == "deactivated":
        await held.ok("POST", f"{path}/activate", {"active": False})
    if how == "updated":
        sync = await held.ok("GET", path)
        ends = sync["source_connection_id"], sync["destination_connection_id"]
        await held.ok("PUT", path, sync_body(*ends, default_schedule=HOURLY))
    if how == "deleted":
        await held.ok("DELETE", path)
    clock.to("2026-05-12T04:15")
    assert held.scheduler.tick() is None
    with held.service.store.read() as tx:
        assert tx.execute("SELECT count(*) FROM executions").fetchone()[0] == 0
    if how != "deleted":
        assert (await status(held, sync_id))["next_execution_time"] is None


@pytest.mark.parametrize("how", ["activate", "update", "own endpoint", "new schedule"])
async def test_what_was_switched_on_or_changed_reckons_from_then_on(held: Api, clock: Clock, how: str) -> None:
    sync_id = await active(
        held, active=how in ("own endpoint", "new schedule"), default_schedule={"frequency": "daily"}
    )
    path = f"/api/bulk/syncs/{sync_id}"
    sync = await held.ok("GET", path)
    clock.to("2026-05-13T04:00")
    ends = sync["source_connection_id"], sync["destination_connection_id"]
    if how == "activate":
        await held.ok("POST", f"{path}/activate", {"active": True})
    elif how == "update":
        await held.ok("PUT", path, sync_body(*ends, active=True, default_schedule={"frequency": "daily"}))
    elif how == "own endpoint":
        own = f"{path}/schedules/{sync['default_schedule']['id']}"
        await held.ok("PUT", own, {"schedule": {"frequency": "daily", "hour": "3"}})
    else:
        manual = {"frequency": "manual", "id": sync["default_schedule"]["id"]}
        further = [{"frequency": "daily", "hour": "3"}]
        body = sync_body(*ends, active=True, default_schedule=manual, additional_schedules=further)
        await held.ok("PUT", path, body)
    held.scheduler.tick()
    assert await executions(held, sync_id) == []
    clock.to("2026-05-14T03:00")
    held.scheduler.tick()
    assert len(await executions(held, sync_id)) == 1


async def test_an_update_that_leaves_a_schedule_as_it_is_leaves_its_firing_to_be_made(held: Api, clock: Clock) -> None:
    sync_id = await active(held)
    sync = await held.ok("GET", f"/api/bulk/syncs/{sync_id}")
    clock.to("2026-05-12T04:15:30")
    ends = sync["source_connection_id"], sync["destination_connection_id"]
    await held.ok("PUT", f"/api/bulk/syncs/{sync_id}", sync_body(*ends, active=True, default_schedule=HOURLY))
    await held.ok("POST", f"/api/bulk/syncs/{sync_id}/activate", {"active": True})
    held.scheduler.tick()
    assert len(await executions(held, sync_id)) == 1


@pytest.mark.parametrize("frequency", UNPUBLISHED)
async def test_a_frequency_the_api_does_not_publish_is_stored_never_fires_and_says_so(
    held: Api, clock: Clock, frequency: str
) -> None:
    sync_id = await active(held, default_schedule={"frequency": frequency, "hour": "4", "minute": "15"})
    for moment in ("2026-05-12T04:15", "2026-06-01T00:00", "2027-01-01T00:00"):
        clock.to(moment)
        assert held.scheduler.tick() is None
    assert await executions(held, sync_id) == []
    found = await status(held, sync_id)
    assert found["next_execution_time"] is None
    assert f"frequency {frequency} are stored and never fire" in found["note"]
    sync = await held.ok("GET", f"/api/bulk/syncs/{sync_id}")
    own = await held.ok("GET", f"/api/bulk/syncs/{sync_id}/schedules/{sync['default_schedule']['id']}")
    assert (own["frequency"], own["hour"], own["note"]) == (frequency, "4", found["note"])
    # What is embedded in a sync is sent back in its update, which knows no such key.
    assert "note" not in sync["default_schedule"]


async def test_a_schedule_runs_those_of_its_tables_that_are_enabled(held: Api, clock: Clock) -> None:
    schedule = {**HOURLY, "schemas": ["orders", "customers"]}
    sync_id = await active(held, default_schedule={"frequency": "manual"}, additional_schedules=[schedule])
    patch = {"schemas": [{"id": "orders", "enabled": False}]}
    await held.ok("PATCH", f"/api/bulk/syncs/{sync_id}/schemas", patch)
    clock.to("2026-05-12T04:15")
    held.scheduler.tick()
    (one,) = await executions(held, sync_id)
    assert (tables(one), one["is_partial"]) == (["customers"], False)


@pytest.mark.parametrize("schedule", [{"schemas": ["orders"]}, {"selective_mode": "incrementalFields"}])
async def test_a_schedule_whose_tables_are_all_disabled_runs_none_and_fails_in_words(
    timed: Api, clock: Clock, workspace: Path, schedule: dict[str, Any]
) -> None:
    further = {**HOURLY, "resync_mode": "rebuild", **schedule}
    sync_id = await active(timed, default_schedule={"frequency": "manual"}, additional_schedules=[further])
    patch = {"schemas": [{"id": "orders", "enabled": False}]}
    await timed.ok("PATCH", f"/api/bulk/syncs/{sync_id}/schemas", patch)
    clock.to("2026-05-12T04:15")
    done = await fired(timed, sync_id)
    assert (done["type"], done["status"], done["schemas"]) == ("scheduled", "failed", [])
    assert (done["is_resync"], done["output_disposition"]) == (True, "rebuild")
    assert "could not start a run: no table that this schedule covers is enabled" in done["status_message"]
    assert (await status(timed, sync_id))["last_execution"]["id"] == done["id"]
    assert not (workspace / "warehouse.sqlite").exists()
    clock.to("2026-05-12T05:15")
    timed.scheduler.tick()
    assert len(await executions(timed, sync_id)) == 2


@pytest.mark.parametrize(
    ("mode", "selective", "expected"),
    [
        ("replicate", "incrementalFields", ["orders"]),
        ("replicate", "nonincrementalFields", ["customers"]),
        ("append", "incrementalFields", ["orders"]),
        ("snapshot", "nonincrementalFields", ["customers", "orders"]),
    ],
)
async def test_a_selective_mode_covers_the_tables_that_are_read_incrementally_or_those_that_are_not(
    held: Api, clock: Clock, mode: str, selective: str, expected: list[str]
) -> None:
    sync_id = await active(
        held,
        mode=mode,
        schemas=["customers", {"id": "orders", "tracking_field": "id"}],
        default_schedule={"frequency": "manual"},
        additional_schedules=[{**HOURLY, "selective_mode": selective}],
    )
    clock.to("2026-05-12T04:15")
    held.scheduler.tick()
    (one,) = await executions(held, sync_id)
    assert tables(one) == expected


async def test_a_scheduled_rerun_takes_over_no_table_that_the_sync_has_not_made(
    timed: Api, clock: Clock, workspace: Path
) -> None:
    warehouse = workspace / "warehouse.sqlite"
    sql(warehouse, "CREATE TABLE orders (theirs TEXT)", "INSERT INTO orders VALUES ('kept')")
    further = {**HOURLY, "resync_mode": "rebuild"}
    sync_id = await active(timed, default_schedule={"frequency": "manual"}, additional_schedules=[further])
    clock.to("2026-05-12T04:15")
    done = await fired(timed, sync_id)
    assert {entry["schema"]: entry["status"] for entry in done["schemas"]} == {
        "customers": "completed",
        "orders": "failed",
    }
    assert "a schedule never takes over such a table" in done["status_message"]
    with closing(sqlite3.connect(warehouse)) as connection:
        assert connection.execute("SELECT * FROM orders").fetchall() == [("kept",)]
    by_hand = await timed.run(sync_id, resync_mode="rebuild", schemas=["orders"])
    assert by_hand["status"] == "completed"


async def test_a_new_table_of_the_source_joins_an_ordinary_firing_and_no_rerun(
    timed: Api, clock: Clock, workspace: Path
) -> None:
    further = {"frequency": "daily", "hour": "4", "minute": "30", "resync_mode": "rebuild"}
    sync_id = await active(timed, automatically_add_new_objects="all", additional_schedules=[further])
    sql(workspace / "shop.sqlite", "CREATE TABLE refunds (id INTEGER PRIMARY KEY)")
    clock.to("2026-05-12T04:30")
    timed.scheduler.tick()
    (rerun,) = await executions(timed, sync_id)
    done = await timed.finished(sync_id, rerun["id"])
    assert (done["output_disposition"], tables(done)) == ("rebuild", ["customers", "orders"])
    sql(workspace / "shop.sqlite", "CREATE TABLE returns (id INTEGER PRIMARY KEY)")
    clock.to("2026-05-12T05:15")
    timed.scheduler.tick()
    _, ordinary = await executions(timed, sync_id)
    done = await timed.finished(sync_id, ordinary["id"])
    assert tables(done) == ["customers", "orders", "refunds", "returns"]


async def test_schedules_of_a_store_from_before_they_fired_reckon_from_the_first_look(
    open_api: Callable[..., Api], config: LocalConfig, clock: Clock
) -> None:
    old = open_api(config, clock=clock)
    sync_id = await active(old)
    old.service.store.close()
    sql(config.store_path, "ALTER TABLE schedules DROP COLUMN reckoned_from")
    clock.to("2026-05-12T04:30")
    new = open_api(config, clock=clock)
    new.scheduler.tick()
    assert await executions(new, sync_id) == []
    clock.to("2026-05-12T05:15")
    new.scheduler.tick()
    assert len(await executions(new, sync_id)) == 1


async def test_a_clock_set_back_neither_fires_twice_nor_silences_the_schedule(held: Api, clock: Clock) -> None:
    sync_id = await active(held)
    clock.to("2026-05-12T04:15:01")
    held.scheduler.tick()
    await held.ok("POST", f"/api/bulk/syncs/{sync_id}/cancel")
    await held.finished(sync_id, (await executions(held, sync_id))[0]["id"])
    clock.to("2026-05-12T04:14:59")
    held.scheduler.tick()
    clock.to("2026-05-12T04:15:02")
    held.scheduler.tick()
    assert len(await executions(held, sync_id)) == 1
    clock.to("2025-01-01T00:00")
    held.scheduler.tick()
    clock.to("2025-01-01T00:15")
    held.scheduler.tick()
    assert len(await executions(held, sync_id)) == 2


async def test_several_services_on_one_state_directory_fire_once(
    held: Api, clock: Clock, open_api: Callable[..., Api]
) -> None:
    sync_id = await active(held)
    others = [open_api(held.config, clock=clock) for _ in range(3)]
    clock.to("2026-05-12T04:15")
    await asyncio.gather(*(asyncio.to_thread(api.scheduler.tick) for api in [held, *others]))
    assert len(await executions(held, sync_id)) == 1


_PROCESS = """
import sys
from datetime import datetime
from pathlib import Path
from bulk_sync_local.app import create_app
from bulk_sync_local.config import LocalConfig

now = [datetime.fromisoformat("2026-05-12T04:00:00+00:00")]
app = create_app(LocalConfig(Path(sys.argv[1]), Path(sys.argv[2])), clock=lambda: now[0])
service = app.state.service

def start_worker(execution_id, attempts_before=0):
    # Over at once, so that no run is in the way of a second firing: only the store can keep it from being made.
    with service.store.write() as tx:
        tx.execute("UPDATE executions SET status = 'completed', completed_at = created_at WHERE id = ?", (execution_id,))

service.supervisor.start_worker = start_worker
print("ready", flush=True)
for line in sys.stdin:
    now[0] = datetime.fromisoformat(line.strip())
    app.state.scheduler.tick()
    print("ticked", flush=True)
"""


async def test_two_processes_on_one_workspace_make_every_firing_once(held: Api, clock: Clock) -> None:
    syncs = [await active(held, name=f"sync {number}") for number in range(4)]
    command = [sys.executable, "-c", _PROCESS, str(held.config.workspace), str(held.config.state_dir)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for _ in range(2)
    ]

    async def all_said(word: str) -> None:
        lines = await asyncio.gather(*(asyncio.to_thread(process.stdout.readline) for process in processes))
        assert lines == [f"{word}\n"] * 2

    await all_said("ready")
    moments = [clock.now + timedelta(minutes=15, hours=hour) for hour in range(12)]
    for moment in moments:
        for process in processes:
            process.stdin.write(f"{moment.isoformat()}\n")
        await all_said("ticked")
    for process in processes:
        assert process.communicate(timeout=60)[0] == ""
        assert process.returncode == 0
    for sync_id in syncs:
        assert [one["created_at"] for one in await executions(held, sync_id)] == list(map(to_text, moments))


async def test_the_thread_fires_without_anybody_asking_and_ends_when_told(held: Api, clock: Clock) -> None:
    sync_id = await active(held)
    clock.to("2026-05-12T04:15")
    held.scheduler.start()
    held.scheduler.start()
    path = f"/api/bulk/syncs/{sync_id}/status"
    await held.until(path, lambda found: (found["current_execution"] or {}).get("type") == "scheduled")
    await asyncio.to_thread(held.scheduler.stop)
    clock.to("2026-05-12T05:15")
    assert held.scheduler._thread is not None
    assert not held.scheduler._thread.is_alive()


async def test_a_status_tells_when_nothing_fires(held: Api, open_api: Callable[..., Api], clock: Clock) -> None:
    sync_id = await active(held)
    off = await active(held, active=False, name="off")
    manual = await active(held, default_schedule={"frequency": "manual"}, name="manual")
    assert "No schedule fires at present" in (await status(held, sync_id))["note"]
    assert "note" not in await status(held, off)
    assert "note" not in await status(held, manual)
    first, second = open_api(held.config, clock=clock), open_api(held.config, clock=clock)
    first.scheduler.start()
    second.scheduler.start()
    assert "note" not in await status(held, sync_id)
    await asyncio.to_thread(second.scheduler.stop)
    assert "note" not in await status(held, sync_id)
    await asyncio.to_thread(first.scheduler.stop)
    assert "note" in await status(held, sync_id)


async def test_of_two_that_fire_one_that_stays_is_known(
    held: Api, open_api: Callable[..., Api], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "POLL_SECONDS", 0.01)
    sync_id = await active(held)
    first, second = open_api(held.config, clock=clock), open_api(held.config, clock=clock)
    first.scheduler.start()
    second.scheduler.start()
    await asyncio.to_thread(first.scheduler.stop)
    await held.until(f"/api/bulk/syncs/{sync_id}/status", lambda found: "note" not in found)
    await asyncio.to_thread(second.scheduler.stop)


async def test_a_sync_that_cannot_be_read_does_not_keep_the_others_from_firing(held: Api, clock: Clock) -> None:
    await active(held)
    await active(held, name="another")
    with held.service.store.write() as tx:
        broken, sound = store_schedules.of_active_syncs(tx)
        tx.execute("UPDATE sync_schemas SET settings = 'nonsense' WHERE sync_id = ?", (broken,))
    clock.to("2026-05-12T04:15")
    with pytest.raises(ExceptionGroup, match="of 1 syncs"):
        held.scheduler.tick()
    assert len(await executions(held, sound)) == 1
    with held.service.store.read() as tx:
        assert store_schedules.every(tx, broken)[0].reckoned_from == "2026-05-12T04:00:00.000000Z"


async def test_trouble_with_the_store_is_logged_and_the_thread_goes_on(
    held: Api, clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync_id = await active(held)
    real, troubles = store_schedules.of_active_syncs, iter([sqlite3.OperationalError("disk I/O error")])

    def troubled(tx: Any) -> Any:
        for trouble in troubles:
            raise trouble
        return real(tx)

    monkeypatch.setattr(store_schedules, "of_active_syncs", troubled)
    monkeypatch.setattr(scheduler, "POLL_SECONDS", 0.01)
    clock.to("2026-05-12T04:15")
    with caplog.at_level(logging.ERROR):
        held.scheduler.start()
        path = f"/api/bulk/syncs/{sync_id}/status"
        await held.until(path, lambda found: found["current_execution"] is not None)
        await asyncio.to_thread(held.scheduler.stop)
    assert "disk I/O error" in caplog.text
