"""Show how many bulk syncs stand at once, those in trouble first."""

from pydantic import Field, model_validator

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.ids import SyncId
from bulk_sync_mcp.core.operation import Input, Operation, Result
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.models.base import aged
from bulk_sync_mcp.models.bulk_sync import BulkSync
from bulk_sync_mcp.models.statuses import SummaryOfSync
from bulk_sync_mcp.operations._reading import together

PATH = "/api/bulk/syncs/status"
NAMED = 50
"""Bulk syncs of one page of the list (api/README.md 1, Pagination); names are looked up in two at most."""


class Arguments(Input):
    sync_ids: list[SyncId] | None = Field(
        default=None, min_length=1, max_length=100, description="Omitted: every bulk sync."
    )
    only_active: bool = Field(default=False, description="Only those whose schedules are on.")
    limit: int = Field(default=50, ge=1, le=200)
    offset: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _one_choice(self) -> "Arguments":
        # The API would take `active` and drop the ids without a word (api/README.md 2).
        if self.sync_ids is not None and self.only_active:
            raise ValueError("give either `sync_ids` or `only_active`, not both")
        return self


class Row(Result):
    """One bulk sync."""

    sync_id: str
    name: str | None = None
    state: str | None = Field(default=None, description="Of the latest execution.")
    tables: str | None = None
    trouble: str | None = Field(default=None, description="Tables that failed, in the backend's words.")
    next_run: str | None = None


class Statuses(Result):
    """Bulk syncs: those in trouble first, then those running. Names are those of the 100 changed last."""

    bulk_syncs: list[Row]
    total: int
    next_offset: int | None = None


async def run(context: Context, arguments: Arguments, _plan: None) -> Statuses:
    query: dict[str, object] = {"active": True} if arguments.only_active else {"all": True}
    if arguments.sync_ids is not None:
        query = {"sync_id": list(dict.fromkeys(arguments.sync_ids))}
    answer, listed = await together(
        context.api.get(PATH, query=query), context.api.get("/api/bulk/syncs", query={"limit": NAMED})
    )
    syncs, states = BulkSync.read_all(listed.data), SummaryOfSync.read_all(answer.data)
    if listed.next_page_token and {one.sync_id for one in states} - {one.id for one in syncs}:
        following = {"limit": NAMED, "page_token": listed.next_page_token}
        syncs += BulkSync.read_all((await context.api.get("/api/bulk/syncs", query=following)).data)
    names = {one.id: clean(one.name or "") for one in syncs}
    found = sorted(
        states,
        key=lambda one: (one.rank, names.get(one.sync_id, ""), one.sync_id or ""),
    )
    end = arguments.offset + arguments.limit
    return Statuses(
        bulk_syncs=[_row(one, names, context) for one in found[arguments.offset : end]],
        total=len(found),
        next_offset=end if end < len(found) else None,
    )


def _row(one: SummaryOfSync, names: dict[str | None, str], context: Context) -> Row:
    return Row(
        sync_id=one.sync_id or "",
        name=names.get(one.sync_id) or None,
        state=clean(one.status) if one.status else None,
        tables=one.tables(),
        trouble=one.trouble(),
        next_run=aged(one.nextExecutionTime, context.now()),
    )


OPERATION = Operation(
    name="list_bulk_sync_statuses",
    title="List statuses of bulk syncs",
    description="How many bulk syncs stand at once: latest state, tables by state, what failed. Trouble first.",
    method="GET",
    path=PATH,
    input=Arguments,
    result=Statuses,
    run=run,
    toolset="executions",
)
