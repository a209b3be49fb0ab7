"""Log files at signed addresses, their export as a job, and the empty log of ingestion."""

import asyncio
import io
import json
import sqlite3
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import uvicorn

from bulk_sync_local.app import create_app
from bulk_sync_local.config import LocalConfig
from local.service.harness import Api

pytestmark = pytest.mark.anyio
NOBODY = "00000000-0000-4000-8000-000000000000"


class MovedClock:
    """A clock a test moves."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


async def fetched(api: Api, address: str, **more: object) -> httpx.Response:
    """What is at an address, asked for as a browser would: no credential, no version."""
    return await api.send(
        "GET", address, checked=False, headers={"Authorization": None, "X-Polytomic-Version": None}, **more
    )


async def addresses(api: Api, sync_id: str, execution_id: str) -> list[str]:
    path = f"/api/bulk/syncs/{sync_id}/executions/{execution_id}/logs"
    return list((await api.ok("GET", path))["URLs"])


async def test_the_log_files_hold_every_line_and_what_became_of_each_table(api: Api, sync_id: str) -> None:
    execution = await api.run(sync_id)
    console, tables = await addresses(api, sync_id, execution["id"])
    answer = await fetched(api, console)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="console.jsonl"'
    assert answer.headers["Cache-Control"] == "no-store"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines[0]["message"] == "started: 2 tables"
    assert set(lines[0]) == {"id", "schema_id", "level", "message", "timestamp"}
    told = [json.loads(line) for line in (await fetched(api, tables)).text.splitlines()]
    assert [(one["schema_id"], one["status"], one["record_count"]) for one in told] == [
        ("customers", "completed", 3),
        ("orders", "completed", 3),
    ]


async def test_the_log_files_have_more_lines_than_the_console_shows(api: Api, sync_id: str) -> None:
    execution = await api.run(sync_id)
    with api.service.store.write() as tx:
        tx.executemany(
            "INSERT INTO console_lines (execution_id, level, message, timestamp) VALUES (?, 'INFO', ?, '2026-01-01')",
            [(execution["id"], f"line {number}") for number in range(120)],
        )
    console, _ = await addresses(api, sync_id, execution["id"])
    assert len((await fetched(api, console)).text.splitlines()) > 120


async def test_a_changed_or_unsigned_address_gives_nothing(api: Api, sync_id: str) -> None:
    execution = await api.run(sync_id)
    console, tables = await addresses(api, sync_id, execution["id"])
    later = console.replace("expires=", "expires=9")
    crossed = console.partition("?")[0] + "?" + tables.partition("?")[2]
    odd = console.partition("signature=")[0] + "signature=%C3%A9"
    for wrong in (console.partition("?")[0], console[:-1] + ("0" if console[-1] != "0" else "1"), later, crossed, odd):
        answer = await fetched(api, wrong)
        assert answer.status_code == 403, wrong
        assert "not signed" in answer.json()["message"]


async def test_an_address_expires(open_api: Callable[..., Api], config: LocalConfig) -> None:
    clock = MovedClock()
    api = open_api(config, clock=clock)
    source, target = await api.connection("sqlite", "shop.sqlite"), await api.connection("sqlite", "out.sqlite")
    sync_id = await api.sync(source, target)
    execution = await api.run(sync_id)
    console, _ = await addresses(api, sync_id, execution["id"])
    clock.ahead = timedelta(minutes=14)
    assert (await fetched(api, console)).status_code == 200
    clock.ahead = timedelta(minutes=15)
    answer = await fetched(api, console)
    assert (answer.status_code, "has expired" in answer.text) == (403, True)


async def test_an_address_works_for_every_service_on_the_same_state_and_for_no_other(
    open_api: Callable[..., Api], config: LocalConfig, api: Api, sync_id: str
) -> None:
    execution = await api.run(sync_id)
    console, _ = await addresses(api, sync_id, execution["id"])
    assert (await fetched(open_api(config), console)).status_code == 200
    elsewhere = LocalConfig(workspace=config.workspace, state_dir=config.state_dir.parent / "other", api_key="k")
    assert (await fetched(open_api(elsewhere), console)).status_code == 403


async def test_logs_go_with_their_sync(api: Api, sync_id: str) -> None:
    execution = await api.run(sync_id)
    console, _ = await addresses(api, sync_id, execution["id"])
    await api.ok("DELETE", f"/api/bulk/syncs/{sync_id}")
    assert (await fetched(api, console)).status_code == 404
    path = f"/api/bulk/syncs/{sync_id}/executions/{execution['id']}/logs"
    await api.refused(404, "GET", path)


async def test_only_reading_is_possible_at_an_address(api: Api, sync_id: str) -> None:
    execution = await api.run(sync_id)
    console, _ = await addresses(api, sync_id, execution["id"])
    assert (await api.send("DELETE", console, checked=False)).status_code == 405


async def test_a_service_that_listens_nowhere_says_that_its_addresses_do_not_open(api: Api, sync_id: str) -> None:
    execution = await api.run(sync_id)
    path = f"/api/bulk/syncs/{sync_id}/executions/{execution['id']}/logs"
    found = await api.ok("GET", path)
    assert all(one.startswith("http://localhost/logs/") for one in found["URLs"])
    assert "bulk-sync-mcp local" in found["note"]


async def test_an_export_is_a_job_first_and_an_archive_when_the_run_has_ended(
    open_api: Callable[..., Api], config: LocalConfig
) -> None:
    from dataclasses import replace

    api = open_api(replace(config, batch_pause=0.5))
    source, target = await api.connection("sqlite", "shop.sqlite"), await api.connection("sqlite", "out.sqlite")
    sync_id = await api.sync(source, target)
    execution_id = await api.start(sync_id)
    await api.running(sync_id, execution_id)
    path = f"/api/bulk/syncs/{sync_id}/executions/{execution_id}/logs/export"
    first = (await api.send("POST", path)).json()
    assert first["data"] is None
    assert (first["job"]["type"], first["job"]["status"]) == ("exportlogs", "created")
    job = f"/api/jobs/exportlogs/{first['job']['job_id']}"
    assert (await api.ok("GET", job))["status"] == "running"
    await api.finished(sync_id, execution_id)
    done = await api.ok("GET", job)
    assert done["status"] == "done"
    packed = await fetched(api, done["result"]["url"])
    assert packed.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert sorted(archive.namelist()) == ["console.jsonl", "tables.jsonl"]
        assert b"started: 2 tables" in archive.read("console.jsonl")
    again = (await api.send("POST", path)).json()
    assert again["job"] is None
    assert (await fetched(api, again["data"]["url"])).content == packed.content


async def test_an_export_under_one_key_is_one_job(api: Api, sync_id: str) -> None:
    execution = await api.run(sync_id)
    path = f"/api/bulk/syncs/{sync_id}/executions/{execution['id']}/logs/export"
    first, second = [(await api.send("POST", path, key="export-once")).json() for _ in range(2)]
    assert first == second


async def test_a_mail_that_would_not_be_sent_is_refused(api: Api, sync_id: str) -> None:
    execution = await api.run(sync_id)
    path = f"/api/bulk/syncs/{sync_id}/executions/{execution['id']}/logs/export?notify=true"
    assert "sends no mail" in await api.refused(400, "POST", path)


@pytest.mark.parametrize(
    ("status", "family", "job_id"),
    [(404, "exportlogs", NOBODY), (404, "exportlogs", "x"), (404, "createmodel", NOBODY), (400, "nonsense", NOBODY)],
)
async def test_a_job_that_is_not_there_is_said_to_be_so(api: Api, status: int, family: str, job_id: str) -> None:
    await api.refused(status, "GET", f"/api/jobs/{family}/{job_id}")


async def test_a_job_goes_with_its_sync(api: Api, sync_id: str) -> None:
    execution = await api.run(sync_id)
    path = f"/api/bulk/syncs/{sync_id}/executions/{execution['id']}/logs/export"
    job = (await api.send("POST", path)).json()["job"]
    await api.ok("DELETE", f"/api/bulk/syncs/{sync_id}")
    await api.refused(404, "GET", f"/api/jobs/exportlogs/{job['job_id']}")


async def test_nothing_is_ever_ingested(api: Api, sync_id: str) -> None:
    sync = await api.ok("GET", f"/api/bulk/syncs/{sync_id}")
    path = f"/api/connections/{sync['source_connection_id']}/ingest/consolelog"
    assert await api.ok("GET", path) == {"entries": [], "next_cursor": None}
    assert await api.ok("GET", f"{path}?sync_id={sync_id}&limit=5&after=7") == {"entries": [], "next_cursor": "7"}
    await api.refused(404, "GET", f"/api/connections/{NOBODY}/ingest/consolelog")


async def test_a_store_from_before_there_were_exports_is_taken_over(
    open_api: Callable[..., Api], config: LocalConfig
) -> None:
    config.make_state_dir()
    open_api(config).service.store.close()
    with closing(sqlite3.connect(config.store_path)) as db, db:
        db.executescript("DROP TABLE log_exports; DROP TABLE signing_key;")
    api = open_api(config)
    source, target = await api.connection("sqlite", "shop.sqlite"), await api.connection("sqlite", "out.sqlite")
    sync_id = await api.sync(source, target)
    execution = await api.run(sync_id)
    console, _ = await addresses(api, sync_id, execution["id"])
    assert (await fetched(api, console)).status_code == 200


@pytest.fixture
def address(config: LocalConfig) -> Iterator[str]:
    """A service at a port of its own."""
    app = create_app(config)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    end = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < end, "the server did not start"
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()
    app.state.service.store.close()


async def test_addresses_of_a_service_with_a_port_open_without_a_credential(
    address: str, config: LocalConfig, api: Api, sync_id: str
) -> None:
    execution = await api.run(sync_id)
    headers = {"Authorization": f"Bearer {config.api_key}", "X-Polytomic-Version": "2025-09-18"}
    async with httpx.AsyncClient() as client:
        path = f"{address}/api/bulk/syncs/{sync_id}/executions/{execution['id']}/logs"
        found = (await client.get(path, headers=headers)).json()["data"]
        assert "note" not in found
        assert all(one.startswith(f"{address}/logs/") for one in found["URLs"])
        opened = await client.get(found["URLs"][0])
        assert "started: 2 tables" in opened.text
        assert (await client.get(found["URLs"][0].replace("signature=", "signature=0"))).status_code == 403
