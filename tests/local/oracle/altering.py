"""Source tables that change between runs: written anew each time, or in place, by the statements of an application."""

import sqlite3
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb

from local.oracle import sources
from local.oracle.histories import INTEGERS, KEYS, TEXTS
from local.oracle.mapping import arrives_as, carried_as
from local.oracle.meanings import Clock, Day, Moment, Span, days_of, frozen
from local.oracle.sources import Column, quoted
from local.oracle.values import plain, same_key

IN_PLACE = ("sqlite", "duckdb", "postgresql")
_DAY = days_of(2024, 1, 31)
CSV_ANCHORS: dict[str, Any] = {
    "whole numbers": 7, "numbers": 0.5, "true, false": True, "dates": Day(_DAY), "times": Clock(36_000_000_000),
    "dates and times": Moment((_DAY * 86_400 + 36_000) * 1_000_000_000), "anything else": "some text",
}  # fmt: skip
"""What `sources.ANCHORS` means."""


@dataclass
class Table:
    """A source table. `at_first` are the columns its edits were made up for; `away` is its name while it is renamed."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    rows: list[list[Any]]
    at_first: tuple[Column, ...]
    away: str | None = None

    @property
    def called(self) -> str:
        return self.away or self.name


@dataclass
class Source:
    """The tables of a source at `place`, to be loaded into a `target`. `how` they change: "" (anew), "in place", or "logged": in place, with a
    write-ahead log. What a database refuses has not happened, to the model neither."""

    kind: str
    target: str
    place: Any
    how: str
    tables: dict[str, Table] = field(default_factory=dict[str, Table])
    done: set[str] = field(default_factory=set[str])
    """What has been done to a table in place, for tests that want all of it."""

    def create(self, name: str, columns: Sequence[Column], key: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Makes the table with these rows, as far as its key allows them."""
        self.tables[name] = Table(name, tuple(columns), tuple(key), [list(row) for row in rows], tuple(columns))
        self._write(self.tables[name])
        if self.how == "logged" and self.kind == "sqlite":
            with closing(sqlite3.connect(self.place)) as db:
                db.execute("PRAGMA journal_mode = WAL")

    def meant(self, name: str) -> list[list[Any]]:
        """The rows of the table that is called so at present, as what they mean."""
        table = next(one for one in self.tables.values() if one.called == name)
        if self.kind == "sqlite":
            return list(sources.stored(self.place, table.called, table.columns))
        meant = [[plain(value) for value in row] for row in table.rows]
        if self.kind == "csv":
            meant.insert(0, [CSV_ANCHORS[one.type] for one in table.columns])
        return meant

    # -- rows ----------------------------------------------------------------------------------------------------------

    def edit(self, name: str, edits: Sequence[tuple[Any, ...]]) -> None:
        """Edits were made up for the table as it was at first; what no longer suits a column is passed over."""
        table = self.tables[name]
        if not self.how:
            for edit in edits:
                _edit(table, edit)
            self._write(table)
            return
        if self.kind == "sqlite":
            with closing(sqlite3.connect(self.place)) as db:
                db.execute("PRAGMA synchronous = OFF")
                for edit in edits:
                    self._edit_sqlite(db, table, edit)
                db.commit()
            return
        for edit in edits:
            self._edit_in_place(table, edit)

    def _edit_sqlite(self, db: sqlite3.Connection, table: Table, edit: tuple[Any, ...]) -> None:
        name = quoted(table.called)
        (count,) = db.execute(f"SELECT count(*) FROM {name}").fetchone()
        if edit[0] == "insert":
            row = [plain(value) for value in _fitted(table, edit[1])]
            statement, values = f"INSERT OR IGNORE INTO {name} VALUES ({', '.join('?' * len(row))})", row
        elif not count or (edit[0] == "update" and table.at_first[edit[2]] not in table.columns):
            return
        else:
            one = f"_rowid_ = (SELECT _rowid_ FROM {name} ORDER BY _rowid_ LIMIT 1 OFFSET {edit[1] % count})"
            if edit[0] == "delete":
                statement, values = f"DELETE FROM {name} WHERE {one}", []
            else:
                column = quoted(table.at_first[edit[2]].name)
                statement, values = f"UPDATE OR IGNORE {name} SET {column} = ? WHERE {one}", [plain(edit[3])]
        try:
            db.execute(statement, values)
        except sqlite3.IntegrityError as error:
            # A key of type INTEGER is SQLite's row id, which holds nothing else and which IGNORE does not cover.
            if str(error) != "datatype mismatch":
                raise
        self.done.add(edit[0])

    def _edit_in_place(self, table: Table, edit: tuple[Any, ...]) -> None:
        after = replace(table, rows=[list(row) for row in table.rows])
        name = self._reference(table)
        if edit[0] == "insert":
            row = _fitted(table, edit[1])
            after.rows.append(row)
            statement = f"INSERT INTO {name} VALUES {self._tuple(table.columns, row)} RETURNING 1"
            touched = 1
        elif not table.rows or (edit[0] == "update" and table.at_first[edit[2]] not in table.columns):
            return
        else:
            chosen = table.rows[edit[1] % len(table.rows)]
            same = [_same(row, chosen) for row in table.rows]
            touched = sum(same)
            where = self._found_by(table, chosen)
            if edit[0] == "delete":
                after.rows = [row for row, gone in zip(table.rows, same, strict=True) if not gone]
                statement = f"DELETE FROM {name} WHERE {where} RETURNING 1"
            else:
                column = table.at_first[edit[2]]
                old = chosen[table.columns.index(column)]
                if self.kind == "duckdb" and _equal(column.type, old, edit[3]):
                    return  # where DuckDB leaves what is there
                for row, changed in zip(after.rows, same, strict=True):
                    if changed:
                        row[table.columns.index(column)] = edit[3]
                value = self._tuple((column,), (edit[3],))
                statement = f"UPDATE {name} SET {quoted(column.name)} = {value} WHERE {where} RETURNING 1"
        if len(distinct(after)) < len(after.rows):
            return
        found = self._run(statement)
        assert len(found) == touched, f"{len(found)} instead of {touched} rows: {statement}"
        table.rows = after.rows
        self.done.add(edit[0])

    def _found_by(self, table: Table, row: Sequence[Any]) -> str:
        by = [(one, value) for one, value in zip(table.columns, row, strict=True) if one.name in table.key]
        every = list(zip(table.columns, row, strict=True))
        # As text, since some types have no equality, and some call equal what is not the same.
        return " AND ".join(
            f"CAST({quoted(one.name)} AS VARCHAR) IS NOT DISTINCT FROM CAST({self._tuple((one,), (value,))} AS VARCHAR)"
            for one, value in by or every
        )

    # -- tables --------------------------------------------------------------------------------------------------------

    def change(self, name: str, change: tuple[Any, ...], fixed: Collection[str]) -> None:
        """Changes the table itself; `fixed` are columns that have to stay."""
        table = self.tables[name]
        after = self._changed(table, change, {*fixed, *table.key}) if change else None
        if after is None or (after.key != table.key and not self.how):
            return
        if self.how:
            self._alter(table, after, change)
            self.done.add(change[0])
        after.rows = distinct(after) if self.kind in ("duckdb", "postgresql") else after.rows
        self.tables[name] = after
        if not self.how:
            self._write(after)

    def rename(self, name: str, away: str | None) -> None:
        """Gives the table another name, or its own again."""
        table = self.tables[name]
        if table.away == away:
            return
        if self.how:
            self._run(f"ALTER TABLE {self._reference(table)} RENAME TO {quoted(away or name)}")
        else:
            sources.drop(self.kind, self.place, table.called)
        table.away = away
        if not self.how:
            self._write(table)
        self.done.add("rename table")

    def _changed(self, table: Table, change: tuple[Any, ...], fixed: Collection[str]) -> Table | None:
        columns, rows = list(table.columns), table.rows
        free = [index for index, one in enumerate(columns) if one.name not in fixed]
        if change[0] == "add":
            if any(one.name == change[1].name for one in columns):
                return None
            return replace(table, columns=(*columns, change[1]), rows=[[*row, change[2]] for row in rows])
        if change[0] == "unkey":
            return replace(table, key=()) if table.key else None
        if change[0] == "key":
            return self._keyed(table, change[1])
        if len(free) < 2:
            return None
        place = free[change[1] % len(free)]
        if change[0] == "drop":
            kept = tuple(one for index, one in enumerate(columns) if index != place)
            return replace(table, columns=kept, rows=[[v for i, v in enumerate(row) if i != place] for row in rows])
        before = columns[place]
        if change[0] == "rename":
            name = f"later {place}"
            if any(one.name == name for one in columns):
                return None
            columns[place] = Column(name, before.type)
            return replace(table, columns=tuple(columns))
        if change[2] == before.type:
            return None
        one, other = (carried_as(self.kind, kind) for kind in (before.type, change[2]))
        if one != other and arrives_as(one, self.target) == arrives_as(other, self.target):
            return None  # one text column at the destination: nothing could tell what is meant by it
        columns[place] = Column(before.name, change[2])
        convert = self._conversion(before.type, change[2])
        return replace(
            table,
            columns=tuple(columns),
            rows=[[convert(v) if i == place else v for i, v in enumerate(row)] for row in rows],
        )

    def _conversion(self, before: str, after: str) -> Any:
        wider = INTEGERS.get(self.kind, ())
        if not self.how or before not in wider:
            return lambda value: None
        if after == TEXTS[self.kind]:
            return lambda value: None if value is None else str(value)
        if after in wider and wider.index(after) >= wider.index(before):
            return lambda value: value
        return lambda value: None

    def _keyed(self, table: Table, place: int) -> Table | None:
        """With a key of one column that was in none, or the two columns that would be distinct together."""
        usable = [one.name for one in table.columns if one.type in KEYS[self.kind]]
        if table.key or not usable:
            return None
        turned = usable[place % len(usable) :] + usable[: place % len(usable)]
        for key in ((turned[0],), tuple(turned[:2])):
            after = replace(table, key=key)
            if self.kind == "sqlite":
                # Its own values decide, and they are not known here.
                listed = ", ".join(quoted(one) for one in key)
                with closing(sqlite3.connect(self.place)) as db:
                    counts = f"count(*), (SELECT count(*) FROM (SELECT DISTINCT {listed} FROM {quoted(table.called)}))"
                    total, different = db.execute(f"SELECT {counts} FROM {quoted(table.called)}").fetchone()
                    whole = [one.name for one in table.columns if one.name in key and one.type == "INTEGER"]
                    missing = " OR ".join(f"{quoted(one)} IS NULL" for one in key)
                    odd = "".join(f" OR typeof({quoted(one)}) <> 'integer'" for one in whole)
                    query = f"SELECT count(*) FROM {quoted(table.called)} WHERE {missing}{odd}"
                    fits = total == different and not db.execute(query).fetchone()[0]
            else:
                fits = len(distinct(after)) == len(table.rows)
            if fits:
                return after
        return None

    # -- statements ----------------------------------------------------------------------------------------------------

    def _alter(self, before: Table, after: Table, change: tuple[Any, ...]) -> None:
        name = self._reference(before)
        statement = f"ALTER TABLE {name}"
        if change[0] == "add":
            column = change[1]
            default = self._tuple((column,), (change[2],)) if self.kind != "sqlite" else _sqlite_literal(change[2])
            self._run(f"{statement} ADD COLUMN {quoted(column.name)} {column.type} DEFAULT {default}")
            if self.kind != "sqlite":
                self._run(f"{statement} ALTER COLUMN {quoted(column.name)} DROP DEFAULT")
            return
        if change[0] in ("rename", "drop", "retype"):
            place = next(i for i, one in enumerate(before.columns) if one not in after.columns)
            column = quoted(before.columns[place].name)
        if change[0] == "rename":
            self._run(f"{statement} RENAME COLUMN {column} TO {quoted(after.columns[place].name)}")
        elif self.kind == "postgresql":
            self._alter_postgres(before, after, change, column if change[0] in ("drop", "retype") else "")
        elif change[0] == "drop" and self.kind == "sqlite":
            self._run(f"{statement} DROP COLUMN {column}")
        elif change[0] == "drop":
            try:
                self._run(f"{statement} DROP COLUMN {column}")
            except duckdb.CatalogException as error:
                if "an index depends on a column after it" not in str(error):
                    raise
                self._copied(before, after)
        elif change[0] == "retype" and self.kind == "duckdb" and not before.key:
            self._run(f"{statement} ALTER COLUMN {column} TYPE {change[2]} USING {self._kept(before, after, place)}")
        else:
            self._copied(before, after)

    def _alter_postgres(self, before: Table, after: Table, change: tuple[Any, ...], column: str) -> None:
        statement = f"ALTER TABLE {self._reference(before)}"
        if change[0] == "drop":
            self._run(f"{statement} DROP COLUMN {column}")
        elif change[0] == "retype":
            place = next(i for i, one in enumerate(before.columns) if one not in after.columns)
            kept = self._kept(before, after, place)
            self._run(f"{statement} ALTER COLUMN {column} TYPE {change[2]} USING {kept}::{change[2]}")
        elif change[0] == "key":
            self._run(f"{statement} ADD PRIMARY KEY ({', '.join(quoted(one) for one in after.key)})")
        else:
            oid = f"to_regclass({_text(self._reference(before))})"
            ((key,),) = self._run(f"SELECT conname FROM pg_constraint WHERE contype = 'p' AND conrelid = {oid}")
            self._run(f"{statement} DROP CONSTRAINT {quoted(key)}")
            for one in before.key:
                self._run(f"{statement} ALTER COLUMN {quoted(one)} DROP NOT NULL")

    def _kept(self, before: Table, after: Table, place: int) -> str:
        """The old values in the new type, where they have a meaning there; else NULL."""
        old, new = before.columns[place], after.columns[place]
        kept = self._conversion(old.type, new.type)(1) is not None
        return f"CAST({quoted(old.name)} AS {new.type})" if kept else "NULL"

    def _copied(self, before: Table, after: Table) -> None:
        """As SQLite's documentation has it for what ALTER TABLE cannot do: a new table, filled, and renamed."""
        definitions = [f"{quoted(one.name)} {one.type}".strip() for one in after.columns]
        if after.key:
            definitions.append(f"PRIMARY KEY ({', '.join(quoted(one) for one in after.key)})")
        have = {one.name: place for place, one in enumerate(before.columns)}
        values = [
            quoted(one.name) if one in before.columns else self._kept(before, after, have[one.name])
            for one in after.columns
        ]
        old, new = self._reference(before), self._reference(replace(before, away="new table"))
        order = " ORDER BY _rowid_" if self.kind == "sqlite" else ""
        self._run(
            f"CREATE TABLE {new} ({', '.join(definitions)})",
            f"INSERT INTO {new} SELECT {', '.join(values)} FROM {old}{order}",
            f"DROP TABLE {old}",
            f"ALTER TABLE {new} RENAME TO {quoted(before.called)}",
        )

    def _reference(self, table: Table) -> str:
        schema = {"postgresql": f"{sources.SCHEMA}.", "duckdb": "main."}.get(self.kind, "")
        return schema + quoted(table.called)

    def _tuple(self, columns: Sequence[Column], row: Sequence[Any]) -> str:
        return sources.tuples(self.kind, columns, [[plain(value) for value in row]])

    def _run(self, *statements: str) -> list[tuple[Any, ...]]:
        """The rows of the last statement; each is committed on its own, or all together where that can be."""
        if self.kind == "postgresql":
            return self.place.sql(*statements)
        rows: list[tuple[Any, ...]] = []
        if self.kind == "sqlite":
            with closing(sqlite3.connect(self.place)) as db, db:
                for statement in statements:
                    rows = db.execute(statement).fetchall()
            return rows
        with closing(duckdb.connect(str(self.place))) as db:
            if self.how == "logged":
                db.execute("PRAGMA disable_checkpoint_on_shutdown")
            for statement in statements:
                found = db.execute(statement)
                rows = found.fetchall() if found.description else []
        return rows

    def _write(self, table: Table) -> None:
        """Makes the table anew, and knows then which rows its key has let in."""
        if self.kind in ("duckdb", "postgresql"):
            table.rows = distinct(table)
        sources.write(self.kind, self.place, table.called, table.columns, table.key, table.rows)


