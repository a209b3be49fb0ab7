"""Confirmations that were stolen, bent, kept too long, used before, or used twice at once."""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest

from safety.hostile.attack import filled
from safety.hostile.stage import Stage, build_stage, sent, unfit
from support import ERAS, LEGACY, MODERN, Called, Person, Workshop
from transports.kit import place_of, ran, started

pytestmark = pytest.mark.anyio

REFUSALS = {"confirmation_invalid", "confirmation_used", "confirmation_expired", "plan_changed", "invalid_arguments"}
DELETE = ("delete_bulk_sync", {"sync_id": "<sync>"})
REBUILD = ("start_bulk_sync_execution", {"sync_id": "<sync>", "resync_mode": "rebuild"})
SNAPSHOT = ("update_bulk_sync", {"sync_id": "<sync>", "mode": "snapshot"})
ARMED = ("activate_bulk_sync", {"sync_id": "<armed>", "active": True})
CREATED = (
    "create_bulk_sync",
    {
        "name": "Stolen",
        "source_connection_id": "<source>",
        "destination_connection_id": "<destination>",
        "active": True,
        "default_schedule": {"frequency": "hourly"},
    },
)
Call = tuple[str, Mapping[str, Any]]


def _same(text: str) -> str:
    return text


@dataclass(frozen=True)
class Theft:
    """A preview of one call, and what its confirmation is then used for."""

    intention: str
    shown: Call
    used: Call
    bent: Callable[[str], str] = _same
    thief: str = "test"
    later: float = 0.0
    beside: Mapping[str, Any] = field(default_factory=dict)


def _with(call: Call, **changes: Any) -> Call:
    return call[0], {**call[1], **changes}


def _swapped(text: str) -> str:
    return text[:-1] + ("A" if text[-1] != "A" else "B")


THEFTS = [
    *(Theft("from another caller's preview", call, call, thief="somebody else") for call in (DELETE, REBUILD, SNAPSHOT, ARMED, CREATED)),
    Theft("for another sync", DELETE, _with(DELETE, sync_id="<other>")),
    Theft("for another sync", REBUILD, _with(REBUILD, sync_id="<other>")),
    Theft("for another sync", SNAPSHOT, _with(SNAPSHOT, sync_id="<other>")),
    Theft("of an update for a deletion", SNAPSHOT, DELETE),
    Theft("of a rebuild for a deletion", REBUILD, DELETE),
    Theft("of an activation for a deletion", ARMED, _with(DELETE, sync_id="<armed>")),
    Theft("of a deletion for a rebuild", DELETE, REBUILD),
    Theft("of a creation for a deletion", CREATED, DELETE),
    Theft("of a deletion for a cancellation", DELETE, ("cancel_bulk_sync", {"sync_id": "<sync>"})),
    Theft("of an emptying for a rebuild", _with(REBUILD, resync_mode="resync"), REBUILD),
    Theft("of a refetch for a rebuild", _with(REBUILD, resync_mode="refetch"), REBUILD),
    Theft("of one table for all", _with(REBUILD, schemas=["events"]), REBUILD),
    Theft("of one table for another", _with(REBUILD, schemas=["events"]), _with(REBUILD, schemas=["customers"])),
    Theft("of all for one table", REBUILD, _with(REBUILD, schemas=["events"])),
    Theft("of one mode for another", SNAPSHOT, _with(SNAPSHOT, mode="append")),
    Theft("of a mode for a mode and a name", SNAPSHOT, _with(SNAPSHOT, name="Harmless")),
    Theft("of a mode for a mode and deletions", SNAPSHOT, _with(SNAPSHOT, destination_configuration={"advanced": {"hard_deletes": True}})),
    Theft("of a mode for a mode and a rebuild", SNAPSHOT, _with(SNAPSHOT, additional_schedules=[{"frequency": "hourly", "resync_mode": "rebuild"}])),
    Theft("of true for 1", _with(SNAPSHOT, destination_configuration={"advanced": {"hard_deletes": True}}), _with(SNAPSHOT, destination_configuration={"advanced": {"hard_deletes": 1}})),
    Theft("of a creation for one with another name", CREATED, _with(CREATED, name="Stolen ")),
    Theft("of a creation for one in snapshot mode", CREATED, _with(CREATED, mode="snapshot")),
    Theft("of a creation for one with a rebuild", CREATED, _with(CREATED, additional_schedules=[{"frequency": "hourly", "resync_mode": "rebuild"}])),
    *(Theft("in other letters", call, call, bent=str.swapcase) for call in (DELETE, REBUILD)),
    Theft("in small letters", DELETE, DELETE, bent=str.lower),
    Theft("its first half", DELETE, DELETE, bent=lambda text: text[:16]),
    Theft("without its end", DELETE, DELETE, bent=lambda text: text[:-1]),
    Theft("with an end too many", DELETE, DELETE, bent=lambda text: text + "A"),
    Theft("with padding", DELETE, DELETE, bent=lambda text: text + "=="),
    Theft("with another last letter", DELETE, DELETE, bent=_swapped),
    Theft("backwards", DELETE, DELETE, bent=lambda text: text[::-1]),
    Theft("twice", DELETE, DELETE, bent=lambda text: text + text),
    Theft("between spaces", DELETE, DELETE, bent=lambda text: f" {text} "),
    Theft("with a line after it", DELETE, DELETE, bent=lambda text: f"{text}\n"),
    Theft("in quotes", DELETE, DELETE, bent=lambda text: f'"{text}"'),
    Theft("as a pattern", DELETE, DELETE, bent=lambda text: text[:-2] + "%%"),
    Theft("as a pattern of single letters", DELETE, DELETE, bent=lambda text: text[:3] + "_" * (len(text) - 3)),
    Theft("in wide letters", DELETE, DELETE, bent=lambda text: "".join(chr(ord(one) + 0xFEE0) for one in text)),
    Theft("with what cannot be seen", DELETE, DELETE, bent=lambda text: text[:9] + "\u200b" + text[9:]),
    Theft("with NUL after it", DELETE, DELETE, bent=lambda text: text + "\x00"),
    Theft("as JSON", DELETE, DELETE, bent=lambda text: f'{{"confirmation":"{text}"}}'),
    *(Theft("too late", call, call, later=601) for call in (DELETE, REBUILD, SNAPSHOT, ARMED, CREATED)),
    Theft("a day late", DELETE, DELETE, later=86_400),
    Theft("long before it was given", DELETE, DELETE, later=-86_400 * 400),
    Theft("beside what was never shown", DELETE, DELETE, beside={"force": True}),
]  # fmt: skip


