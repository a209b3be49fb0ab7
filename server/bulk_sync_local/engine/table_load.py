"""One table of a run: plan it, stage it, apply it."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from bulk_sync_local.connectors.batches import BATCH_ROWS
from bulk_sync_local.connectors.confined import scratch_connection
from bulk_sync_local.engine import names, passing
from bulk_sync_local.engine.conditions import Condition
from bulk_sync_local.engine.endpoints import check_names
from bulk_sync_local.engine.fitting import check_fit, mixed
from bulk_sync_local.engine.job import Reporter, RunJob, TableJob, TableOutcome
from bulk_sync_local.engine.outcome import outcome
from bulk_sync_local.engine.outputs import output_name
from bulk_sync_local.engine.passing import NeedsStage, Passing, TakesRows
from bulk_sync_local.engine.plan import TablePlan, plan_table
from bulk_sync_local.engine.ports import (
    Canceled,
    Destination,
    Load,
    NeedsCare,
    OutputColumn,
    SavedState,
    Source,
    TableFailed,
)
from bulk_sync_local.engine.sql import first_row, name, text
from bulk_sync_local.engine.stage import Cleaned, Stage, Watch
from bulk_sync_local.engine.strategy import Existing, Refused, Situation, Strategy, choose
from bulk_sync_local.engine.values import settled

TEST_RECORDS = 5


@dataclass(frozen=True, slots=True)
class Table:
    """What is known of one table once both ends have been looked at."""

    output: str
    plan: TablePlan
    existing: Mapping[str, str] | None
    state: SavedState | None
    strategy: Strategy
    data: tuple[OutputColumn, ...]
    stamps: tuple[OutputColumn, ...]
    conditions: tuple[Condition, ...]
    in_key_order: bool
    any_case: bool


def load(job: RunJob, table: TableJob, source: Source, destination: Destination, reporter: Reporter) -> TableOutcome:
    """Loads one table. Raises `TableFailed`, `Canceled`, or a library's error; the output is then as it was."""

    def check_cancel() -> None:
        if reporter.cancel_requested(table.schema_id):
            raise Canceled

    check_cancel()
    now = text(datetime.now(UTC).replace(tzinfo=None).isoformat(sep=" "))
    stage_name = destination.stage

    def begin_anew() -> None:
        destination.rollback()
        destination.begin()

    try:
        # The survey as well: a rollback is what parts a destination from a connection that it has lost.
        known = survey(job, table, source, destination, destination.scratch)
        _announce(table, known, reporter)
        destination.begin()
        stage = _stage(destination, stage_name, known, now)

        def settled(cleaned: Cleaned) -> Load:
            return _load(job, table, known, cleaned, stage_name, now, check_cancel)

        direct = _pass_on(table, known, source, stage, destination, reporter, begin_anew, settled)
        if direct is not None:
            return outcome(table, direct, reporter)
        watch = _fill(table, known, source, stage, reporter, begin_anew, most=destination.batch_rows)
        cleaned = stage.clean(watch, known.conditions)
        check_cancel()
        todo = settled(cleaned)
        destination.apply(todo)
    except BaseException:
        destination.rollback()
        raise
    return outcome(table, cleaned, reporter, todo.notes)


def check(
    job: RunJob, table: TableJob, source: Source, destination: Destination | None, reporter: Reporter
) -> TableOutcome:
    """A test run: the same reading, typing and checks on at most five records; the destination is only read."""
    with scratch_connection(source.files) as scratch:
        known = survey(job, table, source, destination, scratch, adopting=True)
        foreign = known.existing is not None and known.state is None
        if foreign:
            reporter.log(
                table.schema_id,
                "warning",
                f"The destination already has a table {known.output} that was not made by this sync: an ordinary run "
                "will refuse to touch it.",
            )
        kinds = tuple(column.type for column in known.plan.selected)
        stage = Stage(scratch, name("test"), known.plan, kinds, (), ())
        watch = _fill(table, known, source, stage, reporter, lambda: None, TEST_RECORDS)
        found = outcome(table, stage.clean(watch, known.conditions), reporter)
        return replace(found, warnings=found.warnings + int(foreign))


