"""Delete a schedule of a bulk sync."""

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.effects import DeletesSchedule
from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.ids import ScheduleId, SyncId
from bulk_sync_mcp.core.operation import GuardedInput, Operation, Result
from bulk_sync_mcp.core.plan import Plan
from bulk_sync_mcp.models.bulk_sync import Schedule
from bulk_sync_mcp.models.merge import as_object
from bulk_sync_mcp.models.schedule import embedded
from bulk_sync_mcp.operations import _pre_images
from bulk_sync_mcp.operations._reading import heading, read_connection, read_sync, together
from bulk_sync_mcp.operations._schedule_changes import SCHEDULE, by_id
from bulk_sync_mcp.operations._subjects import on_sync


class Arguments(GuardedInput):
    sync_id: SyncId
    schedule_id: ScheduleId


class Deleted(Result):
    """A schedule that is gone."""

    deleted: str
    schedule: str


async def plan(context: Context, arguments: Arguments) -> Plan[str]:
    read, answer = await together(
        read_sync(context, arguments.sync_id),
        context.api.get(SCHEDULE, sync_id=arguments.sync_id, schedule_id=arguments.schedule_id),
    )
    own = as_object(answer.data)
    default = str(as_object(read.raw.get("default_schedule")).get("id")).lower()
    if own.get("isDefault") is True or default == arguments.schedule_id:
        raise Failure(
            "invalid_arguments",
            "This is the default schedule of the bulk sync, which always has one; what deleting it does is not "
            "documented. Nothing was sent.",
            next=f"To stop it, call `update_bulk_sync_schedule` with sync_id {arguments.sync_id}, schedule_id "
            f"{arguments.schedule_id} and frequency manual.",
        )
    gone = Schedule.read({**embedded(own), **by_id(read.raw).get(arguments.schedule_id, {})}).spelled()
    destination = await read_connection(context, read.sync.destination_connection_id)
    effect = DeletesSchedule(
        sync_id=arguments.sync_id, sync_name=read.name, schedule=gone, schedule_id=arguments.schedule_id
    )
    return Plan(
        effects=(effect,),
        prepared=gone,
        title=heading("Delete a schedule of", read, destination.spelled(read.sync.output_schema)),
        phrase=read.name,
        undo="A schedule like it can be added again, under a new id. A running execution goes on.",
        subjects=on_sync(read, destination),
        pre_images=_pre_images.of_sync(read),
    )


async def run(context: Context, arguments: Arguments, gone: str) -> Deleted:
    await context.api.delete(SCHEDULE, sync_id=arguments.sync_id, schedule_id=arguments.schedule_id)
    return Deleted(deleted=arguments.schedule_id, schedule=gone)


OPERATION = Operation(
    name="delete_bulk_sync_schedule",
    title="Delete a schedule of a bulk sync",
    description="Deletes a further schedule; a running execution goes on. The default schedule stays: set it to manual. "
    "Asks for confirmation.",
    method="DELETE",
    path=SCHEDULE,
    input=Arguments,
    result=Deleted,
    plan=plan,
    plans=(DeletesSchedule,),
    lock=lambda arguments: arguments.sync_id,
    run=run,
    shown_by=("list_bulk_sync_schedules", "sync_id"),
    toolset="schedules",
    idempotent=True,
)
