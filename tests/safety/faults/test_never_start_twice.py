"""A start is carried out at most once whatever the network does, and every outcome is reported as it was.

`BULK_SYNC_FAULT_RUNS` sets the number of runs, `BULK_SYNC_FAULT_SEED` the seed, which every failure names. One run in
twenty is really worked on and counted in the destination.
"""

import os
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom

import pytest

from safety.faults.kinds import ON_READ, ON_START
from safety.faults.proxy import PASS, Asked, Exchange, Fault
from safety.faults.stage import CONFIRMED, EXECUTIONS, LIMITS, ROWS, Stage, built
from support import Called

pytestmark = pytest.mark.anyio

RUNS = int(os.environ.get("BULK_SYNC_FAULT_RUNS", "100"))
SEED = int(os.environ.get("BULK_SYNC_FAULT_SEED", "0")) or SystemRandom().randrange(1, 2**32)
PARTS = 2
"""Tests the runs are spread over, so that they can run side by side."""
REAL_EVERY = 20
OUTCOMES = ("done", "none", "unknown")
TOOL = "start_bulk_sync_execution"


@dataclass(frozen=True)
class Subject:
    """A sync and how it is started. Its starts ask for a confirmation unless it is an ordinary replicating one."""

    sync_id: str
    destination: str
    rerun: bool
    guarded: bool

    @property
    def arguments(self) -> dict[str, object]:
        return {"sync_id": self.sync_id, **({"resync_mode": "rebuild"} if self.rerun else {})}


@dataclass
class Weather:
    """What befalls the requests of one run."""

    rng: Random
    read_rate: float
    rival: Fault | None
    """What befalls the first request for a run instead, when somebody else is to be quicker."""
    starts: int = 0
    rivals: list[str] = field(default_factory=list[str])
    faulty_reads: int = 0

    def choose(self, asked: Asked) -> Fault:
        if asked.starts:
            self.starts += 1
            rate = 0.93 if self.starts == 1 else 0.4
            if self.rival is not None and self.starts == 1:
                return self.rival
            return self.rng.choice(ON_START) if self.rng.random() < rate else PASS
        # Reads before and after; those after a start are the way to find out, and fail more often.
        if self.rng.random() < self.read_rate * (2 if self.starts else 1):
            self.faulty_reads += 1
            return self.rng.choice(ON_READ)
        return PASS


def expected(faults: list[Fault]) -> set[str]:
    """What may be reported of a start whose requests met these faults, when the reads afterwards work."""
    made: set[str] = {"no"}
    lapsed = False
    for fault in faults:
        last = fault.meaning
        if fault.handled != "no":
            made = {"yes"} if fault.handled == "yes" else made | {"yes"}
        if last == "passes":
            return {"done"}
        if last == "refuses" and not lapsed:
            return {"none"}
        lapsed = lapsed or last == "lost"
    return {"done" if one == "yes" else "unknown" for one in made}


def outcome_of(called: Called) -> str:
    """What the answer says has become of the start, as a model reads it."""
    if not called.error:
        return "done"
    found = re.search(r"^changed: (\w+)$", called.text, re.MULTILINE)
    assert found is not None, called.text
    return found.group(1)


async def subjects(stage: Stage, part: int) -> tuple[list[Subject], list[Subject]]:
    """Syncs of which nothing is worked on, and one that is."""
    made: list[Subject] = []
    for place, (name, mode, rerun, guarded) in enumerate(
        (
            ("Rebuilt", "replicate", True, True),
            ("Ordinary", "replicate", False, False),
            (f"{CONFIRMED} appending", "append", False, True),
            (f"{CONFIRMED} really", "append", False, True),
        )
    ):
        file = f"warehouse-{part}-{place}.duckdb"
        destination_id = await stage.connection(f"Warehouse {place}", "duckdb", file)
        made.append(Subject(await stage.sync(name, destination_id, mode), file, rerun, guarded))
    real = made.pop()
    return made, [real, Subject(real.sync_id, real.destination, True, True)]


