"""Adding and changing schedules, by the one of two ways that can say what is wanted.

The schedule endpoints cannot say tables or a resync mode, and what a replacement there does to those a schedule has
is unknown (api/README.md 10.10). A schedule with either goes through the update of the whole sync, merged.
"""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.effects import (
    ActivatesSchedule,
    ArmsDestruction,
    ChangesField,
    DeletesRows,
    DropsOutput,
    TruncatesOutput,
)
from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.operation import Result
from bulk_sync_mcp.core.plan import Effect, Plan
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.models.bulk_sync import SyncSchema
from bulk_sync_mcp.models.connection import Connection
from bulk_sync_mcp.models.merge import Json, as_object, as_objects, body_of, changed_leaves, not_taken
from bulk_sync_mcp.models.schedule import meaning
from bulk_sync_mcp.operations import _changes, _pre_images
from bulk_sync_mcp.operations._reading import SCHEMAS, SYNC, SyncRead, heading, read_destination, unknown_names
from bulk_sync_mcp.operations._runs import first_firing
from bulk_sync_mcp.operations._subjects import on_sync

SCHEDULES = "/api/bulk/syncs/{sync_id}/schedules"
SCHEDULE = "/api/bulk/syncs/{sync_id}/schedules/{schedule_id}"
PLANS = (ActivatesSchedule, ArmsDestruction, ChangesField, DropsOutput, TruncatesOutput, DeletesRows)
Way = Literal["schedule endpoint", "update of the whole bulk sync"]


class Saved(Result):
    """A schedule as it is now, and which call carried it."""

    id: str | None = None
    schedule: str
    selective_mode: str | None = None
    note: str | None = Field(default=None, description="What the backend says of it besides.")
    sent_as: str = Field(
        description="The schedule endpoint; or the update of the whole bulk sync, when that endpoint cannot say what "
        "was wanted."
    )
    active: bool | None = Field(
        default=None, description="Whether the sync is active; schedules of an inactive one do not fire."
    )
    not_taken: list[str] | None = Field(
        default=None, description="Settings the backend did not take as sent; tell the user."
    )


@dataclass(frozen=True, slots=True)
class Prepared:
    """What to send, and how. `body` is that of the endpoint, or the whole sync; `before` is the sync as it was."""

    way: Way
    body: Json
    before: Json
    active: bool


async def plan_of(
    context: Context,
    action: str,
    read: SyncRead,
    destination: Connection,
    after: Json,
    extra: list[Effect],
    way: Way,
    body: Json,
) -> Plan[Prepared]:
    """The plan of changing the schedules of a sync from what was read to `after`. `extra` are effects only the
    caller can see."""
    before, sync_id = body_of(read.raw), read.sync.id or ""
    effects = [
        effect
        for effect in _changes.of_schedules(sync_id, read.name, before, after)
        # What a schedule spelled out does not tell is told by `extra`.
        if not (isinstance(effect, ChangesField) and effect.before == effect.after)
    ]
    if any(isinstance(effect, ActivatesSchedule) for effect in effects):
        effects += await first_firing(context, read, destination)
    return Plan(
        effects=(*effects, *extra),
        prepared=Prepared(way, body, before, read.sync.active is True),
        title=heading(action, read, destination.spelled(read.sync.output_schema)),
        phrase=read.name,
        undo="The schedule can be changed back; what its runs do to tables cannot be undone.",
        subjects=on_sync(read, destination),
        pre_images=_pre_images.of_sync(read),
    )


def unspelled(read: SyncRead, before: Json, after: Json) -> list[Effect]:
    """Effects of settings that a schedule spelled out does not show in full: tables and selective mode."""
    return [
        ChangesField(
            sync_id=read.sync.id or "",
            sync_name=read.name,
            setting=f"schedule {path}",
            before=_changes.spelled(old),
            after=_changes.spelled(new),
        )
        for path, old, new in changed_leaves(meaning(before), meaning(after))
        if path in ("schemas", "selective_mode")
    ]


def whole(read: SyncRead, after: Json) -> Json:
    """The body of the sync's update. Raises `Failure` when the sync lacks what an update has to send."""
    if not as_object(after.get("default_schedule")).get("frequency"):
        raise Failure(
            "invalid_arguments",
            "This bulk sync has no default schedule, which the update this needs must send. Nothing was sent.",
            next=f"Call `update_bulk_sync` with sync_id {read.sync.id} and a `default_schedule` first.",
        )
    return after


async def check_settings(context: Context, read: SyncRead, given: Json) -> None:
    """Refuses tables the sync does not have and a resync mode the destination does not offer."""
    if given.get("schemas"):
        answer = await context.api.get(SCHEMAS, id=read.sync.id or "")
        known = {one.id for one in SyncSchema.read_all(answer.data)}
        unknown = [name for name in given["schemas"] if name not in known]
        if unknown:
            raise Failure(
                "invalid_arguments",
                f"`schemas`: not a table of this bulk sync: {unknown_names(unknown, known)}. Nothing was sent.",
                next=f"Call `list_bulk_sync_schemas` with sync_id {read.sync.id} and use ids from there.",
            )
    mode = given.get("resync_mode")
    if mode in (None, "normal"):
        return
    offered = (await read_destination(context, read.sync.destination_connection_id or "")).supported_resync_modes or []
    if mode not in offered:
        raise Failure(
            "unsupported_resync_mode",
            f"The destination does not offer {mode}. Nothing was sent.",
            next=f"Use normal or one of: {', '.join(clean(one) for one in offered)}." if offered else "Use normal.",
            details={"supported_resync_modes": offered},
        )


async def put_sync(context: Context, sync_id: str, prepared: Prepared) -> tuple[Json, list[str] | None]:
    """The sync after its update, and what was not taken."""
    answer = as_object((await context.api.put(SYNC, body=prepared.body, id=sync_id)).data)
    wrong = [one for one in not_taken(prepared.body, answer, prepared.before) if one.split(".")[0] not in _SCHEDULES]
    # An answer spells out what a schedule leaves to its default, so these are compared by what they mean.
    wrong += [key for key in _SCHEDULES if key in answer and _meanings(prepared.body, key) != _meanings(answer, key)]
    return answer, wrong or None


_SCHEDULES = ("default_schedule", "additional_schedules")


def _meanings(sync: Json, key: str) -> list[Json]:
    told = body_of(sync).get(key)
    return [meaning(one) for one in as_objects(told) or [as_object(told)]]


def by_id(sync: Json) -> dict[str, Json]:
    """The schedules of a sync that have an id."""
    every: list[Any] = [as_object(sync.get("default_schedule")), *as_objects(sync.get("additional_schedules"))]
    return {str(one["id"]).lower(): one for one in every if one.get("id")}
