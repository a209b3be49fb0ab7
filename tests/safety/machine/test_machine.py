"""Random sequences of every tool, by callers of every kind, in a world that changes behind the scenes.

Nothing may be lost that nobody answers for (`oracle.py`). `BULK_SYNC_SEQUENCES` sequences of up to eight steps are run,
200 by default; fewer is a failure, and so is a run in which little happened.
"""

import json
import os
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture.engine import ConjectureRunner
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from bulk_sync_mcp import operations
from bulk_sync_mcp.core.operation import discover
from safety.machine.moves import CHANGES, MEDDLING, MOVES, READS, STARTS
from safety.machine.stage import Stage, Teller, Theatre, theatre
from support import ERAS, MODERN

SEQUENCES = int(os.environ.get("BULK_SYNC_SEQUENCES", "200"))
SEED = int(os.environ.get("BULK_SYNC_SEED", "0"))
SHRINK = bool(os.environ.get("BULK_SYNC_SHRINK"))
"""Whether a failing sequence is made as short as it gets, which takes minutes."""
STEPS = 8
SHARDS = 8
"""Tests that the sequences are spread over, so that several processes share them."""

EXPECTED = (
    "rows by rebuild",
    "rows by resync",
    "rows by refetch",
    "rows by ordinary run",
    "sync",
    "connection",
    "narrowness",
    "place of the output",
    "write mode",
    "agreed by form",
    "agreed by two_step",
    "answered decline",
    "answered cancel",
    "answered wrong",
    "confirmation_invalid",
    "confirmation_used",
    "confirmation_expired",
    "forms answered",
    "form answers refused",
    "held runs ended",
    "restart",
)
"""What has to happen in every whole run, or the run proves little."""
RARE = ("schedule", "obfuscation", "alert", "table selection", "plan_changed")
"""What has to happen in a long run."""

PLACES = st.integers(0, 3)
ANSWERS = st.sampled_from([None, None, None, "accept", "accept", "decline", "cancel", "wrong", "empty"])
TELLERS = st.builds(
    Teller,
    era=st.sampled_from(ERAS),
    answer=ANSWERS,
    principal=st.sampled_from(["one", "one", "one", "other"]),
    meanwhile=st.sampled_from(["", "", "", "", "ten minutes pass", *MEDDLING]),
)


class Machine(RuleBasedStateMachine):
    """One sequence."""

    theatre: ClassVar[Theatre]
    tally: ClassVar[Counter[str]]
    called: ClassVar[set[str]]

    def __init__(self) -> None:
        super().__init__()
        self.stage: Stage = self.theatre.open()
        self.steps = 0

    def do(self, doing: Any) -> Any:
        self.steps += 1
        return self.theatre.run(doing)

    def move(self, name: str, i: int, j: int, teller: Teller, confirmation: str | None = None) -> None:
        operation, arguments = MOVES[name](self.stage, i, j)
        self.do(self.stage.call(operation, arguments, teller, confirmation))

    @rule(name=st.sampled_from(sorted(STARTS)), i=PLACES, j=PLACES, teller=TELLERS)
    def start(self, name: str, i: int, j: int, teller: Teller) -> None:
        self.move(name, i, j, teller)

    @rule(name=st.sampled_from(sorted(STARTS)), i=PLACES, j=PLACES)
    def start_with_consent(self, name: str, i: int, j: int) -> None:
        self.move(name, i, j, Teller(answer="accept"))

    @rule(name=st.sampled_from(sorted(CHANGES)), i=PLACES, j=PLACES, teller=TELLERS)
    def change(self, name: str, i: int, j: int, teller: Teller) -> None:
        self.move(name, i, j, teller)

    @rule(name=st.sampled_from(sorted(CHANGES)), i=PLACES, j=PLACES)
    def change_with_consent(self, name: str, i: int, j: int) -> None:
        self.move(name, i, j, Teller(answer="accept"))

    @rule(names=st.lists(st.sampled_from(sorted(READS)), min_size=3, max_size=3, unique=True), i=PLACES, j=PLACES)
    def read(self, names: list[str], i: int, j: int) -> None:
        self.steps += 1
        for name in names:
            self.theatre.run(self.stage.call(*MOVES[name](self.stage, i, j)))

    def previews(self) -> list[str]:
        return [key for key, one in self.stage.ledger.shown.items() if one.channel == "two_step"]

    @precondition(lambda self: self.previews())
    @rule(era=st.sampled_from(ERAS))
    def confirm_the_latest(self, era: str) -> None:
        """What an honest model does once the user has agreed."""
        self.confirm(self.previews()[-1], era)

    def confirm(self, key: str, era: str = MODERN) -> None:
        one = self.stage.ledger.shown[key]
        self.do(self.stage.call(one.operation, one.arguments, Teller(era, principal=one.principal), key))

    @precondition(lambda self: self.previews())
    @rule(what=st.sampled_from(MEDDLING))
    def confirm_when_something_has_happened(self, what: str) -> None:
        self.theatre.run(self.stage.meddle(what))
        self.confirm(self.previews()[-1])

    @precondition(lambda self: self.previews())
    @rule(pick=PLACES, teller=TELLERS)
    def confirm_any(self, pick: int, teller: Teller) -> None:
        """Replayed, by another caller, or past the person who could be asked."""
        known = self.previews()
        key = known[-1 - pick % len(known)]
        one = self.stage.ledger.shown[key]
        self.do(self.stage.call(one.operation, one.arguments, teller, key))

    @rule(name=st.sampled_from(sorted([*STARTS, *CHANGES])), i=PLACES, j=PLACES, stolen=st.booleans(), teller=TELLERS)
    def forge(self, name: str, i: int, j: int, stolen: bool, teller: Teller) -> None:
        """A confirmation made up, or one for something else."""
        known = list(self.stage.ledger.shown)
        key = known[i % len(known)] if stolen and known else "A" * 22
        self.move(name, i, j, teller, key[:64])

    @rule(name=st.sampled_from(sorted([*STARTS, *CHANGES])), i=PLACES, j=PLACES)
    def leave_a_form_open(self, name: str, i: int, j: int) -> None:
        self.do(self.stage.open_form(*MOVES[name](self.stage, i, j)))

    @precondition(lambda self: self.stage.forms)
    @rule(
        pick=PLACES, other=st.sampled_from([None, None, None, 0, 1]), principal=st.sampled_from(["one", "one", "other"])
    )
    def send_an_answer(self, pick: int, other: int | None, principal: str) -> None:
        forms = self.stage.forms
        swapped = None if other is None else forms[other % len(forms)]
        self.do(self.stage.answer_form(forms[pick % len(forms)], principal, swapped))

    @rule(what=st.sampled_from(MEDDLING))
    def meddle(self, what: str) -> None:
        self.do(self.stage.meddle(what))

    @rule(what=st.sampled_from(["a minute", "nine minutes", "eleven minutes", "hold", "go on", "go on", "restart"]))
    def go_by(self, what: str) -> None:
        """Time passes, runs come to their end or do not from now on, the server starts anew."""
        self.steps += 1
        self.stage.counts[what] += 1
        if what == "hold":
            self.stage.hold()
        elif what == "go on":
            self.stage.go_on()
        elif what == "restart":
            self.theatre.run(self.stage.restart())
        else:
            self.stage.clock.advance(minutes={"a minute": 1, "nine minutes": 9, "eleven minutes": 11}[what])

    def teardown(self) -> None:
        try:
            self.stage.go_on()
        finally:
            self.theatre.run(self.stage.close())
            if self.steps:
                self.tally["sequences"] += 1
                self.tally["steps"] += self.steps
                self.tally.update(self.stage.counts + self.stage.oracle.answered)
                self.called.update(self.stage.called)


