"""Reading both sides of a sync while the sync itself is read: a guess that is quicker, and never believed."""

from typing import Any

import anyio
import pytest

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.errors import ApiFailure
from bulk_sync_mcp.models.bulk_sync import BulkSync
from bulk_sync_mcp.operations._reading import Ahead, SyncRead
from operations.kit import SYNC
from support import Workshop

pytestmark = pytest.mark.anyio
CONNECTION = "/api/connections/{id}"
ID = "3f8b2c6e-0d41-4b7a-9c55-1e2a7d904b11"


def sync(source: str | None, destination: str | None) -> SyncRead:
    return SyncRead({}, BulkSync(id=ID, source_connection_id=source, destination_connection_id=destination))


async def test_a_second_preview_reads_sync_and_connections_in_one_round(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    begun = anyio.Event()

    async def begin() -> None:
        begun.set()

    async with workshop.tools() as tools:
        first = await tools.start_bulk_sync_execution(sync_id=sync_id, resync_mode="rebuild")
        reads = len(workshop.api.calls)
        workshop.api.before["GET", CONNECTION] = begin
        workshop.api.before["GET", SYNC] = begun.wait
        with anyio.fail_after(20):
            second = await tools.start_bulk_sync_execution(sync_id=sync_id, resync_mode="rebuild")
    assert (first.code, second.code) == ("confirmation_required", "confirmation_required")
    assert len(workshop.api.calls) == 2 * reads


async def test_a_destination_that_is_another_one_by_now_is_the_one_in_the_preview(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    body = {"name": "Archive", "type": "duckdb", "configuration": {"path": "archive.duckdb"}}
    archive = (await workshop.api.inner.post("/api/connections", body=body)).data["id"]
    async with workshop.tools() as tools:
        before = await tools.start_bulk_sync_execution(sync_id=sync_id, resync_mode="rebuild")
        workshop.api.rewrites["GET", SYNC] = lambda data: {**data, "destination_connection_id": archive}
        after = await tools.start_bulk_sync_execution(sync_id=sync_id, resync_mode="rebuild")
    assert "Warehouse" in before.text
    assert "Archive" not in before.text
    assert "Archive" in after.text
    assert "Warehouse" not in after.text


@pytest.mark.parametrize(
    ("remembered", "actual", "read", "outcome"),
    [
        (None, ("a", "b"), [("a", "b")], "a to b"),
        (("a", "b"), ("a", "b"), [("a", "b")], "a to b"),
        (("a", "b"), ("a", "c"), [("a", "b"), ("a", "c")], "a to c"),
        (("gone", "b"), ("a", "b"), [("gone", "b"), ("a", "b")], "a to b"),
        (("gone", "b"), ("gone", "b"), [("gone", "b")], "not_found"),
        (None, ("gone", "b"), [("gone", "b")], "not_found"),
        ((None, None), (None, "b"), [(None, None), (None, "b")], "None to b"),
    ],
)
async def test_what_counts_is_what_was_read_for_the_sides_the_sync_has(
    remembered: Any, actual: Any, read: list[Any], outcome: str
) -> None:
    asked: list[tuple[str | None, str | None]] = []

    async def both(source: str | None, destination: str | None) -> str:
        asked.append((source, destination))
        if source == "gone":
            raise ApiFailure("not_found", "There is no such connection.")
        return f"{source} to {destination}"

    unused: Any = None  # nothing is asked of the backend here
    context = Context(api=unused)
    if remembered is not None:
        context.sides[ID] = remembered
    ahead = Ahead(context, ID, both)
    await ahead.begin()
    try:
        found = await ahead.of(sync(*actual))
    except ApiFailure as failure:
        found = failure.code
    assert (found, asked) == (outcome, read)
