"""Show the configuration of one bulk sync."""

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.ids import SyncId
from bulk_sync_mcp.core.operation import Input, Operation
from bulk_sync_mcp.models.bulk_sync import BulkSyncDetails
from bulk_sync_mcp.operations._reading import SYNC, read_sync


class Arguments(Input):
    sync_id: SyncId


async def run(context: Context, arguments: Arguments, _plan: None) -> BulkSyncDetails:
    return BulkSyncDetails.of((await read_sync(context, arguments.sync_id)).raw, context.now())


OPERATION = Operation(
    name="get_bulk_sync",
    title="Get a bulk sync",
    description="Configuration of a bulk sync: connections, write mode, schedules, destination settings.",
    method="GET",
    path=SYNC,
    input=Arguments,
    result=BulkSyncDetails,
    run=run,
)
