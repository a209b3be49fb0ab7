"""Who is told of failures."""

import pytest

from operations.kit import proved, refuses_wrong_ids, scripted
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "get_bulk_sync_error_handling"
PATH = "/api/bulk/syncs/{id}/error-handling"


async def test_subscribers_and_threshold_are_shown(all_on: Workshop, era: str) -> None:
    sync_id = await all_on.create_sync()
    async with all_on.tools(era) as tools:
        assert proved(all_on, TOOL, await tools.call(TOOL, {"sync_id": sync_id})) == {"subscribers": []}
        body = {"subscribers": ["a@example.com"], "ingestion_failure_threshold": 900}
        await all_on.api.inner.put(PATH, body=body, id=sync_id)
        assert proved(all_on, TOOL, await tools.call(TOOL, {"sync_id": sync_id})) == body


async def test_null_settings_are_told_as_nobody(all_on: Workshop) -> None:
    sync_id = await all_on.create_sync()
    nulls = {"subscribers": None, "ingestion_failure_threshold": None}
    made = scripted(all_on, {("GET", PATH): lambda: nulls})
    async with made.tools() as tools:
        assert proved(made, TOOL, await tools.call(TOOL, {"sync_id": sync_id})) == {"subscribers": []}


async def test_wrong_ids_are_refused(all_on: Workshop) -> None:
    await refuses_wrong_ids(all_on, TOOL, "sync_id")
