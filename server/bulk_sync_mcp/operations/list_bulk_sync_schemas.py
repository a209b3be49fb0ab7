"""List the tables of a bulk sync and what each is written to."""

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.ids import SyncId
from bulk_sync_mcp.core.operation import Input, Operation, Result
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.models.bulk_sync import SyncSchema
from bulk_sync_mcp.operations._reading import SCHEMAS


class Arguments(Input):
    sync_id: SyncId
    enabled: bool | None = Field(default=None, description="Only tables that are synced, or are not.")
    name: str | None = Field(default=None, min_length=1, description="Only ids that contain this, any case.")
    limit: int = Field(default=100, ge=1, le=500)
    offset: int = Field(default=0, ge=0)


class Row(Result):
    """One table of a bulk sync."""

    id: str
    enabled: bool | None = None
    output: str | None = None
    tracking_field: str | None = None


class Schemas(Result):
    """The tables of a bulk sync, in id order."""

    schemas: list[Row]
    total: int
    next_offset: int | None = None


async def run(context: Context, arguments: Arguments, _plan: None) -> Schemas:
    query = None if arguments.enabled is None else {"filters[enabled]": str(arguments.enabled).lower()}
    found = SyncSchema.read_all((await context.api.get(SCHEMAS, query=query, id=arguments.sync_id)).data)
    wanted = (arguments.name or "").casefold()
    chosen = sorted((one for one in found if wanted in one.id.casefold()), key=lambda one: one.id)
    end = arguments.offset + arguments.limit
    return Schemas(
        schemas=[
            Row(
                id=clean(one.id, 512),
                enabled=one.enabled,
                output=clean(one.output) if one.output != one.id else None,
                tracking_field=clean(one.tracking_field) if one.tracking_field else None,
            )
            for one in chosen[arguments.offset : end]
        ],
        total=len(chosen),
        next_offset=end if end < len(chosen) else None,
    )


OPERATION = Operation(
    name="list_bulk_sync_schemas",
    title="List tables of a bulk sync",
    description="Tables (schemas) of a bulk sync: which are enabled, what they are called at the destination.",
    method="GET",
    path=SCHEMAS,
    input=Arguments,
    result=Schemas,
    run=run,
)
