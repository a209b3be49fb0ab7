"""Change a bulk sync: what is named changes, everything else stays as it is."""

from dataclasses import dataclass, replace
from typing import Any

from pydantic import Field, model_validator

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.effects import (
    ActivatesSchedule,
    ArmsDestruction,
    CancelsExecution,
    ChangesField,
    ChangesWriteMode,
    DeletesRows,
    DeletesSchedule,
    DisablesSchemas,
    DropsOutput,
    RedirectsOutput,
    RemovesObfuscation,
    TruncatesOutput,
    WidensFields,
)
from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.ids import ConnectionId, SchemaId, SyncId
from bulk_sync_mcp.core.operation import GuardedInput, Operation
from bulk_sync_mcp.core.plan import Effect, Plan, Subject
from bulk_sync_mcp.core.text import quoted
from bulk_sync_mcp.models.bulk_sync import (
    AdditionalScheduleInput,
    BulkSyncDetails,
    Discover,
    Mode,
    NormalizeNames,
    ScheduleInput,
    SchemaInput,
    SyncSchema,
)
from bulk_sync_mcp.models.connection import Connection
from bulk_sync_mcp.models.merge import (
    Json,
    as_object,
    as_objects,
    body_of,
    merged,
    not_taken,
    schema_body,
    without_nulls,
)
from bulk_sync_mcp.operations import _changes, _pre_images
from bulk_sync_mcp.operations._reading import (
    SCHEMAS,
    SYNC,
    SyncRead,
    cancels,
    heading,
    read_connection,
    read_status,
    read_sync,
    together,
    unknown_names,
)
from bulk_sync_mcp.operations._runs import first_firing
from bulk_sync_mcp.operations._subjects import subject_of

ADDITIONAL = "additional_schedules"
_WHEN = frozenset({"name", "active", "default_schedule", ADDITIONAL})
"""Settings that say when a sync runs, and nothing of what a run does."""


class Arguments(GuardedInput):
    sync_id: SyncId
    name: str | None = Field(default=None, min_length=1)
    active: bool | None = None
    mode: Mode | None = None
    source_connection_id: ConnectionId | None = None
    destination_connection_id: ConnectionId | None = None
    source_configuration: dict[str, Any] | None = Field(default=None, description="Merged key by key; null clears.")
    destination_configuration: dict[str, Any] | None = Field(
        default=None, description="Merged key by key; null clears a key."
    )
    default_schedule: ScheduleInput | None = None
    additional_schedules: list[AdditionalScheduleInput] | None = Field(
        default=None, description="The complete list: one not named is deleted."
    )
    schemas: list[SchemaId | SchemaInput] | None = Field(
        default=None,
        min_length=1,
        max_length=400,
        description="The complete selection: tables not named are disabled. Named ones keep settings not given.",
    )
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
        return without_nulls(given, clearable=frozenset({"data_cutoff_timestamp"}))


class Updated(BulkSyncDetails):
    """The sync as it is now."""

    not_taken: list[str] | None = Field(
        default=None, description="Settings the backend did not take as sent; tell the user."
    )


@dataclass(frozen=True, slots=True)
class Prepared:
    """The complete body to send, and the one that would put back what was read."""

    body: Json
    before: Json


async def plan(context: Context, arguments: Arguments) -> Plan[Prepared]:
    read = await read_sync(context, arguments.sync_id)
    changes = arguments.model_dump(
        mode="json", exclude={"sync_id", "confirmation", "schemas"}, exclude_unset=True, exclude_none=False
    )
    before, after = body_of(read.raw), merged(read.raw, changes)
    _refuse_repeated_schedules(after)
    if not as_object(after.get("default_schedule")).get("frequency"):
        raise Failure(
            "invalid_arguments",
            "This bulk sync has no default schedule, and an update must send one.",
            next='Give `default_schedule`, for example {"frequency": "manual"}.',
        )
    status, was, connection = await together(
        read_status(context, arguments.sync_id),
        read_connection(context, read.sync.destination_connection_id),
        read_connection(context, after.get("destination_connection_id")),
    )
    sync_id, name = arguments.sync_id, read.name
    effects: list[Effect] = _changes.of_settings(sync_id, name, before, after)
    effects += _changes.of_schedules(sync_id, name, before, after)
    images = _pre_images.of_sync(read)
    if arguments.schemas is not None:
        old, new, raw = await _tables(context, arguments)
        images = _pre_images.of_sync(
            read, raw, [table for table, one in old.items() if one.get("enabled") is not False]
        )
        # Those named as not enabled are sent too: an empty list would leave the selection as it is (api/README.md 4).
        after["schemas"] = list(new.values())
        effects += _changes.of_tables(sync_id, name, old, new)
    if not effects:
        raise Failure("invalid_arguments", "Nothing would change: everything named is already so. Nothing was sent.")
    if before.get("active") is not False and after.get("active") is False and status.running is not None:
        effects.append(cancels(read, status.running, context, asked=False))
    if any(isinstance(effect, ActivatesSchedule) and effect.schedules for effect in effects):
        more = {key for key in after if key not in _WHEN and after[key] != before.get(key)}
        effects += await first_firing(context, read, connection, after if more else None)
    return Plan(
        effects=tuple(effects),
        prepared=Prepared(after, before),
        title=heading("Change", read, connection.spelled()),
        phrase=name,
        undo="Settings not listed stay as they are. Settings can be changed back; rows a later run replaced cannot.",
        subjects=_subjects(read, after, was, connection),
        pre_images=images,
    )


