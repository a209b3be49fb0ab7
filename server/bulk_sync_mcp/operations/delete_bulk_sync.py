"""Delete a bulk sync with its schedules, table selection and history."""

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.effects import CancelsExecution, DeletesSync
from bulk_sync_mcp.core.ids import SyncId
from bulk_sync_mcp.core.operation import GuardedInput, Operation, Result
from bulk_sync_mcp.core.plan import Effect, Plan
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.operations import _pre_images
from bulk_sync_mcp.operations._reading import (
    SYNC,
    cancels,
    heading,
    read_connection,
    read_status,
    read_sync,
    together,
)
from bulk_sync_mcp.operations._subjects import on_sync


class Arguments(GuardedInput):
    sync_id: SyncId


class Deleted(Result):
    """A bulk sync that is gone."""

    deleted: str
    name: str


async def plan(context: Context, arguments: Arguments) -> Plan[str]:
    read = await read_sync(context, arguments.sync_id)
    status, destination, images = await together(
        read_status(context, arguments.sync_id),
        read_connection(context, read.sync.destination_connection_id),
        _pre_images.with_tables(context, read),
    )
    effects: list[Effect] = [DeletesSync(sync_id=arguments.sync_id, sync_name=read.name)]
    if status.running is not None:
        effects.append(cancels(read, status.running, context, asked=False))
    return Plan(
        effects=tuple(effects),
        prepared=read.name,
        title=heading("Delete", read, destination.spelled(read.sync.output_schema)),
        phrase=read.name,
        subjects=on_sync(read, destination),
        pre_images=images,
        undo="This cannot be undone: a new sync would have another id, no history, and probably a full load.",
    )


async def run(context: Context, arguments: Arguments, name: str) -> Deleted:
    await context.api.delete(SYNC, id=arguments.sync_id)
    return Deleted(deleted=arguments.sync_id, name=clean(name))


OPERATION = Operation(
    name="delete_bulk_sync",
    title="Delete a bulk sync",
    description="Deletes a bulk sync, its schedules, table selection and whole history, and cancels what runs. Asks for "
    "confirmation.",
    method="DELETE",
    path=SYNC,
    input=Arguments,
    result=Deleted,
    plan=plan,
    plans=(DeletesSync, CancelsExecution),
    lock=lambda arguments: arguments.sync_id,
    run=run,
    shown_by=("get_bulk_sync", "sync_id"),
    idempotent=True,
)
