"""List the types of connections that can be made."""

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.operation import Input, Operation, Result
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.models.merge import Json, as_object, as_objects

PATH = "/api/connection_types"


class Arguments(Input):
    name: str | None = Field(default=None, min_length=1, description="Only ids or names that contain this, any case.")
    limit: int = Field(default=100, ge=1, le=500)
    offset: int = Field(default=0, ge=0)


class Row(Result):
    """One type of connection."""

    id: str
    name: str | None = None
    roles: str | None = None
    oauth: bool | None = Field(default=None, description="Whether a person authorises it in a browser.")


class Types(Result):
    """Types of connections, in id order."""

    types: list[Row]
    total: int
    next_offset: int | None = None


async def run(context: Context, arguments: Arguments, _plan: None) -> Types:
    wanted = (arguments.name or "").casefold()
    found = as_objects((await context.api.get(PATH)).data)
    chosen = sorted(
        (one for one in found if wanted in f"{one.get('id')} {one.get('name')}".casefold()),
        key=lambda one: str(one.get("id")),
    )
    end = arguments.offset + arguments.limit
    return Types(
        types=[_row(one) for one in chosen[arguments.offset : end]],
        total=len(chosen),
        next_offset=end if end < len(chosen) else None,
    )


def _row(one: Json) -> Row:
    roles = [name for name in ("source", "destination") if as_object(one.get("capabilities")).get(name)]
    return Row(
        id=clean(one.get("id") or ""),
        name=clean(one["name"]) if one.get("name") else None,
        roles=", ".join(roles) or None,
        oauth=True if one.get("use_oauth") else None,
    )


OPERATION = Operation(
    name="list_connection_types",
    title="List connection types",
    description="Types of connections the backend can make, and which are sources or destinations.",
    method="GET",
    path=PATH,
    input=Arguments,
    result=Types,
    run=run,
    toolset="connections",
)
