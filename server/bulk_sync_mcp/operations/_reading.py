"""Reads that several operations share when they plan."""

import difflib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import anyio
from pydantic import Field

from bulk_sync_mcp.core.context import Answer, Context
from bulk_sync_mcp.core.effects import CancelsExecution
from bulk_sync_mcp.core.errors import ApiFailure, Failure
from bulk_sync_mcp.core.text import clean, quoted
from bulk_sync_mcp.models.base import moment
from bulk_sync_mcp.models.bulk_sync import BulkSync, SyncSchema
from bulk_sync_mcp.models.connection import BulkDestination, BulkSource, Connection
from bulk_sync_mcp.models.execution import Execution
from bulk_sync_mcp.models.merge import as_object
from bulk_sync_mcp.models.status import SyncStatus

T = TypeVar("T")

SYNC = "/api/bulk/syncs/{id}"
STATUS = "/api/bulk/syncs/{id}/status"
SCHEMAS = "/api/bulk/syncs/{id}/schemas"
SCHEMA = "/api/bulk/syncs/{id}/schemas/{schema_id}"
EXECUTIONS = "/api/bulk/syncs/{id}/executions"
EXECUTION = "/api/bulk/syncs/{id}/executions/{exec_id}"


@dataclass(frozen=True, slots=True)
class SyncRead:
    """A sync as it was read: the raw answer, which a merge keeps unknown keys of, and the typed view."""

    raw: dict[str, Any]
    sync: BulkSync

    @property
    def name(self) -> str:
        return self.sync.name or self.sync.id or "?"

    @property
    def sides(self) -> tuple[str | None, str | None]:
        """The ids of its source and its destination."""
        return self.sync.source_connection_id, self.sync.destination_connection_id


async def read_sync(context: Context, sync_id: str) -> SyncRead:
    """The configuration of a sync. Raises `ApiFailure`, `not_found` among them."""
    raw = (await context.api.get(SYNC, id=sync_id)).data
    read = SyncRead(as_object(raw), BulkSync.read(raw))
    context.sides[sync_id] = read.sides
    return read


class Ahead(Generic[T]):
    """What is read of both sides of a sync, begun while the sync itself is still being read.

    It is begun for the sides that the sync had when it was last read. Should it have others by now, what came of that
    is not looked at, and the read is made for those.
    """

    def __init__(self, context: Context, sync_id: str, read: Callable[[str | None, str | None], Awaitable[T]]) -> None:
        self._read = read
        self._guess = context.sides.get(sync_id)
        self._found: T | Failure | None = None

    async def begin(self) -> None:
        """To run beside the read of the sync. Raises nothing that the backend answers."""
        if self._guess is not None:
            try:
                self._found = await self._read(*self._guess)
            except Failure as failure:
                self._found = failure

    async def of(self, read: SyncRead) -> T:
        """What was read for the sides of this sync. Raises `Failure`."""
        found = self._found
        if found is None or read.sides != self._guess:
            return await self._read(*read.sides)
        if isinstance(found, Failure):
            raise found
        return found


Cursor = Annotated[str, Field(min_length=1, max_length=2_000, description="next_cursor of the page before.")]
"""A cursor of the backend, opaque (api/README.md 1)."""


async def read_page(context: Context, template: str, query: Mapping[str, object], **path: str) -> Answer:
    """One page of a list. A cursor the backend refuses is told by the argument's own name."""
    try:
        return await context.api.get(template, query=query, **path)
    except ApiFailure as failure:
        if failure.code != "bad_request" or "page_token" not in query:
            raise
        raise Failure(
            "invalid_arguments",
            f"`cursor` is not one of this list with these filters. {failure.message} Nothing has run.",
            next="Use the next_cursor of the page before, with the same filters, or leave `cursor` out.",
        ) from None


async def read_status(context: Context, sync_id: str) -> SyncStatus:
    """What runs, what ran last, what comes next."""
    return SyncStatus.read((await context.api.get(STATUS, id=sync_id)).data)


async def read_enabled_schemas(context: Context, sync_id: str) -> list[SyncSchema]:
    """The enabled tables of a sync, in id order."""
    answer = await context.api.get(SCHEMAS, query={"filters[enabled]": "true"}, id=sync_id)
    # One that does not say counts: it was asked for enabled ones, and a run would include it.
    return sorted((one for one in SyncSchema.read_all(answer.data) if one.enabled is not False), key=lambda one: one.id)


async def read_connection(context: Context, connection_id: str | None) -> Connection:
    """A connection, for its name and type; an unnamed one when the sync has none."""
    if not connection_id:
        return Connection()
    return Connection.read((await context.api.get("/api/connections/{id}", id=connection_id)).data)


