"""Lists in pages: `page_token` in, `pagination.next_page_token` out (api/README.md 1, Pagination)."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from bulk_sync_mcp.api import faults
from bulk_sync_mcp.api.client import Answer, ApiClient


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its items as parsed, and the cursor of the next, None on the last. Cursors are opaque."""

    items: list[dict[str, Any]] = field(repr=False)
    next_page_token: str | None


async def get_page(
    client: ApiClient,
    template: str,
    *,
    query: Mapping[str, object] | None = None,
    page_token: str | None = None,
    **path: str,
) -> Page:
    """The page after `page_token`, or the first, in one request. `limit` goes into `query`.

    Raises `ApiFailure`, also with `backend_error` for an answer that is not a list of objects. `data: null`
    is an empty list (openapi.yaml allows it).
    """
    answer = await client.get(template, query={**(query or {}), "page_token": page_token}, **path)
    return Page(_items(answer), answer.next_page_token)


async def iterate_pages(
    client: ApiClient,
    template: str,
    *,
    most: int,
    query: Mapping[str, object] | None = None,
    page_token: str | None = None,
    **path: str,
) -> AsyncIterator[Page]:
    """Page after page, at most `most` of them, one request each, none before it is asked for.

    The last page given out says by its `next_page_token` whether there is more. Raises as `get_page`, and
    `backend_error` for a cursor that comes again, which would otherwise go round for ever.
    """
    seen = {page_token}
    for _ in range(most):
        page = await get_page(client, template, query=query, page_token=page_token, **path)
        page_token = page.next_page_token
        if page_token is not None and page_token in seen:
            raise faults.unreadable(200, "repeats a page cursor", mutation=False)
        yield page
        if page_token is None:
            return
        seen.add(page_token)


def _items(answer: Answer) -> list[dict[str, Any]]:
    data: object = answer.data
    if data is None:
        return []
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in cast(list[object], data)):
        raise faults.unreadable(answer.status, "is not a list of objects", mutation=False)
    return cast(list[dict[str, Any]], data)
