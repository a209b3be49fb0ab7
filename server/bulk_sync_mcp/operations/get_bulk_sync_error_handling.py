"""Show who is told of failures of a bulk sync."""

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.ids import SyncId
from bulk_sync_mcp.core.operation import Input, Operation
from bulk_sync_mcp.models.error_handling import ErrorHandling, ErrorHandlingDetails

PATH = "/api/bulk/syncs/{id}/error-handling"


class Arguments(Input):
    sync_id: SyncId


async def run(context: Context, arguments: Arguments, _plan: None) -> ErrorHandlingDetails:
    answer = await context.api.get(PATH, id=arguments.sync_id)
    return ErrorHandlingDetails.of(ErrorHandling.read(answer.data or {}))


OPERATION = Operation(
    name="get_bulk_sync_error_handling",
    title="Get error handling of a bulk sync",
    description="Who is mailed when a bulk sync fails, and its threshold for lagging ingestion.",
    method="GET",
    path=PATH,
    input=Arguments,
    result=ErrorHandlingDetails,
    run=run,
    toolset="error_handling",
)
