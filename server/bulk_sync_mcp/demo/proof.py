"""What is compared with what: the source as it is, and the destination as it is, each read afresh."""

# Names in statements are quoted by tables.py.
# ruff: noqa: S608

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from bulk_sync_mcp.demo.places import Place
from bulk_sync_mcp.demo.tables import Row, Tables, name, opened
from bulk_sync_mcp.demo.values import Digest, converter

CREATED_AT, UPDATED_AT, DELETED_AT = "_polytomic_created_at", "_polytomic_updated_at", "_polytomic_deleted_at"
_STAMPS = frozenset({CREATED_AT, UPDATED_AT, DELETED_AT})
_ENGINES_OWN = ("_bulk_sync_state", "__stage_")


class Mismatch(Exception):
    """What was found is not what was expected."""

    def __init__(self, what: str, expected: object, found: object) -> None:
        super().__init__(f"{what}: expected {expected}, found {found}")
        self.what = what
        self.expected = str(expected)
        self.found = str(found)


def expect(what: str, expected: object, found: object) -> None:
    """Raises `Mismatch` unless the two are equal."""
    if expected != found:
        raise Mismatch(what, expected, found)


@dataclass(frozen=True)
class Compared:
    """Tables found equal, with their rows. `left_out` names columns that could not be compared, and why not."""

    rows: Mapping[str, int]
    digest: str
    left_out: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Rows in all tables together."""
        return sum(self.rows.values())


@dataclass(frozen=True)
class Snapshot:
    """What a destination holds: for each of its tables the columns, the number of rows and a digest of them."""

    tables: "Mapping[str, State]"

    @property
    def rows(self) -> int:
        """Rows in all tables together."""
        return sum(rows for _, rows, _ in self.tables.values())


State = tuple[tuple[str, ...], int, str]
"""Columns, number of rows, and a digest of them."""


@dataclass(frozen=True)
class Equal:
    """One table found equal. `left_out` as in `Compared`."""

    rows: int
    digest: str
    left_out: tuple[str, ...]


@dataclass
class Pair:
    """The source and the destination of the demo. `outputs`: the output table of each source table."""

    source: Place
    destination: Place
    outputs: dict[str, str] = field(default_factory=dict[str, str])
    prefix: str = ""
    """What the names of the outputs begin with, where a prefix keeps them apart from other tables."""
    known: dict[str, tuple[State, Equal]] = field(default_factory=dict[str, tuple[State, Equal]])
    """What each output held when it was last found equal, and to what."""

    def equal(self) -> Compared:
        """Every table of the source against its output, row for row. Raises `Mismatch`.

        The columns the sync adds, and rows it has marked as deleted, are not part of the source's content. An output
        with the content it had when it was found equal is not read row for row again; `source_changed` forgets that.
        """
        found: dict[str, Equal] = {}
        with opened(self.source) as there, opened(self.destination) as here:
            present = set(here.names())
            for table, output in self.outputs.items():
                if output not in present:
                    raise Mismatch(f"table {output} at the destination", "it exists", "it does not")
                state, known = _content(self.destination, here, output), self.known.get(table)
                found[table] = known[1] if known and known[0] == state else _equal(there, table, here, output)
                self.known[table] = (state, found[table])
        total = blake2b(digest_size=8)
        for table, one in found.items():
            total.update(f"{self.outputs[table]} {one.rows} {one.digest}\n".encode())
        left_out = tuple(column for one in found.values() for column in one.left_out)
        return Compared({table: one.rows for table, one in found.items()}, total.hexdigest(), left_out)

    def source_changed(self) -> None:
        """To be told when the source has been changed."""
        self.known.clear()

    def snapshot(self) -> Snapshot:
        """The outputs as they are, with every column there is."""
        if not self.destination.path.exists():
            return Snapshot({})
        with opened(self.destination) as here:
            ours = [one for one in here.names() if one.startswith(self.prefix) and not engines_own(one)]
            return Snapshot({one: _state(self.destination, here, one) for one in ours})

    def unchanged(self, before: Snapshot) -> None:
        """Raises `Mismatch` unless the outputs are exactly as in `before`."""
        now = self.snapshot()
        expect("tables at the destination", sorted(before.tables), sorted(now.tables))
        for one, state in before.tables.items():
            expect(f"columns, rows and content of {one}", state, now.tables[one])

    def stamps(self, table: str, key: list[str]) -> dict[Row, tuple[Any, bool]]:
        """For each key in the output of `table`, when the row was last written and whether it is marked deleted.

        `key` are columns of the source, whose outputs are found by their position.
        """
        output = self.outputs[table]
        with opened(self.source) as there, opened(self.destination) as here:
            columns = [column.name for column in there.columns(table)]
            outputs = [column.name for column in here.columns(output)]
            keys = ", ".join(name(outputs[columns.index(one)]) for one in key)
            query = f"SELECT {UPDATED_AT}, {DELETED_AT} IS NOT NULL, {keys} FROM {here.reference(output)}"
            return {row[2:]: (row[0], bool(row[1])) for row in here.rows(query)}


def engines_own(table: str) -> bool:
    """Whether a table is the engine's bookkeeping and no output."""
    return table.casefold().startswith(_ENGINES_OWN)


