"""Plays a history on real databases and holds the destination against the model after every run."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from local.oracle.altering import Source
from local.oracle.configuring import Sync
from local.oracle.histories import History, Settings, Step, TableSetup
from local.oracle.meanings import Moment, frozen
from local.oracle.model import STAMPS, Expected, Output, Run, World
from local.oracle.readers import Reader, Table
from local.oracle.sources import Column
from local.oracle.values import same_key
from local.postgres.server import Server


@dataclass(frozen=True)
class Outcome:
    """How a table of a run ended, as its user is told."""

    status: str
    records: int
    errors: int
    warnings: int
    message: str | None


class Runner(Protocol):
    """Runs a sync the way its users do. Where it `names_fields` it keeps the sync's settings from run to run."""

    names_fields: bool

    def configure(self, sync: Sync, before: Mapping[str, TableSetup], changed: Collection[str], way: str) -> None:
        """Makes the sync what `sync` says: settings, and the tables in `changed`, of which `before` tells how they
        were; an empty name stands for the settings."""
        ...

    def run(self, settings: Settings, step: Step, tables: Mapping[str, TableSetup], every: bool) -> dict[str, Outcome]:
        """The outcome of each table of the run, by its id in the API. With `every` no table is named."""
        ...


@dataclass
class Stage:
    """One sync over databases in a folder. `server` is the PostgreSQL server, where one is needed."""

    source: str
    target: str
    folder: Path
    server: Server | None
    outcomes: list[dict[str, Outcome]] = field(default_factory=list[dict[str, Outcome]])
    """How each run ended."""
    stamps: dict[str, dict[int, Any]] = field(default_factory=dict[str, dict[int, Any]])
    done: set[str] = field(default_factory=set[str])
    """What has happened to the source in place."""

    def place(self, kind: str, end: str) -> Any:
        if kind == "postgresql":
            return self.server
        return self.folder / (end if kind in ("csv", "parquet") else f"{end}.{kind}")

    def play(self, history: History, runner: Runner) -> None:
        world = World(self.source, self.target)
        source = Source(self.source, self.target, self.place(self.source, "source"), history.how)
        for setup, rows in zip(history.tables, history.rows, strict=True):
            source.create(setup.name, setup.columns, setup.key, rows)
        sync = Sync(world, history.settings, {one.name: one for one in history.tables}, runner.names_fields)
        if sync.names_fields:
            sync.take_up(_there(source))
        runner.configure(sync, {}, (), "")
        for number, step in enumerate([Step(), *history.steps]):
            self._change(source, sync, step)
            self._configure(source, sync, step, runner)
            self._run(number, source, sync, step, runner)
        self.done = source.done

    def _change(self, source: Source, sync: Sync, step: Step) -> None:
        names = list(source.tables)
        for place, name in enumerate(names):
            change = step.schema[place] if place < len(step.schema) else ()
            source.change(name, change, _fixed(sync.said.get(name), change))
            source.edit(name, step.edits[place] if place < len(step.edits) else ())
            source.rename(name, f"not {place}" if place in step.away else None)
        for setup, rows in step.created:
            if setup.name not in source.tables:
                source.create(setup.name, setup.columns, setup.key, rows)

    def _configure(self, source: Source, sync: Sync, step: Step, runner: Runner) -> None:
        before = dict(sync.said)
        changed = [""] if sync.change(step.settings) else []
        for name, change in zip(list(source.tables), step.configure, strict=False):
            table = source.tables[name]
            if name in sync.said and sync.configure(name, change, sync.of(name, table.columns, table.key)):
                changed.append(name)
        runner.configure(sync, before, changed, step.way)

    def _run(self, number: int, source: Source, sync: Sync, step: Step, runner: Runner) -> None:
        there = _there(source)
        enabled = [name for name, said in sync.said.items() if said.enabled]
        chosen = [name for place, name in enumerate(source.tables) if place in step.tables and name in enabled]
        tables = {name: sync.of(name, *there.get(name, ((), ()))) for name in chosen or enabled}
        refused = sync.settings.mode == "append" and step.resync_mode == "refetch"
        if sync.names_fields and not step.test and not refused:
            new = [name for name in sync.take_up(there) if sync.said[name].enabled and not chosen]
            tables |= {name: sync.of(name, *there[name]) for name in new}
        world = sync.world
        expected = world.run(sync.settings, step, tables, {one: source.meant(one) for one in tables if one in there})
        began = _now()
        outcomes = runner.run(sync.settings, step, tables, not chosen)
        self.outcomes.append(outcomes)
        self._check(f"run {number}", world, expected, outcomes, (began, _now()))

    def _check(
        self,
        where: str,
        world: World,
        expected: Mapping[str, Expected],
        outcomes: Mapping[str, Outcome],
        between: tuple[int, int],
    ) -> None:
        assert set(outcomes) == set(expected), f"{where}: {sorted(outcomes)} were run, not {sorted(expected)}"
        for table, wanted in expected.items():
            got = outcomes[table]
            assert got.status == wanted.status, f"{where}, table {table}: {got} instead of {wanted}"
            for what in ("records", "errors", "warnings"):
                if (count := getattr(wanted, what)) is not None:
                    assert getattr(got, what) == count, f"{where}, table {table}: {got} instead of {wanted}"
        with Reader(self.target, self.place(self.target, "output")) as reader:
            for name, output in world.outputs.items():
                found = reader.table(name, output.carried)
                assert found is not None, f"{where}: there is no {name}"
                assert found.columns == output.columns, (
                    f"{where}, columns of {name}: {found.columns}, expected {output.columns}"
                )
                key, stamps = world.remembered[name].key, self.stamps.setdefault(name, {})
                _same_rows(f"{where}, rows of {name}", found, output, key, stamps, world.runs, between)


