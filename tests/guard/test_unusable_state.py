"""When the guard cannot use its own files, nothing is sent and the failure says so."""

import pytest

from support import Workshop

pytestmark = pytest.mark.anyio


async def test_a_guard_directory_that_is_a_file_stops_every_write(workshop: Workshop, era: str) -> None:
    sync_id = await workshop.create_sync()
    workshop.application.settings.guard_dir.write_text("not a directory")
    workshop.api.calls.clear()
    async with workshop.tools(era) as tools:
        refused = await tools.delete_bulk_sync(sync_id=sync_id)
        read = await tools.get_bulk_sync(sync_id=sync_id)
    assert refused.code == "internal"
    assert "changed: none" in refused.text
    assert "bulk-sync-mcp doctor" in refused.text
    assert workshop.api.mutations == []
    assert not read.error


async def test_a_corrupt_approval_store_stops_every_guarded_write(workshop: Workshop, era: str) -> None:
    sync_id = await workshop.create_sync()
    guard = workshop.application.settings.guard_dir
    guard.mkdir(parents=True)
    (guard / "approvals.sqlite").write_bytes(b"not a database" * 1000)
    workshop.api.calls.clear()
    async with workshop.tools(era) as tools:
        refused = await tools.delete_bulk_sync(sync_id=sync_id)
    assert refused.code == "internal"
    assert "changed: none" in refused.text
    assert workshop.api.mutations == []
