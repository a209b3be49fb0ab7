"""list_bulk_sync_schedules: every schedule once, with the ids that only the sync tells."""

import pytest

from operations.kit import SYNC, proved, refuses_wrong_ids
from operations.schedules_kit import scheduled
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "list_bulk_sync_schedules"
LISTED = "/api/bulk/syncs/{sync_id}/schedules"


async def test_every_schedule_is_told_with_its_id(all_on: Workshop, era: str) -> None:
    sync_id, default, one, other = await scheduled(all_on)
    async with all_on.tools(era) as tools:
        data = proved(all_on, TOOL, await tools.list_bulk_sync_schedules(sync_id=sync_id))
    assert data == {
        "active": False,
        "schedules": [
            {"id": default, "default": True, "schedule": "daily, 01:00 UTC"},
            {"id": one, "schedule": "hourly, at minute 5", "selective_mode": "incrementalFields"},
            {"id": other, "schedule": "weekly, sunday, 03:00 UTC, resync_mode rebuild, tables customers"},
        ],
    }


async def test_ids_come_from_the_sync_when_the_endpoint_tells_none(all_on: Workshop) -> None:
    """The type of the endpoint has no id (api/README.md 2)."""
    sync_id, *ids = await scheduled(all_on)
    all_on.api.rewrites["GET", LISTED] = lambda rows: [
        *({key: value for key, value in row.items() if key != "id"} for row in rows),
        {"frequency": "daily", "hour": "9", "deletedAt": "2026-01-01T00:00:00Z"},
        {"frequency": "daily", "hour": "10", "syncMode": "resync"},
    ]
    async with all_on.tools() as tools:
        data = proved(all_on, TOOL, await tools.list_bulk_sync_schedules(sync_id=sync_id))
    assert [row.get("id") for row in data["schedules"]] == [*ids, None]
    assert data["schedules"][-1]["schedule"] == "daily, 10:00 UTC, resync_mode resync"


async def test_a_sync_that_tells_no_schedules_still_has_those_of_the_endpoint(all_on: Workshop) -> None:
    sync_id, default, *_ = await scheduled(all_on)
    gone = {"default_schedule": None, "additional_schedules": None}
    all_on.api.rewrites["GET", SYNC] = lambda sync: {**sync, **gone}
    async with all_on.tools() as tools:
        data = proved(all_on, TOOL, await tools.list_bulk_sync_schedules(sync_id=sync_id))
    assert len(data["schedules"]) == 3
    assert data["schedules"][0] == {"id": default, "default": True, "schedule": "daily, 01:00 UTC"}


async def test_ids_that_are_none_are_refused(all_on: Workshop) -> None:
    await refuses_wrong_ids(all_on, TOOL, "sync_id")
