"""What operations that change a sync keep of it: as it was read, so that it can be put back."""

from collections.abc import Mapping, Sequence
from typing import Any

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.errors import ApiFailure
from bulk_sync_mcp.core.plan import PreImage
from bulk_sync_mcp.models.bulk_sync import SyncSchema
from bulk_sync_mcp.models.merge import Json, as_object
from bulk_sync_mcp.operations._reading import SCHEMA, SCHEMAS, SyncRead, together

AT_ONCE = 8
"""Tables read side by side."""
MOST_READ = 100
"""Tables of a deleted sync that are read whole; of further ones only the names are kept."""


def of_sync(
    read: SyncRead,
    tables: Mapping[str, Mapping[str, Any]] | None = None,
    enabled: Sequence[str] | None = None,
    error_handling: Mapping[str, Any] | None = None,
) -> tuple[PreImage, ...]:
    """What a call keeps that changes one sync: all that its plan has read anyway."""
    image = PreImage(
        sync_id=(read.sync.id or "").lower(),
        sync=read.raw,
        enabled=None if enabled is None else tuple(sorted(enabled)),
        tables=tables or {},
        error_handling=error_handling,
    )
    return (image,)


async def with_tables(context: Context, read: SyncRead) -> tuple[PreImage, ...]:
    """What is kept of a sync that is deleted: its tables with columns and filters too.

    A sync that has lost its source may not be able to tell them, and must be deletable all the same.
    """
    sync_id = read.sync.id or ""
    try:
        listed = SyncSchema.read_all((await context.api.get(SCHEMAS, id=sync_id)).data)
        enabled = [one.id for one in listed if one.enabled is not False]
        tables = await read_tables(context, sync_id, enabled[:MOST_READ])
    except ApiFailure:
        return of_sync(read)
    return of_sync(read, tables, enabled)


async def read_tables(context: Context, sync_id: str, names: Sequence[str]) -> dict[str, Json]:
    """Tables with columns and filters, as the backend tells them. Raises `ApiFailure`."""
    found: dict[str, Json] = {}
    for start in range(0, len(names), AT_ONCE):
        some = names[start : start + AT_ONCE]
        answers = await together(*(context.api.get(SCHEMA, id=sync_id, schema_id=name) for name in some))
        found |= {name: as_object(answer.data) for name, answer in zip(some, answers, strict=True)}
    return found