def _state(place: Place, here: Tables, table: str) -> State:
    """Everything in a table."""
    columns = tuple(column.name for column in here.columns(table))
    return _digested(place, here, columns, here.reference(table))


def _content(place: Place, here: Tables, table: str) -> State:
    """What a table holds of its source: without the columns the sync adds, and the rows it has marked as deleted."""
    columns = tuple(column.name for column in here.columns(table) if column.name not in _STAMPS)
    return _digested(place, here, columns, here.reference(table) + _live(here, table))


def _live(here: Tables, table: str) -> str:
    marked = DELETED_AT in {column.name for column in here.columns(table)}
    return f" WHERE {DELETED_AT} IS NULL" if marked else ""


def _digested(place: Place, here: Tables, columns: tuple[str, ...], rows: str) -> State:
    listed = ", ".join(name(column) for column in columns)
    if place.kind == "sqlite":
        digest = Digest([])
        for row in here.rows(f"SELECT {listed} FROM {rows}"):
            digest.add(row)
        return columns, digest.rows, digest.hex
    # hash() is 64 bits: its sum and its xor together are as good as never equal for different rows.
    query = f"SELECT count(*), sum(hash({listed})::HUGEINT), bit_xor(hash({listed})) FROM {rows}"
    count, added, xored = next(iter(here.rows(query)))
    return columns, count, f"{added}/{xored}"


def _equal(there: Tables, table: str, here: Tables, output: str) -> Equal:
    columns = [column.name for column in there.columns(table)]
    outputs = [column for column in here.columns(output) if column.name not in _STAMPS]
    expect(f"number of columns of {output} (its own apart)", len(columns), len(outputs))
    chosen, left_out, thorough = list(range(len(columns))), list[str](), False
    while True:
        kinds = [converter(outputs[index].declared, thorough=thorough) for index in chosen]
        first, second = Digest(kinds), Digest(kinds)
        source = _select(there.reference(table), [columns[index] for index in chosen])
        destination = _select(here.reference(output), [outputs[index].name for index in chosen]) + _live(here, output)
        for row in there.rows(source):
            first.add(row)
        for row in here.rows(destination):
            second.add(row)
        expect(f"rows of {output}", first.rows, second.rows)
        odd = first.surprising | second.surprising
        left_out += [f"{table}.{columns[chosen[place]]}" for place in sorted(odd)]
        chosen = [index for place, index in enumerate(chosen) if place not in odd]
        if not odd:
            if first.hex == second.hex:
                return Equal(second.rows, second.hex, tuple(left_out))
            if thorough:
                raise _difference(first, there.rows(source), second, here.rows(destination), output)
            thorough = True


def _select(reference: str, columns: list[str]) -> str:
    return f"SELECT {', '.join(name(column) for column in columns) or 'NULL'} FROM {reference}"


def _difference(
    first: Digest, source: Iterator[Row], second: Digest, destination: Iterator[Row], output: str
) -> Mismatch:
    """The mismatch, with one row that each side has and the other has not."""
    expected = Counter(first.canonical(row) for row in source)
    found = Counter(second.canonical(row) for row in destination)
    missing = next(iter(expected - found), "no other row")
    extra = next(iter(found - expected), "no other row")
    return Mismatch(f"a row of {output}", missing[:400], extra[:400])
