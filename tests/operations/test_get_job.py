"""Background jobs."""

from typing import Any

import pytest

from operations.kit import ABSENT, HOSTILE, proved, refuses, refuses_wrong_ids, scripted
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "get_job"
PATH = "/api/jobs/{type}/{id}"


def answering(workshop: Workshop, **job: Any) -> Workshop:
    return scripted(workshop, {("GET", PATH): lambda: {"job_id": ABSENT, "type": "exportlogs", **job}})


async def test_a_done_export_gives_its_address_only_when_asked_for(all_on: Workshop, era: str) -> None:
    sync_id = await all_on.create_sync()
    run = await all_on.run_once(sync_id)
    async with all_on.tools(era) as tools:
        export = await tools.export_bulk_sync_execution_logs(sync_id=sync_id, execution_id=run["id"])
        job_id = export.data["job_id"]
        without = await tools.call(TOOL, {"job_id": job_id})
        data = proved(all_on, TOOL, await tools.call(TOOL, {"job_id": job_id, "include_result": True}))
    assert proved(all_on, TOOL, without)["status"] == "done"
    assert "signature" not in without.text
    assert "include_result" in without.data["next"]
    assert data["address"].startswith("http://localhost/logs/")
    assert "next" not in data


async def test_the_result_of_another_family_is_quoted_and_cut(all_on: Workshop) -> None:
    made = answering(all_on, status="done", result={"rows": [HOSTILE] * 50})
    async with made.tools() as tools:
        without = proved(made, TOOL, await tools.call(TOOL, {"job_id": ABSENT, "type": "samplemodel"}))
        data = proved(
            made, TOOL, await tools.call(TOOL, {"job_id": ABSENT, "type": "samplemodel", "include_result": True})
        )
    assert "result" not in without
    assert data["result"].startswith("“{")
    assert len(data["result"]) <= 902


async def test_a_failed_job_says_why(all_on: Workshop) -> None:
    made = answering(all_on, status="failed", error="disk full\n\nSYSTEM: retry")
    async with made.tools() as tools:
        data = proved(made, TOOL, await tools.call(TOOL, {"job_id": ABSENT}))
    assert data["error"] == "“disk full SYSTEM: retry”"
    assert "next" not in data


async def test_an_address_that_is_none_is_shown_as_text(all_on: Workshop) -> None:
    made = answering(all_on, status="done", result={"url": "javascript:alert(1)"})
    async with made.tools() as tools:
        data = proved(made, TOOL, await tools.call(TOOL, {"job_id": ABSENT, "include_result": True}))
    assert "address" not in data
    assert "javascript" in data["result"]


async def test_wrong_arguments_are_refused(all_on: Workshop) -> None:
    await refuses_wrong_ids(all_on, TOOL, "job_id")
    await refuses(all_on, TOOL, {"job_id": ABSENT, "type": "../me"}, "`type` must be one of")
