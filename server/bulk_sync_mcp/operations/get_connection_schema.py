"""Show one table of a source with its columns."""

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.ids import ConnectionId, SchemaId
from bulk_sync_mcp.core.operation import Input, Operation, Result
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.models.connection import SourceField, SourceTable

PATH = "/api/connections/{id}/schemas/{schema_id}"


class Arguments(Input):
    connection_id: ConnectionId
    schema_id: SchemaId
    limit: int = Field(default=200, ge=1, le=1000, description="Columns.")
    offset: int = Field(default=0, ge=0)


class Column(Result):
    """One column of a source table."""

    id: str
    name: str | None = None
    type: str | None = None
    key: bool | None = Field(default=None, description="Whether it is part of the primary key.")


class Table(Result):
    """One table of a source. Without a key each run recreates or replaces its output."""

    id: str
    name: str | None = None
    key: list[str]
    columns: list[Column]
    total: int
    next_offset: int | None = None


async def run(context: Context, arguments: Arguments, _plan: None) -> Table:
    answer = await context.api.get(PATH, id=arguments.connection_id, schema_id=arguments.schema_id)
    found = SourceTable.read(answer.data)
    columns = found.fields or []
    end = arguments.offset + arguments.limit
    return Table(
        id=clean(found.id or arguments.schema_id, 512),
        name=clean(found.name) if found.name and found.name != found.id else None,
        key=[clean(one.id) for one in columns if one.is_primary_key],
        columns=[_column(one) for one in columns[arguments.offset : end]],
        total=len(columns),
        next_offset=end if end < len(columns) else None,
    )


def _column(one: SourceField) -> Column:
    kind = one.remote_type or one.type
    return Column(
        id=clean(one.id),
        name=clean(one.name) if one.name and one.name != one.id else None,
        type=clean(kind) if kind else None,
        key=True if one.is_primary_key else None,
    )


OPERATION = Operation(
    name="get_connection_schema",
    title="Get a table of a connection",
    description="One table of a source with columns, types and primary key, from the backend's cache.",
    method="GET",
    path=PATH,
    input=Arguments,
    result=Table,
    run=run,
    toolset="connections",
)
