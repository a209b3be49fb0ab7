"""How often a request reaches the socket: counted there, for each class and each way to fail."""

import random
from datetime import UTC, datetime

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.fakes import QUICK
from api.raw_server import (
    answer,
    cut_after_read,
    cut_in_body,
    cut_unread,
    data,
    drip,
    methods,
    raw_bytes,
    raw_server,
    silence,
)
from bulk_sync_mcp.api.client import Limits
from bulk_sync_mcp.api.retry import backoff, retry_after, retry_class
from bulk_sync_mcp.core.errors import ApiFailure

pytestmark = pytest.mark.anyio

SYNC = "/api/bulk/syncs/{id}"
START = "/api/bulk/syncs/{id}/executions"
ID = "3f8b2c6e-0d41-4b7a-9c55-1e2a7d904b11"
KEY = "key-0123456789"
ERRORS = [400, 401, 403, 404, 408, 409, 422, 425, 429, 500, 502, 503, 504]
PASSING = [408, 425, 429, 500, 502, 503, 504]
LAPSES = {
    "cut after it was read": cut_after_read(),
    "never answered": silence(),
    "answered with garbage": raw_bytes(b"\x00\x01 not http at all\r\n\r\n"),
    "answered with half a head": raw_bytes(b"HTTP/1.1 200 OK\r\nContent-Le"),
}


def call(client, method):
    if method == "GET":
        return client.get(SYNC, id=ID)
    if method == "POST":
        return client.post(START, body={"test": True}, id=ID)
    if method == "POST with key":
        return client.post(START, body={"schemas": ["é", "b"]}, idempotency_key=KEY, id=ID)
    if method == "DELETE":
        return client.delete(SYNC, id=ID)
    return getattr(client, method.lower())(SYNC, body={"name": "x"}, id=ID)


MUTATIONS = ["POST", "POST with key", "PUT", "PATCH", "DELETE"]
UNKEYED = ["POST", "PUT", "PATCH", "DELETE"]


@pytest.mark.parametrize("status", ERRORS)
@pytest.mark.parametrize("method", MUTATIONS)
async def test_a_mutation_answered_with_an_error_is_never_sent_again(open_client, clock, method, status):
    async with raw_server(answer(status, {"message": "no"}, headers={"Retry-After": "0"}), data()) as server:
        with pytest.raises(ApiFailure) as caught:
            await call(open_client(server.origin), method)
    assert len(server.arrivals) == 1
    assert caught.value.status == status
    assert caught.value.changed == ("unknown" if status == 408 or status >= 500 else "none")
    assert clock.slept == []


@pytest.mark.parametrize("lapse", LAPSES)
@pytest.mark.parametrize("method", UNKEYED)
async def test_a_mutation_without_a_key_is_sent_once_when_it_is(open_client, method, lapse):
    async with raw_server(LAPSES[lapse], data()) as server:
        with pytest.raises(ApiFailure) as caught:
            await call(open_client(server.origin), method)
    assert methods(server.arrivals) == [method]
    assert server.connections == 1
    assert (caught.value.code, caught.value.changed) == ("outcome_unknown", "unknown")


@pytest.mark.parametrize("method", UNKEYED)
async def test_a_mutation_reset_before_it_was_read_is_unknown_and_not_sent_again(open_client, method):
    async with raw_server(cut_unread(), data()) as server:
        with pytest.raises(ApiFailure) as caught:
            await call(open_client(server.origin), method)
    assert (server.connections, server.arrivals) == (1, [])
    assert (caught.value.code, caught.value.changed) == ("outcome_unknown", "unknown")


@pytest.mark.parametrize("method", UNKEYED)
async def test_a_mutation_is_sent_once_when_a_kept_alive_connection_drops_upon_it(open_client, method):
    async with raw_server(data(), cut_after_read(), data()) as server:
        client = open_client(server.origin)
        await call(client, "DELETE")
        with pytest.raises(ApiFailure) as caught:
            await call(client, method)
    assert methods(server.arrivals) == ["DELETE", method]
    assert [arrival.connection for arrival in server.arrivals] == [1, 1]
    assert caught.value.code == "outcome_unknown"


@pytest.mark.parametrize("method", [*MUTATIONS, "GET"])
async def test_a_connection_closed_while_idle_is_replaced_and_the_request_arrives_once(open_client, method):
    async with raw_server(answer(200, {"data": 1}, hang_up=True), data()) as server:
        client = open_client(server.origin)
        await call(client, "GET" if method == "GET" else "DELETE")
        await anyio.sleep(0.05)  # lets the end of the connection reach the client's socket
        await call(client, method)
    assert [arrival.connection for arrival in server.arrivals] == [1, 2]


