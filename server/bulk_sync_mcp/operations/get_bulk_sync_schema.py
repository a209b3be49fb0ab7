"""Show one table of a bulk sync with its columns and row filters."""

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.ids import SchemaId, SyncId
from bulk_sync_mcp.core.operation import Input, Operation
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.models.merge import as_object, as_objects
from bulk_sync_mcp.models.schema import ColumnRow, TableRow, settings_of
from bulk_sync_mcp.operations._reading import SCHEMA


class Arguments(Input):
    sync_id: SyncId
    schema_id: SchemaId
    limit: int = Field(default=200, ge=1, le=1000, description="Columns.")
    offset: int = Field(default=0, ge=0)


class Table(TableRow):
    """One table with its columns, in the order of the backend."""

    fields: list[ColumnRow]
    total: int = Field(description="Columns in all.")
    next_offset: int | None = None


async def run(context: Context, arguments: Arguments, _plan: None) -> Table:
    raw = as_object((await context.api.get(SCHEMA, id=arguments.sync_id, schema_id=arguments.schema_id)).data)
    columns = as_objects(settings_of(raw)["fields"])
    outputs = {one.get("id"): one.get("output_name") for one in as_objects(raw.get("fields"))}
    end = arguments.offset + arguments.limit
    row = TableRow.of(raw, arguments.schema_id).model_dump()
    return Table(
        **row,
        fields=[
            ColumnRow(
                id=clean(one["id"], 512),
                enabled=one["enabled"],
                obfuscate=one["obfuscated"] or None,
                output=clean(outputs[one["id"]]) if outputs.get(one["id"]) not in (None, "", one["id"]) else None,
            )
            for one in columns[arguments.offset : end]
        ],
        total=len(columns),
        next_offset=end if end < len(columns) else None,
    )


OPERATION = Operation(
    name="get_bulk_sync_schema",
    title="Get a table of a bulk sync",
    description="One table (schema) of a bulk sync: columns, which are synced or obfuscated, row filters, cutoff.",
    method="GET",
    path=SCHEMA,
    input=Arguments,
    result=Table,
    run=run,
    toolset="schemas",
)
