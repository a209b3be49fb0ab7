"""Wait for an execution to end, reporting progress; bounded, and can be called again to go on waiting."""

from datetime import datetime, timedelta

import anyio
from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.errors import ApiFailure, Failure
from bulk_sync_mcp.core.ids import ExecutionId, SyncId
from bulk_sync_mcp.core.operation import Input, Operation
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.models.execution import UNCERTAIN, UNDER_WAY, Execution, ExecutionDetails
from bulk_sync_mcp.models.progress import Progress
from bulk_sync_mcp.operations._reading import EXECUTION, read_status

FIRST_PAUSE = 0.25
WHILE_MOVING = 1.5
LONGEST_PAUSE = 10.0
"""Seconds between reads: short while rows move, so that progress is told and the end seen soon; long in standstill."""
GROWTH = 1.4
PATIENCE = 0.1
"""Of the time waited so far, which is the least pause: a long run is asked for less often, though its rows move."""
HICCUPS = 5
"""Failed reads in a row after which waiting gives up and tells the failure."""


class Arguments(Input):
    sync_id: SyncId
    execution_id: ExecutionId | None = Field(default=None, description="Omitted: the running or latest one.")
    timeout_seconds: int = Field(default=45, ge=1, le=600)


async def run(context: Context, arguments: Arguments, _plan: None) -> ExecutionDetails:
    execution_id = arguments.execution_id or await _latest(context, arguments.sync_id)
    began = context.now()
    deadline = began + timedelta(seconds=arguments.timeout_seconds)
    pause = FIRST_PAUSE
    failures = 0
    progress = Progress(context)
    while True:
        asked_to_wait = 0.0
        try:
            answer = await context.api.get(EXECUTION, id=arguments.sync_id, exec_id=execution_id)
        except ApiFailure as failure:
            failures += 1
            passing = failure.code in ("backend_error", "backend_unreachable", "rate_limited")
            if not passing:
                raise
            if failures >= HICCUPS or context.now() >= deadline:
                raise _given_up(failure, arguments, execution_id) from None
            asked_to_wait = float(failure.details.get("retry_after_seconds", 0.0))
        else:
            failures = 0
            execution = Execution.read(answer.data)
            over = execution.ended or await _over(context, arguments, execution)
            if await progress.tell(execution, over=over):
                pause = min(pause, WHILE_MOVING)
            if over or context.now() >= deadline:
                return _waited(execution, arguments, context.now(), over=over)
        now = context.now()
        pause = min(max(pause, (now - began).total_seconds() * PATIENCE), LONGEST_PAUSE)
        left = (deadline - now).total_seconds()
        await (context.pause or anyio.sleep)(max(0.0, min(max(pause, asked_to_wait), left)))
        pause = min(pause * GROWTH, LONGEST_PAUSE)


async def _over(context: Context, arguments: Arguments, execution: Execution) -> bool:
    """Whether an execution is over whose state does not tell: nothing runs, or something else (api/README.md 5)."""
    if execution.status in UNDER_WAY:
        return False
    try:
        running = (await read_status(context, arguments.sync_id)).running
    except ApiFailure:
        return False  # the execution itself can be read, so there is something to go on waiting for
    return running is None or running.id != execution.id


def _given_up(failure: ApiFailure, arguments: Arguments, execution_id: str) -> Failure:
    """The failure of reads that went on failing. It says nothing of the execution."""
    return Failure(
        failure.code,
        f"{failure.message} Waiting was given up; the execution goes on by itself.",
        next=f"{failure.next} To go on waiting, {_call(arguments, execution_id)}",
        details=failure.details,
    )


def _call(arguments: Arguments, execution_id: str) -> str:
    return (
        f"call `wait_for_bulk_sync_execution` with sync_id {arguments.sync_id} and execution_id {clean(execution_id)}."
    )


async def _latest(context: Context, sync_id: str) -> str:
    status = await read_status(context, sync_id)
    execution = status.running or status.last_execution
    if execution is None or execution.id is None:
        raise Failure(
            "not_found",
            "This bulk sync has never run, so there is nothing to wait for.",
            next=f"Call `start_bulk_sync_execution` with sync_id {sync_id} to run it.",
        )
    return execution.id


def _waited(execution: Execution, arguments: Arguments, now: datetime, *, over: bool) -> ExecutionDetails:
    details = ExecutionDetails.of(execution, now).model_copy(update={"ended": over})
    if over:
        return details
    go_on = (
        f"Still running after {arguments.timeout_seconds} s of waiting; it goes on by itself. To go on waiting, "
        f"{_call(arguments, execution.id or '')}"
    )
    if execution.status in UNCERTAIN:
        # The API names these states without saying that they are final (api/README.md 5).
        go_on = (
            f"The state is {clean(execution.status)}, but the API does not mark the execution as over. Call "
            f"`get_bulk_sync_status` with sync_id {arguments.sync_id}: nothing running there means that it is."
        )
    return details.model_copy(update={"next": " ".join(one for one in (go_on, details.next) if one)})


OPERATION = Operation(
    name="wait_for_bulk_sync_execution",
    title="Wait for an execution of a bulk sync",
    description="Waits until an execution ends or the time is up, reporting progress per table. Call again to go on "
    "waiting; giving up never cancels the run.",
    method="GET",
    path=EXECUTION,
    input=Arguments,
    result=ExecutionDetails,
    run=run,
)
