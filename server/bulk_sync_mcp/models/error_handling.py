"""Who is told of failures of a bulk sync (api/README.md 2, Error handling)."""

from typing import Annotated, Self

from pydantic import Field

from bulk_sync_mcp.core.operation import Result
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.models.base import ApiModel

Address = Annotated[str, Field(max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")]


class ErrorHandling(ApiModel):
    """The settings as the API tells them."""

    subscribers: list[str] | None = None
    ingestion_failure_threshold: int | None = None


class ErrorHandlingDetails(Result):
    """Who is told of failures, and how far ingestion may lag before a run counts as failed."""

    subscribers: list[str] = Field(description="Addresses mailed when the bulk sync fails; none: nobody is.")
    ingestion_failure_threshold: int | None = Field(
        default=None,
        description="Seconds, or queued items for queue-backed sources. Not set: the deployment's default, or no "
        "check.",
    )

    @classmethod
    def of(cls, read: ErrorHandling) -> Self:
        return cls(
            subscribers=[clean(one, 320) for one in read.subscribers or []],
            ingestion_failure_threshold=read.ingestion_failure_threshold,
        )
