"""Schedules of the local service fire while something serves it, and not before somebody has used it."""

import re
import signal
import threading
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from mcp.client.client import Client

from bulk_sync_local import store_schedules
from bulk_sync_local.clock import to_text
from bulk_sync_local.store import Store
from bulk_sync_mcp.composition import compose
from bulk_sync_mcp.settings import Settings
from bulk_sync_mcp.transports import mcp_server
from support import MODERN, Tools, Workshop, build_workshop
from transports.kit import PATIENCE, Place, started

pytestmark = pytest.mark.anyio


async def overdue(workshop: Workshop) -> str:
    """An active sync whose hourly schedule should have fired two minutes ago, and fires next in an hour."""
    minute = (datetime.now(UTC) - timedelta(minutes=2)).minute
    sync_id = await workshop.create_sync(active=True, default_schedule={"frequency": "hourly", "minute": str(minute)})
    store = Store(workshop.application.settings.local_dir / "store.sqlite")
    with store.write() as tx:
        store_schedules.reckon_all(tx, sync_id, to_text(datetime.now(UTC) - timedelta(minutes=30)))
    store.close()
    return sync_id


async def scheduled_run(workshop: Workshop, sync_id: str) -> dict[str, Any]:
    """The one run of the sync, at its end; whoever started it, it was not this process."""
    async with workshop.tools() as tools:
        found: list[dict[str, Any]] = []
        end = datetime.now(UTC) + timedelta(seconds=PATIENCE)
        while not found:
            assert datetime.now(UTC) < end, "nothing has fired"
            found = (await tools.list_bulk_sync_executions(sync_id=sync_id)).data["executions"]
        await tools.wait_for_bulk_sync_execution(sync_id=sync_id, execution_id=found[0]["id"], timeout_seconds=60)
        listed = (await tools.list_bulk_sync_executions(sync_id=sync_id)).data["executions"]
        assert len(listed) == 1
        return (await tools.get_bulk_sync_execution(sync_id=sync_id, execution_id=listed[0]["id"])).data


@pytest.fixture
async def all_on(tmp_path: Path) -> AsyncGenerator[Workshop]:
    """A workshop with every tool on."""
    made = await build_workshop(tmp_path, toolsets=("all",))
    yield made
    await made.api.aclose()


def schedulers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "scheduler"]


async def test_the_served_local_service_fires_without_being_asked_anything(workshop: Workshop, place: Place) -> None:
    sync_id = await overdue(workshop)
    async with started(place, "local", "--port", "0") as service:
        await service.says(re.compile("POLYTOMIC_API_KEY="))
        done = await scheduled_run(workshop, sync_id)
        async with workshop.tools() as tools:
            assert "note" not in (await tools.get_bulk_sync_status(sync_id=sync_id)).data
            await service.end(signal.SIGKILL)
            told = (await tools.get_bulk_sync_status(sync_id=sync_id)).data
    assert "No schedule fires at present" in told["note"]
    assert (done["trigger"], done["status"]) == ("scheduled", "completed")
    assert workshop.rows("SELECT count(*) FROM customers") == [(3,)]


async def test_a_server_fires_from_the_first_call_on(workshop: Workshop, place: Place) -> None:
    sync_id = await overdue(workshop)
    async with started(place) as server:
        async with server.tools(MODERN) as tools:
            await tools.client.list_tools()
            told = (await tools.get_bulk_sync_status(sync_id=sync_id)).data
            assert ("next_run" in told, "note" in told) == (True, False)
            done = await scheduled_run(workshop, sync_id)
        assert await server.end() == 0
    assert (done["trigger"], done["status"]) == ("scheduled", "completed")


async def test_listing_tools_begins_nothing_a_call_does_and_closing_ends_it(tmp_path: Path) -> None:
    application = compose(Settings(workspace=tmp_path / "data", state_dir=tmp_path / "state"), schedules=True)
    async with Client(mcp_server(application, "test"), mode=MODERN, raise_exceptions=True) as client:
        await client.list_tools()
        assert (schedulers(), (tmp_path / "state").exists()) == ([], False)
        await Tools(client).list_bulk_syncs()
        await Tools(client).list_bulk_syncs()
        assert len(schedulers()) == 1
    await application.aclose()
    assert schedulers() == []


@pytest.mark.parametrize(("access", "schedules"), [("read-only", True), ("full", False)])
async def test_what_may_only_read_or_does_not_stay_begins_nothing(
    tmp_path: Path, access: Literal["full", "read-only"], schedules: bool
) -> None:
    settings = Settings(workspace=tmp_path / "data", state_dir=tmp_path / "state", access=access)
    application = compose(settings, schedules=schedules)
    async with Client(mcp_server(application, "test"), mode=MODERN, raise_exceptions=True) as client:
        assert not (await Tools(client).list_bulk_syncs()).error
        assert schedulers() == []
    await application.aclose()


async def test_the_tools_tell_the_next_run_of_a_sync_that_is_on(workshop: Workshop) -> None:
    on = await workshop.create_sync("On", active=True, default_schedule={"frequency": "daily", "hour": "3"})
    off = await workshop.create_sync("Off", default_schedule={"frequency": "daily", "hour": "3"})
    async with workshop.tools() as tools:
        status = (await tools.get_bulk_sync_status(sync_id=on)).data
        listed = {row["id"]: row for row in (await tools.list_bulk_syncs()).data["bulk_syncs"]}
        assert "next_run" not in (await tools.get_bulk_sync_status(sync_id=off)).data
    due = datetime.fromisoformat(status["next_run"].split(" ")[0])
    assert (due.hour, due.minute, due.second) == (3, 0, 0)
    assert timedelta(0) < due - datetime.now(UTC) + timedelta(minutes=5) <= timedelta(days=1, minutes=5)
    assert listed[on]["next_run"].split(" ")[0] == status["next_run"].split(" ")[0]
    assert "next_run" not in listed[off]


async def test_the_tools_pass_on_that_a_schedule_never_fires(all_on: Workshop) -> None:
    sync_id = await all_on.create_sync(active=True, default_schedule={"frequency": "runafter"})
    async with all_on.tools() as tools:
        status = (await tools.get_bulk_sync_status(sync_id=sync_id)).data
        (row,) = (await tools.list_bulk_sync_schedules(sync_id=sync_id)).data["schedules"]
        one = (await tools.get_bulk_sync_schedule(sync_id=sync_id, schedule_id=row["id"])).data
        made = (await tools.create_bulk_sync_schedule(sync_id=sync_id, frequency="dbtcloud")).data
        plain = (await tools.create_bulk_sync_schedule(sync_id=sync_id, frequency="daily")).data
        changed = await tools.update_bulk_sync(sync_id=sync_id, name="Renamed")
    assert "next_run" not in status
    assert "runafter are stored and never fire" in status["note"]
    assert row["note"] == one["note"] == status["note"]
    assert "dbtcloud are stored and never fire" in made["note"]
    assert "note" not in plain
    assert not changed.error, changed.text
