"""Losses that the oracle found, each by the shortest sequence that shows it."""

from collections.abc import Generator
from typing import Any

import pytest

from bulk_sync_mcp.operations import activate_bulk_sync
from safety.machine.stage import Theatre, Unaccounted, theatre
from safety.machine.test_teeth import MIRROR, SHOP, Scenario, Stage, agreed, do, play


@pytest.fixture(scope="module")
def house() -> Generator[Theatre]:
    """One template for all."""
    with theatre() as made:
        yield made


def refetch(sync: int) -> Scenario:
    async def scenario(stage: Stage) -> None:
        await agreed(stage, "refetch", sync)

    return scenario


def test_a_refetch_of_a_table_without_a_key_says_that_it_drops_it(house: Theatre) -> None:
    """Its keyless table is dropped and made anew, as by an ordinary run; the question speaks of matching rows only."""
    play(house, refetch(SHOP))


def test_a_refetch_of_a_snapshot_says_that_it_empties_it(house: Theatre) -> None:
    play(house, refetch(MIRROR))


def test_a_run_that_was_waiting_when_the_sync_changed_proves_nothing_for_the_next_one(house: Theatre) -> None:
    """It runs by the settings of the moment it was asked for, although its work begins after the change."""

    async def scenario(stage: Stage) -> None:
        stage.hold()
        await do(stage, "run one table")
        await agreed(stage, "snapshot")
        stage.go_on()
        await do(stage, "run one table")

    play(house, scenario)


def test_a_table_that_has_lost_its_key_at_the_source_is_not_dropped_unasked(house: Theatre) -> None:
    """An ordinary run drops and recreates a table without a key; the last one merged it."""

    async def scenario(stage: Stage) -> None:
        await stage.meddle("source loses a key")
        await do(stage, "run one table")

    play(house, scenario)


def test_a_table_known_to_have_lost_its_key_is_not_dropped_unasked(house: Theatre) -> None:
    """As above, when the loss of the key has been read from the source."""

    async def scenario(stage: Stage) -> None:
        await stage.meddle("source loses a key")
        await do(stage, "refresh")
        await do(stage, "run one table")

    play(house, scenario)


@pytest.mark.parametrize("whole", [True, False], ids=["guarded", "not guarded"])
def test_a_snapshot_that_would_ask_is_not_had_by_a_schedule(
    whole: bool, house: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its configuration has changed, so that its next run asks; its schedule, switched on, would start it unasked."""

    async def scenario(stage: Stage) -> None:
        await do(stage, "new columns stay out", MIRROR)
        await do(stage, "activate", MIRROR)

    if whole:
        play(house, scenario)
        return

    async def nothing(*_: Any) -> list[Any]:
        return []

    monkeypatch.setattr(activate_bulk_sync, "first_firing", nothing)
    with pytest.raises(Unaccounted, match="first firing of Mirror: nobody agreed to activate_bulk_sync"):
        play(house, scenario)


def test_a_run_elsewhere_proves_nothing_once_the_connection_is_moved_back(house: Theatre) -> None:
    """A snapshot of another file was complete; the rows of this one were put there since it was last written."""

    async def scenario(stage: Stage) -> None:
        await agreed(stage, "move warehouse", j=0)
        await do(stage, "run", MIRROR)
        await agreed(stage, "move warehouse", j=1)
        await do(stage, "run", MIRROR)

    play(house, scenario)