def _edit(table: Table, edit: tuple[Any, ...]) -> None:
    rows = table.rows
    if edit[0] == "insert":
        rows.append(_fitted(table, edit[1]))
    elif edit[0] == "delete" and rows:
        del rows[edit[1] % len(rows)]
    elif edit[0] == "update" and rows and table.at_first[edit[2]] in table.columns:
        rows[edit[1] % len(rows)][table.columns.index(table.at_first[edit[2]])] = edit[3]


def _fitted(table: Table, row: Sequence[Any]) -> list[Any]:
    values = dict(zip(table.at_first, row, strict=True))
    return [values.get(column) for column in table.columns]


def _equal(declared: str, one: Any, other: Any) -> bool:
    return same_key(_as_key(declared, plain(one))) == same_key(_as_key(declared, plain(other)))


def _same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return all(frozen(plain(a)) == frozen(plain(b)) for a, b in zip(one, other, strict=True))


def distinct(table: Table) -> list[list[Any]]:
    """Without rows that the database would refuse: keys that are NULL or there already."""
    place = [index for index, one in enumerate(table.columns) if one.name in table.key]
    if not place:
        return table.rows
    kept: dict[Any, list[Any]] = {}
    for row in table.rows:
        key = tuple(same_key(_as_key(table.columns[index].type, plain(row[index]))) for index in place)
        if all(row[index] is not None for index in place):
            kept.setdefault(key, row)
    return list(kept.values())


def _as_key(declared: str, value: Any) -> Any:
    if isinstance(value, str) and declared.startswith("character("):
        return value.rstrip(" ")
    if isinstance(value, Span):
        return value.months * 30 * 86_400_000_000 + value.days * 86_400_000_000 + value.microseconds
    return value


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _sqlite_literal(value: Any) -> str:
    value = plain(value)
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, str):
        # A NUL character ends a statement.
        return _text(value.replace("\0", ""))
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "9e999" if value > 0 else "-9e999"
    return repr(value)
