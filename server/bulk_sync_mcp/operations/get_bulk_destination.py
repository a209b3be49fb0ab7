"""Show what a connection accepts as the destination of a bulk sync."""

from typing import Any

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.ids import ConnectionId
from bulk_sync_mcp.core.operation import Input, Operation, Result
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.operations._reading import read_destination


class Arguments(Input):
    connection_id: ConnectionId


class Destination(Result):
    """What a destination accepts."""

    modes: list[str] = Field(description="Write modes, as `id: description`.")
    supported_resync_modes: list[str]
    supports_history_mode: bool | None = None
    destination_configuration: dict[str, Any] | None = Field(
        default=None, description="Settings a bulk sync may give, as the backend describes them."
    )


async def run(context: Context, arguments: Arguments, _plan: None) -> Destination:
    found = await read_destination(context, arguments.connection_id)
    return Destination(
        modes=[clean(f"{one.id}: {one.description or one.label or ''}", 160) for one in found.modes or []],
        supported_resync_modes=[clean(one) for one in found.supported_resync_modes or []],
        supports_history_mode=found.supports_history_mode,
        destination_configuration=found.configuration or None,
    )


OPERATION = Operation(
    name="get_bulk_destination",
    title="Get a bulk destination",
    description="What a connection accepts as a destination: write modes, resync modes, settings.",
    method="GET",
    path="/api/connections/{id}/bulksync/target",
    input=Arguments,
    result=Destination,
    run=run,
)
