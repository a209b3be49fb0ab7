"""Delete a connection, and with `force` everything that relies on it."""

from pydantic import Field

from bulk_sync_mcp.core.connection_effects import DeletesConnection
from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.effects import CancelsExecution, DeletesSync
from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.ids import ConnectionId
from bulk_sync_mcp.core.operation import GuardedInput, Operation, Result
from bulk_sync_mcp.core.plan import Effect, Plan, PreImage
from bulk_sync_mcp.core.text import clean, plural, quoted
from bulk_sync_mcp.operations._connections import CONNECTION, ConnectionRead, Users, read_users, read_whole_connection
from bulk_sync_mcp.operations._reading import SyncRead, cancels, read_status, together

MOST_NAMED = 8
"""Bulk syncs one preview can name, with what runs of each. Nobody confirms what is not shown."""


class Arguments(GuardedInput):
    connection_id: ConnectionId
    force: bool = Field(default=False, description="ALSO DELETES every bulk sync, model and sync that uses it.")


class Deleted(Result):
    """A connection that is gone."""

    deleted: str
    name: str
    deleted_bulk_syncs: list[str] | None = None


async def plan(context: Context, arguments: Arguments) -> Plan[tuple[str, list[str]]]:
    read = await read_whole_connection(context, arguments.connection_id)
    users = await read_users(context, arguments.connection_id)
    if users.every and not arguments.force:
        raise _in_use(read, users)
    if len(users.every) > MOST_NAMED:
        raise Failure(
            "conflict",
            f"{plural(len(users.every), 'bulk sync')} use this connection, more than one confirmation can name "
            f"({MOST_NAMED}). Nothing was sent.",
            next=f"Call `list_bulk_syncs` with connection_id {arguments.connection_id} and delete those not needed first.",
        )
    statuses = await together(*(read_status(context, one.id or "") for one in users.every))
    effects: list[Effect] = [
        DeletesConnection(connection_id=arguments.connection_id, connection_name=read.name, force=arguments.force)
    ]
    for one, status in zip(users.every, statuses, strict=True):
        sync = SyncRead({}, one)
        effects.append(DeletesSync(sync_id=one.id or "", sync_name=sync.name))
        if status.running is not None:
            effects.append(cancels(sync, status.running, context, asked=False))
    return Plan(
        effects=tuple(effects),
        prepared=(read.name, [clean(one.name or one.id or "") for one in users.every]),
        title=f"Delete connection {quoted(read.name)} ({arguments.connection_id})",
        phrase=read.name,
        undo="This cannot be undone: a new connection needs the secrets again, and deleted syncs lose their history.",
        subjects=(read.subject(), *users.subjects()),
        pre_images=tuple(
            PreImage((one.id or "").lower(), one.model_dump(mode="json", exclude_unset=True)) for one in users.every
        ),
    )


def _in_use(read: ConnectionRead, users: Users) -> Failure:
    named = ", ".join(quoted(one.name or one.id or "?") for one in users.every[:10])
    return Failure(
        "conflict",
        f"The connection {quoted(read.name)} is used by {plural(len(users.every), 'bulk sync')}: {named}. Nothing was sent.",
        next="Delete those, or give them another connection, first. `force` deletes them with it: only if the user asks "
        "for exactly that.",
        details={
            "used_by": [{"type": "bulk_sync", "name": clean(one.name or ""), "id": one.id} for one in users.every[:20]]
        },
    )


async def run(context: Context, arguments: Arguments, prepared: tuple[str, list[str]]) -> Deleted:
    name, syncs = prepared
    query = {"force": "true"} if arguments.force else None
    await context.api.delete(CONNECTION, query=query, id=arguments.connection_id)
    return Deleted(deleted=arguments.connection_id, name=clean(name), deleted_bulk_syncs=syncs or None)


OPERATION = Operation(
    name="delete_connection",
    title="Delete a connection",
    description="Deletes a connection that nothing uses; force deletes what uses it too. Asks for confirmation, naming "
    "every bulk sync that would go.",
    method="DELETE",
    path=CONNECTION,
    input=Arguments,
    result=Deleted,
    plan=plan,
    plans=(DeletesConnection, DeletesSync, CancelsExecution),
    lock=lambda arguments: arguments.connection_id,
    run=run,
    shown_by=("get_connection", "connection_id"),
    toolset="connections",
    idempotent=True,
)