@dataclass
class Run:
    """One start under one weather, and what was seen of it."""

    stage: Stage
    subject: Subject
    weather: Weather
    repeat: bool
    new: set[str] = field(default_factory=set[str])
    """The executions it has left behind."""

    async def outcome(self) -> tuple[str, str]:
        """Fault and outcome, after everything that must hold has been checked."""
        stage, subject = self.stage, self.subject
        before = {run["id"] for run in await stage.executions(subject.sync_id)}
        stage.proxy.forget()
        stage.answered.clear()
        stage.proxy.choose = self._choose
        called, arguments = await self._start()
        seen = list(stage.proxy.starts)
        slow = stage.proxy.slowest > LIMITS.read * 0.7
        if self.repeat and seen and "confirmation" in arguments:
            again = await stage.tools.call(TOOL, arguments)
            assert again.code == "confirmation_used", again.text
        await stage.proxy.settled()
        assert stage.proxy.starts == seen, "a start was sent again for a spent confirmation"
        self.new = {run["id"] for run in await stage.executions(subject.sync_id)} - before - set(self.weather.rivals)
        outcome = outcome_of(called)
        self._counts_agree(self.new, outcome, called)
        self._sent_once(seen)
        faults = [fault for _asked, fault in seen]
        if faults and not slow:
            allowed = expected(faults)
            if self.weather.faulty_reads:
                allowed |= {"unknown"} if allowed & {"done", "unknown"} else set()
            assert outcome in allowed, f"reported {outcome}, should be one of {allowed}: {called.text}"
        label = faults[0].name if faults else "reads before"
        return label, outcome

    def _choose(self, asked: Asked) -> Fault:
        return self.weather.choose(asked)

    async def _start(self) -> tuple[Called, dict[str, object]]:
        arguments = dict(self.subject.arguments)
        called = await self.stage.tools.call(TOOL, arguments)
        if not self.subject.guarded or called.code != "confirmation_required":
            if self.subject.guarded:
                assert self.stage.proxy.starts == [], "a start was sent without its confirmation"
            return called, arguments
        assert self.stage.proxy.starts == [], "the preview sent a start"
        arguments["confirmation"] = called.confirmation
        return await self.stage.tools.call(TOOL, arguments), arguments

    def _counts_agree(self, new: set[str], outcome: str, called: Called) -> None:
        assert len(new) <= 1, f"{len(new)} executions for one start"
        assert called.code != "internal", called.text
        if outcome == "done":
            assert {called.data.get("id")} == new, f"reported {called.data.get('id')}, there is {new}: {called.text}"
        elif outcome == "none":
            assert not new, f"reported as not done, but {new} was started: {called.text}"
        else:
            assert outcome == "unknown", f"reported {outcome}: {called.text}"
            assert f"`get_bulk_sync_status` with sync_id {self.subject.sync_id}" in called.text, called.text
        if not self.stage.proxy.forwarded or not any(asked.starts for asked in self.stage.proxy.forwarded):
            assert not new

    def _sent_once(self, seen: list[tuple[Asked, Fault]]) -> None:
        """The same bytes under the same key each time, and nothing after any answer."""
        assert len(seen) <= LIMITS.keyed_attempts
        assert len({asked.raw for asked, _fault in seen}) <= 1
        assert len({asked.headers["idempotency-key"] for asked, _fault in seen}) <= 1
        early = [fault.name for _asked, fault in seen[:-1] if fault.meaning != "lost"]
        if self.stage.proxy.slowest < LIMITS.read * 0.7:
            assert not early, f"sent again after an answer: {early}"
        assert len(self.stage.answered) <= 1

    def a_rival(self) -> Fault:
        """Somebody else starts a test run of the same sync first, which does not pass for ours."""

        async def act(exchange: Exchange) -> bool:
            url = EXECUTIONS.format(self.subject.sync_id)
            made = await self.stage.service.post(url, json={"test": True})
            self.weather.rivals.append(made.json()["data"]["id"])
            return await exchange.answer(await exchange.forward())

        return Fault("somebody else is quicker", act, "no", "refuses")


