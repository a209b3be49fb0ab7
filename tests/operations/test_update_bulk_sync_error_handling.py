"""Changing who is told of failures: nobody is silenced unasked."""

from typing import Any

import pytest

from operations.kit import confirmed, proved, refuses, refuses_wrong_ids
from support import Person, Workshop

pytestmark = pytest.mark.anyio
TOOL = "update_bulk_sync_error_handling"
PATH = "/api/bulk/syncs/{id}/error-handling"


async def watched(workshop: Workshop, **settings: Any) -> str:
    """A sync of which somebody is told."""
    sync_id = await workshop.create_sync()
    body = {"subscribers": ["ada@example.com", "dana@example.com"], "ingestion_failure_threshold": 900, **settings}
    await workshop.api.inner.put(PATH, body=body, id=sync_id)
    return sync_id


async def stored(workshop: Workshop, sync_id: str) -> dict[str, Any]:
    return dict((await workshop.api.inner.get(PATH, id=sync_id)).data)


async def test_somebody_more_is_told_at_once_and_the_threshold_stays(all_on: Workshop, era: str) -> None:
    sync_id = await watched(all_on)
    three = ["ada@example.com", "dana@example.com", "new@example.com"]
    async with all_on.tools(era) as tools:
        answer = await tools.call(TOOL, {"sync_id": sync_id, "subscribers": three})
    data = proved(all_on, TOOL, answer)
    assert "new@example.com" in data["effects"][0]
    assert all_on.api.mutations == [("PUT", PATH, {"subscribers": three})]
    assert await stored(all_on, sync_id) == {"subscribers": three, "ingestion_failure_threshold": 900}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"subscribers": []}, "SILENCES failure alerts for “ada@example.com”, “dana@example.com”; nobody left."),
        ({"subscribers": ["ada@example.com"]}, "SILENCES failure alerts for “dana@example.com”; 1 address left."),
        ({"subscribers": ["eve@example.com"]}, "SILENCES failure alerts for “ada@example.com”, “dana@example.com”"),
        ({"ingestion_failure_threshold": 0}, "SILENCES alerts on lagging ingestion: threshold 900 → none."),
        ({"ingestion_failure_threshold": 901}, "SILENCES alerts on lagging ingestion: threshold 900 → 901."),
    ],
)
async def test_nobody_is_silenced_before_a_yes_in_a_form(
    all_on: Workshop, arguments: dict[str, Any], told: str
) -> None:
    sync_id = await watched(all_on)
    before = await stored(all_on, sync_id)
    person = Person("decline")
    async with all_on.tools(person=person) as tools:
        refused = await tools.call(TOOL, {"sync_id": sync_id, **arguments})
        assert refused.code == "confirmation_declined"
        assert told in person.asked[0]
        assert await stored(all_on, sync_id) == before
        assert all_on.api.mutations == []
        person.answer = "accept"
        proved(all_on, TOOL, await tools.call(TOOL, {"sync_id": sync_id, **arguments}))
    after = {**before, **arguments}
    assert await stored(all_on, sync_id) == {
        **after,
        "ingestion_failure_threshold": after["ingestion_failure_threshold"] or None,
    }


async def test_everybody_is_removed_on_the_second_call_where_no_form_can_be_shown(all_on: Workshop, era: str) -> None:
    sync_id = await watched(all_on)
    async with all_on.tools(era) as tools:
        preview, done = await confirmed(tools, TOOL, sync_id=sync_id, subscribers=[])
    assert "nobody left" in preview.text
    assert proved(all_on, TOOL, done)["subscribers"] == []
    assert (await stored(all_on, sync_id))["subscribers"] == []


async def test_an_address_added_meanwhile_is_not_removed_unseen(all_on: Workshop, era: str) -> None:
    sync_id = await watched(all_on)
    async with all_on.tools(era) as tools:
        preview = await tools.call(TOOL, {"sync_id": sync_id, "subscribers": []})
        await all_on.api.inner.put(PATH, body={"subscribers": ["late@example.com"]}, id=sync_id)
        refused = await tools.call(TOOL, {"sync_id": sync_id, "subscribers": [], "confirmation": preview.confirmation})
    assert refused.code == "plan_changed"
    assert "late@example.com" in refused.text
    assert all_on.api.mutations == []


async def test_a_tighter_threshold_is_set_at_once(all_on: Workshop) -> None:
    sync_id = await watched(all_on)
    async with all_on.tools() as tools:
        answer = await tools.call(TOOL, {"sync_id": sync_id, "ingestion_failure_threshold": 60})
    assert proved(all_on, TOOL, answer)["ingestion_failure_threshold"] == 60
    assert "“900” → “60”" in answer.data["effects"][0]


async def test_another_case_silences_nobody(all_on: Workshop) -> None:
    sync_id = await watched(all_on)
    both = ["Ada@example.com", "dana@example.com"]
    async with all_on.tools() as tools:
        proved(all_on, TOOL, await tools.call(TOOL, {"sync_id": sync_id, "subscribers": both}))
    assert (await stored(all_on, sync_id))["subscribers"] == both


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "Nothing would change"),
        ({"subscribers": ["ada@example.com", "dana@example.com", "ada@example.com"]}, "Nothing would change"),
        ({"ingestion_failure_threshold": 900}, "Nothing would change"),
        ({"subscribers": None}, "`subscribers`: null is not a setting"),
        ({"ingestion_failure_threshold": None}, "null is not a setting"),
    ],
)
async def test_a_call_that_says_nothing_new_is_told_so(all_on: Workshop, arguments: dict[str, Any], words: str) -> None:
    sync_id = await watched(all_on)
    async with all_on.tools() as tools:
        refused = await tools.call(TOOL, {"sync_id": sync_id, **arguments})
    assert refused.code == "invalid_arguments"
    assert words in refused.text
    assert all_on.api.mutations == []


async def test_what_the_backend_did_not_take_is_told(all_on: Workshop) -> None:
    sync_id = await watched(all_on)
    all_on.api.rewrites[("PUT", PATH)] = lambda _data: {"subscribers": [], "ingestion_failure_threshold": 900}
    async with all_on.tools() as tools:
        arguments = {"sync_id": sync_id, "subscribers": ["ada@example.com", "dana@example.com", "x@example.com"]}
        answer = await tools.call(TOOL, {**arguments, "ingestion_failure_threshold": 60})
    assert proved(all_on, TOOL, answer)["not_taken"] == ["subscribers", "ingestion_failure_threshold"]


async def test_wrong_arguments_are_refused(all_on: Workshop) -> None:
    sync_id = await all_on.create_sync()
    await refuses_wrong_ids(all_on, TOOL, "sync_id", ingestion_failure_threshold=5)
    await refuses(all_on, TOOL, {"sync_id": sync_id, "subscribers": ["nobody"]}, "`subscribers.0`")
    await refuses(all_on, TOOL, {"sync_id": sync_id, "subscribers": "a@example.com"}, "`subscribers`")
    await refuses(all_on, TOOL, {"sync_id": sync_id, "ingestion_failure_threshold": -1}, "threshold")
