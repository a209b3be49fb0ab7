"""Change a schedule of a bulk sync: what is named changes, everything else stays as it is."""

from typing import Any

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.ids import ScheduleId, SyncId
from bulk_sync_mcp.core.operation import GuardedInput, Operation
from bulk_sync_mcp.core.plan import Plan
from bulk_sync_mcp.models.merge import Json, as_object, as_objects, body_of
from bulk_sync_mcp.models.schedule import (
    Frequency,
    ScheduleRow,
    ScheduleSettings,
    beyond_endpoint,
    changed_by,
    embedded,
    for_endpoint,
    meaning,
)
from bulk_sync_mcp.operations._reading import SyncRead, read_connection, read_sync, together
from bulk_sync_mcp.operations._schedule_changes import (
    PLANS,
    SCHEDULE,
    Prepared,
    Saved,
    by_id,
    check_settings,
    plan_of,
    put_sync,
    unspelled,
    whole,
)

DEFAULT = "default_schedule"
ADDITIONAL = "additional_schedules"
ONLY_ADDITIONAL = frozenset({"resync_mode", "schemas", "selective_mode"})
"""What a default schedule does not have where it is part of the sync."""


class Arguments(ScheduleSettings, GuardedInput):
    sync_id: SyncId
    schedule_id: ScheduleId
    frequency: Frequency | None = None


async def plan(context: Context, arguments: Arguments) -> Plan[Prepared]:
    read, answer = await together(
        read_sync(context, arguments.sync_id),
        context.api.get(SCHEDULE, sync_id=arguments.sync_id, schedule_id=arguments.schedule_id),
    )
    own = embedded(as_object(answer.data))
    changes = arguments.model_dump(
        mode="json", exclude={"sync_id", "schedule_id", "confirmation"}, exclude_unset=True, exclude_none=False
    )
    if changes.get("frequency", "") is None:
        raise Failure("invalid_arguments", "`frequency`: null is not a setting. Nothing was sent.")
    before = body_of(read.raw)
    place = _place(before, arguments.schedule_id)
    await check_settings(context, read, changes)
    destination = await read_connection(context, read.sync.destination_connection_id)
    # The schedule's own endpoint tells the selective mode of a default schedule, the sync everything else.
    old = {**own, **(before[DEFAULT] if place is None else before[ADDITIONAL][place])}
    new = changed_by(old, changes)
    if meaning(old) == meaning(new):
        raise Failure("invalid_arguments", "Nothing would change: everything named is already so. Nothing was sent.")
    beyond = sorted({*beyond_endpoint(old), *beyond_endpoint(new), *({"schemas"} & set(changes))})
    if place is None:
        _check_default(read, new, changes, beyond)
    after = _replaced(before, place, new)
    if beyond:
        way, body = "update of the whole bulk sync", whole(read, after)
    else:
        way, body = "schedule endpoint", {"schedule": for_endpoint(new)}
    title = f"Change the schedule {arguments.schedule_id} of"
    return await plan_of(context, title, read, destination, after, unspelled(read, old, new), way, body)


def _place(sync: Json, schedule_id: str) -> int | None:
    """Where in the sync the schedule stands: None for the default one. Raises `Failure` when it is nowhere."""
    if str(as_object(sync.get(DEFAULT)).get("id")).lower() == schedule_id:
        return None
    for index, one in enumerate(as_objects(sync.get(ADDITIONAL))):
        if str(one.get("id")).lower() == schedule_id:
            return index
    raise Failure(
        "unknown_state",
        "The bulk sync does not tell which of its schedules has this id, so what it holds cannot be carried over. "
        "Nothing was sent.",
        next="Call `list_bulk_sync_schedules`; change it through `update_bulk_sync` if it stands there without an id.",
    )


def _replaced(sync: Json, place: int | None, schedule: Json) -> Json:
    if place is None:
        return {**sync, DEFAULT: {key: value for key, value in schedule.items() if key not in ONLY_ADDITIONAL}}
    others = list(as_objects(sync.get(ADDITIONAL)))
    others[place] = schedule
    return {**sync, ADDITIONAL: others}


def _check_default(read: SyncRead, new: Json, changes: Json, beyond: list[str]) -> None:
    """Refuses what a default schedule cannot have, and what no single call could say of it."""
    selective = "selective_mode" in changes or new.get("selective_mode") not in (None, "none")
    impossible = [key for key in beyond if key in ONLY_ADDITIONAL] or (
        ["selective_mode"] if beyond and selective else []
    )
    if impossible:
        raise Failure(
            "invalid_arguments",
            f"This is the default schedule, which the API cannot give, or keep, {', '.join(impossible)}. Nothing was sent.",
            next=f"Call `create_bulk_sync_schedule` with sync_id {read.sync.id} for a further schedule that has it.",
        )


async def run(context: Context, arguments: Arguments, prepared: Prepared) -> Saved:
    wrong: list[str] | None = None
    own: Json = {}
    if prepared.way == "schedule endpoint":
        answer = await context.api.put(
            SCHEDULE, body=prepared.body, sync_id=arguments.sync_id, schedule_id=arguments.schedule_id
        )
        own = as_object(answer.data)
        sent: dict[str, Any] = prepared.body["schedule"]
        wrong = [key for key, value in sent.items() if key in own and own[key] != value] or None
        now = embedded(own)
    else:
        sync, wrong = await put_sync(context, arguments.sync_id, prepared)
        now = by_id(sync).get(arguments.schedule_id) or by_id(prepared.body).get(arguments.schedule_id, {})
    row = ScheduleRow.of(now, arguments.schedule_id, note=own.get("note"))
    return Saved(**row.model_dump(exclude={"default"}), sent_as=prepared.way, active=prepared.active, not_taken=wrong)


OPERATION = Operation(
    name="update_bulk_sync_schedule",
    title="Change a schedule of a bulk sync",
    description="Changes what is named and keeps the rest. One with a resync mode or tables is sent as an update of the "
    "whole sync, merged; the result says so. Asks when it would rewrite tables unattended.",
    method="PUT",
    path=SCHEDULE,
    input=Arguments,
    result=Saved,
    plan=plan,
    plans=PLANS,
    lock=lambda arguments: arguments.sync_id,
    run=run,
    shown_by=("list_bulk_sync_schedules", "sync_id"),
    toolset="schedules",
    idempotent=True,
)
