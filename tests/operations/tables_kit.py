"""What tests of single tables share: a sync with a narrowed table, and its state over the API, past the tools."""

from typing import Any

from operations.kit import SCHEMA
from support import Workshop

NARROW = {
    "id": "customers",
    "fields": [{"id": "id"}, {"id": "name", "obfuscate": True}, {"id": "city", "enabled": False}],
    "filters": [{"field_id": "id", "function": "GreaterThan", "value": 1}],
}
"""One column obfuscated, one left out, one row filtered away."""


async def narrowed(workshop: Workshop, *others: str) -> str:
    """A sync whose table `customers` is copied in part only."""
    sync_id = await workshop.create_sync(schemas=[NARROW, *others], automatically_add_new_fields="none")
    workshop.api.calls.clear()
    return sync_id


async def table_of(workshop: Workshop, sync_id: str, schema_id: str = "customers") -> dict[str, Any]:
    """A table as the API has it."""
    return dict((await workshop.api.inner.get(SCHEMA, id=sync_id, schema_id=schema_id)).data)


def columns_of(table: dict[str, Any]) -> dict[str, tuple[bool, bool]]:
    """Each column: whether it is synced, whether obfuscated."""
    return {one["id"]: (one["enabled"], one["obfuscated"]) for one in table["fields"]}


NARROWED = {"id": (True, False), "name": (True, True), "city": (False, False)}
