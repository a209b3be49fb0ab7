"""A source that changes at random, and what a run makes of an output: computed here, without the engine."""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

Row = tuple[int | str, ...]


@dataclass(frozen=True)
class Table:
    """A source table. The first `key` columns are its primary key, the last is `seen`, which only ever grows."""

    name: str
    columns: tuple[str, ...]
    key: int


TABLES = (
    Table("orders", ("id", "name", "seen"), 1),
    Table("lines", ("a", "b", "name", "seen"), 2),
    Table("events", ("id", "name", "seen"), 0),
)


@dataclass(frozen=True)
class Way:
    """How a sync loads: its mode, and which tables it tracks by `seen`."""

    mode: str
    hard_deletes: bool = False
    tracked: frozenset[str] = frozenset()


WAYS = {
    "merge": Way("replicate", tracked=frozenset({"orders"})),
    "mirror": Way("replicate", hard_deletes=True),
    "snapshot": Way("snapshot"),
    "append": Way("append", tracked=frozenset({"orders", "events"})),
}


@dataclass(frozen=True)
class Output:
    """What an output holds, with for each row whether it is marked deleted; and what the sync remembers of it."""

    rows: Counter[tuple[Row, bool]]
    watermark: int | None
    loaded: int

    def __str__(self) -> str:
        return f"{self.rows.total()} rows, watermark {self.watermark}, last loaded {self.loaded}"


@dataclass
class History:
    """The SQLite file `path` and, beside it, what it holds."""

    path: Path
    rng: Random
    size: int
    now: int = 0
    next_id: int = 1
    rows: dict[str, dict[int, Row]] = field(default_factory=dict[str, dict[int, Row]])

    def __post_init__(self) -> None:
        with closing(sqlite3.connect(self.path)) as db, db:
            for table in TABLES:
                key = f", PRIMARY KEY ({', '.join(table.columns[: table.key])})" if table.key else ""
                db.execute(f"CREATE TABLE {table.name} ({', '.join(map(_declared, table.columns))}{key})")
                self.rows[table.name] = {}
                self._insert(db, table, self.size)

    def change(self) -> None:
        """Some rows go, some change, some come, in every table."""
        some = max(1, self.size // 20)
        with closing(sqlite3.connect(self.path)) as db, db:
            for table in TABLES:
                rows = self.rows[table.name]
                chosen = self.rng.sample(sorted(rows), 2 * some)
                self._delete(db, table, chosen)
                for number in chosen[some:]:
                    rows[number] = self._row(table, number)
                self._put(db, table, [rows[number] for number in chosen[some:]])
                self._insert(db, table, some)

    def live(self, table: Table) -> list[Row]:
        return list(self.rows[table.name].values())

    def _insert(self, db: sqlite3.Connection, table: Table, count: int) -> None:
        numbers = range(self.next_id, self.next_id + count)
        self.next_id += count
        new = {number: self._row(table, number) for number in numbers}
        self.rows[table.name] |= new
        self._put(db, table, new.values())

    def _row(self, table: Table, number: int) -> Row:
        self.now += 1
        name = f"{self.rng.getrandbits(160):040x}"
        key: Row = (number % 97, f"k{number}") if table.key == 2 else (number,)
        return (*key, name, self.now)

    def _put(self, db: sqlite3.Connection, table: Table, rows: Iterable[Row]) -> None:
        db.executemany(f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(table.columns))})", rows)

    def _delete(self, db: sqlite3.Connection, table: Table, numbers: list[int]) -> None:
        gone = [self.rows[table.name].pop(number)[-1] for number in numbers]
        db.executemany(f"DELETE FROM {table.name} WHERE seen = ?", [(seen,) for seen in gone])


def _declared(column: str) -> str:
    return f"{column} {'TEXT' if column in ('b', 'name') else 'INTEGER'}"


def after(before: Output | None, table: Table, live: list[Row], way: Way, resync: str | None) -> Output:
    """What a run that completes makes of an output, by the semantics in docs/local-service.md."""
    tracked = table.name in way.tracked
    anew = (
        before is None
        or resync in ("resync", "rebuild")
        or way.mode == "snapshot"
        or (way.mode == "replicate" and not table.key)
    )
    if before is None or anew:
        return Output(
            Counter((row, False) for row in live), max(row[-1] for row in live) if tracked else None, len(live)
        )
    whole = not tracked or resync == "refetch"
    since = before.watermark
    if way.mode == "append":
        read = live if whole else [row for row in live if row[-1] > since]
        rows = before.rows + Counter((row, False) for row in read)
    else:
        read = live if whole else [row for row in live if row[-1] >= since]
        rows = _merged(before, table, read, whole=whole, hard_deletes=way.hard_deletes)
    watermark = max((row[-1] for row in read), default=since) if tracked else None
    return Output(rows, watermark, len(read))


def _merged(
    before: Output, table: Table, read: list[Row], *, whole: bool, hard_deletes: bool
) -> Counter[tuple[Row, bool]]:
    merged = {row[: table.key]: (row, deleted) for row, deleted in before.rows}
    if whole:
        there = {row[: table.key] for row in read}
        kept = {key: entry for key, entry in merged.items() if key in there}
        gone = {} if hard_deletes else {key: (row, True) for key, (row, _) in merged.items() if key not in there}
        merged = kept | gone
    merged |= {row[: table.key]: (row, False) for row in read}
    return Counter(merged.values())