def survey(
    job: RunJob,
    table: TableJob,
    source: Source,
    destination: Destination | None,
    scratch: Any,
    *,
    adopting: bool = False,
) -> Table:
    """Looks at both ends and settles how the table is loaded. Raises `TableFailed`.

    With `adopting` an output that belongs to somebody else is treated as one to be emptied.
    """
    output = output_name(job, table)
    shape = source.shape(table.schema_id)
    existing = destination.existing(output) if destination is not None else None
    state = destination.state(table.schema_id, output) if destination is not None and existing is not None else None
    plan = plan_table(job, table, shape, state)
    check_names(job, [output, *(column.output for column in plan.selected)])
    watermark = state.watermark if state and plan.tracking and state.tracking_field == plan.tracking.name else None
    owner: Existing = "absent" if existing is None else "foreign" if state is None else "owned"
    situation = Situation(
        mode=job.mode,
        resync_mode="resync" if adopting and owner == "foreign" else job.resync_mode,
        keyed=bool(plan.key),
        tracked=plan.tracking is not None,
        has_watermark=watermark is not None,
        hard_deletes=job.hard_deletes,
        truncate_existing=job.truncate_existing,
        existing=owner,
        may_adopt=job.adopt or adopting,
    )
    try:
        strategy = choose(situation)
    except Refused as refused:
        raise TableFailed(str(refused)) from refused
    if destination is not None:
        data = tuple(OutputColumn(c.output, destination.type_name(c.type)) for c in plan.selected)
        stamp_type = destination.type_name("TIMESTAMP")
    else:
        data, stamp_type = (), "TIMESTAMP"
    merged_into = tuple(existing) if existing is not None and strategy.write == "merge" else ()
    stamps = _stamps(job, plan, stamp_type, merged_into)
    if destination is not None and existing is not None:
        check_fit(job, plan, strategy, existing, state, data + stamps, any_case=destination.any_case)
    plan, conditions = _conditions(plan, strategy, watermark, scratch)
    any_case = destination is None or destination.any_case
    return Table(output, plan, existing, state, strategy, data, stamps, conditions, shape.read_in_key_order, any_case)


def _stamps(job: RunJob, plan: TablePlan, kind: str, merged_into: Iterable[str]) -> tuple[OutputColumn, ...]:
    """`merged_into` are the columns of an output that keeps its rows."""
    wanted = [names.CREATED_AT, names.UPDATED_AT] if job.record_timestamps else []
    # Rows that were marked before hard deletes were switched on may come back.
    if plan.key and (not job.hard_deletes or names.DELETED_AT in merged_into):
        wanted.append(names.DELETED_AT)
    return tuple(OutputColumn(one, kind) for one in wanted)


def _conditions(
    plan: TablePlan, strategy: Strategy, watermark: str | None, scratch: Any
) -> tuple[TablePlan, tuple[Condition, ...]]:
    conditions = [settled(one, scratch) for one in plan.conditions]
    if any(one is None for one in conditions):
        bad = next(one for one, ok in zip(plan.conditions, conditions, strict=True) if ok is None)
        raise TableFailed(
            f"The filter on the field {bad.column} compares with a value that is not a {bad.type}. Change the filter."
        )
    ready = [one for one in conditions if one is not None]
    if plan.cutoff is not None:
        cutoff = settled(plan.cutoff, scratch)
        if cutoff is None:
            note = f"The data cutoff was not applied: the tracking field is {plan.cutoff.type}, not a time."
            plan = replace(plan, cutoff=None, warnings=(*plan.warnings, note))
        else:
            plan = replace(plan, cutoff=cutoff)
            ready.append(cutoff)
    if strategy.read != "all" and plan.tracking is not None and watermark is not None:
        if not first_row(scratch, f"SELECT TRY_CAST(? AS {plan.tracking.type}) IS NOT NULL", [watermark])[0]:
            raise TableFailed(
                f"The tracking field {plan.tracking.name} is {plan.tracking.type} now, and the latest value that was "
                f"read, {watermark}, is none. Run this table once with resync_mode resync or rebuild."
            )
        function = "GreaterThanEqual" if strategy.read == "since_inclusive" else "GreaterThan"
        ready.append(Condition(plan.tracking.name, plan.tracking.type, function, (watermark,)))
    return plan, tuple(ready)


def _announce(table: TableJob, known: Table, reporter: Reporter) -> None:
    for warning in known.plan.warnings:
        reporter.log(table.schema_id, "warning", warning)
    if known.strategy.write == "merge" and known.strategy.read != "all":
        reporter.log(table.schema_id, "info", "Read incrementally: rows deleted at the source are not noticed.")
    if known.state is not None and known.strategy.write in ("merge", "append"):
        for note in mixed(known.plan, known.state):
            reporter.log(table.schema_id, "warning", note)
    added = [column.name for column in _added(known)]
    if added and known.strategy.write in ("merge", "append") and known.state is not None:
        reporter.log(
            table.schema_id,
            "info",
            f"New column at the output: {', '.join(added)}; rows that are not read again have NULL there.",
        )


def _added(known: Table) -> tuple[OutputColumn, ...]:
    if known.existing is None:
        return ()
    have = {names.folded(column, any_case=known.any_case) for column in known.existing}
    wanted = known.data + known.stamps
    return tuple(column for column in wanted if names.folded(column.name, any_case=known.any_case) not in have)