def _now() -> int:
    return int((datetime.now(UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)


def _there(source: Source) -> dict[str, tuple[tuple[Column, ...], tuple[str, ...]]]:
    """What the source holds, by the names it has at present."""
    return {one.called: (one.columns, one.key) for one in source.tables.values()}


def _fixed(said: TableSetup | None, change: tuple[Any, ...]) -> set[str]:
    """The columns that the settings of the sync were made for."""
    if said is None:
        return set()
    fixed = {one for one, _, _ in said.filters}
    if said.tracking and (said.cutoff or (change and change[0] == "retype")):
        fixed.add(said.tracking)
    return fixed


def _same_rows(
    where: str,
    found: Table,
    output: Output,
    key: Collection[str],
    stamps: dict[int, Any],
    run: int,
    between: tuple[int, int],
) -> None:
    """Rows are compared as they are, in any order; a stamp new to us has to be of the present run."""
    known = {frozen(moment): number for number, moment in stamps.items()}
    for row in found.rows:
        for stamp in STAMPS:
            moment = row.get(stamp)
            if isinstance(moment, Moment) and frozen(moment) not in known:
                assert run not in stamps, f"{where}: two moments of one run, {stamps[run]} and {moment}"
                assert isinstance(moment.nanoseconds, int)
                assert between[0] <= moment.nanoseconds // 1000 <= between[1], f"{where}: {moment} is not of this run"
                stamps[run] = moment
                known[frozen(moment)] = run
    wanted = [
        {column: stamps.get(value.number, value) if isinstance(value, Run) else value for column, value in row.items()}
        for row in output.rows
    ]
    have = Counter(_comparable(row, output, key) for row in found.rows)
    want = Counter(_comparable(row, output, key) for row in wanted)
    if have != want:
        lost, more = list((want - have).elements()), list((have - want).elements())
        raise AssertionError("\n".join([where, *_differences(lost, more)]))


def _differences(lost: list[Any], more: list[Any]) -> list[str]:
    """Each row that is missing beside the one most like it that is too much."""
    lines: list[str] = []
    for row in lost:
        near = max(more, key=lambda other: sum(a == b for a, b in zip(row, other, strict=True)), default=None)
        if near is None:
            lines.append(f"  missing: {_short(row)}")
            continue
        more.remove(near)
        apart = [f"{a[0]}: {_short(b[1])} instead of {_short(a[1])}" for a, b in zip(row, near, strict=True) if a != b]
        lines.append(f"  differs: {'; '.join(apart)} in {_short(row)}")
    return lines + [f"  not expected: {_short(row)}" for row in more]


def _comparable(row: Mapping[str, Any], output: Output, key: Collection[str]) -> Any:
    # Of a key that is 0.0 here and -0.0 there either may stay: they do not differ.
    return tuple((one, (same_key if one in key else frozen)(row.get(one))) for one in output.columns)


def _short(value: Any) -> str:
    return text if len(text := repr(value)) < 300 else f"{text[:300]}..."