@pytest.mark.parametrize("part", range(PARTS))
async def test_no_fault_makes_a_start_run_twice_or_its_outcome_be_misreported(
    part: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    table: Counter[tuple[str, str]] = Counter()
    kept_alive: Counter[bool] = Counter()
    really, wrong = 0, ""
    async with built(tmp_path, Random(SEED)) as stage:
        paper, real = await subjects(stage, part)
        for number in range(part, RUNS, PARTS):
            rng = Random(f"{SEED} {number}")
            stage.really = number % REAL_EVERY < PARTS
            subject = real[really % 2] if stage.really else rng.choice(paper)
            stage.proxy.closing = rng.random() < 0.4
            run = Run(stage, subject, Weather(rng, rng.choice((0.0, 0.0, 0.06)), None), rng.random() < 0.3)
            if not stage.really and rng.random() < 0.03:
                run.weather.rival = run.a_rival()
            rows = _rows_before(stage, subject) if stage.really else 0
            try:
                label, outcome = await run.outcome()
                started = stage.proxy.starts
                stage.proxy.choose = lambda _asked: PASS
                await stage.ended(subject.sync_id)
                if stage.really:
                    really += 1
                    _destination_agrees(stage, subject, rows, len(run.new))
            except AssertionError as error:
                faults = [fault.name for _asked, fault in stage.proxy.starts]
                wrong = f"seed {SEED}, run {number}, faults {faults}: {error}"
                break
            table[label, outcome] += 1
            kept_alive.update(asked.kept_alive for asked, _fault in started)
    with capfd.disabled():
        print(_drawn(part, table, kept_alive, really), file=sys.stderr)
    assert not wrong, wrong


ALL = "SELECT count(*) FROM items"
BY_HAND = "SELECT count(*) FROM items WHERE id = 999"


def _rows_before(stage: Stage, subject: Subject) -> int:
    """Rows in the destination; before a rebuild, one that only the destination has is among them."""
    if subject.rerun and stage.rows(subject.destination, ALL):
        stage.add_row(subject.destination)
    return stage.rows(subject.destination, ALL)


def _destination_agrees(stage: Stage, subject: Subject, before: int, executions: int) -> None:
    """An appending run adds every row of the source once; a rebuild leaves exactly those of the source."""
    count, by_hand = stage.rows(subject.destination, ALL), stage.rows(subject.destination, BY_HAND)
    if not subject.rerun:
        assert count - before == executions * ROWS, f"{executions} executions added {count - before} rows"
    elif executions:
        assert (count, by_hand) == (ROWS, 0)
    else:
        assert (count, by_hand > 0) == (before, before > 0)


def _drawn(part: int, table: Counter[tuple[str, str]], kept_alive: Counter[bool], really: int) -> str:
    names = sorted({label for label, _outcome in table})
    lines = [f"\nfault on the first request of a start, and what was reported (part {part}, seed {SEED})"]
    lines.append(f"  {'':30}" + "".join(f"{outcome:>9}" for outcome in OUTCOMES))
    lines += [f"  {name:30}" + "".join(f"{table[name, outcome] or '·':>9}" for outcome in OUTCOMES) for name in names]
    totals = "".join(f"{sum(n for (_, seen), n in table.items() if seen == one):>9}" for one in OUTCOMES)
    lines.append(f"  {'all':30}{totals}")
    lines.append(
        f"  starts on a kept-alive connection {kept_alive[True]}, on a fresh one {kept_alive[False]}; "
        f"{really} runs worked on and counted in the destination"
    )
    return "\n".join(lines)
