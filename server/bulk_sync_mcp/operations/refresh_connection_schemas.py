"""Have the backend read the tables and columns of a source again."""

from bulk_sync_mcp.core.connection_effects import RefreshesSchemas
from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.ids import ConnectionId
from bulk_sync_mcp.core.operation import GuardedInput, Operation, Result
from bulk_sync_mcp.core.plan import Plan
from bulk_sync_mcp.core.text import quoted
from bulk_sync_mcp.models.bulk_sync import BulkSync
from bulk_sync_mcp.operations._connections import read_users, read_whole_connection

PATH = "/api/connections/{id}/schemas/refresh"


class Arguments(GuardedInput):
    connection_id: ConnectionId


class Refreshing(Result):
    """A refresh that was started."""

    connection_id: str
    next: str


async def plan(context: Context, arguments: Arguments) -> Plan[None]:
    read = await read_whole_connection(context, arguments.connection_id)
    users = await read_users(context, arguments.connection_id)
    taking = [one for one in users.sources if _takes_up(one)]
    return Plan(
        effects=(
            RefreshesSchemas(
                connection_id=arguments.connection_id,
                connection_name=read.name,
                sync_ids=tuple(sorted(one.id or "" for one in taking)),
                syncs=tuple(one.name or one.id or "?" for one in taking),
            ),
        ),
        prepared=None,
        title=f"Refresh the tables of connection {quoted(read.name)} ({arguments.connection_id})",
        phrase=read.name,
        subjects=(read.subject(), *(one for one in users.subjects() if one.sync_id in {sync.id for sync in taking})),
    )


def _takes_up(sync: BulkSync) -> bool:
    """Whether new tables or columns join by policy; left unsaid, columns do and tables do not (api/README.md 4)."""
    settings = sync.model_extra or {}
    return settings.get("automatically_add_new_objects") not in (None, "none") or (
        settings.get("automatically_add_new_fields") != "none"
    )


async def run(context: Context, arguments: Arguments, _plan: None) -> Refreshing:
    await context.api.post(PATH, idempotency_key=context.idempotency_key, id=arguments.connection_id)
    return Refreshing(
        connection_id=arguments.connection_id,
        next=f"Call `get_connection_schemas_status` with connection_id {arguments.connection_id} until it is done.",
    )


OPERATION = Operation(
    name="refresh_connection_schemas",
    title="Refresh tables of a connection",
    description="Reads the tables and columns of a source again; new ones may join bulk syncs by their policy.",
    method="POST",
    path=PATH,
    input=Arguments,
    result=Refreshing,
    plan=plan,
    plans=(RefreshesSchemas,),
    lock=lambda arguments: arguments.connection_id,
    run=run,
    harmless_twice=True,
    toolset="connections",
    idempotent=True,
)
