"""A sync has one execution at a time, and a key stands for one outcome, whoever asks and how often."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bulk_sync_local import store_idempotency
from bulk_sync_local.clock import to_text
from bulk_sync_local.config import LocalConfig
from bulk_sync_local.idempotency import checked_key
from local.service.harness import Api, sync_body

pytestmark = pytest.mark.anyio

KEY = "key-0123456789"

_OTHER_PROCESS = """
import asyncio, sys
from pathlib import Path
import httpx
from bulk_sync_local.app import create_app
from bulk_sync_local.config import LocalConfig

async def main(workspace, state, path, key, times):
    app = create_app(LocalConfig(Path(workspace), Path(state), batch_pause=60))
    headers = {"X-Polytomic-Version": "2025-09-18", "Idempotency-Key": key}
    if not key:
        del headers["Idempotency-Key"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://local") as client:
        answers = await asyncio.gather(
            *(client.post(path, json={}, headers=headers, timeout=60) for _ in range(int(times)))
        )
    for answer in answers:
        print(answer.status_code, answer.json().get("data", {}).get("id"))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
async def held(open_api: Callable[..., Api], config: LocalConfig) -> Api:
    """A service whose runs do not end by themselves for a minute."""
    return open_api(replace(config, batch_pause=60))


@pytest.fixture
async def held_sync(held: Api) -> str:
    return await held.sync(
        await held.connection("sqlite", "shop.sqlite"), await held.connection("sqlite", "warehouse.sqlite")
    )


async def _in_two_processes(config: LocalConfig, path: str, key: str) -> list[tuple[str, str]]:
    """Status and execution id of five posts from each of two processes at once."""
    command = [sys.executable, "-c", _OTHER_PROCESS, str(config.workspace), str(config.state_dir), path, key, "5"]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [(await asyncio.to_thread(process.communicate, timeout=60))[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    return [tuple(line.split()) for output in outputs for line in output.splitlines()]


async def test_a_second_start_while_one_runs_is_a_conflict(held: Api, held_sync: str) -> None:
    first = await held.start(held_sync)
    assert first in await held.refused(409, "POST", f"/api/bulk/syncs/{held_sync}/executions", {})


async def test_of_many_starts_at_once_one_wins(held: Api, held_sync: str) -> None:
    path = f"/api/bulk/syncs/{held_sync}/executions"
    answers = await asyncio.gather(*(held.send("POST", path, {}) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    assert len(await held.ok("GET", path)) == 1


async def test_of_starts_from_several_processes_at_once_one_wins(held: Api, held_sync: str) -> None:
    path = f"/api/bulk/syncs/{held_sync}/executions"
    answers = await _in_two_processes(held.config, path, "")
    assert sorted(status for status, _ in answers) == ["200"] + ["409"] * 9
    assert len(await held.ok("GET", path)) == 1


async def test_the_same_key_from_several_processes_starts_one_run_and_answers_alike(held: Api, held_sync: str) -> None:
    path = f"/api/bulk/syncs/{held_sync}/executions"
    answers = await _in_two_processes(held.config, path, KEY)
    assert {status for status, _ in answers} == {"200"}
    assert len({execution_id for _, execution_id in answers}) == 1
    assert len(await held.ok("GET", path)) == 1


async def test_two_servers_on_one_workspace_share_the_run(
    held: Api, held_sync: str, open_api: Callable[..., Api]
) -> None:
    other = open_api(held.config)
    execution_id = await held.start(held_sync)
    await other.refused(409, "POST", f"/api/bulk/syncs/{held_sync}/executions", {})
    await other.running(held_sync, execution_id)
    await other.ok("POST", f"/api/bulk/syncs/{held_sync}/cancel")
    assert (await held.finished(held_sync, execution_id))["status"] == "canceled"


async def test_a_repeated_key_gives_the_recorded_answer_even_after_the_run_is_over(held: Api, held_sync: str) -> None:
    path = f"/api/bulk/syncs/{held_sync}/executions"
    first = await held.send("POST", path, {}, key=KEY)
    await held.ok("POST", f"/api/bulk/syncs/{held_sync}/cancel")
    await held.finished(held_sync, first.json()["data"]["id"])
    again = await held.send("POST", path, {}, key=KEY)
    assert (again.status_code, again.text) == (first.status_code, first.text)
    assert len(await held.ok("GET", path)) == 1


async def test_an_error_is_recorded_under_its_key_too(held: Api, held_sync: str) -> None:
    path = f"/api/bulk/syncs/{held_sync}/executions"
    execution_id = await held.start(held_sync)
    refused = await held.refused(409, "POST", path, {}, key=KEY)
    await held.ok("POST", f"/api/bulk/syncs/{held_sync}/cancel")
    await held.finished(held_sync, execution_id)
    assert await held.refused(409, "POST", path, {}, key=KEY) == refused
    await held.ok("POST", path, {}, key="another-key-1")


async def test_a_key_used_for_another_request_is_refused(held: Api, held_sync: str) -> None:
    path = f"/api/bulk/syncs/{held_sync}/executions"
    await held.ok("POST", path, {}, key=KEY)
    assert "another request" in await held.refused(400, "POST", path, {"test": True}, key=KEY)
    assert "another request" in await held.refused(400, "POST", f"/api/bulk/syncs/{held_sync}/cancel", key=KEY)


async def test_a_key_counts_as_new_after_a_day(open_api: Callable[..., Api], config: LocalConfig) -> None:
    now = [datetime.now(UTC)]
    api = open_api(config, clock=lambda: now[0])
    source, destination = (
        await api.connection("sqlite", "shop.sqlite"),
        await api.connection("sqlite", "warehouse.sqlite"),
    )
    body = sync_body(source, destination)
    first = await api.ok("POST", "/api/bulk/syncs", body, key=KEY)
    now[0] += timedelta(hours=23)
    assert (await api.ok("POST", "/api/bulk/syncs", body, key=KEY))["id"] == first["id"]
    now[0] += timedelta(hours=2)
    assert (await api.ok("POST", "/api/bulk/syncs", body, key=KEY))["id"] != first["id"]


async def test_a_key_in_progress_is_a_conflict_until_its_reservation_lapses(
    open_api: Callable[..., Api], config: LocalConfig
) -> None:
    now = [datetime.now(UTC)]
    api = open_api(config, clock=lambda: now[0])
    body = {"name": "shop", "type": "sqlite", "configuration": {"path": "shop.sqlite"}}
    recorded = (await api.send("POST", "/api/connections", body, key="probe-0001")).request
    key = checked_key(KEY, "POST", "/api/connections?", recorded.content)
    with api.service.store.write() as tx:
        store_idempotency.reserve(tx, key.text, key.fingerprint, "a call that never came back", to_text(now[0]))
    assert "in progress" in await api.refused(409, "POST", "/api/connections", body, key=KEY)
    now[0] += timedelta(minutes=6)
    made = await api.ok("POST", "/api/connections", body, key=KEY)
    assert (await api.ok("POST", "/api/connections", body, key=KEY))["id"] == made["id"]


async def test_a_slow_call_under_one_key_is_done_once(api: Api) -> None:
    body = {"name": "shop", "type": "sqlite", "configuration": {"path": "shop.sqlite"}}
    answers = await asyncio.gather(*(api.send("POST", "/api/connections", body, key=KEY) for _ in range(6)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len(await api.ok("GET", "/api/connections")) == 1


@pytest.mark.parametrize("key", ["short", "with space in it", "ümlaut-ümlaut", "x" * 256])
async def test_a_malformed_key_is_refused(api: Api, sync_id: str, key: str) -> None:
    headers = {"Idempotency-Key": key.encode()}
    message = await api.refused(400, "POST", f"/api/bulk/syncs/{sync_id}/executions", {}, headers=headers)
    assert "Idempotency-Key" in message


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_key_on_a_call_that_takes_none_is_refused(api: Api, sync_id: str, method: str) -> None:
    assert "not used" in await api.refused(400, method, f"/api/bulk/syncs/{sync_id}", key=KEY)


def test_workers_are_started_without_credentials_of_the_server(
    config: LocalConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bulk_sync_local.clock import system_clock
    from bulk_sync_local.store import Store
    from bulk_sync_local.supervisor import Supervisor

    monkeypatch.setenv("POLYTOMIC_API_KEY", "remote")
    monkeypatch.setenv("BULK_SYNC_MCP_TOKEN", "token")
    config.make_state_dir()
    store = Store(config.store_path)
    environment = Supervisor(config, store, system_clock).environment()
    store.close()
    assert "remote" not in environment.values()
    assert "token" not in environment.values()
    assert environment["PATH"] == os.environ["PATH"]
