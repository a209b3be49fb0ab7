"""Console lines of one table of an execution."""

import pytest

from operations.every_tool import write_lines
from operations.kit import ABSENT, proved, refuses, refuses_wrong_ids
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "get_bulk_sync_schema_console_logs"


async def test_only_lines_of_the_table_are_shown(all_on: Workshop, era: str) -> None:
    sync_id = await all_on.create_sync(schemas=["customers", "secrets"])
    run = await all_on.run_once(sync_id)
    write_lines(all_on, run["id"], "of customers", schema_id="customers")
    write_lines(all_on, run["id"], "of secrets", schema_id="secrets")
    ids = {"sync_id": sync_id, "execution_id": run["id"], "schema_id": "secrets"}
    async with all_on.tools(era) as tools:
        data = proved(all_on, TOOL, await tools.call(TOOL, ids))
        missing = await tools.call(TOOL, {**ids, "schema_id": "events"})
    assert [line["message"] for line in data["lines"]][-1] == "“of secrets”"
    assert "of customers" not in str(data)
    assert data["lines"][-1]["detail"] == '“{"schema":"secrets"}”'
    assert missing.code == "not_found"


async def test_wrong_arguments_are_refused(all_on: Workshop) -> None:
    await refuses_wrong_ids(all_on, TOOL, "execution_id", sync_id=ABSENT, schema_id="orders")
    ids = {"sync_id": ABSENT, "execution_id": ABSENT}
    for wrong in ("", "..", "a/../b", "%2e%2e", "a\n"):
        await refuses(all_on, TOOL, {**ids, "schema_id": wrong}, "`schema_id`")
