"""Switch the schedules of a bulk sync on or off."""

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.effects import (
    ActivatesSchedule,
    ArmsDestruction,
    CancelsExecution,
    ChangesField,
    DeletesRows,
    DropsOutput,
    TruncatesOutput,
)
from bulk_sync_mcp.core.ids import SyncId
from bulk_sync_mcp.core.operation import GuardedInput, Operation, Result
from bulk_sync_mcp.core.plan import Effect, Plan
from bulk_sync_mcp.models.merge import as_object
from bulk_sync_mcp.operations import _pre_images
from bulk_sync_mcp.operations._reading import (
    cancels,
    heading,
    read_connection,
    read_status,
    read_sync,
    together,
)
from bulk_sync_mcp.operations._runs import first_firing
from bulk_sync_mcp.operations._schedules import arming
from bulk_sync_mcp.operations._subjects import on_sync

PATH = "/api/bulk/syncs/{id}/activate"


class Arguments(GuardedInput):
    sync_id: SyncId
    active: bool = Field(description="false also cancels a running execution.")


class Activated(Result):
    """The state asked for, as the backend confirms it."""

    id: str
    active: bool


async def plan(context: Context, arguments: Arguments) -> Plan[None]:
    read = await read_sync(context, arguments.sync_id)
    status, destination = await together(
        read_status(context, arguments.sync_id), read_connection(context, read.sync.destination_connection_id)
    )
    effects: list[Effect] = []
    if arguments.active:
        firing = [schedule for schedule in read.sync.schedules() if schedule.fires]
        effects.append(
            ActivatesSchedule(
                sync_id=arguments.sync_id,
                sync_name=read.name,
                schedules=tuple(schedule.spelled() for schedule in firing),
                next_run=status.next_execution_time,
            )
        )
        effects += arming(arguments.sync_id, read.name, firing)
        if firing:
            effects += await first_firing(context, read, destination)
    else:
        effects.append(
            ChangesField(
                sync_id=arguments.sync_id,
                sync_name=read.name,
                setting="active",
                before=str(read.sync.active).lower(),
                after="false",
            )
        )
        if status.running is not None:
            effects.append(cancels(read, status.running, context, asked=False))
    return Plan(
        effects=tuple(effects),
        prepared=None,
        title=heading("Activate" if arguments.active else "Deactivate", read, destination.spelled()),
        phrase=read.name,
        subjects=on_sync(read, destination),
        pre_images=_pre_images.of_sync(read),
    )


async def run(context: Context, arguments: Arguments, _plan: None) -> Activated:
    answer = await context.api.post(
        PATH, body={"active": arguments.active}, idempotency_key=context.idempotency_key, id=arguments.sync_id
    )
    return Activated(id=arguments.sync_id, active=bool(as_object(answer.data).get("active", arguments.active)))


OPERATION = Operation(
    name="activate_bulk_sync",
    title="Activate or deactivate a bulk sync",
    description="Switches the schedules of a bulk sync on or off; manual starts work either way. Asks for confirmation "
    "when it would cancel a run, or switch on a schedule that rewrites tables or removes rows unasked so far.",
    method="POST",
    path=PATH,
    input=Arguments,
    result=Activated,
    plan=plan,
    plans=(
        ActivatesSchedule,
        ArmsDestruction,
        ChangesField,
        CancelsExecution,
        DropsOutput,
        TruncatesOutput,
        DeletesRows,
    ),
    lock=lambda arguments: arguments.sync_id,
    run=run,
    shown_by=("get_bulk_sync", "sync_id"),
    idempotent=True,
)
