"""The exact next call after a failure, where whoever failed could not know it: the API client, a validator.

A name given for an id is looked up, in the list and never in a path, and the id told. What is not there is answered
with the call that lists what is; an unknown outcome with the call that shows what became of it.
"""

import re
from collections.abc import Mapping
from typing import Any

from bulk_sync_mcp.api.faults import AGAIN_IN, LOOK_FIRST
from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.errors import CATALOGUE, ApiFailure, Failure
from bulk_sync_mcp.core.operation import AnyOperation
from bulk_sync_mcp.core.text import clean, quoted
from bulk_sync_mcp.models.base import ApiModel

LISTS = {
    "sync_id": ("list_bulk_syncs", "bulk sync", "/api/bulk/syncs"),
    "connection_id": ("list_connections", "connection", "/api/connections"),
    "source_connection_id": ("list_connections", "connection", "/api/connections"),
    "destination_connection_id": ("list_connections", "connection", "/api/connections"),
}
"""Arguments that take the id of something with a name: the tool that lists it, what it is, where names are."""
WITHIN = (
    ("schedule_id", "sync_id", "list_bulk_sync_schedules"),
    ("execution_id", "sync_id", "list_bulk_sync_executions"),
    ("schema_id", "sync_id", "list_bulk_sync_schemas"),
    ("schema_id", "connection_id", "get_bulk_source"),
)
"""Arguments that take the id of a part: of what, and the tool that lists it."""
MOST_TOLD = 5
LONGEST_NAME = 200
_LIKE_AN_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-|[/\\%?#]|\.\.|[^\S ]", re.IGNORECASE)
"""An id with something wrong, or what no name needs: nothing to look for."""


class _Named(ApiModel):
    id: str = ""
    name: str | None = None


async def advised(operation: AnyOperation, arguments: Mapping[str, Any], failure: Failure, context: Context) -> Failure:
    """The failure with the exact next call in it, where there is one to tell."""
    if failure.code == "invalid_arguments":
        await _with_ids(operation, arguments, failure, context)
        shown = operation.shown_by
        if shown and shown[1] != "name" and failure.next == CATALOGUE[failure.code].remedy:
            failure.next = f"{_call(*shown, arguments)} to see what is there, and give what is to be different."
    elif failure.changed == "unknown" and failure.next == LOOK_FIRST:
        if operation.harmless_twice:
            failure.next = f"Call `{operation.name}` again: it does no harm twice."
        elif operation.shown_by:
            shown = _call(*operation.shown_by, arguments)
            failure.next = f"Do not simply repeat the call. {shown} to see whether it was done."
    elif failure.code == "rate_limited" and failure.next.startswith(AGAIN_IN):
        failure.next = f"Call `{operation.name}` again in {failure.next.removeprefix(AGAIN_IN)}"
    elif failure.next == CATALOGUE[failure.code].remedy and failure.changed == "none":
        failure.next = _instead(operation, arguments, failure) or failure.next
    return failure


def _instead(operation: AnyOperation, arguments: Mapping[str, Any], failure: Failure) -> str | None:
    if failure.code == "not_found":
        for argument, of, tool in WITHIN:
            if arguments.get(argument) and arguments.get(of):
                return f"{_call(tool, of, arguments)} and use an id from there."
        if operation.name == "patch_bulk_sync_schemas":
            return f"{_call('list_bulk_sync_schemas', 'sync_id', arguments)} and use ids from there."
        named = [argument for argument in LISTS if arguments.get(argument)]
        return f"Call `{LISTS[named[0]][0]}` and use an id from there." if named else None
    if failure.code == "conflict" and (arguments.get("sync_id") or arguments.get("connection_id")):
        by = "sync_id" if arguments.get("sync_id") else "connection_id"
        shown = _call("get_bulk_sync_status" if by == "sync_id" else "get_connection", by, arguments)
        return f"{shown} to see what is going on, then decide."
    if failure.code == "busy":
        return f"Call `{operation.name}` again in a moment, with the same arguments."
    if failure.code in ("backend_error", "backend_unreachable"):
        # Nothing was changed: a call that writes had only been planned.
        return f"Call `{operation.name}` again in a moment; if it fails again, tell the user that the backend fails."
    return None


def _call(tool: str, by: str, arguments: Mapping[str, Any]) -> str:
    """The call of a tool that finds something by one argument of the failed call, and by what that is part of."""
    parts = [
        part for part in (("sync_id", by) if by in ("execution_id", "schema_id") else (by,)) if arguments.get(part)
    ]
    told = [f"{part} {_spelled(arguments[part])}" for part in parts]
    return f"Call `{tool}`{' with ' if told else ''}{' and '.join(told)}"


def _spelled(value: object) -> str:
    text = str(value)
    return clean(text) if re.fullmatch(r"[0-9A-Fa-f-]{36}", text) else quoted(text)


async def _with_ids(operation: AnyOperation, arguments: Mapping[str, Any], failure: Failure, context: Context) -> None:
    """Tells the ids that names stand for, or the calls that would tell them."""
    wrong = list(failure.details.get("arguments", ()))
    ids: dict[str, str] = {}
    lists: list[str] = []
    for argument in wrong:
        given = arguments.get(argument)
        if not isinstance(given, str) or not given.strip():
            continue
        for part, of, tool in WITHIN:
            if part == argument and part != "schema_id":
                lists.append(f"{_call(tool, of, arguments)} and use an id from there.")
        if argument in LISTS:
            found = await _look_up(argument, given.strip(), failure, context)
            if found is not None:
                ids[argument] = found
            else:
                by_name = f" with name {quoted(given)}" if _searchable(given.strip()) else ""
                lists.append(f"Call `{LISTS[argument][0]}`{by_name} and use an id from there.")
    if ids and len(ids) == len(wrong):
        given_back = " and ".join(f"{argument} {found}" for argument, found in ids.items())
        failure.next = f"Call `{operation.name}` again with {given_back}."
    elif lists:
        failure.next = " ".join(dict.fromkeys(lists))


def _searchable(name: str) -> bool:
    return len(name) <= LONGEST_NAME and _LIKE_AN_ID.search(name) is None


async def _look_up(argument: str, name: str, failure: Failure, context: Context) -> str | None:
    """The id of the one thing of that name. Adds to the failure what was found."""
    _, thing, path = LISTS[argument]
    if not _searchable(name):
        return None
    try:
        answer = await context.api.get(path, query={"limit": 50} if argument == "sync_id" else None)
        listed = _Named.read_all(answer.data)
    except ApiFailure:
        return None  # the wrong argument is what there is to tell
    same = [one for one in listed if (one.name or "").strip().casefold() == name.casefold()]
    if len(same) == 1 and answer.next_page_token is None:
        failure.message += f" The {thing} named {quoted(same[0].name)} has the id {clean(same[0].id)}."
        return clean(same[0].id)
    like = same or [one for one in listed if name.casefold() in (one.name or "").casefold()]
    if like:
        told = ", ".join(f"{quoted(one.name)} {clean(one.id)}" for one in like[:MOST_TOLD])
        failure.message += f" The {thing} meant may be {told}: if that leaves a doubt, ask the user."
    return None
