"""Background jobs (api/README.md 2, 6)."""

from typing import Any, Literal

from bulk_sync_mcp.core.ids import ExecutionId
from bulk_sync_mcp.models.base import ApiModel

JobId = ExecutionId
"""Id of a job: a UUID, as those of executions."""
JobType = Literal["exportlogs", "createmodel", "updatemodel", "previewmodel", "samplemodel", "connectionproxy"]
OVER = frozenset({"done", "failed"})


class Job(ApiModel):
    """One job. `result` is there only when it is done, in a form of its type's own."""

    job_id: str | None = None
    type: str | None = None
    status: str | None = None
    result: Any = None
    error: str | None = None

    @property
    def url(self) -> str | None:
        """The address in the result of a log export."""
        found = self.result.get("url") if isinstance(self.result, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return found if isinstance(found, str) else None
