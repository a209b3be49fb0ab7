"""List connections, from which bulk syncs read and to which they write."""

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.operation import Input, Operation, Result
from bulk_sync_mcp.core.text import MAX_MESSAGE, clean
from bulk_sync_mcp.models.connection import Connection

PATH = "/api/connections"


class Arguments(Input):
    name: str | None = Field(default=None, min_length=1, description="Only names or types that contain this, any case.")
    limit: int = Field(default=50, ge=1, le=200)
    offset: int = Field(default=0, ge=0)


class Row(Result):
    """One connection."""

    id: str
    name: str
    type: str | None = None
    status: str | None = None
    error: str | None = None


class Connections(Result):
    """Connections in name order."""

    connections: list[Row]
    total: int
    next_offset: int | None = None
    next: str | None = None


async def run(context: Context, arguments: Arguments, _plan: None) -> Connections:
    found = Connection.read_all((await context.api.get(PATH)).data)
    wanted = (arguments.name or "").casefold()
    rows = [
        Row(
            id=one.id or "",
            name=clean(one.name or ""),
            type=clean(one.type.id or one.type.name or "") if one.type else None,
            status=clean(one.status) if one.status else None,
            error=clean(one.status_error, MAX_MESSAGE) if one.status_error and one.status != "healthy" else None,
        )
        for one in found
    ]
    chosen = sorted(
        (row for row in rows if wanted in f"{row.name} {row.type or ''}".casefold()),
        key=lambda row: (row.name, row.id),
    )
    end = arguments.offset + arguments.limit
    return Connections(
        connections=chosen[arguments.offset : end],
        total=len(chosen),
        next_offset=end if end < len(chosen) else None,
        next=None if found else "There is no connection yet. `create_connection` makes one.",
    )


OPERATION = Operation(
    name="list_connections",
    title="List connections",
    description="Connections that bulk syncs can read from or write to, with type and health. Settings are not shown.",
    method="GET",
    path=PATH,
    input=Arguments,
    result=Connections,
    run=run,
)