def _subjects(read: SyncRead, after: Json, was: Connection, will_be: Connection) -> tuple[Subject, ...]:
    """The sync as it is and as it will be, so that a rename or a new destination does not slip out of a rule."""
    before = subject_of(read, was)
    then = replace(
        before,
        sync_name=str(after.get("name") or ""),
        connection_id=str(after.get("destination_connection_id") or ""),
        connection_name=will_be.name or "",
    )
    return (before,) if then == before else (before, then)


def _refuse_repeated_schedules(after: Json) -> None:
    """One schedule named twice would be judged by one of its two settings and sent with both."""
    ids = [one.get("id") for one in (as_object(after.get("default_schedule")), *as_objects(after.get(ADDITIONAL)))]
    repeated = sorted({str(one) for one in ids if one and ids.count(one) > 1})
    if repeated:
        raise Failure(
            "invalid_arguments",
            f"`{ADDITIONAL}`: the id {', '.join(quoted(one) for one in repeated)} is named more than once. Nothing was sent.",
            next="Name each schedule once; leave the id out for a new one.",
        )


async def _tables(context: Context, arguments: Arguments) -> tuple[dict[str, Json], dict[str, Json], dict[str, Json]]:
    """The tables that are enabled or named as they are, the named ones with what is not given carried over, and the
    named ones as they were read."""
    listed = {one.id: one for one in SyncSchema.read_all((await context.api.get(SCHEMAS, id=arguments.sync_id)).data)}
    given: dict[str, Json | None] = {}
    for one in arguments.schemas or []:
        wanted = None if isinstance(one, str) else one.model_dump(mode="json", exclude_unset=True)
        given[one if isinstance(one, str) else one.id] = wanted
    unknown = [name for name in given if name not in listed]
    if unknown:
        raise Failure(
            "invalid_arguments",
            f"`schemas`: not a table of this bulk sync: {unknown_names(unknown, listed)}. Nothing was sent.",
            next=f"Call `list_bulk_sync_schemas` with sync_id {arguments.sync_id} and use ids from there.",
        )
    names = list(given)
    raw = await _pre_images.read_tables(context, arguments.sync_id, names)
    enabled = {table for table, one in listed.items() if one.enabled is not False}
    before: dict[str, Json] = {table: {"id": table} for table in enabled - set(names)}
    before |= {table: {**schema_body({**raw[table], "id": table}), "enabled": table in enabled} for table in names}
    return before, {table: schema_body({**raw[table], "id": table}, given[table]) for table in names}, raw


async def run(context: Context, arguments: Arguments, prepared: Prepared) -> Updated:
    answer = as_object((await context.api.put(SYNC, body=prepared.body, id=arguments.sync_id)).data)
    details = BulkSyncDetails.of(answer, context.now()).model_dump()
    return Updated(**details, not_taken=not_taken(prepared.body, answer, prepared.before) or None)


OPERATION = Operation(
    name="update_bulk_sync",
    title="Change a bulk sync",
    description="Changes what is named and keeps the rest. Asks for confirmation when the change loses, redirects or "
    "exposes data, with each setting before and after.",
    method="PUT",
    path=SYNC,
    input=Arguments,
    result=Updated,
    plan=plan,
    plans=(
        ActivatesSchedule,
        ArmsDestruction,
        CancelsExecution,
        ChangesField,
        ChangesWriteMode,
        DeletesRows,
        DeletesSchedule,
        DisablesSchemas,
        DropsOutput,
        RedirectsOutput,
        RemovesObfuscation,
        TruncatesOutput,
        WidensFields,
    ),
    lock=lambda arguments: arguments.sync_id,
    run=run,
    shown_by=("get_bulk_sync", "sync_id"),
    idempotent=True,
)