def test_there_are_enough_thefts() -> None:
    assert len(THEFTS) >= 40


@pytest.mark.parametrize("number", range(len(THEFTS)))
async def test_a_confirmation_is_good_for_nothing_but_the_call_it_was_shown_for(stage: Stage, number: int) -> None:
    theft, workshop = THEFTS[number], stage.workshop
    era = ERAS[number % len(ERAS)]
    workshop.api.calls.clear()
    try:
        async with workshop.tools(era) as owner, workshop.tools(era, principal=theft.thief) as thief:
            shown = await sent(owner, theft.shown[0], filled(theft.shown[1], stage.ids))
            assert shown.code == "confirmation_required", shown.text
            workshop.clock.advance(seconds=theft.later)
            arguments = {
                **filled(theft.used[1], stage.ids),
                **theft.beside,
                "confirmation": theft.bent(shown.confirmation),
            }
            answer = await sent(thief, theft.used[0], arguments)
            after = await thief.list_bulk_syncs()
    finally:
        workshop.clock.advance(seconds=-theft.later)
    assert await stage.unchanged(), f"{theft.intention}: {answer.text}"
    assert not after.error
    assert answer.code in REFUSALS, f"{theft.intention}: {answer.text}"
    assert unfit(answer.text) == [], answer.text
    assert shown.confirmation not in answer.text


@pytest.fixture
async def own(tmp_path: Path) -> AsyncGenerator[Stage]:
    """A stage of the test's own, since something runs there once."""
    made = await build_stage(tmp_path, run=False)
    yield made
    await made.workshop.api.aclose()


def destructive(workshop: Workshop) -> list[tuple[str, str]]:
    return [call[:2] for call in workshop.api.mutations]


async def test_a_used_confirmation_is_never_good_again(own: Stage, era: str) -> None:
    """For the same call, after a change of mind, for another caller, and after the state is as it was before."""
    workshop, sync = own.workshop, own.ids["sync"]
    async with workshop.tools(era) as tools, workshop.tools(era, principal="somebody else") as other:
        preview = await tools.update_bulk_sync(sync_id=sync, mode="snapshot")
        used = {"sync_id": sync, "mode": "snapshot", "confirmation": preview.confirmation}
        assert not (await tools.update_bulk_sync(**used)).error
        back = await tools.update_bulk_sync(sync_id=sync, mode="replicate")
        assert not (await tools.update_bulk_sync(sync_id=sync, mode="replicate", confirmation=back.confirmation)).error
        done = destructive(workshop)
        assert done == [("PUT", "/api/bulk/syncs/{id}")] * 2
        for tool, arguments in (
            ("update_bulk_sync", used),
            ("update_bulk_sync", {**used, "mode": "append"}),
            ("delete_bulk_sync", {"sync_id": sync, "confirmation": preview.confirmation}),
            ("delete_bulk_sync", {"sync_id": sync, "confirmation": back.confirmation}),
        ):
            for caller in (tools, other):
                answer = await sent(caller, tool, arguments)
                assert answer.code in REFUSALS, answer.text
                assert "changed: none" in answer.text
    assert destructive(workshop) == done


