"""What schedules do when they fire, for operations that set or switch them on."""

from collections.abc import Iterable

from bulk_sync_mcp.core.effects import ArmsDestruction
from bulk_sync_mcp.core.plan import Effect
from bulk_sync_mcp.models.bulk_sync import Schedule


def arming(sync_id: str, sync_name: str, schedules: Iterable[Schedule]) -> list[Effect]:
    """An effect for each schedule that fires by itself and reruns tables; an unknown mode counts as a rerun."""
    return [
        ArmsDestruction(
            sync_id=sync_id,
            sync_name=sync_name,
            resync_mode=schedule.resync_mode or "",
            schedule=schedule.spelled(),
            tables=tuple(sorted(schedule.schemas or [])),
            schedule_id=schedule.id,
        )
        for schedule in schedules
        if schedule.fires and schedule.destructive
    ]
