"""Start a run of a bulk sync: ordinary, test, or a full rerun that may empty or drop tables."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, model_validator

from bulk_sync_mcp.core.context import Answer, Context
from bulk_sync_mcp.core.effects import (
    DeletesRows,
    DropsOutput,
    RereadsSource,
    StartsRun,
    TruncatesOutput,
    WritesSample,
)
from bulk_sync_mcp.core.errors import ApiFailure, Failure
from bulk_sync_mcp.core.ids import SchemaId, SyncId
from bulk_sync_mcp.core.operation import GuardedInput, Operation
from bulk_sync_mcp.core.plan import Effect, Plan
from bulk_sync_mcp.core.text import clean, quoted
from bulk_sync_mcp.models.bulk_sync import MODES, SyncSchema
from bulk_sync_mcp.models.connection import Connection
from bulk_sync_mcp.models.execution import Execution, ExecutionDetails
from bulk_sync_mcp.models.merge import without_nulls
from bulk_sync_mcp.operations import _runs
from bulk_sync_mcp.operations._reading import (
    EXECUTIONS,
    Ahead,
    SyncRead,
    already_running,
    completed_since_change,
    heading,
    read_connection,
    read_destination,
    read_enabled_schemas,
    read_latest_executions,
    read_status,
    read_sync,
    together,
    unknown_names,
)
from bulk_sync_mcp.operations._subjects import on_sync

EXPECTED = {"refetch": "retain", "resync": "truncate", "rebuild": "rebuild"}
"""The output disposition each resync mode should show (api/README.md 3)."""


class Arguments(GuardedInput):
    sync_id: SyncId
    resync_mode: Literal["refetch", "resync", "rebuild"] | None = Field(
        default=None,
        description="Omit for an ordinary run. refetch reads everything again and keeps rows; resync EMPTIES the "
        "tables and refills them; rebuild DROPS and recreates them.",
    )
    schemas: list[SchemaId] | None = Field(
        default=None,
        min_length=1,
        max_length=1000,
        description="Table ids to run. Omitted: all enabled ones.",
    )
    test: bool = Field(default=False, description="Trial run of up to 5 rows a table. Excludes resync_mode.")
    fetch_mode: Literal["none", "incremental", "full"] | None = Field(default=None, description="Salesforce only.")

    @model_validator(mode="before")
    @classmethod
    def _no_nulls(cls, given: object) -> object:
        """A null would widen the run: no tables named means all of them."""
        return without_nulls(given)

    @model_validator(mode="after")
    def _one_kind_of_run(self) -> "Arguments":
        if self.test and self.resync_mode is not None:
            raise ValueError("`test` and `resync_mode` exclude each other; give one of them")
        return self


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was read while planning, and the request to send."""

    body: dict[str, Any]
    seen: frozenset[str]
    tables: tuple[str, ...]
    dispositions: frozenset[str]
    """What the run may report to do to its output."""
    keyless: frozenset[str]
    """Tables that are replaced for want of a key."""


async def plan(context: Context, arguments: Arguments) -> Plan[Prepared]:
    async def both(source_id: str | None, destination_id: str | None) -> tuple[Connection, Connection, list[str]]:
        source, destination, offered = await together(
            read_connection(context, source_id),
            read_connection(context, destination_id),
            _offered_modes(context, arguments, destination_id),
        )
        return source, destination, offered

    ahead = Ahead(context, arguments.sync_id, both)
    read, status, enabled, past, _ = await together(
        read_sync(context, arguments.sync_id),
        read_status(context, arguments.sync_id),
        read_enabled_schemas(context, arguments.sync_id),
        read_latest_executions(context, arguments.sync_id),
        ahead.begin(),
    )
    if status.running is not None:
        raise already_running(arguments.sync_id, status.running, context)
    tables = _chosen(arguments.sync_id, arguments.schemas, enabled)
    _check_mode(arguments, read)
    (source, connection, offered), keyless = await together(
        ahead.of(read), _runs.without_key(context, read, tables, arguments.resync_mode, test=arguments.test)
    )
    _check_offered(arguments, offered)
    destination = connection.spelled(read.sync.output_schema)
    names = tuple(table.id for table in tables)
    effects: list[Effect] = []
    if arguments.test:
        effects.append(
            WritesSample(sync_id=arguments.sync_id, sync_name=read.name, tables=names, destination=destination)
        )
    else:
        effects.append(
            StartsRun(
                sync_id=arguments.sync_id,
                sync_name=read.name,
                mode=arguments.resync_mode or read.sync.mode,
                tables=names,
                fetch_mode=arguments.fetch_mode,
                destination=destination,
            )
        )
        ran = _runs.Past(
            past,
            completed=completed_since_change(read, (source, connection), past, tables),
            replaced=context.replaced.known(arguments.sync_id) if keyless else frozenset(),
        )
        effects += _runs.on_output(read, tables, keyless, ran, destination, arguments.resync_mode)
    action = f"Start {'a test' if arguments.test else f'a {arguments.resync_mode}' if arguments.resync_mode else 'an ordinary'} run of"
    body: dict[str, Any] = {}
    if arguments.test:
        body["test"] = True
    if arguments.fetch_mode is not None:
        body["fetch_mode"] = arguments.fetch_mode
    if arguments.resync_mode is not None:
        body["resync_mode"] = arguments.resync_mode
    if arguments.resync_mode is not None or arguments.schemas is not None:
        # A rerun names its tables, so that one enabled a moment later is not swept up in it.
        body["schemas"] = list(names)
    return Plan(
        effects=tuple(effects),
        prepared=Prepared(
            body,
            frozenset(run.id for run in past if run.id),
            names,
            _expected(arguments, effects),
            frozenset(table.id for table in keyless),
        ),
        title=heading(action, read, destination),
        phrase=read.name,
        subjects=on_sync(read, connection),
        undo="A run cannot be undone; rows that only the destination had do not come back."
        if arguments.resync_mode
        else "",
    )


