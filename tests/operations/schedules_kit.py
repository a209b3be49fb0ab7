"""What tests of schedules share: a sync with several, and their state over the API, past the tools."""

from typing import Any

from operations.kit import read
from support import Workshop

REBUILD = {
    "frequency": "weekly",
    "day_of_week": "sunday",
    "hour": "3",
    "resync_mode": "rebuild",
    "schemas": ["customers"],
}


async def scheduled(workshop: Workshop, **more: Any) -> tuple[str, str, str, str]:
    """A sync with a default schedule, an ordinary further one, and one that rebuilds: the four ids."""
    body: dict[str, Any] = {
        "default_schedule": {"frequency": "daily", "hour": "1"},
        "additional_schedules": [
            {"frequency": "hourly", "minute": "5", "selective_mode": "incrementalFields"},
            REBUILD,
        ],
        "destination_configuration": {"advanced": {"table_prefix": "p_"}},
        **more,
    }
    sync_id = await workshop.create_sync(**body)
    sync = await read(workshop, sync_id)
    workshop.api.calls.clear()
    one, other = (schedule["id"] for schedule in sync["additional_schedules"])
    return sync_id, sync["default_schedule"]["id"], one, other


def without_stamps(sync: dict[str, Any]) -> dict[str, Any]:
    """A sync without times of change, for comparing."""

    def bare(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: bare(item) for key, item in value.items() if key != "updated_at"}
        return [bare(item) for item in value] if isinstance(value, list) else value

    return dict(bare(sync))
