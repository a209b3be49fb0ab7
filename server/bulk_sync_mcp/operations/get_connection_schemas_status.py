"""Show how fresh the backend's knowledge of a source is, and whether a refresh is done."""

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.ids import ConnectionId
from bulk_sync_mcp.core.operation import Input, Operation, Result
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.models.base import aged, moment
from bulk_sync_mcp.models.merge import as_object

PATH = "/api/connections/{id}/schemas/status"


class Arguments(Input):
    connection_id: ConnectionId


class Status(Result):
    """The state of what the backend knows of a source."""

    refreshing: bool = Field(description="A refresh is done once it has finished later than it started.")
    cache_status: str | None = None
    started: str | None = None
    finished: str | None = None


async def run(context: Context, arguments: Arguments, _plan: None) -> Status:
    raw = as_object((await context.api.get(PATH, id=arguments.connection_id)).data)
    now = context.now()
    started, finished = moment(raw.get("last_refresh_started")), moment(raw.get("last_refresh_finished"))
    status = raw.get("cache_status")
    return Status(
        refreshing=started is not None and (finished is None or finished < started),
        cache_status=clean(status) if status else None,
        started=aged(started, now),
        finished=aged(finished, now),
    )


OPERATION = Operation(
    name="get_connection_schemas_status",
    title="Get the state of a schema refresh",
    description="Whether a refresh of a connection's tables is running, and when the last one finished.",
    method="GET",
    path=PATH,
    input=Arguments,
    result=Status,
    run=run,
    toolset="connections",
)
