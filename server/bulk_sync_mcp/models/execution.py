"""Executions: how the API tells them (api/README.md 2, 5, 6) and how tools do."""

from datetime import datetime
from typing import Any, Self

from pydantic import Field

from bulk_sync_mcp.core.operation import Result
from bulk_sync_mcp.core.text import MAX_MESSAGE, clean, iso, plural, spell_age, spell_duration
from bulk_sync_mcp.models.base import ApiModel, moment

TERMINAL = frozenset({"completed", "canceled", "failed"})
"""States documented as final. `errors` and `interrupted` are unstated and final once `completed_at` is set."""
UNCERTAIN = frozenset({"errors", "interrupted"})
MOST_TABLES = 50


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
            output=clean(table.output_name) if table.output_name else None,
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
    kind: str
    """ordinary, test, or the kind of rerun."""
    records: int | None = None
    errors: int | None = None
    warnings: int | None = None
    started: str | None = None
    took: str | None = None

    @classmethod
    def of(cls, run: Execution) -> Self:
        return cls(**_common(run), started=_time(run.started_at or run.created_at), took=_took(run))


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
    tables: list[TableRun] = Field(default_factory=list[TableRun])
    tables_left_out: int | None = None
    """Tables beyond the first 50; all of them have nothing worse to say than those shown."""

    @classmethod
    def of(cls, run: Execution, now: datetime) -> Self:
        tables = sorted(run.schemas or [], key=_worst_first)
        done = sum(1 for table in tables if table.status in TERMINAL)
        return cls(
            **_common(run),
            ended=run.ended,
            trigger=clean(run.type) if run.type else None,
            message=clean(run.status_message, MAX_MESSAGE) if run.status_message else None,
            output_disposition=clean(run.output_disposition) if run.output_disposition else None,
            started=_time(run.started_at or run.created_at, now),
            finished=_time(run.completed_at, now),
            took=_took(run),
            tables_done=f"{done} of {len(tables)}" if tables else None,
            tables=[TableRun.of(table) for table in tables[:MOST_TABLES]],
            tables_left_out=len(tables) - MOST_TABLES if len(tables) > MOST_TABLES else None,
        )


def _worst_first(table: SchemaExecution) -> tuple[int, str]:
    rank = {"failed": 0, "errors": 0, "interrupted": 0, "canceled": 1, "running": 2, "completed": 5}
    troubled = bool(table.error_count or table.warning_count)
    return (
        rank.get(table.status or "", 3) - (1 if troubled and table.status == "completed" else 0),
        table.id or "",
    )


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


def _time(text: str | None, now: datetime | None = None) -> str | None:
    at = moment(text)
    if at is None:
        return None
    return iso(at) if now is None else f"{iso(at)} ({spell_age(at, now)})"


def _took(run: Execution) -> str | None:
    start, end = moment(run.started_at), moment(run.completed_at)
    return spell_duration(end - start) if start and end else None
