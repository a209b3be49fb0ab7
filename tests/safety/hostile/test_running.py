"""Attacks on a sync whose tables are being rewritten: none stops the run without being asked for."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from safety.hostile.stage import unfit
from support import ERAS, Workshop, build_workshop

pytestmark = pytest.mark.anyio
STOPS: list[tuple[str, dict[str, Any]]] = [
    ("cancel_bulk_sync", {}),
    ("activate_bulk_sync", {"active": False}),
    ("delete_bulk_sync", {}),
    ("cancel_bulk_sync", {"confirmation": "A" * 22}),
    ("delete_bulk_sync", {"confirmation": "A" * 22}),
    ("update_bulk_sync", {"active": False, "mode": "snapshot"}),
    ("start_bulk_sync_execution", {"resync_mode": "rebuild"}),
]


@pytest.fixture
async def slow(tmp_path: Path) -> AsyncGenerator[Workshop]:
    """A workshop whose runs take long enough to be attacked."""
    made = await build_workshop(tmp_path, batch_pause=2.0)
    yield made
    await made.api.aclose()


async def test_a_run_that_rewrites_tables_is_not_stopped_by_the_way(slow: Workshop) -> None:
    sync = await slow.create_sync(active=True)
    started = await slow.api.inner.post("/api/bulk/syncs/{id}/executions", body={"resync_mode": "rebuild"}, id=sync)
    slow.api.calls.clear()
    for number, (tool, more) in enumerate(STOPS):
        async with slow.tools(ERAS[number % 2]) as tools:
            answer = await tools.call(tool, {"sync_id": sync, **more})
        assert answer.error, f"{tool}: {answer.text}"
        assert unfit(answer.text) == []
        assert slow.api.mutations == [], tool
    async with slow.tools() as tools:
        ended = await tools.wait_for_bulk_sync_execution(
            sync_id=sync, execution_id=started.data["id"], timeout_seconds=60
        )
    assert ended.data["status"] == "completed", ended.text
    assert len(slow.rows("SELECT * FROM customers")) == 3