def _expected(arguments: Arguments, effects: list[Effect]) -> frozenset[str]:
    """A rerun reports its own disposition; an ordinary run retains, save where the plan says that it rewrites."""
    if arguments.resync_mode is not None:
        return frozenset({EXPECTED[arguments.resync_mode]})
    kinds = {type(effect) for effect in effects}
    drops = {"truncate", "rebuild"} if DropsOutput in kinds else set[str]()
    truncates = {"truncate"} if TruncatesOutput in kinds else set[str]()
    return frozenset({"retain", *drops, *truncates})


def _chosen(sync_id: str, asked: list[str] | None, enabled: list[SyncSchema]) -> list[SyncSchema]:
    known = {table.id: table for table in enabled}
    if not known:
        raise Failure(
            "invalid_arguments",
            "This bulk sync has no enabled table, so there is nothing to run.",
            next="Enable tables with `update_bulk_sync` first.",
        )
    if asked is None:
        return enabled
    unknown = [name for name in asked if name not in known]
    if unknown:
        raise Failure(
            "invalid_arguments",
            f"`schemas`: not an enabled table of this bulk sync: {unknown_names(unknown, known)}. Nothing was started.",
            next=f"Call `list_bulk_sync_schemas` with sync_id {sync_id} and enabled true, and use ids from there.",
        )
    return [known[name] for name in sorted(set(asked))]


async def _offered_modes(context: Context, arguments: Arguments, destination_id: str | None) -> list[str]:
    """Resync modes the destination offers; not asked for when the run has none."""
    if arguments.resync_mode is None:
        return []
    return (await read_destination(context, destination_id or "")).supported_resync_modes or []


def _check_mode(arguments: Arguments, read: SyncRead) -> None:
    if arguments.resync_mode is not None and read.sync.mode not in MODES:
        raise Failure(
            "unknown_state",
            f"The write mode of this bulk sync is {quoted(read.sync.mode)}, which this server does not know, so it cannot tell "
            "what a rerun would destroy. Nothing was started.",
        )


def _check_offered(arguments: Arguments, offered: list[str]) -> None:
    if arguments.resync_mode is not None and arguments.resync_mode not in offered:
        raise Failure(
            "unsupported_resync_mode",
            f"The destination does not offer {arguments.resync_mode}. Nothing was started.",
            next=f"Use one of: {', '.join(clean(one) for one in offered)}." if offered else "Start an ordinary run.",
            details={"supported_resync_modes": offered},
        )


async def run(context: Context, arguments: Arguments, prepared: Prepared) -> ExecutionDetails:
    if _runs.looks_at_keys(arguments.resync_mode, test=arguments.test):
        context.replaced.forget(arguments.sync_id, frozenset(prepared.tables) - prepared.keyless)
    try:
        answer = await context.api.post(
            EXECUTIONS, body=prepared.body, idempotency_key=context.idempotency_key, id=arguments.sync_id
        )
        started = _accepted(answer)
    except ApiFailure as failure:
        started = await _what_happened(context, arguments, prepared, failure)
    problems = _mismatches(arguments, prepared, started)
    if problems:
        raise Failure(
            "mismatch",
            f"Execution {clean(started.id)} was started, but not as planned: {'; '.join(problems)}.",
            changed="done",
            next=f"Tell the user at once. To stop it call `cancel_bulk_sync` with sync_id {arguments.sync_id}.",
            details={"execution_id": started.id, "sync_id": arguments.sync_id},
        )
    context.replaced.remember(arguments.sync_id, prepared.keyless)
    follow = (
        f"Call `wait_for_bulk_sync_execution` with sync_id {arguments.sync_id} and execution_id {clean(started.id)}."
    )
    return ExecutionDetails.of(started, context.now()).model_copy(update={"next": follow})


