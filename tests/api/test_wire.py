"""What goes on the wire, byte for byte, and what is accepted from it."""

import gzip
import json
import logging
import tracemalloc
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.fakes import QUICK, SECRET
from api.raw_server import answer, cut_after_read, data, giant, raw_bytes, raw_server
from bulk_sync_mcp.api.client import API_VERSION, ApiClient, Backend, Limits, bearer
from bulk_sync_mcp.api.paths import request_target
from bulk_sync_mcp.core.errors import ApiFailure, Failure

pytestmark = pytest.mark.anyio

SYNC = "/api/bulk/syncs/{id}"
SCHEMA = "/api/bulk/syncs/{id}/schemas/{schema_id}"
ID = "3f8b2c6e-0d41-4b7a-9c55-1e2a7d904b11"

ODD_IDS = {
    "public.users": b"public.users",
    "a/b": b"a%2Fb",
    "Größe": b"Gr%C3%B6%C3%9Fe",
    "顧客": b"%E9%A1%A7%E5%AE%A2",
    "two words": b"two%20words",
    "100%": b"100%25",
    "a%2Fb": b"a%252Fb",
    "what?#x": b"what%3F%23x",
    "a+b&c=d;e": b"a%2Bb%26c%3Dd%3Be",
    "...": b"...",
    "..a": b"..a",
    "~x": b"~x",
    "[dbo].[t]": b"%5Bdbo%5D.%5Bt%5D",
    "a:b@c": b"a%3Ab%40c",
    "\\server": b"%5Cserver",
    '"q"': b"%22q%22",
}
REFUSED_IDS = [
    "",
    ".",
    "..",
    "%2e",
    "%2E%2e",
    "%252e%252e",
    "%25252525252e%2e",
    "../connections",
    "a/../../b",
    "a/..",
    "./a",
    "..\\a",
    "a%2f..%2fb",
    "a%252f%252e%252e%252fb",
    "..;x/a",
    "a\nb",
    "a\rb",
    "\x00",
    "a%00b",
    "a%0d%0aX: y",
    "\x7f",
    "\x85",
    "\ud800",
]


@pytest.mark.parametrize("schema_id", ODD_IDS)
async def test_an_odd_schema_id_arrives_encoded_and_untouched(open_client, schema_id):
    async with raw_server(data()) as server:
        await open_client(server.origin).get(SCHEMA, id=ID, schema_id=schema_id)
    expected = b"/api/bulk/syncs/" + ID.encode() + b"/schemas/" + ODD_IDS[schema_id]
    assert server.arrivals[0].raw.startswith(b"GET " + expected + b" HTTP/1.1\r\n")


@pytest.mark.parametrize("schema_id", REFUSED_IDS)
@pytest.mark.parametrize("method", ["get", "put"])
async def test_a_value_that_could_reach_another_resource_never_reaches_the_socket(open_client, method, schema_id):
    async with raw_server(data()) as server:
        with pytest.raises(Failure) as caught:
            await getattr(open_client(server.origin), method)(SCHEMA, id=ID, schema_id=schema_id)
    assert (server.connections, server.arrivals) == (0, [])
    assert (caught.value.code, caught.value.changed) == ("invalid_arguments", "none")
    assert caught.value.message.startswith("`schema_id` ")
    assert caught.value.details == {"argument": "schema_id"}


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("./\\%25eE;\n")), max_size=24))
def test_any_value_is_refused_or_goes_out_as_one_segment_that_means_itself(value):
    try:
        target = request_target(SCHEMA, {"id": ID, "schema_id": value})
    except Failure:
        return
    sent = httpx.URL("https://app.polytomic.com", raw_path=target).raw_path
    assert sent == target
    parts = sent.decode("ascii").split("/")
    assert len(parts) == 7
    assert unquote(parts[-1]) == value
    seen, decoded = "", parts[-1]
    while seen != decoded:
        assert not {".", ".."} & set(decoded.replace("\\", "/").split("/"))
        seen, decoded = decoded, unquote(decoded)


async def test_a_query_is_encoded_as_the_description_says(open_client):
    query = {
        "active": True,
        "all": False,
        "limit": 50,
        "page_token": "a+b/c=&ü",
        "sync_id": ["x", "y"],
        "filters": {"enabled": "true"},
        "after": None,
    }
    async with raw_server(data()) as server:
        await open_client(server.origin).get("/api/bulk/syncs", query=query)
    assert server.arrivals[0].target == (
        b"/api/bulk/syncs?active=true&all=false&limit=50&page_token=a%2Bb%2Fc%3D%26%C3%BC"
        b"&sync_id=x&sync_id=y&filters%5Benabled%5D=true"
    )


@pytest.mark.parametrize(
    ("path", "query"),
    [({}, None), ({"id": "a", "other": "b"}, None), ({"id": "a"}, {"limit": 1.5}), ({"id": "a"}, {"x": object()})],
)
def test_a_template_or_query_that_cannot_be_filled_is_a_fault_of_the_caller(path, query):
    with pytest.raises(ValueError):  # noqa: PT011 - its words are for a programmer
        request_target(SYNC, path, query)


