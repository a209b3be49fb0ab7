"""List bulk syncs with what a person asks about first: on or off, from where to where, last state, next run."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.ids import ConnectionId
from bulk_sync_mcp.core.operation import Input, Operation, Result
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.models.base import aged
from bulk_sync_mcp.models.bulk_sync import BulkSync
from bulk_sync_mcp.models.connection import Connection
from bulk_sync_mcp.models.execution import FAILED, UNDER_WAY
from bulk_sync_mcp.models.status import StatusOfSync
from bulk_sync_mcp.operations._reading import Cursor, read_page, together

PATH = "/api/bulk/syncs"
STATUSES = "/api/bulk/syncs/status"
PAGE = 50
"""The most syncs that the API tells at once (api/README.md 1)."""
State = Literal["running", "failed", "completed", "canceled", "never_run"]
_STATES: Mapping[str, frozenset[str]] = {
    "running": UNDER_WAY,
    "failed": FAILED,
    "completed": frozenset({"completed"}),
    "canceled": frozenset({"canceled"}),
    "never_run": frozenset({""}),
}
_WITHIN_PAGE = re.compile(r"([0-9]{1,3})@(.*)", re.DOTALL)


class Arguments(Input):
    active: bool | None = Field(default=None, description="Only syncs that are on, or off.")
    name: str | None = Field(default=None, min_length=1, description="Only names that contain this, any case.")
    connection_id: ConnectionId | None = Field(default=None, description="Only syncs from or to it.")
    state: State | None = Field(default=None, description="Only this latest state.")
    limit: int = Field(default=20, ge=1, le=50)
    cursor: Cursor | None = None


class Row(Result):
    """One bulk sync."""

    id: str
    name: str
    on: bool | None = None
    mode: str | None = None
    source: str | None = None
    destination: str | None = None
    state: str | None = Field(default=None, description="Of the latest execution.")
    next_run: str | None = None


class Page(Result):
    """A page of bulk syncs, most recently changed first."""

    bulk_syncs: list[Row]
    total: int | None = Field(default=None, description="How many there are with these filters, where this page tells.")
    looked_at: int | None = Field(
        default=None, description="How many syncs the filters were applied to; more may match behind next_cursor."
    )
    next_cursor: str | None = None


async def run(context: Context, arguments: Arguments, _plan: None) -> Page:
    filters = (arguments.name, arguments.connection_id, arguments.state)
    found = await (_some if any(one is not None for one in filters) else _every)(context, arguments)
    return Page(
        bulk_syncs=[_row(sync, found.names, found.states.get(sync.id), context) for sync in found.syncs],
        total=found.total if arguments.cursor is None else None,
        looked_at=found.looked_at,
        next_cursor=found.cursor,
    )


@dataclass
class _Found:
    """Syncs to show, and what is known of them. `names` of connections, `states` of syncs, both by id."""

    syncs: list[BulkSync]
    cursor: str | None
    total: int | None = None
    looked_at: int | None = None
    names: dict[str | None, str] = field(default_factory=dict[str | None, str])
    states: dict[str | None, StatusOfSync] = field(default_factory=dict[str | None, StatusOfSync])


async def _every(context: Context, arguments: Arguments) -> _Found:
    """A page of the API's own, in two requests or three."""
    (syncs, following), names = await together(
        _page(context, arguments, arguments.limit, arguments.cursor), _connections(context)
    )
    found = _Found(syncs, following, None if following else len(syncs), names=names)
    found.states = await _states(context, syncs)
    return found


async def _some(context: Context, arguments: Arguments) -> _Found:
    """What the filters leave of a page of the API, or else of the next one, in three requests at most.

    The cursor is the API's own for that page, and how many matches of it have been shown.
    """
    within = _WITHIN_PAGE.fullmatch(arguments.cursor or "0@")
    skip, cursor = (int(within[1]), within[2] or None) if within else (0, arguments.cursor)
    syncs, following = await _page(context, arguments, PAGE, cursor)
    looked_at, requests = len(syncs), 1
    matching = [one for one in syncs if _matches(one, arguments)]
    if not matching and following and arguments.state is None:
        cursor = following
        syncs, following = await _page(context, arguments, PAGE, cursor)
        looked_at, requests = looked_at + len(syncs), 2
        matching = [one for one in syncs if _matches(one, arguments)]
    names: dict[str | None, str] = {}
    if arguments.state is not None or requests == 2:
        states = await _states(context, matching)
        if arguments.state is not None:
            matching = [one for one in matching if _is_in(arguments.state, states.get(one.id))]
            names = await _connections(context) if matching else {}
    else:
        states = {}
        if matching:
            states, names = await together(_states(context, matching), _connections(context))
    shown = matching[skip : skip + arguments.limit]
    more = len(matching) > skip + len(shown)
    return _Found(
        shown,
        f"{skip + len(shown)}@{cursor or ''}" if more else f"0@{following}" if following else None,
        None if following else len(matching),
        looked_at,
        names,
        states,
    )


async def _page(
    context: Context, arguments: Arguments, limit: int, cursor: str | None
) -> tuple[list[BulkSync], str | None]:
    query = {"active": arguments.active, "limit": limit, "page_token": cursor}
    answer = await read_page(context, PATH, {key: value for key, value in query.items() if value is not None})
    return BulkSync.read_all(answer.data), answer.next_page_token


async def _connections(context: Context) -> dict[str | None, str]:
    answer = await context.api.get("/api/connections")
    return {one.id: clean(one.name or one.id or "") for one in Connection.read_all(answer.data)}


async def _states(context: Context, syncs: list[BulkSync]) -> dict[str | None, StatusOfSync]:
    ids = [one.id for one in syncs if one.id]
    if not ids:
        return {}
    answer = await context.api.get(STATUSES, query={"sync_id": ids})
    return {one.sync_id: one for one in StatusOfSync.read_all(answer.data)}


def _matches(sync: BulkSync, arguments: Arguments) -> bool:
    if arguments.name is not None and arguments.name.casefold() not in (sync.name or "").casefold():
        return False
    ends = (sync.source_connection_id, sync.destination_connection_id)
    return arguments.connection_id is None or arguments.connection_id in ends


def _is_in(state: State, status: StatusOfSync | None) -> bool:
    return (status.status or "" if status else "") in _STATES[state]


def _row(sync: BulkSync, names: dict[str | None, str], status: StatusOfSync | None, context: Context) -> Row:
    return Row(
        id=sync.id or "",
        name=clean(sync.name or ""),
        on=sync.active,
        mode=clean(sync.mode) if sync.mode else None,
        source=names.get(sync.source_connection_id, sync.source_connection_id),
        destination=names.get(sync.destination_connection_id, sync.destination_connection_id),
        state=clean(status.status) if status and status.status else None,
        next_run=aged(status.nextExecutionTime, context.now()) if status else None,
    )


OPERATION = Operation(
    name="list_bulk_syncs",
    title="List bulk syncs",
    description="Bulk syncs, most recently changed first, with source, destination, latest state and next run.",
    method="GET",
    path=PATH,
    input=Arguments,
    result=Page,
    run=run,
)
