"""Add a schedule to a bulk sync."""

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.errors import ApiFailure
from bulk_sync_mcp.core.ids import SyncId
from bulk_sync_mcp.core.operation import GuardedInput, Operation
from bulk_sync_mcp.core.plan import Plan
from bulk_sync_mcp.models.merge import Json, as_object, as_objects, body_of
from bulk_sync_mcp.models.schedule import (
    Frequency,
    ScheduleRow,
    ScheduleSettings,
    beyond_endpoint,
    embedded,
    for_endpoint,
    meaning,
)
from bulk_sync_mcp.operations._reading import read_connection, read_sync
from bulk_sync_mcp.operations._schedule_changes import (
    PLANS,
    SCHEDULES,
    Prepared,
    Saved,
    by_id,
    check_settings,
    plan_of,
    put_sync,
    whole,
)

ADDITIONAL = "additional_schedules"


class Arguments(ScheduleSettings, GuardedInput):
    sync_id: SyncId
    frequency: Frequency


async def plan(context: Context, arguments: Arguments) -> Plan[Prepared]:
    read = await read_sync(context, arguments.sync_id)
    new = arguments.model_dump(mode="json", exclude={"sync_id", "confirmation"}, exclude_none=True)
    await check_settings(context, read, new)
    before = body_of(read.raw)
    after = {**before, ADDITIONAL: [*as_objects(before.get(ADDITIONAL)), new]}
    destination = await read_connection(context, read.sync.destination_connection_id)
    if beyond_endpoint(new):
        return await plan_of(
            context,
            "Add a schedule to",
            read,
            destination,
            after,
            [],
            "update of the whole bulk sync",
            whole(read, after),
        )
    body = {"schedule": for_endpoint(new)}
    return await plan_of(context, "Add a schedule to", read, destination, after, [], "schedule endpoint", body)


async def run(context: Context, arguments: Arguments, prepared: Prepared) -> Saved:
    known, wrong = by_id(prepared.before), None
    own: Json = {}
    if prepared.way == "schedule endpoint":
        key = context.idempotency_key
        answer = await context.api.post(SCHEDULES, body=prepared.body, idempotency_key=key, sync_id=arguments.sync_id)
        own = as_object(answer.data)
        made = embedded(own)
        found = own.get("id") or await _id_of(context, arguments.sync_id, known, made)
    else:
        sync, wrong = await put_sync(context, arguments.sync_id, prepared)
        made = prepared.body[ADDITIONAL][-1]
        found = _new_id(sync, known, made)
    row = ScheduleRow.of({key: value for key, value in made.items() if key != "id"}, found, note=own.get("note"))
    return Saved(**row.model_dump(exclude={"default"}), sent_as=prepared.way, active=prepared.active, not_taken=wrong)


async def _id_of(context: Context, sync_id: str, known: dict[str, Json], made: Json) -> str | None:
    """The id of what was just made; only the sync tells it. The schedule is there even if it cannot be read now."""
    try:
        return _new_id((await read_sync(context, sync_id)).raw, known, made)
    except ApiFailure:
        return None


def _new_id(sync: Json, known: dict[str, Json], made: Json) -> str | None:
    fresh = [one for key, one in by_id(sync).items() if key not in known]
    alike = [one for one in fresh if meaning(body_of({ADDITIONAL: [one]})[ADDITIONAL][0]) == meaning(made)]
    chosen = fresh if len(fresh) == 1 else alike
    return str(chosen[0]["id"]) if chosen else None


OPERATION = Operation(
    name="create_bulk_sync_schedule",
    title="Add a schedule to a bulk sync",
    description="Adds a schedule; it fires when the sync is active. One with a resync mode or tables is sent as an update "
    "of the whole sync. Asks for confirmation when it would rewrite tables unattended.",
    method="POST",
    path=SCHEDULES,
    input=Arguments,
    result=Saved,
    plan=plan,
    plans=PLANS,
    lock=lambda arguments: arguments.sync_id,
    run=run,
    shown_by=("list_bulk_sync_schedules", "sync_id"),
    toolset="schedules",
)
