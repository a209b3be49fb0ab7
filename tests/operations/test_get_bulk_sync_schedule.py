"""get_bulk_sync_schedule: one schedule."""

import pytest

from operations.kit import ABSENT, proved, refuses, refuses_wrong_ids
from operations.schedules_kit import scheduled
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "get_bulk_sync_schedule"


async def test_it_tells_times_resync_mode_and_tables(all_on: Workshop, era: str) -> None:
    sync_id, default, _, other = await scheduled(all_on)
    async with all_on.tools(era) as tools:
        one = proved(all_on, TOOL, await tools.get_bulk_sync_schedule(sync_id=sync_id, schedule_id=default))
        rebuilds = proved(all_on, TOOL, await tools.get_bulk_sync_schedule(sync_id=sync_id, schedule_id=other))
    assert (one["id"], one["default"], one["schedule"]) == (default, True, "daily, 01:00 UTC")
    assert rebuilds["schedule"] == "weekly, sunday, 03:00 UTC, resync_mode rebuild, tables customers"
    assert rebuilds["default"] is False


async def test_absent_and_wrong_ids_are_told_apart(all_on: Workshop) -> None:
    sync_id, default, *_ = await scheduled(all_on)
    async with all_on.tools() as tools:
        assert (await tools.get_bulk_sync_schedule(sync_id=sync_id, schedule_id=ABSENT)).code == "not_found"
    await refuses(all_on, TOOL, {"sync_id": sync_id, "schedule_id": "default"}, "`schedule_id`")
    await refuses_wrong_ids(all_on, TOOL, "sync_id", schedule_id=default)
