"""List the schedules of a bulk sync with their ids, which only the sync itself tells (api/README.md 2)."""

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.ids import SyncId
from bulk_sync_mcp.core.operation import Input, Operation, Result
from bulk_sync_mcp.models.merge import as_objects
from bulk_sync_mcp.models.schedule import ScheduleRow, rows
from bulk_sync_mcp.operations._reading import read_sync, together
from bulk_sync_mcp.operations._schedule_changes import SCHEDULES


class Arguments(Input):
    sync_id: SyncId


class Schedules(Result):
    """The schedules of a bulk sync, the default one first."""

    active: bool | None = Field(default=None, description="Whether the sync is active; otherwise none of them fires.")
    schedules: list[ScheduleRow]


async def run(context: Context, arguments: Arguments, _plan: None) -> Schedules:
    read, listed = await together(
        read_sync(context, arguments.sync_id), context.api.get(SCHEDULES, sync_id=arguments.sync_id)
    )
    return Schedules(active=read.sync.active, schedules=rows(read.raw, as_objects(listed.data)))


OPERATION = Operation(
    name="list_bulk_sync_schedules",
    title="List schedules of a bulk sync",
    description="Schedules of a bulk sync with ids, times (UTC), resync modes and tables.",
    method="GET",
    path=SCHEDULES,
    input=Arguments,
    result=Schedules,
    run=run,
    toolset="schedules",
)
