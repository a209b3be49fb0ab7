"""A run that would ask may not be had by way of a schedule: switching one on asks as the run itself would."""

from typing import Any

import pytest

from operations.kit import asked_of, confirmed, finished
from support import Workshop, build_workshop

pytestmark = pytest.mark.anyio
HOURLY = {"frequency": "hourly"}
WRITES: dict[str, tuple[dict[str, Any], str]] = {
    "snapshot": ({"mode": "snapshot"}, "EMPTIES and refills"),
    "hard deletes": ({"destination_configuration": {"advanced": {"hard_deletes": True}}}, "REMOVES rows"),
    "no primary key": ({"schemas": ["events"]}, "DROPS and recreates"),
}
WAYS: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "activate": ({"default_schedule": HOURLY}, "activate_bulk_sync", {"active": True}),
    "update": ({"default_schedule": HOURLY}, "update_bulk_sync", {"active": True}),
    "update of the schedule": ({"active": True}, "update_bulk_sync", {"default_schedule": HOURLY}),
    "schedule added": ({"active": True}, "create_bulk_sync_schedule", HOURLY),
    "schedule changed": ({"active": True}, "update_bulk_sync_schedule", HOURLY),
}


async def arguments_of(workshop: Workshop, way: str, sync_id: str) -> tuple[str, dict[str, Any]]:
    _, tool, arguments = WAYS[way]
    more: dict[str, Any] = {"sync_id": sync_id, **arguments}
    if tool == "update_bulk_sync_schedule":
        whole = (await workshop.api.inner.get("/api/bulk/syncs/{id}", id=sync_id)).data
        more["schedule_id"] = whole["default_schedule"]["id"]
    return tool, more


@pytest.fixture
async def every(tmp_path: Any) -> Any:
    """A workshop with every tool."""
    made = await build_workshop(tmp_path, toolsets=("all",))
    yield made
    await made.api.aclose()


@pytest.mark.parametrize("way", WAYS)
async def test_the_first_run_of_a_snapshot_is_asked_about_whatever_starts_it(every: Workshop, way: str) -> None:
    sync_id = await every.create_sync(mode="snapshot", **WAYS[way][0])
    tool, arguments = await arguments_of(every, way, sync_id)
    asked = await asked_of(every, tool, **arguments)
    assert "EMPTIES and refills 1 table in “Warehouse” (duckdb): “customers”" in asked
    assert "Activates schedules" in asked
    assert every.api.mutations == []


@pytest.mark.parametrize("kind", WRITES)
async def test_what_the_first_firing_does_is_said_and_asked(workshop: Workshop, kind: str) -> None:
    body, words = WRITES[kind]
    sync_id = await workshop.create_sync(**body, default_schedule=HOURLY)
    asked = await asked_of(workshop, "activate_bulk_sync", sync_id=sync_id, active=True)
    assert words in asked


async def test_a_schedule_that_repeats_what_was_agreed_to_only_tells(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync(mode="snapshot", default_schedule=HOURLY)
    async with workshop.tools() as tools:
        await confirmed(tools, "start_bulk_sync_execution", sync_id=sync_id)
        await finished(tools, sync_id)
        active = await tools.activate_bulk_sync(sync_id=sync_id, active=True)
    assert not active.error, active.text
    assert active.data["effects"] == ["Activates schedules, which start runs unattended: hourly."]


async def test_a_sync_that_merges_and_a_schedule_by_hand_are_switched_on_at_once(workshop: Workshop) -> None:
    merging = await workshop.create_sync(default_schedule=HOURLY)
    manual = await workshop.create_sync("Manual", mode="snapshot", destination_configuration={"schema": "apart"})
    async with workshop.tools() as tools:
        for sync_id in (merging, manual):
            active = await tools.activate_bulk_sync(sync_id=sync_id, active=True)
            assert not active.error, active.text


async def test_an_update_that_changes_more_proves_nothing_by_what_ran_before(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync(mode="snapshot", default_schedule=HOURLY)
    async with workshop.tools() as tools:
        await confirmed(tools, "start_bulk_sync_execution", sync_id=sync_id)
        await finished(tools, sync_id)
    asked = await asked_of(
        workshop, "update_bulk_sync", sync_id=sync_id, active=True, automatically_add_new_fields="none"
    )
    assert "EMPTIES and refills" in asked