async def test_every_request_carries_version_and_credential_and_nothing_that_was_not_decided(open_client):
    async with raw_server(data()) as server:
        client = open_client(server.origin)
        await client.get(SYNC, id=ID)
        await client.put(SYNC, id=ID, body={"name": "ü"})
        await client.post("/api/bulk/syncs/{id}/cancel", id=ID)
        await client.post("/api/bulk/syncs/{id}/cancel", id=ID, idempotency_key="key-0123456789")
        await client.delete(SYNC, id=ID)
    common = {
        "host": f"127.0.0.1:{server.port}",
        "accept": "application/json",
        "accept-encoding": "gzip",
        "connection": "keep-alive",
        "user-agent": "bulk-sync-mcp",
        "x-polytomic-version": "2025-09-18",
        "authorization": f"Bearer {SECRET}",
    }
    key = {"idempotency-key": "key-0123456789"}
    extra = [arrival.headers.items() - common.items() for arrival in server.arrivals]
    assert all(common.items() <= arrival.headers.items() for arrival in server.arrivals)
    assert [dict(headers) for headers in extra] == [
        {},
        {"content-type": "application/json", "content-length": "17"},
        {"content-length": "0"},
        {"content-length": "0", **key},
        {},
    ]
    assert json.loads(server.arrivals[1].body) == {"name": "ü"}


async def test_cookies_are_neither_kept_nor_sent(open_client):
    async with raw_server(answer(200, {"data": 1}, headers={"Set-Cookie": "session=1; Path=/"}), data()) as server:
        client = open_client(server.origin)
        await client.get(SYNC, id=ID)
        await client.get(SYNC, id=ID)
    assert "cookie" not in server.arrivals[1].headers


