"""The progress of an execution in words, as it is told while somebody waits."""

from datetime import datetime

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.text import clean, plural
from bulk_sync_mcp.models.base import moment
from bulk_sync_mcp.models.execution import FAILED, TERMINAL, Execution, SchemaExecution

MOST_NAMED = 8
"""Tables named in one message: those that failed since the last one, then those that run."""
MOST_OF_A_CAUSE = 120


class Progress:
    """Tells tables done, rows, rows a second and failures; strictly growing, as the protocol wants."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._told = -1.0
        self._failed: set[str] = set()
        self._read_at: datetime | None = None
        self._rows: dict[str, int] = {}
        self._states: dict[str, str | None] = {}

    async def tell(self, execution: Execution, *, over: bool) -> bool:
        """Whether there was something new to tell."""
        tables = execution.schemas or []
        failed = [one for one in tables if one.status in FAILED and one.id and one.id not in self._failed]
        done = sum(1 for table in tables if table.status in TERMINAL)
        rows = execution.records() or 0
        # Tables first, rows after the point: grows with either, and the total stays the number of tables.
        total = len(tables) or 1
        value = min(float(total), done + (1 - 1 / (1 + rows / 100_000)) * 0.999)
        if over:
            value = float(total)
        elif failed and value <= self._told:
            # Rows may be counted anew; a failure is news all the same.
            value = self._told + (total - self._told) / 1_000
        if value <= self._told:
            return False
        now = self._context.now()
        message = self._words(execution, tables, failed, now)
        self._told = value
        self._failed |= {str(one.id) for one in failed}
        self._read_at = now
        self._states = {str(one.id): one.status for one in tables}
        self._rows = {"": rows, **{str(one.id): one.record_count or 0 for one in tables}}
        await self._context.report(value, float(len(tables)) or None, message)
        return True

    def _words(
        self, execution: Execution, tables: list[SchemaExecution], failed: list[SchemaExecution], now: datetime
    ) -> str:
        parts = [execution.progress(now)]
        rate = self._rate("", execution.records() or 0, execution, now)
        if rate:
            parts.append(rate)
        every = sum(1 for one in tables if one.status in FAILED)
        if every:
            parts.append(f"{plural(every, 'table')} failed")
        order = {"running": 0, "exporting": 0, "processing": 0}
        rest = sorted(
            (one for one in tables if one not in failed and (len(tables) <= MOST_NAMED or self._news(one))),
            key=lambda one: order.get(one.status or "", 1),
        )
        each = [_failure(one) for one in failed] + [self._table(one, execution, now) for one in rest]
        return ", ".join(parts) + (f": {'; '.join(each[:MOST_NAMED])}" if each else "")

    def _news(self, table: SchemaExecution) -> bool:
        """Whether a table is being worked on, or has ended since the last message."""
        before = self._states.get(str(table.id))
        return table.status not in ("created", "scheduled") and (
            table.status not in TERMINAL | FAILED or (before is not None and before != table.status)
        )

    def _table(self, table: SchemaExecution, execution: Execution, now: datetime) -> str:
        words = f"{_name(table)} {clean(table.status or 'state unknown')} {table.record_count or 0:,}"
        rate = self._rate(str(table.id), table.record_count or 0, execution, now) if table.status == "running" else ""
        return f"{words} ({rate})" if rate else words

    def _rate(self, key: str, rows: int, execution: Execution, now: datetime) -> str:
        """Rows a second since they were told last; at first, of the whole run since it began."""
        since = self._read_at or (moment(execution.started_at) if not key else None)
        moved = rows - self._rows.get(key, 0)
        seconds = (now - since).total_seconds() if since else 0.0
        return f"{round(moved / seconds):,} rows/s" if seconds > 0 and moved > 0 else ""


def _name(table: SchemaExecution) -> str:
    return clean(table.output_name or table.id or "?")


def _failure(table: SchemaExecution) -> str:
    cause = f": {clean(table.status_message, MOST_OF_A_CAUSE)}" if table.status_message else ""
    return f"{_name(table)} {clean(table.status or '').upper()}{cause}"
