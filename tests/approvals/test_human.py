"""Evidence `human` from a client that shows no forms but opens pages, in both protocol revisions."""

import anyio
import pytest

from approvals.kit import Opener, Visitor, approve, deny, only_opens_pages, port_closes
from bulk_sync_mcp.guard import consent
from support import Person, Workshop

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def pages_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients declare URL elicitation without forms; calls wait for a page no longer than a test wants to."""
    only_opens_pages(monkeypatch)
    monkeypatch.setattr(consent, "PAGE_WAIT", 0.3)


async def test_a_person_who_approves_on_the_page_lets_the_call_run_once(for_human: Workshop, era: str) -> None:
    sync_id = await for_human.create_sync()
    opener = Opener(approve)
    pages = for_human.application.pages
    assert pages is not None
    async with for_human.tools(era, opener) as tools:  # pyright: ignore[reportArgumentType] - a callback as well
        assert pages.port is None
        done = await tools.delete_bulk_sync(sync_id=sync_id)
        assert not done.error, done.text
        await pages.closed()
        again = await tools.delete_bulk_sync(sync_id=sync_id)
    assert again.code == "not_found"
    assert len(opener.asked) == 1
    assert "“Shop”" in opener.asked[0].message
    assert [call[0] for call in for_human.api.mutations] == ["DELETE"]
    intent = next(line for line in for_human.audit() if line["event"] == "intent")
    assert intent["evidence_from"] == "page:page"
    assert opener.opened[0].url not in str(for_human.audit())


async def test_a_person_who_denies_on_the_page_leaves_the_sync_alone(for_human: Workshop, era: str) -> None:
    sync_id = await for_human.create_sync()
    async with for_human.tools(era, Opener(deny)) as tools:  # pyright: ignore[reportArgumentType]
        refused = await tools.delete_bulk_sync(sync_id=sync_id)
    assert refused.code == "approval_denied"
    assert "changed: none" in refused.text
    assert for_human.api.mutations == []


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_person_who_does_not_open_the_page_ends_the_approval(
    for_human: Workshop, era: str, action: str
) -> None:
    sync_id = await for_human.create_sync()
    opener = Opener(action=action)
    pages = for_human.application.pages
    assert pages is not None
    async with for_human.tools(era, opener) as tools:  # pyright: ignore[reportArgumentType]
        refused = await tools.delete_bulk_sync(sync_id=sync_id)
        assert refused.code == "confirmation_declined"
        await port_closes(pages, int(opener.opened[0].origin.rpartition(":")[2]))
    assert for_human.application.gate.store.open_decisions() == []
    assert for_human.api.mutations == []


async def test_approving_after_the_call_has_given_up_waiting_lets_the_same_call_run(
    for_human: Workshop, era: str
) -> None:
    sync_id = await for_human.create_sync()
    opener = Opener()
    async with for_human.tools(era, opener) as tools:  # pyright: ignore[reportArgumentType]
        waiting = await tools.delete_bulk_sync(sync_id=sync_id)
        assert waiting.code == "approval_required"
        assert "127.0.0.1" not in waiting.text
        await approve(opener.opened[0])
        done = await tools.delete_bulk_sync(sync_id=sync_id)
    assert not done.error, done.text
    assert len(opener.asked) == 1


async def test_calling_again_before_the_decision_has_the_same_page_opened_again(for_human: Workshop, era: str) -> None:
    sync_id = await for_human.create_sync()
    opener = Opener()
    async with for_human.tools(era, opener) as tools:  # pyright: ignore[reportArgumentType]
        await tools.delete_bulk_sync(sync_id=sync_id)
        opener.act = approve
        done = await tools.delete_bulk_sync(sync_id=sync_id)
    assert not done.error, done.text
    assert opener.opened[0].url == opener.opened[1].url


async def test_denying_after_the_call_has_given_up_waiting_refuses_the_same_call(for_human: Workshop, era: str) -> None:
    sync_id = await for_human.create_sync()
    opener = Opener()
    async with for_human.tools(era, opener) as tools:  # pyright: ignore[reportArgumentType]
        await tools.delete_bulk_sync(sync_id=sync_id)
        await deny(opener.opened[0])
        refused = await tools.delete_bulk_sync(sync_id=sync_id)
    assert refused.code == "approval_denied"
    assert for_human.api.mutations == []


async def test_an_approval_that_expires_on_the_page_runs_nothing(for_human: Workshop, era: str) -> None:
    sync_id = await for_human.create_sync()

    async def dither(_visitor: Visitor) -> None:
        for_human.clock.advance(minutes=11)

    async with for_human.tools(era, Opener(dither)) as tools:  # pyright: ignore[reportArgumentType]
        refused = await tools.delete_bulk_sync(sync_id=sync_id)
    assert refused.code == "confirmation_expired"
    assert for_human.api.mutations == []


async def test_an_approval_given_and_left_to_expire_is_asked_for_anew(for_human: Workshop, era: str) -> None:
    sync_id = await for_human.create_sync()
    opener = Opener()
    async with for_human.tools(era, opener) as tools:  # pyright: ignore[reportArgumentType]
        await tools.delete_bulk_sync(sync_id=sync_id)
        await approve(opener.opened[0])
        for_human.clock.advance(minutes=11)
        refused = await tools.delete_bulk_sync(sync_id=sync_id)
    assert refused.code == "approval_required"
    assert len(opener.asked) == 2
    assert for_human.api.mutations == []


async def test_a_table_enabled_after_approval_on_the_page_voids_it(for_human: Workshop, era: str) -> None:
    sync_id = await for_human.create_sync()

    async def approve_and_enable(visitor: Visitor) -> None:
        await approve(visitor)
        body = {"schemas": [{"id": "secrets", "enabled": True}]}
        await for_human.api.inner.patch("/api/bulk/syncs/{id}/schemas", body=body, id=sync_id)

    async with for_human.tools(era, Opener(approve_and_enable)) as tools:  # pyright: ignore[reportArgumentType]
        refused = await tools.start_bulk_sync_execution(sync_id=sync_id, resync_mode="rebuild")
    assert refused.code == "plan_changed"
    assert "“secrets”" in refused.text
    assert for_human.api.mutations == []


async def test_the_approval_of_a_page_is_no_confirmation(for_human: Workshop, era: str) -> None:
    sync_id = await for_human.create_sync()
    opener = Opener()
    async with for_human.tools(era, opener) as tools:  # pyright: ignore[reportArgumentType]
        await tools.delete_bulk_sync(sync_id=sync_id)
        await approve(opener.opened[0])
        identity = opener.opened[0].url.rpartition("/")[2]
    async with for_human.tools(era, principal="other") as tools:
        refused = await tools.delete_bulk_sync(sync_id=sync_id, confirmation=identity)
    assert refused.code == "confirmation_invalid"
    assert for_human.api.mutations == []


async def test_accepting_to_open_the_page_is_not_approving(for_human: Workshop) -> None:
    """2026-07-28: a client that answers for the page, and again with the same state, has decided nothing."""
    import mcp_types as types

    sync_id = await for_human.create_sync()
    async with for_human.tools(person=Opener()) as tools:  # pyright: ignore[reportArgumentType]
        asked = await tools.client.session.call_tool(
            "delete_bulk_sync", {"sync_id": sync_id}, allow_input_required=True
        )
        assert isinstance(asked, types.InputRequiredResult)
        for answer in ({"approve": "accept"}, {"confirm": "accept"}):
            given = {
                key: types.ElicitResult(action=action, content={"name": "Shop", "confirm": True})  # pyright: ignore[reportArgumentType]
                for key, action in answer.items()
            }
            result = await tools.client.session.call_tool(
                "delete_bulk_sync", {"sync_id": sync_id}, input_responses=given, request_state=asked.request_state
            )
            assert result.is_error
    assert for_human.api.mutations == []


async def test_of_two_calls_waiting_for_one_approval_one_runs(for_human: Workshop, era: str) -> None:
    sync_id = await for_human.create_sync()
    opener = Opener()
    codes: list[str] = []
    async with for_human.tools(era, opener) as tools:  # pyright: ignore[reportArgumentType]
        await tools.delete_bulk_sync(sync_id=sync_id)
        await approve(opener.opened[0])

        async def call() -> None:
            codes.append((await tools.delete_bulk_sync(sync_id=sync_id)).code)

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(call)
    assert codes.count("") == 1, codes
    assert [call[0] for call in for_human.api.mutations] == ["DELETE"]


async def test_a_client_with_forms_is_asked_in_a_form_and_no_port_opens(
    for_human: Workshop, era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    sync_id = await for_human.create_sync()
    person = Person("accept")
    async with for_human.tools(era, person) as tools:
        done = await tools.delete_bulk_sync(sync_id=sync_id)
    assert not done.error, done.text
    assert len(person.asked) == 1
    assert for_human.application.pages is not None
    assert for_human.application.pages.port is None


async def test_a_client_that_can_show_nothing_is_refused(for_human: Workshop, era: str) -> None:
    sync_id = await for_human.create_sync()
    async with for_human.tools(era) as tools:
        refused = await tools.delete_bulk_sync(sync_id=sync_id)
    assert refused.code == "denied"
    assert for_human.api.mutations == []