@pytest.fixture(scope="module")
def house() -> Generator[Theatre]:
    """One template for the shards of this process."""
    with theatre() as made:
        yield made


def share(shard: int) -> int:
    """How many of the sequences are this shard's."""
    return SEQUENCES // SHARDS + (shard < SEQUENCES % SHARDS)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_nothing_is_ever_lost_that_nobody_answers_for(
    shard: int,
    house: Theatre,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Hypothesis follows each sequence with several that repeat its parts; these are better spent on new ones.
    monkeypatch.setattr(ConjectureRunner, "generate_mutations_from", lambda *_: None)
    tally, called = Counter[str](), set[str]()
    machine = seed(SEED * SHARDS + shard)(
        type("Machine", (Machine,), {"theatre": house, "tally": tally, "called": called})
    )
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=share(shard),
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink) if SHRINK else (Phase.generate,),
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
    assert tally["sequences"] >= share(shard), f"{tally['sequences']} of {share(shard)} sequences were run"
    assert tally["steps"] <= STEPS * tally["sequences"]
    with capsys.disabled():
        _whole_run(tmp_path_factory.getbasetemp(), shard, tally, called)


def _whole_run(base: Path, shard: int, tally: Counter[str], called: set[str]) -> None:
    """Puts a shard's counts with those of the others; the last one tells, and judges, the whole."""
    # Processes that share the shards have directories side by side.
    place = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "machine"
    place.mkdir(exist_ok=True)
    with FileLock(place / "lock"):
        (place / f"{shard}.json").write_text(json.dumps([tally, sorted(called)]))
        parts = [json.loads(path.read_text()) for path in place.glob("*.json")]
    if len(parts) < SHARDS:
        return
    whole = sum((Counter(part[0]) for part in parts), Counter[str]())
    print("\n" + ", ".join(f"{name} {count}" for name, count in sorted(whole.items())))
    assert whole["sequences"] >= SEQUENCES
    if SEQUENCES >= 200:
        assert [name for name in EXPECTED if not whole[name]] == []
    if SEQUENCES >= 1000:
        assert [name for name in RARE if not whole[name]] == []
        assert {one.name for one in discover(operations)} - {name for part in parts for name in part[1]} == set()


def test_every_tool_has_a_move(house: Theatre) -> None:
    stage = house.open()
    tools = {move(stage, 0, 0)[0] for move in MOVES.values()}
    house.run(stage.close())
    assert {one.name for one in discover(operations)} == tools
