"""Messages that are no JSON-RPC, or say something twice: answered as what they are, and never acted on."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_sync_mcp.incoming import DEEPEST, refused
from support import Workshop
from transports.kit import PATIENCE, Place, Running, over_http, started
from transports.raw import CALL, EVERY, INVALID, Raw

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "0"}}


def line(method: str, params: Any = None, number: Any = None) -> bytes:
    """One message that is as it should be."""
    parts = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return json.dumps({key: value for key, value in parts.items() if value is not None}).encode()


def wrong(raw: Raw, answer: Any) -> str:
    """What is wrong with an answer; empty when nothing is."""
    if answer.get("id", "missing") != raw.id or "result" in answer:
        return f"{raw.intention}: answered {answer}"
    error = answer["error"]
    return "" if error["code"] == raw.code and error["message"] else f"{raw.intention}: {error}"


async def greeted(server: Running) -> None:
    await server.send(line("initialize", HELLO, 1).decode())
    assert json.loads(await server.line())["id"] == 1
    await server.send(line("notifications/initialized").decode())


@pytest.mark.anyio
async def test_over_stdio_each_is_answered_and_none_is_acted_on(workshop: Workshop, place: Place) -> None:
    sync_id = await workshop.create_sync("Shop")
    async with started(place) as server:
        await greeted(server)
        assert server.process.stdin is not None
        found: list[str] = []
        for raw in EVERY:
            # After each one comes one that is answered in any case, so that silence is told from waiting.
            await server.process.stdin.send(raw.text.replace(b"<sync>", sync_id.encode()) + b"\n")
            await server.send(line("ping", number=99).decode())
            answers = [json.loads(await server.line())]
            while answers[-1].get("id") != 99:
                answers.append(json.loads(await server.line()))
            found.append(wrong(raw, answers[0]) or ("" if len(answers) == 2 else f"{raw.intention}: {answers}"))
        assert [one for one in found if one] == []
        # The call that most of them disguise is one that works: it asks.
        call = json.dumps(CALL).replace("<sync>", sync_id)
        await server.send(line("tools/call", json.loads(call), 7).decode())
        assert "confirmation_required" in await server.line()
        assert await server.end() == 0
    assert [(one["event"], one["outcome"]) for one in place.audit()] == [("refusal", "confirmation_required")]
    assert "Traceback" not in server.errors


@pytest.mark.anyio
async def test_over_http_each_is_answered_and_none_is_acted_on(workshop: Workshop, place: Place) -> None:
    sync_id = await workshop.create_sync("Shop")
    async with over_http(place) as server:
        headers = {
            "Authorization": f"Bearer {server.token}",
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            "MCP-Protocol-Version": "2026-07-28",
        }
        found: list[str] = []
        async with httpx.AsyncClient(headers=headers, timeout=PATIENCE, trust_env=False) as http:
            for raw in EVERY:
                answer = await http.post(server.url, content=raw.text.replace(b"<sync>", sync_id.encode()))
                large = len(raw.text) > 4 * 1024 * 1024
                if answer.status_code != (413 if large else 400):
                    found.append(f"{raw.intention}: status {answer.status_code}")
                found.append(wrong(raw, answer.json()))
            # Without the token nobody is told even that.
            bare = await http.post(server.url, content=b"{", headers={"Authorization": "Bearer wrong"})
            assert bare.status_code == 401
        assert [one for one in found if one] == []
    assert place.audit() == []
    assert (await workshop.api.inner.get("/api/bulk/syncs/{id}", id=sync_id)).data["id"] == sync_id


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@settings(database=None, deadline=None, max_examples=150)
@given(
    params=st.dictionaries(st.text(max_size=5), JSON, max_size=4), own=st.none() | st.text(max_size=5) | st.integers()
)
def test_what_is_well_formed_passes_whatever_it_holds(params: dict[str, Any], own: Any) -> None:
    assert refused(line("tools/call", params, own)) is None


def _objects(value: Any, at: Callable[[Any], None]) -> None:
    if isinstance(value, dict):
        at(value)
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _objects(inner, at)


@settings(database=None, deadline=None, max_examples=150)
@given(params=st.dictionaries(st.text(max_size=5), JSON, min_size=1, max_size=4), pick=st.integers(0, 100))
def test_a_key_given_twice_is_found_in_whatever_object_it_is(params: dict[str, Any], pick: int) -> None:
    objects: list[dict[str, Any]] = []
    _objects(params, objects.append)
    full = [one for one in objects if one]
    chosen = full[pick % len(full)]
    key = sorted(chosen)[0]
    chosen["\0mark"] = 0
    text = line("tools/call", params, 5).replace(rb'"\u0000mark": 0', json.dumps(key).encode() + b": 1", 1)
    answer = refused(text)
    assert answer is not None
    assert (answer.code, answer.id) == (INVALID, 5)


def test_brackets_in_texts_are_no_levels() -> None:
    text = "[{" * 500 + '\\"' * 50
    assert refused(line("tools/call", {"x": text, "y": [{}] * 200}, 1)) is None
    deep: Any = 1
    for _ in range(DEEPEST - 2):
        deep = [deep]
    assert refused(line("tools/call", {"x": deep}, 1)) is None
    assert refused(line("tools/call", {"x": [deep]}, 1)) is not None
