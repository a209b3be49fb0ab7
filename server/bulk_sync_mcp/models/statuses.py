"""The status of many bulk syncs at once (api/README.md 2, listBulkSyncStatuses)."""

from collections import Counter

from bulk_sync_mcp.core.text import clean, quoted
from bulk_sync_mcp.models.execution import SchemaExecution
from bulk_sync_mcp.models.status import StatusOfSync

TROUBLED = frozenset({"failed", "errors", "interrupted"})
MOST_TOLD = 3


class SummaryOfSync(StatusOfSync):
    """One bulk sync: its latest state, and that of each enabled table."""

    schemas: list[SchemaExecution] | None = None

    @property
    def rank(self) -> int:
        """0 for trouble, 1 for a run going on, 2 for the rest."""
        if self.status in TROUBLED or any(one.status in TROUBLED for one in self.schemas or []):
            return 0
        return 2 if self.status in ("completed", "canceled", None) else 1

    def tables(self) -> str | None:
        """`4 completed, 1 failed`."""
        counts = Counter(clean(one.status or "unknown") for one in self.schemas or [])
        return ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or None

    def trouble(self) -> str | None:
        """The tables that failed, with what they say; at most three of them."""
        failed = [one for one in self.schemas or [] if one.status in TROUBLED or one.error_count]
        told = [
            f"{quoted(one.id or '?')} {clean(one.status or '')}"
            + (f": {quoted(one.status_message, 120)}" if one.status_message else "")
            for one in failed[:MOST_TOLD]
        ]
        more = [f"and {len(failed) - MOST_TOLD} more"] if len(failed) > MOST_TOLD else []
        return "; ".join([*told, *more]) or None
