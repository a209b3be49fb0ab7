"""The proof has teeth: take any part of the guard away, and the oracle finds what is lost by it.

Each test plays one small scenario twice. With the guard whole the oracle has nothing to say; with one part of it
weakened the same calls lose something that nobody answers for.
"""

from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest

from bulk_sync_mcp import composition
from bulk_sync_mcp.core.plan import Plan
from bulk_sync_mcp.guard import approval, consent
from bulk_sync_mcp.guard.approval import ApprovalStore, Binding
from bulk_sync_mcp.guard.policy import DEFAULTS, Evidence
from bulk_sync_mcp.guard.rules import Policy
from safety.machine.moves import MOVES
from safety.machine.stage import Stage, Teller, Theatre, Unaccounted, theatre
from support import Called

Scenario = Callable[[Stage], Awaitable[None]]
SHOP, MIRROR, STRICT, NARROW = range(4)


@pytest.fixture(scope="module")
def house() -> Generator[Theatre]:
    """One template for all."""
    with theatre() as made:
        yield made


def play(house: Theatre, scenario: Scenario) -> None:
    """Plays it on a stage of its own. Raises `Unaccounted`."""

    async def whole() -> None:
        stage = house.open()
        try:
            await scenario(stage)
            stage.go_on()
        finally:
            await stage.close()

    house.run(whole())


def found(house: Theatre, scenario: Scenario) -> str:
    """What the oracle finds."""
    with pytest.raises(Unaccounted) as caught:
        play(house, scenario)
    return str(caught.value)


async def do(stage: Stage, name: str, i: int = SHOP, j: int = 0, **more: Any) -> Called:
    """One move, by a model whose client shows no forms, without a confirmation."""
    operation, arguments = MOVES[name](stage, i, j)
    return await stage.call(operation, {**arguments, **more})


async def agreed(stage: Stage, name: str, i: int = SHOP, j: int = 0) -> None:
    """One move that a person agrees to."""
    operation, arguments = MOVES[name](stage, i, j)
    called = await stage.call(operation, arguments, Teller(answer="accept"))
    assert not called.error, called.text


# --- every row of the policy table -----------------------------------------------------------------------------------


def plain(name: str, i: int = SHOP, j: int = 0, *before: str) -> Scenario:
    """A move, after others that a person agrees to."""

    async def scenario(stage: Stage) -> None:
        for one in before:
            await agreed(stage, one, i)
        called = await do(stage, name, i, j)
        assert not called.error or called.code in ("confirmation_required", "denied"), called.text

    return scenario


def of_a_run(rerun: str, move: str) -> Scenario:
    """A run is under way, and the move ends it."""

    async def scenario(stage: Stage) -> None:
        stage.hold()
        await agreed(stage, rerun)
        called = await do(stage, move)
        assert not called.error or called.code in ("confirmation_required", "denied"), called.text

    return scenario


async def changed_and_run(stage: Stage) -> None:
    """A sync that deletes rows, whose configuration has changed since it ran, runs. Its keyless table stays out."""
    await stage.call("update_bulk_sync", {"sync_id": stage.syncs()[STRICT], "automatically_add_new_fields": "none"})
    await do(stage, "run one table", STRICT, 0)


async def refetched_with_hard_deletes(stage: Stage) -> None:
    sync_id = stage.syncs()[STRICT]
    await stage.call(
        "start_bulk_sync_execution", {"sync_id": sync_id, "resync_mode": "refetch", "schemas": ["customers"]}
    )


async def refetched(stage: Stage) -> None:
    await stage.meddle("overwritten by hand")
    await stage.call(
        "start_bulk_sync_execution",
        {"sync_id": stage.syncs()[SHOP], "resync_mode": "refetch", "schemas": ["customers"]},
    )


ROWS: dict[str, Scenario] = {
    "CreatesSync:firing": plain("create firing"),
    "CancelsExecution:side_effect": of_a_run("run", "deactivate"),
    "CancelsExecution:rewriting": of_a_run("rebuild", "cancel"),
    "TruncatesOutput:resync": plain("resync"),
    "TruncatesOutput:first_run": plain("run", MIRROR, 0, "new columns stay out"),
    "DropsOutput:resync": plain("rebuild"),
    "DropsOutput:first_run": plain("run one table", SHOP, 1, "new columns stay out"),
    "RereadsSource:resync": refetched,
    "RereadsSource:first_run": plain("track"),
    "DeletesRows:resync": refetched_with_hard_deletes,
    "DeletesRows:first_run": changed_and_run,
    "DeletesSync": plain("delete sync"),
    "DeletesSchedule": plain("delete schedule", SHOP, 1),
    "DeletesConnection": plain("delete connection", 2),
    "ReplacesCredentials": plain("rename connection", 2),
    "SendsCredentials": plain("test with another host"),
    "RedirectsOutput": plain("prefix of strangers"),
    "ChangesWriteMode": plain("snapshot"),
    "ArmsDestruction": plain("activate"),
    "WidensFields": plain("table on", SHOP, 2),
    "RemovesObfuscation": plain("names in the clear", NARROW),
    "DisablesSchemas": plain("table off"),
    "SilencesAlerts": plain("fewer subscribers"),
}
"""For every row that asks, calls that lose what it protects."""

