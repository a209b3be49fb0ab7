"""Show the latest console lines of a connection's continuous ingestion."""

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.ids import ConnectionId, SyncId
from bulk_sync_mcp.core.operation import Operation
from bulk_sync_mcp.models.log import Lines
from bulk_sync_mcp.operations._console import LogArguments, lines

PATH = "/api/connections/{connection_id}/ingest/consolelog"


class Arguments(LogArguments):
    connection_id: ConnectionId
    sync_id: SyncId | None = Field(default=None, description="Only lines of this bulk sync.")


async def run(context: Context, arguments: Arguments, _plan: None) -> Lines:
    query = arguments.query(sync_id=arguments.sync_id)
    return await lines(context, PATH, query, connection_id=arguments.connection_id)


OPERATION = Operation(
    name="get_ingest_console_logs",
    title="Get console lines of ingestion",
    description="The latest console lines of continuous ingestion from a connection; none for sources without it.",
    method="GET",
    path=PATH,
    input=Arguments,
    result=Lines,
    run=run,
    toolset="executions",
)