async def read_destination(context: Context, connection_id: str) -> BulkDestination:
    """What a connection accepts as a destination."""
    return BulkDestination.read((await context.api.get("/api/connections/{id}/bulksync/target", id=connection_id)).data)


async def read_source(context: Context, connection_id: str, *, fields: bool) -> BulkSource:
    """What a connection offers as a source; `fields` can be slow on large sources."""
    query = {"include_fields": "true"} if fields else None
    return BulkSource.read(
        (await context.api.get("/api/connections/{id}/bulksync/source", query=query, id=connection_id)).data
    )


async def read_latest_executions(context: Context, sync_id: str) -> list[Execution]:
    """The latest executions, newest first, at most 20; also those in states that the API may not call terminal."""
    return Execution.read_all((await context.api.get(EXECUTIONS, query={"limit": 20}, id=sync_id)).data)


def unknown_names(names: Sequence[str], known: Iterable[str]) -> str:
    """Names that are not known, quoted, each with the known one it is most like: `“order” (did you mean “orders”?)`."""
    lower = {one.casefold(): one for one in known}

    def told(name: str) -> str:
        close = difflib.get_close_matches(name.casefold(), lower, n=1)
        # `orders` is what people call `public.orders`, which is too different to be found by its letters.
        inside = close or [one for one in lower if one.rpartition(".")[2] == name.casefold()]
        return f"{quoted(name)} (did you mean {quoted(lower[inside[0]])}?)" if inside else quoted(name)

    return ", ".join(told(name) for name in names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


async def together(*reads: Any) -> list[Any]:
    """The results of reads that run side by side. Raises the first failure as it is, not as a group."""
    results: list[Any] = [None] * len(reads)

    async def one(index: int, read: Any) -> None:
        results[index] = await read

    try:
        async with anyio.create_task_group() as group:
            for index, read in enumerate(reads):
                group.start_soon(one, index, read)
    except BaseExceptionGroup as failures:
        raise _first(failures) from None
    return results


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first  # pyright: ignore[reportUnknownArgumentType]


def already_running(sync_id: str, run: Execution, context: Context) -> Failure:
    """The refusal that tells what is running, instead of a bare 409."""
    return Failure(
        "already_running",
        f"Execution {clean(run.id)} of this bulk sync has not ended ({run.progress(context.now())}). Only one runs at a time; "
        "nothing was started.",
        next=f"Call `wait_for_bulk_sync_execution` with sync_id {sync_id} and execution_id {clean(run.id)}, or "
        "`cancel_bulk_sync` if the user wants it stopped.",
        details={"execution_id": run.id, "status": run.status},
    )


def cancels(read: SyncRead, run: Execution, context: Context, *, asked: bool) -> CancelsExecution:
    """The effect of ending a running execution."""
    cause = "rewriting" if run.rewriting else ("asked" if asked else "side_effect")
    return CancelsExecution(
        sync_id=read.sync.id or "",
        sync_name=read.name,
        execution_id=run.id or "",
        cause=cause,
        status=run.status,
        progress=run.progress(context.now()),
    )


def completed_since_change(
    read: SyncRead, ends: Sequence[Connection], past: list[Execution], tables: list[SyncSchema]
) -> bool:
    """Whether every one of `tables` completed in a run, tests apart, that was created after the last change of the
    configuration of the sync and of the connections at its `ends`.

    A run that was waiting when settings changed ran under the older ones, so it is its creation that counts. Fails
    closed: unknown times, or executions that do not list their tables, count as not completed.
    """
    changes = [moment(one) for one in (read.sync.updated_at, *(end.updated_at for end in ends))]
    known = [one for one in changes if one is not None]
    if len(known) < len(changes):
        return False
    changed = max(known)
    done: set[str] = set()
    for run in past:
        created = moment(run.created_at)
        if run.is_test is False and created is not None and created >= changed:
            done |= {table.id for table in run.schemas or [] if table.status == "completed" and table.id}
    return all(table.id in done for table in tables)


def last_counts(past: Sequence[Execution], tables: list[SyncSchema]) -> int | None:
    """Rows the latest finished run counted for these tables, None when no run tells."""
    wanted = {table.id for table in tables}
    for run in past:
        counts = [one.record_count for one in run.schemas or [] if one.id in wanted and one.record_count is not None]
        if counts and run.ended and not run.is_test:
            return sum(counts)
    return None


def heading(action: str, read: SyncRead, destination: str) -> str:
    """The title of a preview: what, on which sync, to where."""
    return f"{action} bulk sync {quoted(read.name)} ({read.sync.id}) → {destination}"
