"""What is left after a process dies, on either side."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bulk_sync_local import supervisor
from bulk_sync_local.config import LocalConfig
from local.service.harness import Api, output_rows

pytestmark = pytest.mark.anyio


async def _sync(api: Api) -> str:
    return await api.sync(
        await api.connection("sqlite", "shop.sqlite"), await api.connection("sqlite", "warehouse.sqlite")
    )


def _pid(api: Api, execution_id: str) -> int:
    with api.service.store.read() as tx:
        return tx.execute("SELECT worker_pid FROM executions WHERE id = ?", (execution_id,)).fetchone()[0]


async def test_a_killed_worker_leaves_an_interrupted_run_and_the_next_one_heals(
    open_api: Callable[..., Api], config: LocalConfig, workspace: Path
) -> None:
    slow = open_api(replace(config, batch_pause=60))
    sync_id = await _sync(slow)
    execution_id = await slow.start(sync_id)
    await slow.running(sync_id, execution_id)
    os.kill(_pid(slow, execution_id), signal.SIGKILL)
    done = await slow.finished(sync_id, execution_id)
    assert done["status"] == "interrupted"
    assert {entry["status"] for entry in done["schemas"]} == {"interrupted"}
    assert "start the sync again" in done["status_message"]
    log = await slow.ok("GET", f"/api/bulk/syncs/{sync_id}/executions/{execution_id}/consolelog")
    assert log["entries"][-1]["level"] == "ERROR"
    quick = open_api(config)
    assert (await quick.run(sync_id))["status"] == "completed"
    assert output_rows(workspace / "warehouse.sqlite", "orders") == 3


async def test_a_start_after_a_killed_worker_is_not_refused(open_api: Callable[..., Api], config: LocalConfig) -> None:
    api = open_api(replace(config, batch_pause=60))
    sync_id = await _sync(api)
    first = await api.start(sync_id)
    await api.running(sync_id, first)
    pid = _pid(api, first)
    os.kill(pid, signal.SIGKILL)
    # The process is gone once its parent, this one, has collected it.
    while Path(f"/proc/{pid}").exists():
        os.sched_yield()
    assert await api.start(sync_id) != first


async def test_a_run_outlives_the_server_that_started_it(
    open_api: Callable[..., Api], config: LocalConfig, workspace: Path
) -> None:
    api = open_api(replace(config, batch_pause=1))
    sync_id = await _sync(api)
    program = (
        "import asyncio, sys, httpx\n"
        "from pathlib import Path\n"
        "from bulk_sync_local.app import create_app\n"
        "from bulk_sync_local.config import LocalConfig\n"
        "async def main(workspace, state, path):\n"
        "    app = create_app(LocalConfig(Path(workspace), Path(state), batch_pause=1))\n"
        "    transport = httpx.ASGITransport(app=app)\n"
        "    async with httpx.AsyncClient(transport=transport, base_url='http://local') as client:\n"
        "        answer = await client.post(path, json={}, headers={'X-Polytomic-Version': '2025-09-18'})\n"
        "    print(answer.json()['data']['id'])\n"
        "asyncio.run(main(*sys.argv[1:]))\n"
    )
    path = f"/api/bulk/syncs/{sync_id}/executions"
    command = [sys.executable, "-c", program, str(config.workspace), str(config.state_dir), path]
    execution_id = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()
    assert (await api.finished(sync_id, execution_id))["status"] == "completed"
    assert output_rows(workspace / "warehouse.sqlite", "customers") == 3


async def test_state_survives_a_restart(open_api: Callable[..., Api], config: LocalConfig) -> None:
    first = open_api(config)
    sync_id = await _sync(first)
    await first.run(sync_id)
    before = [
        await first.ok("GET", path)
        for path in ("/api/connections", "/api/bulk/syncs", f"/api/bulk/syncs/{sync_id}/executions")
    ]
    first.service.store.close()
    second = open_api(config)
    after = [
        await second.ok("GET", path)
        for path in ("/api/connections", "/api/bulk/syncs", f"/api/bulk/syncs/{sync_id}/executions")
    ]
    assert after == before


async def test_a_run_that_no_worker_could_be_started_for_is_taken_up_later(
    open_api: Callable[..., Api], config: LocalConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [datetime.now(UTC)]
    api = open_api(config, clock=lambda: now[0])
    sync_id = await _sync(api)
    with monkeypatch.context() as broken:
        broken.setattr(supervisor.sys, "executable", str(config.workspace / "no-such-python"))
        execution_id = await api.start(sync_id)
        status = await api.ok("GET", f"/api/bulk/syncs/{sync_id}/status")
        assert status["current_execution"]["status"] == "created"
    now[0] += timedelta(minutes=1)
    assert (await api.finished(sync_id, execution_id))["status"] == "completed"


async def test_a_run_whose_worker_never_starts_is_given_up(
    open_api: Callable[..., Api], config: LocalConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [datetime.now(UTC)]
    api = open_api(config, clock=lambda: now[0])
    sync_id = await _sync(api)
    monkeypatch.setattr(supervisor.sys, "executable", str(config.workspace / "no-such-python"))
    execution_id = await api.start(sync_id)
    for _ in range(supervisor.SPAWN_ATTEMPTS):
        now[0] += timedelta(minutes=1)
        await api.ok("GET", f"/api/bulk/syncs/{sync_id}/status")
    found = await api.ok("GET", f"/api/bulk/syncs/{sync_id}/executions/{execution_id}")
    assert found["status"] == "interrupted"
    assert "nothing was read or written" in found["status_message"]


async def test_a_run_cancelled_before_its_worker_has_it_never_starts(
    open_api: Callable[..., Api], config: LocalConfig, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [datetime.now(UTC)]
    api = open_api(config, clock=lambda: now[0])
    sync_id = await _sync(api)
    with monkeypatch.context() as broken:
        broken.setattr(supervisor.sys, "executable", str(config.workspace / "no-such-python"))
        execution_id = await api.start(sync_id)
    await api.ok("POST", f"/api/bulk/syncs/{sync_id}/cancel")
    now[0] += timedelta(minutes=1)
    assert (await api.finished(sync_id, execution_id))["status"] == "canceled"
    assert not (workspace / "warehouse.sqlite").exists()


async def test_a_deleted_sync_is_erased_once_its_run_has_stopped(
    open_api: Callable[..., Api], config: LocalConfig
) -> None:
    api = open_api(replace(config, batch_pause=60))
    sync_id = await _sync(api)
    execution_id = await api.start(sync_id)
    await api.running(sync_id, execution_id)
    pid = _pid(api, execution_id)
    await api.ok("DELETE", f"/api/bulk/syncs/{sync_id}")
    while Path(f"/proc/{pid}").exists():
        os.sched_yield()
    await api.ok("GET", "/api/bulk/syncs/status?all=true")
    with api.service.store.read() as tx:
        left = [
            tx.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("syncs", "sync_schemas", "schedules", "executions", "execution_schemas", "console_lines")
        ]
    assert left == [0] * 6
    assert not config.run_dir(execution_id).exists()


async def test_of_two_workers_for_one_execution_one_runs_it(
    open_api: Callable[..., Api], config: LocalConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = open_api(replace(config, batch_pause=0.2))
    sync_id = await _sync(api)
    with monkeypatch.context() as broken:
        broken.setattr(supervisor.sys, "executable", str(config.workspace / "no-such-python"))
        execution_id = await api.start(sync_id)
    command = [sys.executable, "-m", "bulk_sync_local.worker", "--state-dir", str(config.state_dir)]
    workers = [subprocess.Popen([*command, "--execution", execution_id], stderr=subprocess.DEVNULL) for _ in range(2)]
    assert (await api.finished(sync_id, execution_id))["status"] == "completed"
    assert [worker.wait(timeout=30) for worker in workers] == [0, 0]
    log = await api.ok("GET", f"/api/bulk/syncs/{sync_id}/executions/{execution_id}/consolelog")
    assert [entry["message"] for entry in log["entries"] if entry["message"].startswith("started")] == [
        "started: 2 tables"
    ]


async def test_a_worker_that_lives_and_gives_no_sign_of_it_is_reported(
    open_api: Callable[..., Api], config: LocalConfig
) -> None:
    slow = replace(config, batch_pause=60)
    api, later = open_api(slow), open_api(slow, clock=lambda: datetime.now(UTC) + timedelta(minutes=2))
    sync_id = await _sync(api)
    execution_id = await api.start(sync_id)
    assert (await api.running(sync_id, execution_id))["status_message"] is None
    status = await later.ok("GET", f"/api/bulk/syncs/{sync_id}/status")
    assert status["current_execution"]["status"] == "running"
    assert "no sign of life" in status["current_execution"]["status_message"]


async def test_what_is_on_disk_is_readable_by_its_owner_only(api: Api, sync_id: str) -> None:
    done = await api.run(sync_id)
    state = api.config.state_dir
    files = [state / "store.sqlite", *api.config.run_dir(done["id"]).iterdir()]
    assert {oct(path.stat().st_mode & 0o777) for path in files if path.name != "worker.lock"} == {"0o600"}
    assert oct(state.stat().st_mode & 0o777) == "0o700"
    assert b"local-key-1" not in (api.config.run_dir(done["id"]) / "settings.json").read_bytes()