@pytest.mark.parametrize("method", MUTATIONS)
async def test_a_mutation_that_finds_nobody_listening_is_reported_as_unknown(open_client, method):
    async with raw_server(data()) as server:
        origin = server.origin
    with pytest.raises(ApiFailure) as caught:
        await call(open_client(origin), method)
    assert (caught.value.code, caught.value.changed) == ("outcome_unknown", "unknown")


@pytest.mark.parametrize("lapse", LAPSES)
async def test_a_keyed_post_is_repeated_with_the_same_bytes_after_a_lost_answer(open_client, lapse):
    async with raw_server(LAPSES[lapse], data({"id": "run"})) as server:
        answered = await call(open_client(server.origin), "POST with key")
    first, second = server.arrivals
    assert first.raw == second.raw
    assert second.headers["idempotency-key"] == KEY
    assert second.body == b'{"schemas":["\\u00e9","b"]}'
    assert answered.data == {"id": "run"}


async def test_a_keyed_post_is_repeated_when_a_kept_alive_connection_drops_upon_it(open_client):
    async with raw_server(data(), cut_after_read(), data()) as server:
        client = open_client(server.origin)
        await call(client, "DELETE")
        await call(client, "POST with key")
    assert server.arrivals[1].raw == server.arrivals[2].raw
    assert [arrival.connection for arrival in server.arrivals] == [1, 1, 2]


async def test_a_keyed_post_gives_up_after_three_lost_answers_and_says_that_the_outcome_is_unknown(open_client):
    async with raw_server(cut_after_read()) as server:
        with pytest.raises(ApiFailure) as caught:
            await call(open_client(server.origin), "POST with key")
    assert len(server.arrivals) == 3
    assert (caught.value.code, caught.value.changed) == ("outcome_unknown", "unknown")
    assert caught.value.details["idempotency_key"] == KEY
    assert KEY not in caught.value.message + caught.value.next


@pytest.mark.parametrize("status", [401, 403, 408, 409, 429, 500, 503])
async def test_an_error_on_a_repeat_leaves_the_lost_first_request_unknown(open_client, status):
    async with raw_server(cut_after_read(), answer(status, {"message": "in progress"}), data()) as server:
        with pytest.raises(ApiFailure) as caught:
            await call(open_client(server.origin), "POST with key")
    assert len(server.arrivals) == 2
    assert (caught.value.code, caught.value.changed) == ("outcome_unknown", "unknown")
    assert (caught.value.status, caught.value.details["status"]) == (status, status)
    assert "in progress" in caught.value.message


@pytest.mark.parametrize(("status", "code"), [(400, "bad_request"), (404, "not_found"), (422, "bad_request")])
async def test_a_refusal_recorded_under_the_key_is_definite_on_a_repeat(open_client, status, code):
    async with raw_server(cut_after_read(), answer(status, {"message": "no"}), data()) as server:
        with pytest.raises(ApiFailure) as caught:
            await call(open_client(server.origin), "POST with key")
    assert len(server.arrivals) == 2
    assert (caught.value.code, caught.value.changed) == (code, "none")


@pytest.mark.parametrize("method", MUTATIONS)
async def test_an_accepted_mutation_whose_answer_breaks_off_is_unknown_and_not_sent_again(open_client, method):
    async with raw_server(cut_in_body(200), data()) as server:
        with pytest.raises(ApiFailure) as caught:
            await call(open_client(server.origin), method)
    assert len(server.arrivals) == 1
    assert (caught.value.code, caught.value.changed) == ("outcome_unknown", "unknown")
    assert caught.value.status == 200


@pytest.mark.parametrize("method", MUTATIONS)
async def test_a_refusal_whose_body_breaks_off_still_counts_by_its_status(open_client, method):
    async with raw_server(cut_in_body(409), data()) as server:
        with pytest.raises(ApiFailure) as caught:
            await call(open_client(server.origin), method)
    assert len(server.arrivals) == 1
    assert (caught.value.code, caught.value.changed) == ("conflict", "none")


@pytest.mark.parametrize("status", PASSING)
async def test_a_read_is_sent_again_after_a_passing_error(open_client, status):
    async with raw_server(answer(status), answer(status), data({"id": "x"})) as server:
        answered = await call(open_client(server.origin), "GET")
    assert methods(server.arrivals) == ["GET", "GET", "GET"]
    assert answered.data == {"id": "x"}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
