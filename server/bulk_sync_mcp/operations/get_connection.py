"""Show one connection with its settings, secrets hidden."""

from typing import Any

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.ids import ConnectionId
from bulk_sync_mcp.core.operation import Input, Operation, Result
from bulk_sync_mcp.core.text import MAX_MESSAGE, clean
from bulk_sync_mcp.models.base import aged
from bulk_sync_mcp.models.connection_settings import shown
from bulk_sync_mcp.models.merge import as_object
from bulk_sync_mcp.operations._connections import CONNECTION, as_result, read_whole_connection


class Arguments(Input):
    connection_id: ConnectionId


class One(Result):
    """One connection."""

    id: str
    name: str
    type: str | None = None
    status: str | None = None
    error: str | None = None
    configuration: dict[str, Any] | None = Field(
        default=None, description="Settings; secrets are hidden and cannot be read back."
    )
    saved: bool | None = None
    parent_connection_id: str | None = None
    policies: list[str] | None = None
    api_calls_last_24_hours: int | None = None
    rate_limited_since: str | None = None
    updated: str | None = None


async def run(context: Context, arguments: Arguments, _plan: None) -> One:
    read = await read_whole_connection(context, arguments.connection_id)
    limit = as_object(read.raw.get("rate_limit"))
    told = {key: value for key, value in as_result(read.raw).items() if value is not None}
    return One(
        **{key: clean(value, MAX_MESSAGE) for key, value in told.items()},
        configuration=shown(read.settings) or None,
        saved=read.raw.get("saved"),
        parent_connection_id=read.raw.get("parent_connection_id"),
        policies=read.raw.get("policies") or None,
        api_calls_last_24_hours=read.raw.get("api_calls_last_24_hours"),
        rate_limited_since=aged(limit.get("limited_since"), context.now()) if limit.get("currently_limited") else None,
        updated=aged(read.raw.get("updated_at"), context.now()),
    )


OPERATION = Operation(
    name="get_connection",
    title="Get a connection",
    description="One connection: type, health, settings with secrets hidden.",
    method="GET",
    path=CONNECTION,
    input=Arguments,
    result=One,
    run=run,
    toolset="connections",
)
