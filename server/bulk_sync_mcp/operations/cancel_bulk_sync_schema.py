"""Cancel the work on one table in the running execution of a bulk sync."""

from dataclasses import replace

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.effects import CancelsExecution
from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.ids import SchemaId, SyncId
from bulk_sync_mcp.core.operation import GuardedInput, Operation, Result
from bulk_sync_mcp.core.plan import Plan
from bulk_sync_mcp.core.text import clean, quoted
from bulk_sync_mcp.models.execution import Execution
from bulk_sync_mcp.models.merge import as_object
from bulk_sync_mcp.operations._cancelling import reached
from bulk_sync_mcp.operations._reading import cancels, heading, read_connection, read_status, read_sync, together
from bulk_sync_mcp.operations._subjects import on_sync

PATH = "/api/bulk/syncs/{id}/schemas/{schema_id}/cancel"
ENDED = frozenset({"completed", "canceled", "failed", "errors", "interrupted"})


class Arguments(GuardedInput):
    sync_id: SyncId
    schema_id: SchemaId


class Canceling(Result):
    """A cancellation that was asked for; the table stops a little later."""

    execution_id: str
    schema_id: str
    status: str = "canceling"
    message: str | None = None
    next: str


async def plan(context: Context, arguments: Arguments) -> Plan[str]:
    read, status = await together(read_sync(context, arguments.sync_id), read_status(context, arguments.sync_id))
    running = status.running
    if running is None:
        raise Failure(
            "conflict",
            "Nothing of this bulk sync is running, so there is nothing to cancel.",
            next=f"Call `get_bulk_sync_status` with sync_id {arguments.sync_id} to see how the last run ended.",
        )
    _check_at_work(running, arguments)
    destination = await read_connection(context, read.sync.destination_connection_id)
    effect = replace(cancels(read, running, context, asked=True), table=arguments.schema_id)
    what = f"Cancel the table {quoted(arguments.schema_id)} in the run of"
    return Plan(
        effects=(effect,),
        prepared=running.id or "",
        title=heading(what, read, destination.spelled(read.sync.output_schema)),
        phrase=read.name,
        subjects=on_sync(read, destination),
    )


def _check_at_work(running: Execution, arguments: Arguments) -> None:
    """Refuses a table the run does not have or is done with. A run that does not list its tables passes."""
    tables = {one.id: one for one in running.schemas or []}
    found = tables.get(arguments.schema_id)
    if tables and (found is None or found.status in ENDED):
        how = "has no such table" if found is None else f"is done with this table ({clean(found.status)})"
        raise Failure(
            "conflict",
            f"The running execution {how}, so there is nothing to cancel.",
            next=f"Call `get_bulk_sync_status` with sync_id {arguments.sync_id} to see its tables.",
        )


async def run(context: Context, arguments: Arguments, execution_id: str) -> Canceling:
    answer = await context.api.post(
        PATH, idempotency_key=context.idempotency_key, id=arguments.sync_id, schema_id=arguments.schema_id
    )
    await reached(context, arguments.sync_id, execution_id)
    message = as_object(answer.data).get("message")
    return Canceling(
        execution_id=execution_id,
        schema_id=arguments.schema_id,
        message=clean(message, 300) if message else None,
        next=f"Call `get_bulk_sync_execution` with execution_id {execution_id} to see the table end.",
    )


OPERATION = Operation(
    name="cancel_bulk_sync_schema",
    title="Cancel a table of a running bulk sync",
    description="Asks the running execution to stop one table; the others go on. Asks for confirmation when the run is "
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
    toolset="schemas",
)