async def test_a_read_that_was_refused_is_not_sent_again(open_client, status):
    async with raw_server(answer(status), data()) as server:
        with pytest.raises(ApiFailure):
            await call(open_client(server.origin), "GET")
    assert len(server.arrivals) == 1


@pytest.mark.parametrize("lapse", LAPSES)
async def test_a_read_is_sent_again_after_a_lost_answer(open_client, lapse):
    async with raw_server(LAPSES[lapse], data()) as server:
        await call(open_client(server.origin), "GET")
    assert len(server.arrivals) == 2


async def test_a_read_is_sent_again_when_its_answer_breaks_off(open_client):
    async with raw_server(cut_in_body(), data()) as server:
        await call(open_client(server.origin), "GET")
    assert len(server.arrivals) == 2


async def test_a_read_is_sent_again_after_a_reset(open_client):
    async with raw_server(cut_unread(), data()) as server:
        await call(open_client(server.origin), "GET")
    assert (server.connections, len(server.arrivals)) == (2, 1)


async def test_each_attempt_of_a_read_arrives_once_when_a_kept_alive_connection_drops_upon_it(open_client, clock):
    async with raw_server(data(), cut_after_read(), data()) as server:
        client = open_client(server.origin)
        await call(client, "GET")
        await call(client, "GET")
    assert [arrival.connection for arrival in server.arrivals] == [1, 1, 2]
    assert len(clock.slept) == 1


@pytest.mark.parametrize("method", MUTATIONS)
async def test_a_change_does_not_go_out_on_a_connection_of_reads(open_client, method):
    """Those belong to a library that sends some changes twice."""
    async with raw_server(data()) as server:
        client = open_client(server.origin)
        await call(client, "GET")
        await call(client, method)
        await call(client, "GET")
    assert [arrival.connection for arrival in server.arrivals] == [1, 2, 1]


async def test_a_read_gives_up_after_four_attempts(open_client, clock):
    async with raw_server(answer(503, {"message": "later"})) as server:
        with pytest.raises(ApiFailure) as caught:
            await call(open_client(server.origin), "GET")
    assert len(server.arrivals) == 4
    assert (caught.value.code, caught.value.changed, caught.value.status) == ("backend_error", "none", 503)
    assert len(clock.slept) == 3


async def test_a_read_that_never_gets_an_answer_ends_as_unreachable(open_client):
    async with raw_server(cut_after_read()) as server:
        with pytest.raises(ApiFailure) as caught:
            await call(open_client(server.origin), "GET")
    assert len(server.arrivals) == 4
    assert (caught.value.code, caught.value.changed, caught.value.status) == ("backend_unreachable", "none", None)
    assert "4 times" in caught.value.message


async def test_pauses_grow_within_their_bounds_and_differ_between_clients(open_client, clock):
    async with raw_server(answer(500)) as server:
        for seed in range(20):
            with pytest.raises(ApiFailure):
                await call(open_client(server.origin, rng=random.Random(seed)), "GET")
    rounds = [clock.slept[start : start + 3] for start in range(0, 60, 3)]
    assert all(0 <= pause <= bound for pauses in rounds for pause, bound in zip(pauses, (0.5, 1, 2), strict=True))
    assert len({pauses[0] for pauses in rounds}) == 20


def test_a_pause_never_exceeds_the_longest():
    assert max(backoff(30, Limits(), random.Random(seed)) for seed in range(200)) <= 8.0


async def test_retry_after_in_seconds_is_waited_for(open_client, clock):
    async with raw_server(answer(429, headers={"Retry-After": "3"}), data()) as server:
        await call(open_client(server.origin), "GET")
    assert len(server.arrivals) == 2
    assert 3.0 <= clock.slept[0] <= 3.5


async def test_retry_after_as_a_date_is_waited_for(open_client, clock):
    late = {"Retry-After": "Tue, 12 May 2026 04:15:04 GMT"}
    async with raw_server(answer(503, headers=late), data()) as server:
        await call(open_client(server.origin), "GET")
    assert len(server.arrivals) == 2
    assert 4.0 <= clock.slept[0] <= 4.5


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_beyond_the_deadline_stops_at_once_and_names_the_wait(open_client, clock, status):
    async with raw_server(answer(status, headers={"Retry-After": "90"}), data()) as server:
        with pytest.raises(ApiFailure) as caught:
            await call(open_client(server.origin), "GET")
    assert (len(server.arrivals), clock.slept) == (1, [])
    assert (caught.value.code, caught.value.status) == ("rate_limited", status)
    assert "90 s" in caught.value.message
    assert caught.value.next == "Call again in 90 s."
    assert caught.value.details == {"status": status, "retry_after_seconds": 90.0}


