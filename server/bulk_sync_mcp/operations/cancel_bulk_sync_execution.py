"""Cancel one execution of a bulk sync."""

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.effects import CancelsExecution
from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.ids import ExecutionId, SyncId
from bulk_sync_mcp.core.operation import GuardedInput, Operation, Result
from bulk_sync_mcp.core.plan import Plan
from bulk_sync_mcp.core.text import MAX_MESSAGE, clean, quoted
from bulk_sync_mcp.models.execution import Execution
from bulk_sync_mcp.models.merge import as_object
from bulk_sync_mcp.operations._reading import EXECUTION, cancels, heading, read_connection, read_sync, together
from bulk_sync_mcp.operations._subjects import on_sync

PATH = "/api/bulk/syncs/{id}/executions/{exec_id}/cancel"


class Arguments(GuardedInput):
    sync_id: SyncId
    execution_id: ExecutionId


class Canceling(Result):
    """A cancellation that was asked for; the run ends a little later."""

    execution_id: str
    status: str = "canceling"
    message: str | None = Field(default=None, description="The backend's own words.")
    next: str


async def plan(context: Context, arguments: Arguments) -> Plan[None]:
    read, answer = await together(
        read_sync(context, arguments.sync_id),
        context.api.get(EXECUTION, id=arguments.sync_id, exec_id=arguments.execution_id),
    )
    execution = Execution.read(answer.data)
    if execution.ended:
        raise Failure(
            "conflict",
            f"Execution {arguments.execution_id} has ended already ({clean(execution.status)}), so there is nothing to "
            "cancel. Nothing was sent.",
            next=f"Call `get_bulk_sync_status` with sync_id {arguments.sync_id} to see whether another one runs.",
        )
    destination = await read_connection(context, read.sync.destination_connection_id)
    return Plan(
        effects=(cancels(read, execution, context, asked=True),),
        prepared=None,
        title=heading("Cancel an execution of", read, destination.spelled(read.sync.output_schema)),
        phrase=read.name,
        subjects=on_sync(read, destination),
    )


async def run(context: Context, arguments: Arguments, _plan: None) -> Canceling:
    answer = await context.api.post(
        PATH, idempotency_key=context.idempotency_key, id=arguments.sync_id, exec_id=arguments.execution_id
    )
    words = as_object(answer.data).get("message")
    return Canceling(
        execution_id=arguments.execution_id,
        message=quoted(words, MAX_MESSAGE) if words else None,
        next=f"Call `wait_for_bulk_sync_execution` with sync_id {arguments.sync_id} and execution_id "
        f"{arguments.execution_id} to see it end.",
    )


OPERATION = Operation(
    name="cancel_bulk_sync_execution",
    title="Cancel an execution of a bulk sync",
    description="Asks exactly this execution to stop, and no later one. Rows written so far may stay. Asks for "
    "confirmation when it is emptying or rebuilding tables.",
    method="POST",
    path=PATH,
    input=Arguments,
    result=Canceling,
    plan=plan,
    plans=(CancelsExecution,),
    lock=lambda arguments: arguments.sync_id,
    run=run,
    shown_by=("get_bulk_sync_status", "sync_id"),
    toolset="executions",
)
