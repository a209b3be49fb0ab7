"""Executions: how the API tells them (api/README.md 2, 5, 6) and how tools do."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from pydantic import Field

from bulk_sync_mcp.core.operation import Result
from bulk_sync_mcp.core.text import MAX_MESSAGE, clean, plural, spell_duration
from bulk_sync_mcp.models.base import ApiModel, aged, moment

TERMINAL = frozenset({"completed", "canceled", "failed"})
"""States documented as final. `errors` and `interrupted` are unstated and final once `completed_at` is set."""
UNCERTAIN = frozenset({"errors", "interrupted"})
UNDER_WAY = frozenset({"created", "scheduled", "running", "exporting", "processing", "canceling"})
"""States in which there is more to come (api/README.md 6)."""
FAILED = frozenset({"failed", "errors", "interrupted"})
MOST_TABLES = 50
PAGE_OF_TABLES = 100


class SchemaExecution(ApiModel):
    """One table inside an execution."""

    id: str | None = Field(default=None, alias="schema")
    output_name: str | None = None
    status: str | None = None
    status_message: str | None = None
    record_count: int | None = None
    error_count: int | None = None
    warning_count: int | None = None


class Execution(ApiModel):
    """One execution as the API tells it."""

    id: str | None = None
    type: str | None = None
    status: str | None = None
    status_message: str | None = None
    is_test: bool | None = None
    is_resync: bool | None = None
    is_partial: bool | None = None
    output_disposition: str | None = None
    record_count: int | None = None
    error_count: int | None = None
    warning_count: int | None = None
    created_at: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    updated_at: str | None = None
    schemas: list[SchemaExecution] | None = None

    @property
    def ended(self) -> bool:
        """Whether it is over; the states the API leaves unclear count as over once `completed_at` is set."""
        return self.status in TERMINAL or (
            self.completed_at is not None and self.status not in {"canceling", "running", "created", "scheduled"}
        )

    @property
    def rewriting(self) -> bool:
        """Whether it empties or recreates its output; a rerun that does not say counts as one that does."""
        return (
            self.output_disposition != "retain" if self.is_resync else self.output_disposition not in (None, "retain")
        )

    def progress(self, now: datetime) -> str:
        """Where it stands, in a few words: `running for 4 min, 2 of 5 tables, 10,000 rows`."""
        parts = [clean(self.status or "state unknown")]
        started = moment(self.started_at) or moment(self.created_at)
        if started:
            parts[0] += f" for {spell_duration(now - started)}"
        tables = self.schemas or []
        if tables:
            done = sum(1 for table in tables if table.status in TERMINAL)
            parts.append(f"{done} of {plural(len(tables), 'table')} done")
        records = self.records()
        if records is not None:
            parts.append(plural(records, "row"))
        return ", ".join(parts)

    def records(self) -> int | None:
        """Rows so far: the count of the execution, else the sum over its tables."""
        counts = [table.record_count for table in self.schemas or [] if table.record_count is not None]
        return self.record_count if self.record_count else (sum(counts) if counts else self.record_count)


class TableRun(Result):
    """One table of an execution."""

    schema_id: str
    output: str | None = None
    status: str | None = None
    records: int | None = None
    errors: int | None = None
    warnings: int | None = None
    message: str | None = None

    @classmethod
    def of(cls, table: SchemaExecution) -> Self:
        return cls(
            schema_id=clean(table.id or ""),
            output=clean(table.output_name) if table.output_name not in (None, "", table.id) else None,
            status=clean(table.status) if table.status else None,
            records=table.record_count,
            errors=table.error_count or None,
            warnings=table.warning_count or None,
            message=clean(table.status_message, MAX_MESSAGE) if table.status_message else None,
        )


class ExecutionRow(Result):
    """One execution in a list."""

    id: str
    status: str
    kind: str = Field(description="ordinary, test, or the kind of rerun.")
    records: int | None = None
    errors: int | None = None
    warnings: int | None = None
    started: str | None = None
    took: str | None = None

    @classmethod
    def of(cls, run: Execution, now: datetime) -> Self:
        return cls(**_common(run), started=aged(run.started_at or run.created_at, now), took=_took(run))


class ExecutionDetails(Result):
    """One execution, its tables with failures first."""

    id: str
    status: str
    ended: bool
    kind: str
    trigger: str | None = None
    message: str | None = None
    output_disposition: str | None = None
    records: int | None = None
    errors: int | None = None
    warnings: int | None = None
    started: str | None = None
    finished: str | None = None
    took: str | None = None
    tables_done: str | None = None
    tables_by_status: str | None = Field(
        default=None, description="Where there is more than one status, or not every table is shown."
    )
    tables: list[TableRun] | None = Field(
        default=None, description="Failures first. Of more than 50 tables those without trouble are folded."
    )
    tables_left_out: int | None = None
    next: str | None = None

    @classmethod
    def of(cls, run: Execution, now: datetime, which: "Which | None" = None) -> Self:
        """What is told of `run`: in brief, or the tables of `which`."""
        tables = sorted(run.schemas or [], key=_worst_first)
        wanted = [one for one in tables if which is None or which.fits(one)]
        start = which.offset if which else 0
        shown = wanted[start : start + PAGE_OF_TABLES] if which else _in_brief(wanted)
        left = len(wanted) - start - len(shown)
        done = sum(1 for table in tables if table.status in TERMINAL)
        states = Counter(clean(table.status or "state unknown") for table in tables)
        return cls(
            **_common(run),
            ended=run.ended,
            trigger=clean(run.type) if run.type else None,
            message=clean(run.status_message, MAX_MESSAGE) if run.status_message else None,
            output_disposition=clean(run.output_disposition) if run.output_disposition else None,
            started=aged(run.started_at or run.created_at, now),
            finished=aged(run.completed_at, now),
            took=_took(run),
            tables_done=f"{done} of {len(tables)}" if tables else None,
            tables_by_status=", ".join(f"{count} {name}" for name, count in states.items())
            if len(states) > 1 or len(shown) < len(tables)
            else None,
            tables=None if which is None and tables and not shown else [TableRun.of(table) for table in shown],
            tables_left_out=left if left > 0 else None,
            next=f"`get_bulk_sync_execution` with execution_id {clean(run.id)} and offset {start + len(shown)} shows the "
            f"{plural(left, 'table')} left out."
            if left > 0
            else None,
        )


@dataclass(frozen=True, slots=True)
class Which:
    """A page of the tables of an execution, failures first: those whose ids contain `name`, from `offset` on."""

    offset: int = 0
    name: str = ""

    def fits(self, table: SchemaExecution) -> bool:
        return self.name.casefold() in (table.id or "").casefold()


def _in_brief(tables: list[SchemaExecution]) -> list[SchemaExecution]:
    """All of a few tables; of many those that have something to say."""
    if len(tables) <= MOST_TABLES:
        return tables
    return [one for one in tables if _worst_first(one)[0] < _QUIET][:MOST_TABLES]


_QUIET = 5
_RANKS = {"failed": 0, "errors": 0, "interrupted": 0, "canceled": 1, "running": 2, "created": 5, "scheduled": 5}


def _worst_first(table: SchemaExecution) -> tuple[int, str]:
    rank = _RANKS.get(table.status or "", 3)
    if table.status == "completed":
        rank = 4 if table.error_count or table.warning_count else 6
    return (rank, table.id or "")


def _common(run: Execution) -> dict[str, Any]:
    return {
        "id": run.id or "",
        "status": clean(run.status or "unknown"),
        "kind": _kind(run),
        "records": run.records(),
        "errors": run.error_count or None,
        "warnings": run.warning_count or None,
    }


def _kind(run: Execution) -> str:
    if run.is_test:
        return "test"
    if run.is_resync:
        names = {"truncate": "resync", "rebuild": "rebuild", "retain": "refetch"}
        return names.get(run.output_disposition or "", "rerun")
    return "ordinary"


def _took(run: Execution) -> str | None:
    start, end = moment(run.started_at), moment(run.completed_at)
    return spell_duration(end - start) if start and end else None