async def test_waits_add_up_against_one_deadline(open_client, clock):
    async with raw_server(answer(429, headers={"Retry-After": "6"}), data()) as server:
        server.script.insert(1, server.script[0])
        with pytest.raises(ApiFailure) as caught:
            await call(open_client(server.origin), "GET")
    assert len(server.arrivals) == 2
    assert clock.elapsed < QUICK.total
    assert caught.value.code == "rate_limited"


async def test_a_mutation_told_to_wait_says_for_how_long(open_client):
    async with raw_server(answer(429, headers={"Retry-After": "7"}), data()) as server:
        with pytest.raises(ApiFailure) as caught:
            await call(open_client(server.origin), "POST with key")
    assert (caught.value.code, caught.value.changed) == ("rate_limited", "none")
    assert caught.value.next == "Call again in 7 s."


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("9" * 5000, 999_999_999_999.0),
        ("Tue, 12 May 2026 04:16:00 GMT", 60.0),
        ("Tue, 12 May 2026 04:16:00 -0000", 60.0),
        ("Mon, 11 May 2026 00:00:00 GMT", 0.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("Tue, 99 May 99999 99:99:99 GMT", None),
        ("٣", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date_or_not_at_all(text, seconds):
    assert retry_after({"retry-after": text}, datetime(2026, 5, 12, 4, 15, tzinfo=UTC)) == seconds


@given(st.one_of(st.text(max_size=40), st.text(alphabet="0123456789 :,-+TueMayGMTZ", max_size=40)))
def test_no_text_in_retry_after_can_break_a_call(text):
    seconds = retry_after({"retry-after": text}, datetime(2026, 5, 12, 4, 15, tzinfo=UTC))
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize("step", [silence(), drip()], ids=["silence", "slow drip"])
@pytest.mark.parametrize("method", [*MUTATIONS, "GET"])
async def test_a_call_ends_at_its_deadline(open_client, method, step):
    limits = Limits(connect=2.0, read=5.0, total=0.2)
    async with raw_server(step) as server:
        with anyio.fail_after(3), pytest.raises(ApiFailure) as caught:
            await call(open_client(server.origin, limits=limits), method)
    assert len(server.arrivals) == 1
    expected = ("backend_unreachable", "none") if method == "GET" else ("outcome_unknown", "unknown")
    assert (caught.value.code, caught.value.changed) == expected
    assert ("idempotency_key" in caught.value.details) == (method == "POST with key")


@pytest.mark.parametrize("method", ["GET", "PUT", "POST with key"])
async def test_cancellation_passes_through_and_leaves_the_client_usable(open_client, method):
    limits = Limits(connect=2.0, read=30.0, total=30.0)
    async with raw_server(silence(), data()) as server:
        client = open_client(server.origin, limits=limits)
        finished = []

        async def hang():
            await call(client, method)
            finished.append(True)

        async with anyio.create_task_group() as group:
            group.start_soon(hang)
            await server.arrived.wait()
            group.cancel_scope.cancel()
        assert group.cancel_scope.cancelled_caught
        assert finished == []
        assert len(server.arrivals) == 1
        await call(client, "GET")
    assert methods(server.arrivals) == [method.split()[0], "GET"]


async def test_calls_at_the_same_time_arrive_once_each_over_pooled_connections(open_client):
    async with raw_server(data()) as server:
        client = open_client(server.origin, limits=Limits(connections=8))
        for _ in range(2):
            async with anyio.create_task_group() as group:
                for _ in range(32):
                    group.start_soon(call, client, "GET")
    assert len(server.arrivals) == 64
    assert server.connections <= 8


@pytest.mark.parametrize("key", ["short", "a" * 256, "has space in it", "newline-at-end\n", "schlüssel-1234"])
def test_a_key_the_api_would_refuse_is_a_fault_of_the_caller(key):
    with pytest.raises(ValueError, match="idempotency key"):
        retry_class("POST", key)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_a_key_belongs_on_post_only(method):
    with pytest.raises(ValueError, match="idempotency key"):
        retry_class(method, KEY)