def _stage(destination: Destination, stage_name: str, known: Table, now: str) -> Stage:
    stamp_type = destination.stage_type("TIMESTAMP")
    values = {names.CREATED_AT: now, names.UPDATED_AT: now, names.DELETED_AT: "NULL"}
    return Stage(
        destination.scratch,
        destination.stage_reference(stage_name),
        known.plan,
        tuple(destination.stage_type(column.type) for column in known.plan.selected),
        tuple(OutputColumn(stamp.name, stamp_type) for stamp in known.stamps),
        tuple(f"CAST({values[stamp.name]} AS {stamp_type})" for stamp in known.stamps),
    )


def _fill(
    table: TableJob,
    known: Table,
    source: Source,
    stage: Stage,
    reporter: Reporter,
    begin_anew: Callable[[], None],
    limit: int | None = None,
    most: int = BATCH_ROWS,
) -> Watch:
    """Reads into the stage; a second, careful time when the quick reading met a value that does not fit.

    `begin_anew` clears away the transaction that the first time spoiled.
    """

    def attempt(*, careful: bool) -> Watch:
        watch = _watch(table, reporter)
        columns = stage.columns_read()
        reading = source.read(table.schema_id, columns, known.conditions, limit=limit, careful=careful, most=most)
        stage.fill(reading, watch)
        return watch

    try:
        return attempt(careful=False)
    except NeedsCare:
        reporter.log(table.schema_id, "info", "Some values do not fit their columns: reading again with care.")
        begin_anew()
        return attempt(careful=True)


def _watch(table: TableJob, reporter: Reporter) -> Watch:
    def on_batch(rows: int) -> None:
        reporter.table_progress(table.schema_id, rows)
        if reporter.cancel_requested(table.schema_id):
            raise Canceled

    return Watch(on_batch)


def _pass_on(
    table: TableJob,
    known: Table,
    source: Source,
    stage: Stage,
    destination: Destination,
    reporter: Reporter,
    begin_anew: Callable[[], None],
    settled: Callable[[Cleaned], Load],
) -> Cleaned | None:
    """Loads the table without a stage; None, with everything as it was, when it needs one after all."""
    if not isinstance(destination, TakesRows):
        return None
    if not passing.possible(stage, known.conditions, in_key_order=known.in_key_order):
        return None
    for careful in (False, True):
        watch = _watch(table, reporter)
        try:
            reading = source.read(
                table.schema_id, stage.columns_read(), (), limit=None, careful=careful, most=passing.BATCH_ROWS
            )
            with closing(Passing(stage, reading, watch)) as rows:
                nothing_yet = settled(Cleaned(0, {}, 0, 0, None, 0))
                try:
                    destination.apply_rows(nothing_yet, rows, lambda: settled(rows.cleaned()).state)
                except Exception:
                    # What went wrong at the source, and not what the destination made of it.
                    if isinstance(watch.failure, Exception):
                        raise watch.failure from None
                    raise
                return rows.cleaned()
        except NeedsCare:
            reporter.log(table.schema_id, "info", "Some values do not fit their columns: reading again with care.")
            begin_anew()
        except NeedsStage:
            reporter.log(table.schema_id, "info", "The rows have to be cleaned before they are written: reading again.")
            begin_anew()
            break
    return None


def _load(
    job: RunJob,
    table: TableJob,
    known: Table,
    cleaned: Cleaned,
    stage_name: str,
    now: str,
    check_cancel: Callable[[], None],
) -> Load:
    plan, strategy = known.plan, known.strategy
    watermark = cleaned.watermark
    if watermark is None and strategy.read != "all" and known.state is not None:
        watermark = known.state.watermark
    state = SavedState(
        output=known.output,
        mode=job.mode,
        key=plan.key,
        columns={column.source.name: column.output for column in plan.selected},
        tracking_field=plan.tracking.name if plan.tracking else None,
        watermark=watermark,
        rows=cleaned.rows,
        digested=frozenset(column.output for column in plan.selected if column.obfuscated),
        without=plan.without,
    )
    judged: str | None = None
    if plan.cutoff is not None and strategy.absent != "keep":
        # Rows older than the cutoff are not read, so their absence says nothing.
        column = plan.selected_for(plan.cutoff.column)
        judged = "1 = 0"
        if column is not None and not column.obfuscated:
            judged = f"{name(column.output)} >= {text(plan.cutoff.values[0])}"
    return Load(
        schema_id=table.schema_id,
        output=known.output,
        stage=stage_name,
        strategy=strategy,
        data=known.data,
        stamps=known.stamps,
        add=_added(known),
        key=plan.key,
        now=now,
        stage_is_output=not plan.hidden,
        judged=judged,
        state=state,
        check_cancel=check_cancel,
    )