NOTICES = {
    "StartsRun",
    "WritesSample",
    "CreatesSync:idle",
    "CreatesConnection",
    "UsesCredentials",
    "RefreshesSchemas",
    "ActivatesSchedule",
    "ChangesField",
    "ExposesRecords",
    "ExportsLogs:download",
    "ExportsLogs:mail",
    "CancelsExecution:asked",
    "TruncatesOutput:repeat_run",
    "DropsOutput:repeat_run",
    "RereadsSource:repeat_run",
    "DeletesRows:repeat_run",
}
"""Rows that only tell: nothing of theirs is a loss by the oracle's standards."""

ALONE = {
    "DeletesRows:resync": ("RereadsSource:resync",),
    # Its table without a key is one that this server has not replaced yet.
    "ArmsDestruction": ("DropsOutput:first_run",),
}
"""Rows whose effect never comes alone: what has to be let through beside it to see what this row does."""


def with_rows(patch: pytest.MonkeyPatch, **changes: Evidence) -> None:
    """A policy table with some rows changed."""
    table = {**DEFAULTS, **changes}
    patch.setattr(composition, "policy_of", lambda *_: Policy(table=table))


def test_every_row_that_asks_has_a_scenario_and_every_other_only_tells() -> None:
    assert {row for row, level in DEFAULTS.items() if level >= Evidence.confirm} == set(ROWS)
    assert {row for row, level in DEFAULTS.items() if level < Evidence.confirm} == NOTICES


