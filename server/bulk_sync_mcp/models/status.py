"""The status of a bulk sync (api/README.md 2)."""

from pydantic import Field

from bulk_sync_mcp.models.base import ApiModel
from bulk_sync_mcp.models.execution import Execution


class Ingestion(ApiModel):
    """Continuous ingestion, for sources that have it."""

    enabled: bool | None = None
    is_running: bool | None = None
    status: str | None = None
    status_message: str | None = None


class SyncStatus(ApiModel):
    """What runs, what ran last, what comes next."""

    current_execution: Execution | None = None
    last_execution: Execution | None = None
    next_execution_time: str | None = None
    ingestion_status: Ingestion | None = None
    note: str | None = Field(
        default=None, description="The local service's word on schedules that never fire there; Polytomic has none."
    )

    @property
    def running(self) -> Execution | None:
        """The execution that is running now, None when the one named as current is over."""
        current = self.current_execution
        return current if current is not None and not current.ended else None


class StatusOfSync(ApiModel):
    """One entry of the multi-sync status; its keys mix two styles (api/README.md 1)."""

    sync_id: str | None = None
    status: str | None = None
    nextExecutionTime: str | None = None  # noqa: N815 - the API's own spelling
