"""Change who is told of failures of a bulk sync. What is left out stays, although the call is a PUT."""

from dataclasses import dataclass
from typing import Any

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.effects import ChangesField, SilencesAlerts
from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.ids import SyncId
from bulk_sync_mcp.core.operation import GuardedInput, Operation
from bulk_sync_mcp.core.plan import Effect, Plan
from bulk_sync_mcp.models.error_handling import Address, ErrorHandling, ErrorHandlingDetails
from bulk_sync_mcp.models.merge import Json, as_object
from bulk_sync_mcp.operations import _pre_images
from bulk_sync_mcp.operations._reading import SyncRead, heading, read_connection, read_sync, together
from bulk_sync_mcp.operations._subjects import on_sync
from bulk_sync_mcp.operations.get_bulk_sync_error_handling import PATH

SUBSCRIBERS = "subscribers"
THRESHOLD = "ingestion_failure_threshold"


class Arguments(GuardedInput):
    sync_id: SyncId
    subscribers: list[Address] | None = Field(
        default=None, max_length=100, description="The complete list: addresses not named are no longer told."
    )
    ingestion_failure_threshold: int | None = Field(
        default=None, ge=0, description="Seconds, or queued items for queues; 0 removes it."
    )


class Updated(ErrorHandlingDetails):
    """The settings as they are now."""

    not_taken: list[str] | None = Field(
        default=None, description="Settings the backend did not take as sent; tell the user."
    )


@dataclass(frozen=True, slots=True)
class Prepared:
    """The body to send: only what was named."""

    body: Json


async def plan(context: Context, arguments: Arguments) -> Plan[Prepared]:
    given = arguments.model_dump(mode="json", include={SUBSCRIBERS, THRESHOLD}, exclude_unset=True)
    nulls = [key for key, value in given.items() if value is None]
    if nulls:
        raise Failure(
            "invalid_arguments",
            f"{', '.join(f'`{key}`' for key in nulls)}: null is not a setting. Nothing was sent.",
            next="Leave an argument out to keep what is there; [] removes every address, 0 the threshold.",
        )
    read, answer = await together(read_sync(context, arguments.sync_id), context.api.get(PATH, id=arguments.sync_id))
    before = ErrorHandling.read(answer.data or {})
    effects: list[Effect] = []
    if SUBSCRIBERS in given:
        given[SUBSCRIBERS] = list(dict.fromkeys(given[SUBSCRIBERS]))
        effects += _of_subscribers(read, before.subscribers or [], given[SUBSCRIBERS])
    if THRESHOLD in given:
        effects += _of_threshold(read, before.ingestion_failure_threshold, given[THRESHOLD])
    if not effects:
        raise Failure(
            "invalid_arguments",
            "Nothing would change: everything named is already so. Nothing was sent.",
            next="Name `subscribers` or `ingestion_failure_threshold` with a new value.",
        )
    destination = await read_connection(context, read.sync.destination_connection_id)
    return Plan(
        effects=tuple(effects),
        prepared=Prepared(given),
        title=heading("Change error handling of", read, destination.spelled(read.sync.output_schema)),
        phrase=read.name,
        undo="Settings can be put back; failures nobody was told of meanwhile stay untold.",
        subjects=on_sync(read, destination),
        pre_images=_pre_images.of_sync(read, error_handling=as_object(answer.data)),
    )


def _of_subscribers(read: SyncRead, before: list[str], after: list[str]) -> list[Effect]:
    """Mailboxes are the same whatever the case; an address that only changes its case is told as before."""
    had, wanted = {one.casefold() for one in before}, {one.casefold() for one in after}
    removed = tuple(one for one in before if one.casefold() not in wanted)
    added = [one for one in after if one.casefold() not in had]
    common: dict[str, Any] = {"sync_id": read.sync.id or "", "sync_name": read.name}
    effects: list[Effect] = []
    if removed:
        effects.append(SilencesAlerts(**common, subscribers=removed, left=len(wanted)))
    if added or (not removed and before != after):
        setting = "who is mailed on failures"
        told = {"before": ", ".join(before) or "(nobody)", "after": ", ".join(after) or "(nobody)"}
        effects.append(ChangesField(**common, setting=setting, **told))
    return effects


def _of_threshold(read: SyncRead, before: int | None, after: int) -> list[Effect]:
    """Removing or raising a threshold lets ingestion lag further before anybody is told."""
    common: dict[str, Any] = {"sync_id": read.sync.id or "", "sync_name": read.name}
    now = after or None
    if now == (before or None):
        return []
    if before and (now is None or now > before):
        return [SilencesAlerts(**common, threshold=f"{before} → {now or 'none'}")]
    return [ChangesField(**common, setting=THRESHOLD, before=str(before or "(not set)"), after=str(now))]


async def run(context: Context, arguments: Arguments, prepared: Prepared) -> Updated:
    answer = await context.api.put(PATH, body=prepared.body, id=arguments.sync_id)
    now = ErrorHandling.read(answer.data or {})
    wrong: list[str] = []
    if SUBSCRIBERS in prepared.body:
        sent = {one.casefold() for one in prepared.body[SUBSCRIBERS]}
        wrong += [SUBSCRIBERS] if sent != {one.casefold() for one in now.subscribers or []} else []
    if THRESHOLD in prepared.body:
        same = (prepared.body[THRESHOLD] or None) == (now.ingestion_failure_threshold or None)
        wrong += [] if same else [THRESHOLD]
    return Updated(**ErrorHandlingDetails.of(now).model_dump(), not_taken=wrong or None)


OPERATION = Operation(
    name="update_bulk_sync_error_handling",
    title="Change error handling of a bulk sync",
    description="Changes what is named and keeps the rest. Asks for confirmation when somebody would no longer be "
    "told of failures.",
    method="PUT",
    path=PATH,
    input=Arguments,
    result=Updated,
    plan=plan,
    plans=(ChangesField, SilencesAlerts),
    lock=lambda arguments: arguments.sync_id,
    run=run,
    shown_by=("get_bulk_sync_error_handling", "sync_id"),
    toolset="error_handling",
    idempotent=True,
)
