"""Lists in pages: one request each, only when asked for, and never round for ever."""

import httpx
import pytest

from bulk_sync_mcp.api.client import ApiClient, Backend, bearer
from bulk_sync_mcp.api.pages import get_page, iterate_pages
from bulk_sync_mcp.core.errors import ApiFailure

pytestmark = pytest.mark.anyio

LIST = "/api/bulk/syncs"


class Upstream:
    """Serves pages by their token and counts requests."""

    def __init__(self, pages):
        self.pages = pages
        self.asked = []
        self.client = ApiClient(Backend("http://localhost", bearer("key")), transport=httpx.MockTransport(self._serve))

    def _serve(self, request):
        self.asked.append(request.url.query.decode())
        return httpx.Response(200, json=self.pages[request.url.params.get("page_token")])


def page(ids, following=None):
    return {"data": [{"id": number} for number in ids], "pagination": {"next_page_token": following}}


async def test_pages_follow_the_cursor_to_the_end_and_keep_the_query():
    upstream = Upstream({None: page([1, 2], "b"), "b": page([3], "c/+"), "c/+": page([4], "")})
    pages = [found async for found in iterate_pages(upstream.client, LIST, most=9, query={"limit": 2})]
    assert [[item["id"] for item in found.items] for found in pages] == [[1, 2], [3], [4]]
    assert upstream.asked == ["limit=2", "limit=2&page_token=b", "limit=2&page_token=c%2F%2B"]
    assert pages[-1].next_page_token is None


async def test_no_more_than_the_most_is_asked_for_and_the_cursor_to_go_on_is_given():
    upstream = Upstream({None: page([1], "b"), "b": page([2], "c")})
    pages = [found async for found in iterate_pages(upstream.client, LIST, most=2)]
    assert len(upstream.asked) == 2
    assert pages[-1].next_page_token == "c"


async def test_a_page_is_not_fetched_before_it_is_asked_for():
    upstream = Upstream({None: page([1], "b")})
    async for _ in iterate_pages(upstream.client, LIST, most=5):
        break
    assert len(upstream.asked) == 1


async def test_a_page_can_be_taken_up_where_another_call_left_off():
    upstream = Upstream({"b": page([2])})
    found = await get_page(upstream.client, LIST, page_token="b")
    assert (found.items, found.next_page_token) == ([{"id": 2}], None)


@pytest.mark.parametrize("start", [None, "b"])
async def test_a_cursor_that_comes_again_ends_in_a_failure(start):
    upstream = Upstream({None: page([1], "b"), "b": page([2], "c"), "c": page([3], "b")})
    with pytest.raises(ApiFailure) as caught:
        async for _ in iterate_pages(upstream.client, LIST, most=50, page_token=start):
            pass
    assert caught.value.code == "backend_error"
    assert len(upstream.asked) <= 3


@pytest.mark.parametrize("pagination", [{}, {"pagination": None}, {"pagination": {}}, {"pagination": []}])
async def test_a_list_without_pagination_is_one_page(pagination):
    upstream = Upstream({None: {"data": [], **pagination}})
    found = await get_page(upstream.client, LIST)
    assert (found.items, found.next_page_token) == ([], None)


async def test_null_is_an_empty_list():
    assert (await get_page(Upstream({None: {"data": None}}).client, LIST)).items == []


@pytest.mark.parametrize("content", [{}, {"data": {}}, {"data": "x"}, {"data": [1]}, {"data": [None]}])
async def test_what_is_not_a_list_of_objects_is_reported(content):
    with pytest.raises(ApiFailure) as caught:
        await get_page(Upstream({None: content}).client, LIST)
    assert (caught.value.code, caught.value.changed) == ("backend_error", "none")
