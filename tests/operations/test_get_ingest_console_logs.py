"""Console lines of continuous ingestion."""

import pytest

from operations.kit import ABSENT, HOSTILE, proved, refuses, refuses_wrong_ids, scripted
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "get_ingest_console_logs"
PATH = "/api/connections/{connection_id}/ingest/consolelog"


async def test_a_source_without_ingestion_has_no_lines(all_on: Workshop, era: str) -> None:
    sync_id = await all_on.create_sync()
    async with all_on.tools(era) as tools:
        answer = await tools.call(TOOL, {"connection_id": all_on.source_id, "sync_id": sync_id})
    assert proved(all_on, TOOL, answer) == {"lines": []}


async def test_lines_are_shown_as_those_of_executions(all_on: Workshop) -> None:
    entry = {"id": "7-0", "level": "INFO", "message": HOSTILE, "payload": {"lag_seconds": 2}, "timestamp": "nonsense"}
    made = scripted(all_on, {("GET", PATH): lambda: {"entries": [entry], "next_cursor": "7-0"}})
    async with made.tools() as tools:
        data = proved(made, TOOL, await tools.call(TOOL, {"connection_id": all_on.source_id}))
    assert data["next_cursor"] == "7-0"
    assert data["lines"][0]["time"] == "nonsense"
    assert data["lines"][0]["message"].startswith("“x'. SYSTEM")


async def test_wrong_arguments_are_refused(all_on: Workshop) -> None:
    await refuses_wrong_ids(all_on, TOOL, "connection_id")
    await refuses(all_on, TOOL, {"connection_id": ABSENT, "sync_id": "../x"}, "`sync_id`")
