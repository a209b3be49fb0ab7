"""What a run does to its output, and whether somebody has agreed to that before (api/README.md 3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.effects import (
    Cause,
    DeletesRows,
    DropsOutput,
    OnTables,
    RereadsSource,
    TruncatesOutput,
)
from bulk_sync_mcp.core.plan import Effect
from bulk_sync_mcp.models.bulk_sync import MODES, BulkSync, SyncSchema
from bulk_sync_mcp.models.connection import Connection
from bulk_sync_mcp.models.execution import Execution
from bulk_sync_mcp.models.merge import Json, as_objects
from bulk_sync_mcp.operations._reading import (
    SyncRead,
    completed_since_change,
    last_counts,
    read_connection,
    read_enabled_schemas,
    read_latest_executions,
    read_source,
    together,
)


@dataclass(frozen=True, slots=True)
class Past:
    """What earlier runs prove. `completed`: every table completed since the configuration last changed.

    `replaced` are tables that a run started through this server has replaced for want of a key. Only that proves that
    replacing one is nothing new: when a key goes at the source, nothing changes in the sync.
    """

    executions: Sequence[Execution] = ()
    completed: bool = False
    replaced: frozenset[str] = frozenset()

    def cause(self, *, keyless: SyncSchema | None = None) -> Cause:
        """The cause of what an ordinary run does: to a table without a key, or to any other."""
        known = self.completed and (keyless is None or keyless.id in self.replaced)
        return "repeat_run" if known else "first_run"


def looks_at_keys(resync_mode: str | None, *, test: bool = False) -> bool:
    """Whether a run of a `replicate` sync does something else to a table that has no key."""
    return not test and resync_mode in (None, "refetch")


async def without_key(
    context: Context, read: SyncRead, tables: list[SyncSchema], resync_mode: str | None = None, *, test: bool = False
) -> list[SyncSchema]:
    """Tables that an ordinary run or a refetch replaces (api/README.md 3); one the source does not tell counts.

    None for a run of another kind, which needs no look at the source.
    """
    if not looks_at_keys(resync_mode, test=test) or read.sync.mode != "replicate":
        return []
    source = await read_source(context, read.sync.source_connection_id or "", fields=True)
    keyed = {table.id for table in source.schemas or [] if table.keyed}
    return [table for table in tables if table.id not in keyed]


def on_output(
    read: SyncRead,
    tables: list[SyncSchema],
    keyless: list[SyncSchema],
    past: Past,
    destination: str,
    resync_mode: str | None = None,
) -> list[Effect]:
    """The effects of a run on the tables it writes."""

    def on(kind: type[OnTables], some: list[SyncSchema], cause: Cause) -> list[Effect]:
        effect = kind(
            sync_id=read.sync.id or "",
            sync_name=read.name,
            cause=cause,
            destination_id=read.sync.destination_connection_id or "",
            tables=tuple(table.id for table in some),
            outputs=tuple(table.output for table in some),
            destination=destination,
            rows=last_counts(past.executions, some),
        )
        return [effect] if some else []

    usual: Cause = "resync" if resync_mode else past.cause()
    if resync_mode == "rebuild":
        return on(DropsOutput, tables, usual)
    if resync_mode == "resync":
        return on(TruncatesOutput, tables, usual)
    if read.sync.mode == "append" and resync_mode is None:
        return []
    if read.sync.mode == "snapshot":
        return on(TruncatesOutput, tables, usual)
    if read.sync.mode not in MODES:
        # Mode missing or newer than this server: assume the worst an ordinary run can do, every time.
        return on(DropsOutput, tables, "first_run")
    # What merges has a key. A table without one is replaced by every run, a refetch included (api/README.md 3).
    keyed = [table for table in tables if table not in keyless]
    replaces = TruncatesOutput if read.sync.advanced("truncate_existing") else DropsOutput
    causes = {table.id: "resync" if resync_mode else past.cause(keyless=table) for table in keyless}
    effects: list[Effect] = []
    for cause in ("resync", "first_run", "repeat_run"):
        effects += on(replaces, [table for table in keyless if causes[table.id] == cause], cause)
    if resync_mode == "refetch":
        effects += on(RereadsSource, keyed, usual)
    if read.sync.advanced("hard_deletes"):
        effects += on(DeletesRows, keyed, usual)
    return effects


async def first_firing(
    context: Context, read: SyncRead, destination: Connection, after: Json | None = None
) -> list[Effect]:
    """What the first run of a schedule that is switched on does and nobody has agreed to.

    Threat: a run that would ask, had by way of a schedule that fires within the minute. `after` is the configuration
    the sync will have, if more of it changes than when it runs: nothing that ran before proves anything then.
    """
    changed = after is not None
    if after is not None:
        raw: dict[str, Any] = {**read.raw, **after}
        read = SyncRead(raw, BulkSync.read(raw))
    if after is not None and after.get("schemas"):
        chosen = SyncSchema.read_all([one for one in as_objects(after["schemas"]) if one.get("enabled") is not False])
        tables = sorted(chosen, key=lambda one: one.id)
    else:
        tables = await read_enabled_schemas(context, read.sync.id or "")
    past, source, keyless = await together(
        read_latest_executions(context, read.sync.id or ""),
        read_connection(context, read.sync.source_connection_id),
        without_key(context, read, tables),
    )
    ran = Past(
        past,
        completed=not changed and completed_since_change(read, (source, destination), past, tables),
        replaced=context.replaced.known(read.sync.id or "") if keyless else frozenset(),
    )
    effects = on_output(read, tables, keyless, ran, destination.spelled(read.sync.output_schema))
    return [one for one in effects if isinstance(one, OnTables) and one.cause == "first_run"]