@pytest.mark.parametrize("location", ["https://evil.example/?sig=abcdef", "http://x.example:port/", "/api/me"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_its_address_not_shown(open_client, status, location):
    async with raw_server(answer(status, headers={"Location": location}), data()) as server:
        client = open_client(server.origin)
        with pytest.raises(ApiFailure) as read:
            await client.get(SYNC, id=ID)
        server.script[:] = server.script[:1]
        with pytest.raises(ApiFailure) as changed:
            await client.post(SYNC, id=ID, idempotency_key="key-0123456789")
    assert [arrival.method for arrival in server.arrivals] == ["GET", "POST"]
    assert (read.value.code, read.value.changed, read.value.status) == ("backend_error", "none", status)
    assert (changed.value.code, changed.value.changed) == ("backend_error", "unknown")
    assert "redirect" in read.value.message
    assert location not in str(vars(read.value)) + str(vars(changed.value))


@pytest.mark.parametrize("method", ["get", "post"])
async def test_an_answer_beyond_the_bound_is_cut_off(open_client, method):
    limits = Limits(read=2.0, answer_bytes=100_000)
    async with raw_server(giant(1_000)) as server:
        with pytest.raises(ApiFailure) as caught:
            await getattr(open_client(server.origin, limits=limits), method)(SYNC, id=ID)
    assert len(server.arrivals) == 1
    assert (caught.value.code, caught.value.status) == ("backend_error", 200)
    assert "100,000 bytes" in caught.value.message
    assert caught.value.changed == ("none" if method == "get" else "unknown")


async def test_an_answer_that_grows_beyond_the_bound_when_decompressed_is_cut_off_in_time(open_client):
    bomb = gzip.compress(b" " * 50_000_000)
    limits = Limits(read=2.0, answer_bytes=100_000)
    async with raw_server(giant(1, headers={"Content-Encoding": "gzip"}, chunk=bomb)) as server:
        client = open_client(server.origin, limits=limits)
        tracemalloc.start()
        try:
            with pytest.raises(ApiFailure, match="100,000 bytes"):
                await client.get(SYNC, id=ID)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 5_000_000


async def test_an_answer_just_within_the_bound_is_read_plain_and_compressed(open_client):
    content = json.dumps({"data": "x" * 989}).encode()
    assert len(content) == 1_001
    packed = answer(200, gzip.compress(content), headers={"Content-Encoding": "gzip"})
    async with raw_server(answer(200, content), packed) as server:
        client = open_client(server.origin, limits=Limits(answer_bytes=1_001))
        assert (await client.get(SYNC, id=ID)).data == "x" * 989
        assert (await client.get(SYNC, id=ID)).data == "x" * 989
        smaller = open_client(server.origin, limits=Limits(answer_bytes=1_000))
        with pytest.raises(ApiFailure):
            await smaller.get(SYNC, id=ID)


NONSENSE = {
    "HTML": answer(200, b"<html>hello</html>"),
    "a list": answer(200, [1]),
    "a string": answer(200, "ok"),
    "half of a JSON text": answer(200, b'{"data": '),
    "invalid UTF-8": answer(200, b'{"data": "\xff\xfe"}'),
    "nested without end": answer(200, b"[" * 200_000),
    "a number without end": answer(200, b'{"data": ' + b"9" * 10_000 + b"}"),
    "not the gzip it says": answer(200, b'{"data": 1}', headers={"Content-Encoding": "gzip"}),
    "half of a gzip": answer(200, gzip.compress(b'{"data": 1}' * 9)[:-12], headers={"Content-Encoding": "gzip"}),
    "of an unknown encoding": answer(200, b'{"data": 1}', headers={"Content-Encoding": "br"}),
}


@pytest.mark.parametrize("what", NONSENSE)
@pytest.mark.parametrize("method", ["get", "put"])
async def test_an_answer_that_makes_no_sense_is_reported_when_it_is(open_client, method, what):
    async with raw_server(NONSENSE[what]) as server:
        with pytest.raises(ApiFailure) as caught:
            await getattr(open_client(server.origin), method)(SYNC, id=ID)
    assert len(server.arrivals) == 1
    assert (caught.value.code, caught.value.status) == ("backend_error", 200)
    assert caught.value.changed == ("none" if method == "get" else "unknown")


@pytest.mark.parametrize("empty", [answer(204), answer(200), answer(200, b"null"), answer(200, b" \n")])
async def test_an_empty_answer_is_fine_for_a_mutation_and_not_for_a_read(open_client, empty):
    async with raw_server(empty) as server:
        client = open_client(server.origin)
        answered = await client.delete(SYNC, id=ID)
        with pytest.raises(ApiFailure) as caught:
            await client.get(SYNC, id=ID)
    assert answered.body is None
    assert answered.next_page_token is None
    assert caught.value.code == "backend_error"
    with pytest.raises(ApiFailure) as missing:
        _ = answered.data
    assert (missing.value.code, missing.value.changed) == ("backend_error", "unknown")


async def test_an_object_without_envelope_is_given_out_whole_and_has_no_data(open_client):
    async with raw_server(answer(200, {"job": {"id": "j"}})) as server:
        answered = await open_client(server.origin).get("/api/connection_types/{id}", id="snowflake")
    assert answered.body == {"job": {"id": "j"}}
    with pytest.raises(ApiFailure) as missing:
        _ = answered.data
    assert (missing.value.code, missing.value.changed) == ("backend_error", "none")


async def test_an_answer_longer_than_announced_is_read_to_its_announced_length(open_client):
    more = raw_bytes(b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"data": 1}HTTP/1.1 200 OK\r\n\r\n')
    async with raw_server(more, data()) as server:
        client = open_client(server.origin)
        assert (await client.get(SYNC, id=ID)).data == 1
        await client.get(SYNC, id=ID)
    assert [arrival.connection for arrival in server.arrivals] == [1, 2]


async def test_another_version_in_the_answer_is_warned_of_once(open_client, caplog):
    other = answer(200, {"data": 1}, headers={"X-Polytomic-Version": "2021-05-23"})
    same = answer(200, {"data": 1}, headers={"X-Polytomic-Version": API_VERSION})
    async with raw_server(same, other, other) as server:
        client = open_client(server.origin)
        with caplog.at_level(logging.WARNING):
            await client.get(SYNC, id=ID)
            assert caplog.records == []
            await client.get(SYNC, id=ID)
            await client.get(SYNC, id=ID)
    assert [record.getMessage() for record in caplog.records] == [
        "the backend serves API version “2021-05-23”, not 2025-09-18"
    ]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
async def test_a_body_json_cannot_hold_is_refused_and_nothing_sent(open_client, value):
    async with raw_server(data()) as server:
        with pytest.raises(Failure) as caught:
            await open_client(server.origin).put(SYNC, id=ID, body={"n": value})
    assert (caught.value.code, server.connections) == ("invalid_arguments", 0)


async def test_a_body_with_text_that_is_not_unicode_arrives_escaped(open_client):
    async with raw_server(data()) as server:
        await open_client(server.origin).put(SYNC, id=ID, body={"n": "\ud800"})
    assert server.arrivals[0].body == b'{"n":"\\ud800"}'


async def test_a_closed_client_refuses_to_work(open_client):
    async with raw_server(data()) as server:
        client = open_client(server.origin)
        await client.get(SYNC, id=ID)
        await client.aclose()
        await client.aclose()
        with pytest.raises(RuntimeError, match="closed"):
            await client.get(SYNC, id=ID)
    assert len(server.arrivals) == 1


async def test_a_fault_inside_a_transport_shows_for_a_read_and_is_unknown_for_a_mutation():
    def broken(_: httpx.Request) -> httpx.Response:
        raise KeyError("fault")

    client = ApiClient(
        Backend("http://localhost", bearer(SECRET), "local"), transport=httpx.MockTransport(broken), limits=QUICK
    )
    with pytest.raises(KeyError):
        await client.get(SYNC, id=ID)
    with pytest.raises(ApiFailure) as caught:
        await client.post(SYNC, id=ID, idempotency_key="key-0123456789")
    assert (caught.value.code, caught.value.changed) == ("outcome_unknown", "unknown")
    await client.aclose()


async def test_two_clients_share_nothing(open_client):
    async with raw_server(cut_after_read(), data()) as first, raw_server(data()) as second:
        await open_client(first.origin).get(SYNC, id=ID)
        await open_client(second.origin).get(SYNC, id=ID)
    assert (len(first.arrivals), len(second.arrivals)) == (2, 1)
