"""Completion of names and ids in arguments of prompts and in addresses of resources.

Bounded: a completion costs at most two requests to the backend, each of one page, and what was read is used again for
a few seconds, since clients ask at every key. A backend that does not answer gives no values, and no error.
"""

import logging
import re
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bulk_sync_mcp import prompts, resources
from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.models.base import ApiModel

if TYPE_CHECKING:
    from bulk_sync_mcp.composition import Application

logger = logging.getLogger(__name__)

MOST = 100
"""Values that one completion may have."""
FRESH = timedelta(seconds=10)
SYNCS = "/api/bulk/syncs"
CONNECTIONS = "/api/connections"
PAGE = 50
"""The most syncs that the API tells at once (api/README.md 1)."""
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


class _Named(ApiModel):
    id: str = ""
    name: str | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What completes a value; `more` when there are others than these."""

    values: list[str]
    total: int
    more: bool


@dataclass(frozen=True, slots=True)
class _Listed:
    at: datetime
    items: list[_Named]
    more: bool


class Completions:
    """Completes for one application."""

    def __init__(self, application: "Application") -> None:
        self._application = application
        self._read: dict[tuple[str, str], _Listed] = {}

    async def of(self, kind: str, name: str, argument: str, value: str, given: Mapping[str, str]) -> Found | None:
        """What completes `value`; None when there is no such prompt, template or argument."""
        tools = self._application.registry
        if kind == "prompt":
            known = {one.name: tuple(one.arguments) for one in prompts.available(tools)}
        else:
            known = {one.uri: tuple(re.findall(r"{(\w+)}", one.uri)) for one in resources.templates(tools)}
        if argument not in known.get(name, ()):
            return None
        try:
            return await self._found(argument, value, given)
        except (Failure, OSError, sqlite3.Error) as error:
            logger.info("nothing completed: %s", error)
            return Found([], 0, more=False)

    async def _found(self, argument: str, value: str, given: Mapping[str, str]) -> Found:
        if argument == "id":
            return _bounded(await self._list(SYNCS), value, ids=True)
        if argument == "revision":
            numbers = [str(one) for one in self._revisions(given.get("id", ""))]
            return _cut([one for one in numbers if one.startswith(value.strip())], more=False)
        if argument == "sync":
            return _bounded(await self._list(SYNCS), value, ids=False)
        if argument in ("source", "destination"):
            return _bounded(await self._list(CONNECTIONS), value, ids=False)
        if argument == "tables":
            return await self._tables(value, given)
        return Found([], 0, more=False)

    async def _tables(self, value: str, given: Mapping[str, str]) -> Found:
        """Completes the last of several names, of the tables that the chosen sync copies."""
        chosen = await self._sync(given.get("sync", ""))
        if chosen is None or self._application.registry.get(resources.LISTS_TABLES) is None:
            return Found([], 0, more=False)
        before, comma, last = value.rpartition(",")
        taken = {one.strip() for one in before.split(",")}
        listed = await self._list("/api/bulk/syncs/{id}/schemas", chosen)
        enabled = [one for one in listed.items if one.enabled is not False and one.id not in taken]
        found = _bounded(_Listed(listed.at, enabled, listed.more), last, ids=True)
        prefix = f"{before}{comma} " if comma else ""
        return Found([f"{prefix}{one}" for one in found.values], found.total, found.more)

    async def _sync(self, named: str) -> str | None:
        """The id of a sync that was chosen by id, or by a name only one has."""
        wanted = named.strip().casefold()
        if _ID.fullmatch(wanted) or not wanted:
            return wanted or None
        same = [one.id for one in (await self._list(SYNCS)).items if clean(one.name or "").casefold() == wanted]
        return same[0] if len(same) == 1 else None

    def _revisions(self, sync_id: str) -> list[int]:
        return [one.number for one in self._application.revisions.of(sync_id.strip().lower())]

    async def _list(self, path: str, sync_id: str = "") -> _Listed:
        context = self._application.pipeline.context
        key, now = (path, sync_id), context.now()
        kept = self._read.get(key)
        if kept is not None and timedelta() <= now - kept.at < FRESH:
            return kept
        query = {"limit": PAGE} if path == SYNCS else None
        answer = await context.api.get(path, query=query, **({"id": sync_id} if sync_id else {}))
        items = _Named.read_all(answer.data)
        self._read = {other: one for other, one in self._read.items() if now - one.at < FRESH}
        self._read[key] = _Listed(now, items, bool(answer.next_page_token))
        return self._read[key]


def _bounded(listed: _Listed, value: str, *, ids: bool) -> Found:
    """Ids (`ids`), or else names, of what begins with or contains `value`; what begins with it comes first.

    By name means names, and the ids of those that share one or have none; an id that is being typed gives ids.
    """
    wanted = value.strip().casefold()
    first: list[str] = []
    then: list[str] = []
    names = [clean(one.name or "") for one in listed.items]
    for one, name in zip(listed.items, names, strict=True):
        told = one.id if ids or not name or names.count(name) > 1 else name
        begins = name.casefold().startswith(wanted) or one.id.casefold().startswith(wanted)
        if one.id.casefold().startswith(wanted) and wanted and not name.casefold().startswith(wanted):
            told = one.id
        if begins:
            first.append(told)
        elif wanted in name.casefold() or (ids and wanted in one.id.casefold()):
            then.append(told)
    return _cut([*first, *then], more=listed.more)


def _cut(values: Iterable[str], *, more: bool) -> Found:
    every = list(dict.fromkeys(values))
    return Found(every[:MOST], len(every), more=more or len(every) > MOST)