async def test_a_refused_redemption_does_not_leave_a_way_in(own: Stage, era: str) -> None:
    """A confirmation tried out of turn is either still good for its own call, or good for nothing."""
    workshop, sync = own.workshop, own.ids["sync"]
    async with workshop.tools(era) as tools:
        preview = await tools.delete_bulk_sync(sync_id=sync)
        wrong = await tools.delete_bulk_sync(sync_id=own.ids["other"], confirmation=preview.confirmation)
        assert wrong.code in REFUSALS
        workshop.clock.advance(seconds=601)
        late = await tools.delete_bulk_sync(sync_id=sync, confirmation=preview.confirmation)
        assert late.code in REFUSALS
        workshop.clock.advance(seconds=-601)
        again = await tools.delete_bulk_sync(sync_id=sync, confirmation=preview.confirmation)
        assert again.code in REFUSALS, "an expired confirmation came back to life when the clock was set back"
    assert destructive(workshop) == []


async def _together(*calls: Callable[[], Any]) -> list[Called]:
    answers: list[Called] = []

    async def one(call: Callable[[], Any]) -> None:
        answers.append(await call())

    async with anyio.create_task_group() as group:
        for call in calls:
            group.start_soon(one, call)
    return answers


@pytest.mark.parametrize("many", [2, 8])
async def test_of_many_redemptions_at_once_one_runs(own: Stage, era: str, many: int) -> None:
    workshop, sync = own.workshop, own.ids["sync"]
    async with workshop.tools(era) as tools, workshop.tools(era) as second:
        preview = await tools.start_bulk_sync_execution(sync_id=sync, resync_mode="rebuild")
        arguments = {"sync_id": sync, "resync_mode": "rebuild", "confirmation": preview.confirmation}
        callers = [tools, second] * (many // 2)
        answers = await _together(
            *(lambda caller=caller: sent(caller, "start_bulk_sync_execution", arguments) for caller in callers)
        )
        await tools.wait_for_bulk_sync_execution(sync_id=sync, timeout_seconds=60)
    assert [answer.error for answer in answers].count(False) == 1, [answer.text for answer in answers]
    assert {answer.code for answer in answers if answer.error} <= {*REFUSALS, "busy", "already_running"}
    assert destructive(workshop) == [("POST", "/api/bulk/syncs/{id}/executions")]
    assert len(await own.get("/api/bulk/syncs/{id}/executions", id=sync)) == 1


async def test_two_confirmations_of_one_deletion_at_once_delete_once(own: Stage, era: str) -> None:
    workshop, sync = own.workshop, own.ids["other"]
    async with workshop.tools(era) as tools:
        previews = [await tools.delete_bulk_sync(sync_id=sync) for _ in range(2)]
        answers = await _together(
            *(lambda one=one: tools.delete_bulk_sync(sync_id=sync, confirmation=one.confirmation) for one in previews)
        )
    assert [answer.error for answer in answers].count(False) == 1, [answer.text for answer in answers]
    assert destructive(workshop).count(("DELETE", "/api/bulk/syncs/{id}")) == 1


async def test_two_processes_that_redeem_at_once_run_once(own: Stage) -> None:
    """`call` takes its two steps in processes of their own, by the same user: the store must decide between them."""
    place = place_of(own.workshop)
    sync = own.ids["other"]
    shown = await ran(place, "call", "delete_bulk_sync", f"sync_id={sync}", *place.flags)
    assert shown.status == 3, shown
    confirmation = Called(True, shown.out + shown.err, {}).confirmation
    words = ("call", "delete_bulk_sync", f"sync_id={sync}", f"confirmation={confirmation}", *place.flags)
    statuses: list[int] = []

    async def redeem() -> None:
        statuses.append((await ran(place, *words)).status)

    async with anyio.create_task_group() as group:
        group.start_soon(redeem)
        group.start_soon(redeem)
    assert statuses.count(0) == 1, statuses
    assert sum(line["event"] == "intent" for line in place.audit()) == 1


async def test_a_confirmation_of_one_server_process_is_worth_nothing_in_another(own: Stage) -> None:
    place = place_of(own.workshop)
    sync = own.ids["sync"]
    async with (
        started(place) as first,
        started(place) as second,
        first.tools(LEGACY) as one,
        second.tools(MODERN) as two,
    ):
        preview = await one.delete_bulk_sync(sync_id=sync)
        assert preview.code == "confirmation_required", preview.text
        answer = await two.delete_bulk_sync(sync_id=sync, confirmation=preview.confirmation)
        assert answer.code in REFUSALS, answer.text
        called = await ran(
            place, "call", "delete_bulk_sync", f"sync_id={sync}", f"confirmation={preview.confirmation}", *place.flags
        )
        assert called.status in (1, 2, 3), called
    assert await own.unchanged()
    assert not [line for line in place.audit() if line["event"] == "intent"]


async def test_where_a_form_can_be_shown_a_confirmation_counts_for_nothing(own: Stage, era: str) -> None:
    workshop, sync = own.workshop, own.ids["sync"]
    person = Person("decline")
    async with workshop.tools(era) as plain, workshop.tools(era, person) as tools:
        preview = await plain.delete_bulk_sync(sync_id=sync)
        answer = await tools.delete_bulk_sync(sync_id=sync, confirmation=preview.confirmation)
    assert answer.code == "confirmation_declined", answer.text
    assert len(person.asked) == 1
    assert await own.unchanged()
