"""Show one schedule of a bulk sync."""

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.ids import ScheduleId, SyncId
from bulk_sync_mcp.core.operation import Input, Operation
from bulk_sync_mcp.models.base import aged
from bulk_sync_mcp.models.merge import as_object
from bulk_sync_mcp.models.schedule import ScheduleRow, embedded
from bulk_sync_mcp.operations._schedule_changes import SCHEDULE


class Arguments(Input):
    sync_id: SyncId
    schedule_id: ScheduleId


class One(ScheduleRow):
    """One schedule."""

    updated: str | None = None


async def run(context: Context, arguments: Arguments, _plan: None) -> One:
    answer = await context.api.get(SCHEDULE, sync_id=arguments.sync_id, schedule_id=arguments.schedule_id)
    own = as_object(answer.data)
    row = ScheduleRow.of(
        embedded(own), arguments.schedule_id, default=own.get("isDefault") is True, note=own.get("note")
    )
    return One(**row.model_dump(), updated=aged(own.get("updatedAt"), context.now()))


OPERATION = Operation(
    name="get_bulk_sync_schedule",
    title="Get a schedule of a bulk sync",
    description="One schedule of a bulk sync; ids come from list_bulk_sync_schedules.",
    method="GET",
    path=SCHEDULE,
    input=Arguments,
    result=One,
    run=run,
    toolset="schedules",
)