def _accepted(answer: Answer) -> Execution:
    """The execution an answer tells of. Raises `ApiFailure`, outcome unknown, for a success that names none."""
    try:
        started = Execution.read(answer.data)
    except ApiFailure as failure:
        problem = failure.message
    else:
        if started.id:
            return started
        problem = "The backend accepted the start, but its answer names no execution."
    raise ApiFailure("backend_error", problem, changed="unknown")


async def _what_happened(context: Context, arguments: Arguments, prepared: Prepared, failure: ApiFailure) -> Execution:
    """The execution a lost answer belongs to. Raises a `Failure` that tells what is when there is none for certain."""
    if failure.code == "conflict":
        try:
            running = (await read_status(context, arguments.sync_id)).running
        except ApiFailure:
            running = None  # the refusal itself is certain, and the one to tell
        raise already_running(arguments.sync_id, running, context) if running is not None else failure
    if failure.changed != "unknown":
        raise failure
    try:
        latest = Execution.read_all((await context.api.get(EXECUTIONS, query={"limit": 20}, id=arguments.sync_id)).data)
    except ApiFailure:
        raise _unknown(arguments, failure, " The executions could not be read back either.", []) from failure
    ours = [one for one in latest if _is_ours(one, arguments, prepared)]
    if len(ours) == 1:
        return ours[0]
    new = [one.id for one in latest if one.id and one.id not in prepared.seen]
    found = (
        f" Executions that are new since: {', '.join(clean(one) for one in new)}."
        if new
        else " No new execution is listed so far."
    )
    raise _unknown(arguments, failure, found, new) from failure


def _unknown(arguments: Arguments, failure: ApiFailure, found: str, new: list[str]) -> Failure:
    return Failure(
        "outcome_unknown",
        f"{failure.message}{found} It cannot be told for certain whether this call started one.",
        changed="unknown",
        next=f"Call `get_bulk_sync_status` with sync_id {arguments.sync_id} and look before starting again.",
        details={"new_executions": new, "sync_id": arguments.sync_id},
    )


def _is_ours(run: Execution, arguments: Arguments, prepared: Prepared) -> bool:
    """Whether a run found afterwards can only be the one this call asked for; in doubt it is not."""
    named = {table.id for table in run.schemas or []}
    return (
        run.id is not None
        and run.id not in prepared.seen
        and run.type is not None
        and "schedule" not in run.type.lower()
        and run.is_test is arguments.test
        and run.is_resync is (arguments.resync_mode is not None)
        and run.output_disposition in prepared.dispositions
        and named == set(prepared.tables)
    )


def _mismatches(arguments: Arguments, prepared: Prepared, started: Execution) -> list[str]:
    """What the backend says of the run that differs from the plan; what it leaves out is no mismatch."""
    problems: list[str] = []
    if started.is_test is not None and started.is_test is not arguments.test:
        problems.append(f"is_test is {started.is_test}, not {arguments.test}")
    rerun = arguments.resync_mode is not None
    if started.is_resync is not None and started.is_resync is not rerun:
        problems.append(f"is_resync is {started.is_resync}, not {rerun}")
    if started.output_disposition is not None and started.output_disposition not in prepared.dispositions:
        planned = " or ".join(sorted(prepared.dispositions))
        problems.append(f"output_disposition is {quoted(started.output_disposition)}, not {planned}")
    extra = {table.id for table in started.schemas or [] if table.id} - set(prepared.tables)
    if extra:
        problems.append(
            f"it covers tables that were not planned: {', '.join(quoted(name) for name in sorted(extra)[:10])}"
        )
    return problems


OPERATION = Operation(
    name="start_bulk_sync_execution",
    title="Start a bulk sync",
    description="Starts a run and returns at once; follow it with wait_for_bulk_sync_execution. One run at a time. A "
    "resync_mode, and a first run that replaces rows, ask for confirmation.",
    method="POST",
    path=EXECUTIONS,
    input=Arguments,
    result=ExecutionDetails,
    plan=plan,
    plans=(StartsRun, WritesSample, RereadsSource, TruncatesOutput, DropsOutput, DeletesRows),
    lock=lambda arguments: arguments.sync_id,
    run=run,
    shown_by=("get_bulk_sync_status", "sync_id"),
)
