"""Show what a connection offers as the source of a bulk sync."""

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.ids import ConnectionId
from bulk_sync_mcp.core.operation import Input, Operation, Result
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.models.connection import SourceTable
from bulk_sync_mcp.operations._reading import read_source


class Arguments(Input):
    connection_id: ConnectionId
    include_fields: bool = Field(default=False, description="Columns too; slow on large sources.")
    name: str | None = Field(default=None, min_length=1, description="Only tables whose id contains this, any case.")
    limit: int = Field(default=100, ge=1, le=500)
    offset: int = Field(default=0, ge=0)


class Table(Result):
    """One table of a source."""

    id: str
    name: str | None = None
    key: list[str] | None = Field(
        default=None,
        description="Primary key columns; empty means the table has none and each run recreates its output.",
    )
    fields: list[str] | None = Field(default=None, description="Columns as `id type`.")


class Source(Result):
    """Tables of a source, in id order."""

    supports_tracking_fields: bool | None = None
    supports_namespaces: bool | None = None
    settings: list[str] | None = Field(
        default=None, description="Names of settings a bulk sync may give in source_configuration."
    )
    tables: list[Table]
    total: int
    next_offset: int | None = None


async def run(context: Context, arguments: Arguments, _plan: None) -> Source:
    source = await read_source(context, arguments.connection_id, fields=arguments.include_fields)
    wanted = (arguments.name or "").casefold()
    chosen = sorted((one for one in source.schemas or [] if wanted in one.id.casefold()), key=lambda one: one.id)
    end = arguments.offset + arguments.limit
    capabilities = source.capabilities or {}
    return Source(
        supports_tracking_fields=capabilities.get("supports_tracking_fields"),
        supports_namespaces=capabilities.get("supports_namespaces"),
        settings=sorted(source.configuration) if source.configuration else None,
        tables=[_table(one) for one in chosen[arguments.offset : end]],
        total=len(chosen),
        next_offset=end if end < len(chosen) else None,
    )


def _table(one: SourceTable) -> Table:
    return Table(
        id=clean(one.id, 512),
        name=clean(one.name) if one.name and one.name != one.id else None,
        key=[clean(field.id) for field in one.fields if field.is_primary_key] if one.fields is not None else None,
        fields=[clean(f"{field.id} {field.remote_type or field.type or ''}") for field in one.fields]
        if one.fields is not None
        else None,
    )


OPERATION = Operation(
    name="get_bulk_source",
    title="Get a bulk source",
    description="Tables a connection offers as a source; with include_fields their columns and primary keys.",
    method="GET",
    path="/api/connections/{id}/bulksync/source",
    input=Arguments,
    result=Source,
    run=run,
)
