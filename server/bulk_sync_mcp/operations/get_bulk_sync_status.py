"""Show what a bulk sync is doing: what runs now, how the last run ended, when the next is due."""

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.ids import SyncId
from bulk_sync_mcp.core.operation import Input, Operation, Result
from bulk_sync_mcp.core.text import MAX_MESSAGE, clean
from bulk_sync_mcp.models.base import aged
from bulk_sync_mcp.models.execution import ExecutionDetails
from bulk_sync_mcp.operations._reading import STATUS, read_status


class Arguments(Input):
    sync_id: SyncId


class Status(Result):
    """The status of a bulk sync."""

    state: str = Field(description="running or idle.")
    current: ExecutionDetails | None = None
    last: ExecutionDetails | None = None
    next_run: str | None = None
    ingestion: str | None = None
    note: str | None = None


async def run(context: Context, arguments: Arguments, _plan: None) -> Status:
    status = await read_status(context, arguments.sync_id)
    now = context.now()
    ingestion = status.ingestion_status
    return Status(
        state="running" if status.running else "idle",
        current=ExecutionDetails.of(status.running, now) if status.running else None,
        last=ExecutionDetails.of(status.last_execution, now) if status.last_execution else None,
        next_run=aged(status.next_execution_time, now),
        ingestion=clean(f"{ingestion.status or 'unknown'} {ingestion.status_message or ''}", MAX_MESSAGE)
        if ingestion and ingestion.enabled
        else None,
        note=clean(status.note, MAX_MESSAGE) if status.note else None,
    )


OPERATION = Operation(
    name="get_bulk_sync_status",
    title="Get the status of a bulk sync",
    description="What runs now (per table), how the last run ended, when the next is due.",
    method="GET",
    path=STATUS,
    input=Arguments,
    result=Status,
    run=run,
)
