"""What the three console logs share: their arguments and how they are read."""

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.operation import Input
from bulk_sync_mcp.models.log import ConsoleLog, Lines


class LogArguments(Input):
    """Which lines."""

    limit: int = Field(default=50, ge=1, le=50)
    after: str | None = Field(default=None, min_length=1, description="next_cursor of a call before: only newer lines.")

    def query(self, **more: str | None) -> dict[str, object]:
        """The query parameters, with `more` that are not None."""
        given = {"limit": self.limit, "after": self.after, **more}
        return {key: value for key, value in given.items() if value is not None}


async def lines(context: Context, template: str, query: dict[str, object], **path: str) -> Lines:
    """The latest lines of one console log."""
    return Lines.of(ConsoleLog.read((await context.api.get(template, query=query, **path)).data or {}))
