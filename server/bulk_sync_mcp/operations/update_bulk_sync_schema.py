"""Change one table of a bulk sync through the call that replaces all of its settings."""

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.ids import SchemaId, SyncId
from bulk_sync_mcp.core.operation import GuardedInput, Operation
from bulk_sync_mcp.core.plan import Plan
from bulk_sync_mcp.models.merge import Json, as_object
from bulk_sync_mcp.models.schema import TableRow, TableSettings, not_taken
from bulk_sync_mcp.operations._reading import SCHEMA
from bulk_sync_mcp.operations._tables import PLANS, planned


class Arguments(TableSettings, GuardedInput):
    sync_id: SyncId
    schema_id: SchemaId


class Updated(TableRow):
    """The table as it is now."""

    not_taken: list[str] | None = Field(
        default=None, description="Settings the backend did not take as sent; tell the user."
    )


async def plan(context: Context, arguments: Arguments) -> Plan[dict[str, Json]]:
    own = {"sync_id", "schema_id", "confirmation"}
    given = arguments.model_dump(mode="json", exclude=own, exclude_unset=True)
    return await planned(context, arguments.sync_id, {arguments.schema_id: given})


async def run(context: Context, arguments: Arguments, settings: dict[str, Json]) -> Updated:
    body = settings[arguments.schema_id]
    saved = await context.api.put(SCHEMA, body=body, id=arguments.sync_id, schema_id=arguments.schema_id)
    answer = as_object(saved.data)
    row = TableRow.of(answer, arguments.schema_id).model_dump()
    return Updated(**row, not_taken=not_taken(body, answer) or None)


OPERATION = Operation(
    name="update_bulk_sync_schema",
    title="Change a table of a bulk sync",
    description="Changes one table and keeps what is not given, though the API call replaces it whole. Asks before "
    "copying more, redirecting output or stopping the table.",
    method="PUT",
    path=SCHEMA,
    input=Arguments,
    result=Updated,
    plan=plan,
    plans=PLANS,
    lock=lambda arguments: arguments.sync_id,
    run=run,
    shown_by=("get_bulk_sync_schema", "schema_id"),
    toolset="schemas",
    idempotent=True,
)
