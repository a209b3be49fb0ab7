"""Plays a history on real databases and holds the destination against the model after every run."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from local.oracle import sources
from local.oracle.histories import History, Settings, Step, TableSetup
from local.oracle.mapping import arrives_as, carried_as
from local.oracle.meanings import Moment, frozen
from local.oracle.model import STAMPS, Expected, Output, Run, World
from local.oracle.readers import Table, read
from local.oracle.sources import Column
from local.oracle.values import plain
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
    """Runs a sync the way its users do."""

    def run(self, settings: Settings, step: Step, tables: Mapping[str, TableSetup]) -> dict[str, Outcome]:
        """The outcome of each table of the run, by its id in the API."""
        ...


@dataclass
class Stage:
    """One sync over databases in a folder. `server` is the PostgreSQL server, where one is needed."""

    source: str
    target: str
    folder: Path
    server: Server | None
    said: list[str] = field(default_factory=list[str])

    def place(self, kind: str, end: str) -> Any:
        if kind == "postgresql":
            return self.server
        return self.folder / (end if kind in ("csv", "parquet") else f"{end}.{kind}")

    def play(self, history: History, runner: Runner) -> None:
        world = World(self.source, self.target)
        settings = history.settings
        tables = {one.name: one for one in history.tables}
        rows = {one.name: [list(row) for row in its] for one, its in zip(history.tables, history.rows, strict=True)}
        stamps: dict[str, dict[int, Any]] = {}
        for name in tables:
            rows[name] = self._write(tables[name], rows[name])
        for number, step in enumerate([Step(), *history.steps]):
            settings = replace(settings, **dict(step.settings))
            for setup, edits, change in zip(history.tables, step.edits, step.schema, strict=False):
                name = setup.name
                tables[name], rows[name] = self._changed(tables[name], rows[name], change)
                _edit(rows[name], edits, setup, tables[name])
                rows[name] = self._write(tables[name], rows[name])
            chosen = {one: tables[one] for one in ([list(tables)[i] for i in step.tables] or tables)}
            meant = {one: self._meant(tables[one], rows[one]) for one in chosen}
            expected = world.run(settings, step, chosen, meant)
            began = _now()
            outcomes = runner.run(settings, step, chosen)
            self._check(f"run {number}", world, expected, outcomes, stamps, (began, _now()))

    def _changed(
        self, setup: TableSetup, rows: list[list[Any]], change: tuple[Any, ...]
    ) -> tuple[TableSetup, list[list[Any]]]:
        if not change:
            return setup, rows
        columns = list(setup.columns)
        if change[0] == "add":
            if any(one.name == change[1].name for one in columns):
                return setup, rows
            return replace(setup, columns=(*columns, change[1])), [[*row, change[2]] for row in rows]
        # The settings of the sync were made for these columns.
        fixed = {*setup.key, *(one for one, _, _ in setup.filters)}
        if setup.cutoff or change[0] == "retype":
            fixed.add(setup.tracking)
        free = [index for index, one in enumerate(columns) if one.name not in fixed]
        if len(free) < 2:
            return setup, rows
        place = free[change[1] % len(free)]
        if change[0] == "drop":
            kept = tuple(one for index, one in enumerate(columns) if index != place)
            return replace(setup, columns=kept), [[v for i, v in enumerate(row) if i != place] for row in rows]
        before, after = (carried_as(self.source, one) for one in (columns[place].type, change[2]))
        if before != after and arrives_as(before, self.target) == arrives_as(after, self.target):
            return setup, rows  # one text column at the destination: nothing could tell what is meant by it
        columns[place] = Column(columns[place].name, change[2])
        return replace(setup, columns=tuple(columns)), [
            [None if i == place else v for i, v in enumerate(row)] for row in rows
        ]

    def _write(self, setup: TableSetup, rows: list[list[Any]]) -> list[list[Any]]:
        """Makes the source table anew; the rows that are there then."""
        if self.source in ("duckdb", "postgresql"):
            rows = _distinct(setup, rows)
        place = self.place(self.source, "source")
        sources.write(self.source, place, setup.name, setup.columns, setup.key, rows)
        return rows

    def _meant(self, setup: TableSetup, rows: list[list[Any]]) -> list[list[Any]]:
        if self.source == "sqlite":
            return list(sources.stored(self.place("sqlite", "source"), setup.name, setup.columns))
        meant = [[plain(value) for value in row] for row in rows]
        if self.source == "csv":
            meant.insert(0, [CSV_ANCHORS[one.type] for one in setup.columns])
        return meant

    def _check(
        self,
        where: str,
        world: World,
        expected: Mapping[str, Expected],
        outcomes: Mapping[str, Outcome],
        stamps: dict[str, dict[int, Any]],
        between: tuple[int, int],
    ) -> None:
        for table, wanted in expected.items():
            got = outcomes[table]
            assert got.status == wanted.status, f"{where}, table {table}: {got} instead of {wanted}"
            for what in ("records", "errors", "warnings"):
                if (count := getattr(wanted, what)) is not None:
                    assert getattr(got, what) == count, f"{where}, table {table}: {got} instead of {wanted}"
        for name, output in world.outputs.items():
            found = read(self.target, self.place(self.target, "output"), name, output.carried)
            assert found is not None, f"{where}: there is no {name}"
            assert found.columns == output.columns, (
                f"{where}, columns of {name}: {found.columns}, expected {output.columns}"
            )
            _same_rows(f"{where}, rows of {name}", found, output, stamps.setdefault(name, {}), world.runs, between)


def _now() -> int:
    return int((datetime.now(UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)


CSV_ANCHORS: dict[str, Any] = {}


def _fill_anchors() -> None:
    from local.oracle.meanings import Clock, Day, days_of

    day = days_of(2024, 1, 31)
    CSV_ANCHORS.update(
        {
            "whole numbers": 7, "numbers": 0.5, "true, false": True, "dates": Day(day), "times": Clock(36_000_000_000),
            "dates and times": Moment((day * 86_400 + 36_000) * 1_000_000_000), "anything else": "some text",
        }
    )  # fmt: skip


_fill_anchors()


def _distinct(setup: TableSetup, rows: list[list[Any]]) -> list[list[Any]]:
    """Without rows that the database would refuse: keys that are NULL or there already."""
    from local.oracle.values import same_key

    place = [index for index, one in enumerate(setup.columns) if one.name in setup.key]
    if not place:
        return rows
    kept: dict[Any, list[Any]] = {}
    for row in rows:
        key = tuple(same_key(_as_key(setup.columns[index].type, plain(row[index]))) for index in place)
        if all(row[index] is not None for index in place):
            kept.setdefault(key, row)
    return list(kept.values())


def _as_key(declared: str, value: Any) -> Any:
    from local.oracle.meanings import Span

    if isinstance(value, str) and declared.startswith("character("):
        return value.rstrip(" ")
    if isinstance(value, Span):
        return value.months * 30 * 86_400_000_000 + value.days * 86_400_000_000 + value.microseconds
    return value


def _edit(rows: list[list[Any]], edits: tuple[tuple[Any, ...], ...], first: TableSetup, now: TableSetup) -> None:
    """Edits were made up for the table as it was at first; what no longer suits a column is passed over."""
    for edit in edits:
        if edit[0] == "insert":
            values = dict(zip(first.columns, edit[1], strict=True))
            rows.append([values.get(column) for column in now.columns])
        elif edit[0] == "delete" and rows:
            del rows[edit[1] % len(rows)]
        elif edit[0] == "update" and rows and first.columns[edit[2]] in now.columns:
            rows[edit[1] % len(rows)][now.columns.index(first.columns[edit[2]])] = edit[3]


def _same_rows(
    where: str, found: Table, output: Output, stamps: dict[int, Any], run: int, between: tuple[int, int]
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
    have = Counter(_comparable(row, output) for row in found.rows)
    want = Counter(_comparable(row, output) for row in wanted)
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


def _comparable(row: Mapping[str, Any], output: Output) -> Any:
    return tuple((column, frozen(row.get(column))) for column in output.columns)


def _short(value: Any) -> str:
    return text if len(text := repr(value)) < 300 else f"{text[:300]}..."
