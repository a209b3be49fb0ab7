"""Wait for an execution to end, reporting progress; bounded, and can be called again to go on waiting."""

from datetime import datetime, timedelta

import anyio
from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.errors import ApiFailure, Failure
from bulk_sync_mcp.core.ids import ExecutionId, SyncId
from bulk_sync_mcp.core.operation import Input, Operation
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.models.execution import TERMINAL, UNCERTAIN, Execution, ExecutionDetails
from bulk_sync_mcp.operations._reading import EXECUTION, read_status

FIRST_PAUSE = 0.25
WHILE_MOVING = 1.5
LONGEST_PAUSE = 10.0
"""Seconds between reads: short while rows move, so that progress is told and the end seen soon; long in standstill."""
GROWTH = 1.4
HICCUPS = 5
"""Failed reads in a row after which waiting gives up and tells the failure."""


class Arguments(Input):
    sync_id: SyncId
    execution_id: ExecutionId | None = Field(default=None, description="Omitted: the running or latest one.")
    timeout_seconds: int = Field(default=45, ge=1, le=600)


class Waited(ExecutionDetails):
    """The execution as it was when waiting stopped."""

    next: str | None = None
    """What to do when it has not ended yet."""


async def run(context: Context, arguments: Arguments, _plan: None) -> Waited:
    execution_id = arguments.execution_id or await _latest(context, arguments.sync_id)
    deadline = context.now() + timedelta(seconds=arguments.timeout_seconds)
    pause = FIRST_PAUSE
    failures = 0
    progress = Progress(context)
    while True:
        try:
            answer = await context.api.get(EXECUTION, id=arguments.sync_id, exec_id=execution_id)
        except ApiFailure as failure:
            failures += 1
            passing = failure.code in ("backend_error", "backend_unreachable", "rate_limited")
            if not passing or failures >= HICCUPS or context.now() >= deadline:
                raise
        else:
            failures = 0
            execution = Execution.read(answer.data)
            if await progress.tell(execution):
                pause = min(pause, WHILE_MOVING)
            if execution.ended or context.now() >= deadline:
                return _waited(execution, arguments, context.now())
        left = (deadline - context.now()).total_seconds()
        await (context.pause or anyio.sleep)(max(0.0, min(pause, left)))
        pause = min(pause * GROWTH, LONGEST_PAUSE)


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


def _waited(execution: Execution, arguments: Arguments, now: datetime) -> Waited:
    details = ExecutionDetails.of(execution, now).model_dump()
    go_on = (
        f"Still running after {arguments.timeout_seconds} s of waiting; it goes on by itself. Call this tool again with "
        f"execution_id {clean(execution.id)} to go on waiting."
    )
    if execution.status in UNCERTAIN:
        # The API names these states without saying that they are final (api/README.md 5).
        go_on = (
            f"The state is {clean(execution.status)}, but the API does not mark the execution as over. Call "
            f"`get_bulk_sync_status` with sync_id {arguments.sync_id}: nothing running there means that it is."
        )
    return Waited(**details, next=None if execution.ended else go_on)


class Progress:
    """Tells rows done, strictly growing as the protocol wants, and the tables in words."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._told = -1.0

    async def tell(self, execution: Execution) -> bool:
        """Whether there was something new to tell."""
        tables = execution.schemas or []
        done = sum(1 for table in tables if table.status in TERMINAL)
        rows = execution.records() or 0
        # Tables first, rows after the point: grows with either, and the total stays the number of tables.
        total = len(tables) or 1
        value = min(float(total), done + (1 - 1 / (1 + rows / 100_000)) * 0.999)
        if execution.ended:
            value = float(total)
        if value <= self._told:
            return False
        self._told = value
        each = [
            f"{table.output_name or table.id} {table.status} {table.record_count or 0:,}"
            for table in sorted(tables, key=lambda one: one.status != "running")[:8]
        ]
        message = execution.progress(self._context.now()) + (f": {'; '.join(each)}" if each else "")
        await self._context.report(value, float(len(tables)) or None, message)
        return True


OPERATION = Operation(
    name="wait_for_bulk_sync_execution",
    title="Wait for an execution of a bulk sync",
    description="Waits until an execution ends or the time is up, reporting progress per table. Call again to go on "
    "waiting; giving up never cancels the run.",
    method="GET",
    path=EXECUTION,
    input=Arguments,
    result=Waited,
    run=run,
)