@pytest.mark.parametrize("row", sorted(ROWS))
def test_a_row_lowered_to_notice_loses_what_it_protects(
    row: str, house: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = dict.fromkeys(ALONE.get(row, ()), Evidence.notice)
    with_rows(monkeypatch, **beside)
    play(house, ROWS[row])
    with_rows(monkeypatch, **beside, **{row: Evidence.notice})
    assert "nobody agreed to" in found(house, ROWS[row])


@pytest.mark.parametrize("row", sorted(ROWS))
def test_a_row_taken_out_refuses_what_it_was_about(row: str, house: Theatre, monkeypatch: pytest.MonkeyPatch) -> None:
    table = {name: level for name, level in DEFAULTS.items() if name != row}
    monkeypatch.setattr(composition, "policy_of", lambda *_: Policy(table=table))

    async def scenario(stage: Stage) -> None:
        await ROWS[row](stage)
        assert stage.counts["denied"] == 1

    play(house, scenario)


# --- every part of the gate ------------------------------------------------------------------------------------------


async def preview_of(stage: Stage, name: str, i: int = SHOP, j: int = 0) -> tuple[str, dict[str, Any], str]:
    """Operation, arguments and confirmation of a move that was previewed."""
    operation, arguments = MOVES[name](stage, i, j)
    called = await stage.call(operation, arguments)
    return operation, arguments, called.confirmation


async def replayed(stage: Stage) -> None:
    """A confirmed change, undone by somebody, made again with the same confirmation."""
    operation, arguments, confirmation = await preview_of(stage, "prefix of strangers")
    called = await stage.call(operation, arguments, confirmation=confirmation)
    assert not called.error, called.text
    await stage.meddle("put back")
    await stage.call(operation, arguments, confirmation=confirmation)


def test_a_confirmation_that_is_not_spent_is_found_out(house: Theatre, monkeypatch: pytest.MonkeyPatch) -> None:
    play(house, replayed)
    monkeypatch.setattr(ApprovalStore, "redeem", lambda *_: None)
    assert "nobody agreed to update_bulk_sync" in found(house, replayed)


async def drifted(stage: Stage) -> None:
    """A rebuild is previewed, somebody switches on one more table, and the rebuild is confirmed."""
    operation, arguments, confirmation = await preview_of(stage, "rebuild")
    await stage.meddle("enable a table")
    await stage.call(operation, arguments, confirmation=confirmation)


async def drifted_under_a_form(stage: Stage) -> None:
    operation, arguments = MOVES["rebuild"](stage, SHOP, 0)
    await stage.call(operation, arguments, Teller(answer="accept", meanwhile="enable a table"))


@pytest.mark.parametrize("scenario", [drifted, drifted_under_a_form], ids=["two steps", "form"])
def test_a_second_plan_that_is_not_compared_is_found_out(
    scenario: Scenario, house: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(house, scenario)
    monkeypatch.setattr(Plan, "digest", lambda _: "always the same")
    assert "rows of secrets: what was agreed to does not name “secrets”" in found(house, scenario)


async def by_another(stage: Stage) -> None:
    """One caller is shown a preview, another one confirms it."""
    operation, arguments, confirmation = await preview_of(stage, "delete sync")
    await stage.call(operation, arguments, Teller(principal="other"), confirmation)


def test_a_confirmation_that_is_not_bound_is_found_out(house: Theatre, monkeypatch: pytest.MonkeyPatch) -> None:
    play(house, by_another)
    monkeypatch.setattr(Binding, "under", lambda *_: "always the same")
    assert "nobody agreed to delete_bulk_sync" in found(house, by_another)


async def for_another_call(stage: Stage) -> None:
    """A confirmation of one deletion is given for another one."""
    _, _, confirmation = await preview_of(stage, "delete sync", MIRROR)
    operation, arguments = MOVES["delete sync"](stage, SHOP, 0)
    await stage.call(operation, arguments, confirmation=confirmation)


def test_neither_binding_nor_second_plan_is_found_out(house: Theatre, monkeypatch: pytest.MonkeyPatch) -> None:
    play(house, for_another_call)
    monkeypatch.setattr(Binding, "under", lambda *_: "always the same")
    play(house, for_another_call)
    monkeypatch.setattr(Plan, "digest", lambda _: "always the same")
    assert "nobody agreed to delete_bulk_sync" in found(house, for_another_call)


async def late(stage: Stage) -> None:
    """A confirmation older than ten minutes."""
    operation, arguments, confirmation = await preview_of(stage, "delete sync")
    stage.clock.advance(minutes=11)
    await stage.call(operation, arguments, confirmation=confirmation)


def test_a_confirmation_that_does_not_grow_old_is_found_out(house: Theatre, monkeypatch: pytest.MonkeyPatch) -> None:
    play(house, late)
    monkeypatch.setattr(approval, "LIFETIME", 100 * approval.LIFETIME)
    assert "nobody agreed to delete_bulk_sync" in found(house, late)


def answered(how: str) -> Scenario:
    async def scenario(stage: Stage) -> None:
        operation, arguments = MOVES["delete sync"](stage, SHOP, 0)
        await stage.call(operation, arguments, Teller(answer=how))

    return scenario


@pytest.mark.parametrize("how", ["decline", "cancel", "wrong", "empty"])
def test_an_answer_that_is_taken_for_a_yes_is_found_out(
    how: str, house: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(house, answered(how))

    async def yes(_self: Any, _request: Any, answer: Any) -> tuple[str, str]:
        return consent.ticket_of(answer.approval), "form"

    monkeypatch.setattr(consent.Gate, "_answered", yes)
    assert "nobody agreed to delete_bulk_sync" in found(house, answered(how))


async def past_the_person(stage: Stage) -> None:
    """The model confirms by itself although there is somebody to ask, who would decline."""
    operation, arguments, confirmation = await preview_of(stage, "delete sync")
    await stage.call(operation, arguments, Teller(answer="decline"), confirmation)


def test_a_model_that_confirms_past_a_person_is_found_out(house: Theatre, monkeypatch: pytest.MonkeyPatch) -> None:
    play(house, past_the_person)
    whole = consent.Gate.admit

    def admit(self: Any, request: Any) -> Any:
        if request.confirmation is not None:
            request = consent.replace(request, caller=Mute(request.caller))
        return whole(self, request)

    monkeypatch.setattr(consent.Gate, "admit", admit)
    assert "nobody agreed to delete_bulk_sync" in found(house, past_the_person)


class Mute:
    """A caller that is taken to have nobody to ask."""

    can_ask = False
    can_open = False
    answered = None

    def __init__(self, caller: Any) -> None:
        self.principal = caller.principal


def test_a_call_that_leaves_no_record_is_found_out(house: Theatre, monkeypatch: pytest.MonkeyPatch) -> None:
    from bulk_sync_mcp.observe.audit import AuditLog

    async def scenario(stage: Stage) -> None:
        await agreed(stage, "delete sync")

    play(house, scenario)
    monkeypatch.setattr(AuditLog, "intent", lambda *_: None)
    assert "the audit log has no record of delete_bulk_sync" in found(house, scenario)
