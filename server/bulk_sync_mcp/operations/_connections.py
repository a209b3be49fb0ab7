"""Reads and effects that operations on connections share."""

from dataclasses import dataclass
from typing import Any

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.errors import ApiFailure, Failure
from bulk_sync_mcp.core.plan import Subject
from bulk_sync_mcp.core.text import quoted
from bulk_sync_mcp.models.bulk_sync import BulkSync
from bulk_sync_mcp.models.connection import Connection
from bulk_sync_mcp.models.connection_settings import closed, declared, is_mask, leaves
from bulk_sync_mcp.models.merge import Json, as_object

CONNECTIONS = "/api/connections"
CONNECTION = "/api/connections/{id}"
TYPE = "/api/connection_types/{id}"
SYNCS = "/api/bulk/syncs"
MOST_PAGES = 40
"""Pages of 50 syncs that are looked through."""


@dataclass(frozen=True, slots=True)
class ConnectionRead:
    """A connection as it was read: the raw answer, and the typed view."""

    raw: Json
    connection: Connection

    @property
    def name(self) -> str:
        return self.connection.name or self.connection.id or "?"

    @property
    def type_id(self) -> str:
        kind = self.connection.type
        return (kind.id or "") if kind else ""

    @property
    def settings(self) -> Json:
        """The settings, secrets masked."""
        return as_object(self.raw.get("configuration"))

    def subject(self) -> Subject:
        return Subject(connection_id=self.connection.id or "", connection_name=self.name)


async def read_whole_connection(context: Context, connection_id: str) -> ConnectionRead:
    """A connection with its settings. Raises `ApiFailure`, `not_found` among them."""
    raw = (await context.api.get(CONNECTION, id=connection_id)).data
    return ConnectionRead(as_object(raw), Connection.read(raw))


async def read_type_schema(context: Context, type_id: str) -> Json:
    """The JSON Schema of a type's settings, which comes bare, without an envelope (api/README.md 1).

    Raises `Failure` `not_found` for a type the backend does not have.
    """
    try:
        return as_object((await context.api.get(TYPE, id=type_id)).body)
    except ApiFailure as failure:
        if failure.code != "not_found":
            raise
        raise Failure(
            "not_found",
            f"The backend has no connection type {quoted(type_id)}. Nothing was sent.",
            next="Call `list_connection_types` and use an id from there.",
        ) from None


async def read_schema_of(context: Context, read: ConnectionRead) -> Json:
    """The schema for a connection that exists; empty, so that nothing counts as known, when its type has none."""
    if not read.type_id:
        return {}
    try:
        return await read_type_schema(context, read.type_id)
    except Failure as failure:
        if failure.code == "not_found":
            return {}
        raise


@dataclass(frozen=True, slots=True)
class Users:
    """The bulk syncs that use a connection, and the names of all connections."""

    sources: tuple[BulkSync, ...]
    destinations: tuple[BulkSync, ...]
    names: dict[str, str]

    @property
    def every(self) -> tuple[BulkSync, ...]:
        return (*self.sources, *(one for one in self.destinations if one not in self.sources))

    def subjects(self) -> tuple[Subject, ...]:
        """Each sync with its destination, for rules of the policy."""
        return tuple(
            Subject(
                sync_id=one.id or "",
                sync_name=one.name or "",
                connection_id=one.destination_connection_id or "",
                connection_name=self.names.get(one.destination_connection_id or "", ""),
            )
            for one in self.every
        )


async def read_users(context: Context, connection_id: str) -> Users:
    """Every bulk sync that reads from or writes to the connection.

    Raises `Failure` when there are too many to look through: a list that may be incomplete protects nobody.
    """
    found: dict[str, BulkSync] = {}
    token: str | None = None
    pages = 0
    while True:
        if pages == MOST_PAGES:
            raise Failure(
                "unknown_state",
                f"There are more than {MOST_PAGES * 50:,} bulk syncs, so those that use this connection cannot be told. "
                "Nothing was sent.",
            )
        query = {"limit": 50, **({"page_token": token} if token else {})}
        answer = await context.api.get(SYNCS, query=query)
        found |= {one.id or "": one for one in BulkSync.read_all(answer.data)}
        token, pages = answer.next_page_token, pages + 1
        if not token:
            break
    if pages > 1:
        # Newest change first: one that was changed while we turned pages has moved to the first, and was missed.
        first = await context.api.get(SYNCS, query={"limit": 50})
        found |= {one.id or "": one for one in BulkSync.read_all(first.data)}
    syncs = sorted(found.values(), key=lambda one: (one.name or "", one.id or ""))
    sources = tuple(one for one in syncs if one.source_connection_id == connection_id)
    destinations = tuple(one for one in syncs if one.destination_connection_id == connection_id)
    names: dict[str, str] = {}
    if sources:
        listed = Connection.read_all((await context.api.get(CONNECTIONS)).data)
        names = {one.id or "": one.name or "" for one in listed}
    elif destinations:
        whole = await read_whole_connection(context, connection_id)
        names = {connection_id: whole.name}
    return Users(sources, destinations, names)


def check_given(given: Json, schema: Json) -> None:
    """Refuses masks, and, where the type declares its settings, unknown ones. No value is repeated."""
    masks = [path for path, value in leaves(given) if is_mask(value)]
    if masks:
        raise Failure(
            "invalid_arguments",
            f"`configuration`: {_listed(masks)} is the mask shown in place of a secret, not the secret. Nothing was sent.",
            next="Give the secret itself, or on the local service a reference such as "
            '{"env": "BULK_SYNC_SECRET_NAME"}; leave it out only where that keeps it.',
        )
    names = declared(schema)
    unknown = [name for name in given if name not in names]
    if names and unknown and closed(schema):
        raise Failure(
            "invalid_arguments",
            f"`configuration`: connections of this type have no setting {_listed(unknown)}. Nothing was sent.",
            next="Call `get_connection_type` for the settings of the type.",
        )


def _listed(names: list[str]) -> str:
    return ", ".join(quoted(name) for name in names[:20])


def as_result(data: Any) -> Json:
    """What every tool tells of a connection."""
    raw = as_object(data)
    kind = as_object(raw.get("type"))
    return {
        "id": str(raw.get("id") or ""),
        "name": raw.get("name") or "",
        "type": kind.get("id") or kind.get("name"),
        "status": raw.get("status"),
        "error": raw.get("status_error"),
    }
