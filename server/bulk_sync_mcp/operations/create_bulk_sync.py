"""Create a bulk sync; inactive and manual unless asked otherwise."""

from typing import Any

from pydantic import Field, model_validator

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.effects import ArmsDestruction, CreatesSync
from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.ids import ConnectionId, SchemaId
from bulk_sync_mcp.core.operation import GuardedInput, Operation
from bulk_sync_mcp.core.plan import Effect, Plan, Subject
from bulk_sync_mcp.core.text import quoted
from bulk_sync_mcp.models.bulk_sync import (
    AdditionalScheduleInput,
    BulkSyncDetails,
    Discover,
    Mode,
    NormalizeNames,
    Schedule,
    ScheduleInput,
    SchemaInput,
)
from bulk_sync_mcp.models.connection import BulkDestination, BulkSource
from bulk_sync_mcp.models.merge import Json, as_object, as_objects, without_nulls
from bulk_sync_mcp.operations._reading import read_connection, read_destination, read_source, together, unknown_names
from bulk_sync_mcp.operations._schedules import arming

PATH = "/api/bulk/syncs"


class Arguments(GuardedInput):
    name: str = Field(min_length=1)
    source_connection_id: ConnectionId
    destination_connection_id: ConnectionId
    mode: Mode = Field(
        default="replicate",
        description="replicate merges by primary key; snapshot REPLACES all rows each run; append only adds.",
    )
    schemas: list[SchemaId | SchemaInput] | None = Field(
        default=None, min_length=1, max_length=1000, description="Tables to sync. Omitted: every table of the source."
    )
    destination_configuration: dict[str, Any] = Field(
        default_factory=dict[str, Any], description='Such as {"schema": "sales"}; see get_bulk_destination.'
    )
    source_configuration: dict[str, Any] | None = None
    active: bool = Field(default=False, description="Whether schedules fire.")
    default_schedule: ScheduleInput = Field(
        default_factory=lambda: ScheduleInput(frequency="manual"), description="Default: manual."
    )
    additional_schedules: list[AdditionalScheduleInput] | None = None
    automatically_add_new_objects: Discover | None = None
    automatically_add_new_fields: Discover | None = None
    normalize_names: NormalizeNames | None = None
    data_cutoff_timestamp: str | None = None
    disable_record_timestamps: bool | None = None
    concurrency_limit: int | None = Field(default=None, ge=1)
    resync_concurrency_limit: int | None = Field(default=None, ge=1)
    policies: list[str] | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_nulls(cls, given: object) -> object:
        return without_nulls(given)


async def plan(context: Context, arguments: Arguments) -> Plan[Json]:
    named = [one for one in arguments.schemas or [] if not isinstance(one, str) and one.fields]
    source, accepts, destination = await together(
        read_source(context, arguments.source_connection_id, fields=bool(named)),
        read_destination(context, arguments.destination_connection_id),
        read_connection(context, arguments.destination_connection_id),
    )
    outputs = _checked(arguments, source, accepts)
    body = arguments.model_dump(mode="json", exclude={"confirmation"}, exclude_none=True)
    if arguments.schemas is not None:
        body["schemas"] = [_with_every_column(one, source) for one in body["schemas"]]
    schedules = [
        Schedule.read(one)
        for one in (as_object(body["default_schedule"]), *as_objects(body.get("additional_schedules")))
    ]
    firing = arguments.active and any(one.fires for one in schedules)
    where = destination.spelled(arguments.destination_configuration.get("schema"))
    effects: list[Effect] = [
        CreatesSync(
            name=arguments.name,
            firing=firing,
            destination_id=arguments.destination_connection_id,
            outputs=outputs,
            destination=where,
        ),
        *arming("", arguments.name, schedules),
    ]
    return Plan(
        effects=tuple(effects),
        prepared=body,
        title=f"Create bulk sync {quoted(arguments.name)} in {arguments.mode} mode → {where}",
        phrase=arguments.name,
        undo="The sync can be deleted again; rows its runs replaced cannot be brought back." if firing else "",
        subjects=(
            Subject(
                sync_name=arguments.name,
                connection_id=arguments.destination_connection_id,
                connection_name=destination.name or "",
            ),
        ),
    )


def _checked(arguments: Arguments, source: BulkSource, accepts: BulkDestination) -> tuple[str, ...]:
    """The ids of the tables named. Raises `Failure` for a table or write mode that is not offered."""
    modes = [one.id for one in accepts.modes or [] if one.id]
    if modes and arguments.mode not in modes:
        raise Failure(
            "invalid_arguments",
            f"`mode`: this destination does not offer {arguments.mode}; it offers {', '.join(modes)}. Nothing was created.",
        )
    named = [one if isinstance(one, str) else one.id for one in arguments.schemas or []]
    offered = {one.id for one in source.schemas or []}
    unknown = [name for name in named if name not in offered]
    if unknown:
        raise Failure(
            "invalid_arguments",
            f"`schemas`: the source has no table {unknown_names(unknown, offered)}. Nothing was created.",
            next=f"Call `get_bulk_source` with connection_id {arguments.source_connection_id} and use ids from there.",
        )
    return tuple(sorted(set(named)))


def _with_every_column(table: str | Json, source: BulkSource) -> str | Json:
    """The table with its columns complete: a list of some columns means these and no others (api/README.md 4)."""
    if isinstance(table, str) or not table.get("fields"):
        return table
    known = next((one.fields for one in source.schemas or [] if one.id == table["id"]), None) or []
    columns: dict[str, Json] = {field.id: {"id": field.id, "enabled": True} for field in known}
    given = {str(one["id"]): one for one in as_objects(table["fields"])}
    unknown = [name for name in given if name not in columns]
    if unknown:
        raise Failure(
            "invalid_arguments",
            f"`schemas`: the table {quoted(table['id'])} has no column {unknown_names(unknown, columns)}. "
            "Nothing was created.",
            next="Call `get_bulk_source` with include_fields true and use columns from there.",
        )
    return {**table, "fields": [{**column, **given.get(name, {})} for name, column in columns.items()]}


async def run(context: Context, _arguments: Arguments, body: Json) -> BulkSyncDetails:
    answer = await context.api.post(PATH, body=body, idempotency_key=context.idempotency_key)
    return BulkSyncDetails.of(as_object(answer.data), context.now())


OPERATION = Operation(
    name="create_bulk_sync",
    title="Create a bulk sync",
    description="Creates a bulk sync from one connection to another; by default nothing runs until it is started. Asks "
    "for confirmation when its schedule would write unattended.",
    method="POST",
    path=PATH,
    input=Arguments,
    result=BulkSyncDetails,
    plan=plan,
    plans=(CreatesSync, ArmsDestruction),
    run=run,
    shown_by=("list_bulk_syncs", "name"),
)
