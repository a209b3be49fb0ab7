"""Show one execution with its tables, failures first."""

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.ids import ExecutionId, SyncId
from bulk_sync_mcp.core.operation import Input, Operation
from bulk_sync_mcp.models.execution import Execution, ExecutionDetails, Which
from bulk_sync_mcp.operations._reading import EXECUTION


class Arguments(Input):
    sync_id: SyncId
    execution_id: ExecutionId
    name: str | None = Field(default=None, min_length=1, description="Only tables whose id contains this.")
    offset: int | None = Field(default=None, ge=0, description="All tables from here, not in brief.")


async def run(context: Context, arguments: Arguments, _plan: None) -> ExecutionDetails:
    answer = await context.api.get(EXECUTION, id=arguments.sync_id, exec_id=arguments.execution_id)
    whole = arguments.name is None and arguments.offset is None
    which = None if whole else Which(arguments.offset or 0, arguments.name or "")
    return ExecutionDetails.of(Execution.read(answer.data), context.now(), which)


OPERATION = Operation(
    name="get_bulk_sync_execution",
    title="Get an execution of a bulk sync",
    description="One execution: state, counts, messages, and its tables with failures first.",
    method="GET",
    path=EXECUTION,
    input=Arguments,
    result=ExecutionDetails,
    run=run,
)
