"""Cancel the running execution of a bulk sync."""

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.effects import CancelsExecution
from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.ids import SyncId
from bulk_sync_mcp.core.operation import GuardedInput, Operation, Result
from bulk_sync_mcp.core.plan import Plan
from bulk_sync_mcp.operations._cancelling import reached
from bulk_sync_mcp.operations._reading import (
    cancels,
    heading,
    read_connection,
    read_status,
    read_sync,
    together,
)
from bulk_sync_mcp.operations._subjects import on_sync

PATH = "/api/bulk/syncs/{id}/cancel"


class Arguments(GuardedInput):
    sync_id: SyncId


class Canceling(Result):
    """A cancellation that was asked for; the run ends a little later."""

    execution_id: str
    status: str = "canceling"
    next: str


async def plan(context: Context, arguments: Arguments) -> Plan[str]:
    read, status = await together(read_sync(context, arguments.sync_id), read_status(context, arguments.sync_id))
    if status.running is None:
        raise Failure(
            "conflict",
            "Nothing of this bulk sync is running, so there is nothing to cancel.",
            next=f"Call `get_bulk_sync_status` with sync_id {arguments.sync_id} to see how the last run ended.",
        )
    destination = await read_connection(context, read.sync.destination_connection_id)
    return Plan(
        effects=(cancels(read, status.running, context, asked=True),),
        prepared=status.running.id or "",
        title=heading("Cancel the run of", read, destination.spelled(read.sync.output_schema)),
        phrase=read.name,
        subjects=on_sync(read, destination),
    )


async def run(context: Context, arguments: Arguments, execution_id: str) -> Canceling:
    await context.api.post(PATH, idempotency_key=context.idempotency_key, id=arguments.sync_id)
    await reached(context, arguments.sync_id, execution_id)
    return Canceling(
        execution_id=execution_id,
        next=f"Call `wait_for_bulk_sync_execution` with sync_id {arguments.sync_id} and execution_id {execution_id} "
        "to see it end.",
    )


OPERATION = Operation(
    name="cancel_bulk_sync",
    title="Cancel a bulk sync",
    description="Asks the running execution to stop. Rows written so far may stay. Asks for confirmation when the run is "
    "emptying or rebuilding tables.",
    method="POST",
    path=PATH,
    input=Arguments,
    result=Canceling,
    plan=plan,
    plans=(CancelsExecution,),
    lock=lambda arguments: arguments.sync_id,
    run=run,
    shown_by=("get_bulk_sync_status", "sync_id"),
)
