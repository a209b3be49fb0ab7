"""List the executions of a bulk sync."""

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.ids import SyncId
from bulk_sync_mcp.core.operation import Input, Operation, Result
from bulk_sync_mcp.models.execution import Execution, ExecutionRow
from bulk_sync_mcp.operations._reading import EXECUTIONS, Cursor, read_page


class Arguments(Input):
    sync_id: SyncId
    only_ended: bool = False
    oldest_first: bool = False
    limit: int = Field(default=20, ge=1, le=100)
    cursor: Cursor | None = None


class Page(Result):
    """A page of executions, newest first unless asked otherwise."""

    executions: list[ExecutionRow]
    total: int | None = Field(default=None, description="Where it is known: the first page is also the last.")
    next_cursor: str | None = None


async def run(context: Context, arguments: Arguments, _plan: None) -> Page:
    query: dict[str, object] = {"limit": arguments.limit}
    if arguments.only_ended:
        query["only_terminal"] = True
    if arguments.oldest_first:
        query["ascending"] = True
    if arguments.cursor is not None:
        query["page_token"] = arguments.cursor
    answer = await read_page(context, EXECUTIONS, query, id=arguments.sync_id)
    found = Execution.read_all(answer.data)
    return Page(
        executions=[ExecutionRow.of(one, context.now()) for one in found],
        total=len(found) if arguments.cursor is None and answer.next_page_token is None else None,
        next_cursor=answer.next_page_token,
    )


OPERATION = Operation(
    name="list_bulk_sync_executions",
    title="List executions of a bulk sync",
    description="Past and running executions of a bulk sync with state, kind, row counts and duration.",
    method="GET",
    path=EXECUTIONS,
    input=Arguments,
    result=Page,
    run=run,
)
