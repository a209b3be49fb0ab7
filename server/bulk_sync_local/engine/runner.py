"""Carries out one execution: its tables side by side, each whole or not at all."""

import logging
from collections import Counter
from contextlib import ExitStack
from functools import partial

from bulk_sync_local.connectors.base import Confinement, ConnectorError
from bulk_sync_local.engine import lanes, table_load
from bulk_sync_local.engine.faults import in_words, short_of_memory
from bulk_sync_local.engine.job import Reporter, RunJob, TableJob, TableOutcome
from bulk_sync_local.engine.names import is_reserved
from bulk_sync_local.engine.outputs import output_name
from bulk_sync_local.engine.ports import (
    Canceled,
    Destination,
    Source,
    TableFailed,
)
from bulk_sync_local.engine.room import with_room

_log = logging.getLogger(__name__)


def run_job(job: RunJob, reporter: Reporter, confinement: Confinement) -> None:
    """Runs `job` and tells `reporter` how each table ends; returns when all have ended.

    A table that fails or is cancelled leaves its output as it was, and the others go on. One that lacks memory beside
    others is loaded once more when these have ended. When the source or the destination cannot be opened every table
    ends as failed with that reason. Only what `reporter` raises is raised, once the tables that are under way have
    ended.
    """
    outputs = Counter(output_name(job, table).casefold() for table in job.tables)
    crowded_out: list[TableJob] = []

    def begin(table: TableJob, source: Source, destination: Destination | None) -> None:
        reporter.table_started(table.schema_id, output_name(job, table))
        carry_out(table, source, destination, beside_others=len(opened) > 1)

    def carry_out(
        table: TableJob, source: Source, destination: Destination | None, *, beside_others: bool = False
    ) -> None:
        output = output_name(job, table)
        try:
            _check_output(output, outputs[output.casefold()])
            outcome = _one(job, table, source, destination, reporter)
        except Exception as failure:
            if beside_others and short_of_memory(failure):
                # All that run side by side share the memory of one.
                reporter.log(table.schema_id, "info", "Memory did not do for several tables: loading this one later.")
                crowded_out.append(table)
                return
            _finish_failed(reporter, table, failure)
        else:
            reporter.table_finished(table.schema_id, outcome)

    with ExitStack() as stack:
        try:
            opened = lanes.opened(job, reporter, confinement, stack)
        except Exception as failure:
            for table in job.tables:
                reporter.table_started(table.schema_id, output_name(job, table))
                _finish_failed(reporter, table, failure)
            return
        lanes.share(job.tables, opened, begin)
        for table in crowded_out:
            carry_out(table, *opened[0])


def _check_output(output: str, wanted_by: int) -> None:
    if wanted_by > 1:
        raise TableFailed(
            f"{wanted_by} tables of this sync would all be called {output} at the destination. "
            "Give each an output name of its own."
        )
    if is_reserved(output):
        raise TableFailed(f"The name {output} is kept for the sync's own use. Give the table another output name.")


def _one(
    job: RunJob, table: TableJob, source: Source, destination: Destination | None, reporter: Reporter
) -> TableOutcome:
    try:
        if job.test:
            return table_load.check(job, table, source, destination, reporter)
        if destination is None:
            raise LookupError("A destination opened for writing is there.")
        load = partial(table_load.load, job, table, source, destination, reporter)
        return with_room(load, table, destination, reporter)
    except Canceled:
        return TableOutcome("canceled", message="Cancelled on request; the output is as it was before the run.")


def _finish_failed(reporter: Reporter, table: TableJob, failure: Exception) -> None:
    if not isinstance(failure, TableFailed | ConnectorError):
        _log.error("Loading %s failed", table.schema_id, exc_info=failure)
    message = in_words(failure)
    reporter.log(table.schema_id, "error", message)
    reporter.table_finished(table.schema_id, TableOutcome("failed", errors=1, message=message))
