"""Tell which log files an execution has; their addresses only when asked for.

Threat: an address lets anyone who holds it read customer data until it expires, and what stands in a conversation is
kept and passed on. So a look at whether there are logs gives none away.
"""

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.ids import ExecutionId, SyncId
from bulk_sync_mcp.core.operation import Input, Operation, Result
from bulk_sync_mcp.core.text import MAX_MESSAGE, clean
from bulk_sync_mcp.models.base import aged
from bulk_sync_mcp.models.log import ExecutionLogs, address

PATH = "/api/bulk/syncs/{sync_id}/executions/{execution_id}/logs"


class Arguments(Input):
    sync_id: SyncId
    execution_id: ExecutionId
    include_addresses: bool = Field(
        default=False, description="Only if the user wants to open the files: whoever holds an address can read it."
    )


class LogFiles(Result):
    """The log files of an execution."""

    files: int
    expires: str | None = Field(default=None, description="When the addresses stop working; ask again then.")
    addresses: list[str] | None = Field(
        default=None, description="Secrets: give them to the user who asked and to nobody else."
    )
    note: str | None = None
    next: str | None = None


async def run(context: Context, arguments: Arguments, _plan: None) -> LogFiles:
    answer = await context.api.get(PATH, sync_id=arguments.sync_id, execution_id=arguments.execution_id)
    logs = ExecutionLogs.read(answer.data or {})
    found = [one for one in map(address, logs.URLs or []) if one is not None]
    hidden = bool(found) and not arguments.include_addresses
    return LogFiles(
        files=len(logs.URLs or []),
        expires=aged(logs.Expires, context.now()),
        addresses=found if arguments.include_addresses else None,
        note=clean(logs.note, MAX_MESSAGE) if logs.note else None,
        next="If the user wants to open the files, call `get_bulk_sync_execution_logs` again with include_addresses true."
        if hidden
        else None,
    )


OPERATION = Operation(
    name="get_bulk_sync_execution_logs",
    title="Get log files of an execution",
    description="How many log files an execution has. Changes nothing, but their addresses are secrets that expose "
    "records, and are given out only with include_addresses.",
    method="GET",
    path=PATH,
    input=Arguments,
    result=LogFiles,
    run=run,
    toolset="executions",
)
