"""List bulk syncs with what a person asks about first: on or off, from where to where, last state, next run."""

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.ids import ConnectionId
from bulk_sync_mcp.core.operation import Input, Operation, Result
from bulk_sync_mcp.core.text import clean, iso, spell_age
from bulk_sync_mcp.models.base import moment
from bulk_sync_mcp.models.bulk_sync import BulkSync
from bulk_sync_mcp.models.connection import Connection
from bulk_sync_mcp.models.status import StatusOfSync
from bulk_sync_mcp.operations._reading import Cursor, read_page, together

PATH = "/api/bulk/syncs"


class Arguments(Input):
    active: bool | None = Field(default=None, description="Only syncs that are on, or off.")
    name: str | None = Field(default=None, min_length=1, description="Only names that contain this, any case.")
    connection_id: ConnectionId | None = Field(default=None, description="Only syncs from or to it.")
    limit: int = Field(default=20, ge=1, le=50)
    cursor: Cursor | None = None


class Row(Result):
    """One bulk sync."""

    id: str
    name: str
    on: bool | None = None
    mode: str | None = None
    source: str | None = None
    destination: str | None = None
    state: str | None = None
    """Of the latest execution."""
    next_run: str | None = None


class Page(Result):
    """A page of bulk syncs, most recently changed first."""

    bulk_syncs: list[Row]
    looked_at: int | None = None
    """How many syncs of this page the filters were applied to; more may match on the next page."""
    next_cursor: str | None = None


async def run(context: Context, arguments: Arguments, _plan: None) -> Page:
    query = {"active": arguments.active, "limit": arguments.limit, "page_token": arguments.cursor}
    answer, connections = await together(
        read_page(context, PATH, query={key: value for key, value in query.items() if value is not None}),
        context.api.get("/api/connections"),
    )
    syncs = BulkSync.read_all(answer.data)
    chosen = [sync for sync in syncs if _matches(sync, arguments)]
    names = {one.id: clean(one.name or one.id or "") for one in Connection.read_all(connections.data)}
    ids = [sync.id for sync in chosen if sync.id]
    states: dict[str | None, StatusOfSync] = {}
    if ids:
        found = await context.api.get("/api/bulk/syncs/status", query={"sync_id": ids})
        states = {one.sync_id: one for one in StatusOfSync.read_all(found.data)}
    filtered = arguments.name is not None or arguments.connection_id is not None
    return Page(
        bulk_syncs=[_row(sync, names, states.get(sync.id), context) for sync in chosen],
        looked_at=len(syncs) if filtered else None,
        next_cursor=answer.next_page_token,
    )


def _matches(sync: BulkSync, arguments: Arguments) -> bool:
    if arguments.name is not None and arguments.name.casefold() not in (sync.name or "").casefold():
        return False
    ends = (sync.source_connection_id, sync.destination_connection_id)
    return arguments.connection_id is None or arguments.connection_id in ends


def _row(sync: BulkSync, names: dict[str | None, str], status: StatusOfSync | None, context: Context) -> Row:
    due = moment(status.nextExecutionTime) if status else None
    return Row(
        id=sync.id or "",
        name=clean(sync.name or ""),
        on=sync.active,
        mode=clean(sync.mode) if sync.mode else None,
        source=names.get(sync.source_connection_id, sync.source_connection_id),
        destination=names.get(sync.destination_connection_id, sync.destination_connection_id),
        state=clean(status.status) if status and status.status else None,
        next_run=f"{iso(due)} ({spell_age(due, context.now())})" if due else None,
    )


OPERATION = Operation(
    name="list_bulk_syncs",
    title="List bulk syncs",
    description="Bulk syncs, most recently changed first, with source, destination, latest state and next run.",
    method="GET",
    path=PATH,
    input=Arguments,
    result=Page,
    run=run,
)
