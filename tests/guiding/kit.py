"""What tests of guiding share: resources as a client reads them."""

import json
from typing import Any

from bulk_sync_mcp.core.operation import AnyOperation
from support import Tools, Workshop


async def text_of(tools: Tools, uri: str) -> str:
    """The text of a resource."""
    (content,) = (await tools.client.read_resource(uri)).contents
    return str(content.text)


async def data_of(tools: Tools, uri: str) -> dict[str, Any]:
    """The data of a resource that holds JSON."""
    return dict(json.loads(await text_of(tools, uri)))


async def revisions_of(tools: Tools, sync_id: str) -> list[dict[str, Any]]:
    """The revisions of a sync as they are listed."""
    return list((await data_of(tools, f"bulk-sync://syncs/{sync_id}/revisions"))["revisions"])


async def revision_of(tools: Tools, sync_id: str, number: int) -> dict[str, Any]:
    """One revision of a sync."""
    return await data_of(tools, f"bulk-sync://syncs/{sync_id}/revisions/{number}")


def operation_of(workshop: Workshop, name: str) -> AnyOperation:
    """A tool that is on."""
    found = workshop.application.registry.get(name)
    assert found is not None
    return found
