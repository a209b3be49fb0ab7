"""get_bulk_destination: what a destination accepts."""

import pytest

from operations.kit import TARGET, proved, refuses, refuses_wrong_ids
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "get_bulk_destination"


async def test_it_tells_modes_resync_modes_and_settings(workshop: Workshop, era: str) -> None:
    async with workshop.tools(era) as tools:
        data = proved(workshop, TOOL, await tools.get_bulk_destination(connection_id=workshop.destination_id))
    assert {mode.partition(":")[0] for mode in data["modes"]} == {"replicate", "snapshot", "append"}
    assert data["supported_resync_modes"] == ["refetch", "resync", "rebuild"]
    assert "advanced" in data["destination_configuration"]
    assert len(workshop.api.calls) == 1


async def test_a_destination_that_tells_little_or_news_is_told_as_it_is(workshop: Workshop) -> None:
    async with workshop.tools() as tools:
        workshop.api.rewrites["GET", TARGET] = lambda _: {"modes": None, "later": 1}
        little = proved(workshop, TOOL, await tools.get_bulk_destination(connection_id=workshop.destination_id))
        workshop.api.rewrites["GET", TARGET] = lambda _: {
            "modes": [{"id": "mirror", "label": "Mirror\u202e\nX"}],
            "supported_resync_modes": ["defragment"],
        }
        news = proved(workshop, TOOL, await tools.get_bulk_destination(connection_id=workshop.destination_id))
    assert little == {"modes": [], "supported_resync_modes": []}
    assert news == {"modes": ["mirror: Mirror X"], "supported_resync_modes": ["defragment"]}


async def test_ids_that_are_none_are_refused_and_absent_connections_not_found(workshop: Workshop) -> None:
    await refuses_wrong_ids(workshop, TOOL, "connection_id")


async def test_wrong_arguments_are_named_and_reach_nothing(workshop: Workshop) -> None:
    await refuses(workshop, TOOL, {"destination_id": workshop.destination_id}, "`destination_id`", "`connection_id`")
