"""get_connection_schemas_status: a refresh is done once it finished later than it started."""

import pytest

from operations.kit import proved, refuses_wrong_ids
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "get_connection_schemas_status"
STATUS = "/api/connections/{id}/schemas/status"


async def test_a_source_that_was_read_is_fresh(all_on: Workshop, era: str) -> None:
    async with all_on.tools(era) as tools:
        data = proved(all_on, TOOL, await tools.get_connection_schemas_status(connection_id=all_on.source_id))
    assert (data["refreshing"], data["cache_status"]) == (False, "fresh")
    assert "ago)" in data["finished"]


@pytest.mark.parametrize(
    ("started", "finished", "refreshing"),
    [
        ("2026-05-12T04:00:00Z", "2026-05-11T04:02:10Z", True),
        ("2026-05-12T04:00:00Z", None, True),
        ("2026-05-12T04:00:00Z", "2026-05-12T04:00:00Z", False),
        (None, None, False),
        ("nonsense", None, False),
    ],
)
async def test_times_decide_and_not_a_word_that_may_be_new(
    all_on: Workshop, started: str | None, finished: str | None, refreshing: bool
) -> None:
    told = {"cache_status": "warm", "last_refresh_started": started, "last_refresh_finished": finished}
    all_on.api.rewrites["GET", STATUS] = lambda _: told
    async with all_on.tools() as tools:
        data = proved(all_on, TOOL, await tools.get_connection_schemas_status(connection_id=all_on.source_id))
    assert (data["refreshing"], data["cache_status"]) == (refreshing, "warm")


async def test_ids_that_are_none_are_refused(all_on: Workshop) -> None:
    await refuses_wrong_ids(all_on, TOOL, "connection_id")
