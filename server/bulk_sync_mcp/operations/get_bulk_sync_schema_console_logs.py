"""Show the latest console lines of one table of an execution."""

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.ids import ExecutionId, SchemaId, SyncId
from bulk_sync_mcp.core.operation import Operation
from bulk_sync_mcp.models.log import Lines
from bulk_sync_mcp.operations._console import LogArguments, lines

PATH = "/api/bulk/syncs/{sync_id}/executions/{execution_id}/schemas/{schema_id}/consolelog"


class Arguments(LogArguments):
    sync_id: SyncId
    execution_id: ExecutionId
    schema_id: SchemaId


async def run(context: Context, arguments: Arguments, _plan: None) -> Lines:
    path = {
        "sync_id": arguments.sync_id,
        "execution_id": arguments.execution_id,
        "schema_id": arguments.schema_id,
    }
    return await lines(context, PATH, arguments.query(), **path)


OPERATION = Operation(
    name="get_bulk_sync_schema_console_logs",
    title="Get console lines of one table of an execution",
    description="As get_bulk_sync_execution_console_logs, of one table (schema).",
    method="GET",
    path=PATH,
    input=Arguments,
    result=Lines,
    run=run,
    toolset="executions",
)
