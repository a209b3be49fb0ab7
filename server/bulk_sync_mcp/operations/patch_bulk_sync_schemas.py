"""Change some tables of a bulk sync: what is named changes, everything else stays as it is."""

from typing import Any

from pydantic import Field, field_validator

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.ids import SchemaId, SyncId
from bulk_sync_mcp.core.operation import GuardedInput, Operation, Result
from bulk_sync_mcp.core.plan import Plan
from bulk_sync_mcp.models.merge import Json, as_objects
from bulk_sync_mcp.models.schema import TableRow, TableSettings, not_taken
from bulk_sync_mcp.operations._reading import SCHEMAS
from bulk_sync_mcp.operations._tables import PLANS, planned


class NamedTable(TableSettings):
    """One table to change."""

    id: SchemaId


class Arguments(GuardedInput):
    sync_id: SyncId
    schemas: list[NamedTable] = Field(min_length=1, max_length=100)

    @field_validator("schemas", mode="after")
    @classmethod
    def _once(cls, given: list[NamedTable]) -> list[NamedTable]:
        """One table named twice would be judged by one of its two settings and sent with both."""
        if len({one.id for one in given}) != len(given):
            raise ValueError("a table is named twice")
        return given


class Patched(Result):
    """The tables as they are now."""

    schemas: list[TableRow]
    not_taken: list[str] | None = Field(
        default=None, description="Settings the backend did not take as sent; tell the user."
    )


async def plan(context: Context, arguments: Arguments) -> Plan[dict[str, Json]]:
    given: dict[str, dict[str, Any]] = {
        one.id: one.model_dump(mode="json", exclude={"id"}, exclude_unset=True) for one in arguments.schemas
    }
    return await planned(context, arguments.sync_id, given)


async def run(context: Context, arguments: Arguments, settings: dict[str, Json]) -> Patched:
    body = {"schemas": [{"id": table, **one} for table, one in settings.items()]}
    answer = as_objects((await context.api.patch(SCHEMAS, body=body, id=arguments.sync_id)).data)
    wrong = [
        f"{one.get('id')}: {key}" for one in answer for key in not_taken(settings.get(str(one.get("id")), {}), one)
    ]
    return Patched(schemas=[TableRow.of(one) for one in answer], not_taken=wrong or None)


OPERATION = Operation(
    name="patch_bulk_sync_schemas",
    title="Change tables of a bulk sync",
    description="Changes the tables named and keeps what is not given, columns included (the bare API would switch "
    "every column on). Asks before copying more, redirecting output or stopping tables.",
    method="PATCH",
    path=SCHEMAS,
    input=Arguments,
    result=Patched,
    plan=plan,
    plans=PLANS,
    lock=lambda arguments: arguments.sync_id,
    run=run,
    shown_by=("list_bulk_sync_schemas", "sync_id"),
    toolset="schemas",
    idempotent=True,
)
