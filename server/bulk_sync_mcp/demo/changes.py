"""Rows changed by hand: at the demo's own source, and strays put into its output."""

# Names in statements are quoted by tables.py.
# ruff: noqa: S608

import importlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bulk_sync_mcp.core.text import plural
from bulk_sync_mcp.demo.places import Place
from bulk_sync_mcp.demo.tables import Row, Tables, name, opened

_NUMBERS = ("INT", "REAL", "DOUBLE", "FLOAT", "DEC", "NUM", "BIGINT")
_TEXTS = ("TEXT", "VARCHAR", "CHAR", "CLOB")


@dataclass
class Changes:
    """Rows of one source table that were changed, by key."""

    table: str
    key: list[str]
    changed: set[Row] = field(default_factory=set[Row])
    deleted: set[Row] = field(default_factory=set[Row])
    inserted: set[Row] = field(default_factory=set[Row])

    @property
    def words(self) -> str:
        """`3 rows changed, 2 rows deleted, 1 row inserted in orders`."""
        done = [("changed", self.changed), ("deleted", self.deleted), ("inserted", self.inserted)]
        return ", ".join(f"{plural(len(rows), 'row')} {verb}" for verb, rows in done if rows) + f" in {self.table}"

    @property
    def refused(self) -> str:
        """What constraints of the table did not allow: `changing, deleting`; empty when all was done."""
        asked = [("changing", self.changed), ("deleting", self.deleted), ("inserting", self.inserted)]
        return ", ".join(verb for verb, rows in asked if not rows)


def change_source(source: Place, wanted: Sequence[str]) -> Changes | None:
    """Changes, deletes and inserts a few rows of the largest table that has a key.

    None when there is no such table: the source has files, or only tables without a key or with triggers.
    """
    if source.kind not in ("sqlite", "duckdb"):
        return None
    with opened(source, write=True) as tables:
        for table in _largest_first(tables, source, wanted):
            changes = _change(tables, table)
            if changes is not None:
                return changes
    return None


def _largest_first(tables: Tables, source: Place, wanted: Sequence[str]) -> list[str]:
    sized: list[tuple[int, str]] = []
    triggered: set[str] = set()
    if source.kind == "sqlite":
        triggered = {row[0] for row in tables.rows("SELECT tbl_name FROM sqlite_schema WHERE type = 'trigger'")}
    for table in wanted:
        if tables.key(table) and table not in triggered:
            (count,) = next(iter(tables.rows(f"SELECT count(*) FROM {tables.reference(table)}")))
            sized.append((-count, table))
    return [table for _, table in sorted(sized)]


def _change(tables: Tables, table: str) -> Changes | None:
    key, reference = tables.key(table), tables.reference(table)
    keys = ", ".join(name(column) for column in key)
    found = list(tables.rows(f"SELECT {keys} FROM {reference} ORDER BY {keys} LIMIT 6"))
    if len(found) < 2 or not all(isinstance(value, int | str) for row in found for value in row):
        return None
    changes = Changes(table, key)
    half = len(found) // 2
    # Inserted first: a copy of a row that is still there.
    new = insert_copy(tables, reference, [column.name for column in tables.columns(table)], key)
    if new is not None:
        changes.inserted.add(new)
    for row in found[:half]:
        if _update(tables, table, key, row):
            changes.changed.add(row)
    for row in found[half : half + 2]:
        if _tried(tables, f"DELETE FROM {reference} WHERE {_where(key)}", row):
            changes.deleted.add(row)
    return changes if changes.changed or changes.deleted or changes.inserted else None


def _update(tables: Tables, table: str, key: list[str], row: Row) -> bool:
    """Changes one value of a row: the first column, numbers before texts, that lets itself be changed."""
    others = [column for column in tables.columns(table) if column.name not in key]
    numbers = [(one.name, "coalesce({0}, 0) + 1") for one in others if one.declared.startswith(_NUMBERS)]
    texts = [(one.name, "coalesce({0}, '') || ' (changed)'") for one in others if one.declared.startswith(_TEXTS)]
    return any(
        _tried(
            tables,
            f"UPDATE {tables.reference(table)} SET {name(column)} = {value.format(name(column))} WHERE {_where(key)}",
            row,
        )
        for column, value in numbers + texts
    )


def insert_copy(
    tables: Tables, reference: str, columns: list[str], key: list[str], values: dict[str, object] | None = None
) -> Row | None:
    """Inserts a copy of some row under a new key, with other `values` where given. Returns the key, or None.

    Where that is refused, once more with every text of it changed, which may have to be unique.
    """
    row = dict(zip(columns, next(iter(tables.rows(f"SELECT * FROM {reference} LIMIT 1"))), strict=True))
    whole = next((column for column in key if isinstance(row[column], int)), None)
    if whole is not None:
        (highest,) = next(iter(tables.rows(f"SELECT max({name(whole)}) FROM {reference}")))
        row[whole] = highest + 1
    elif key:
        row[key[0]] = f"{row[key[0]]}-by-hand"
    row |= values or {}
    listed, marks = ", ".join(name(column) for column in columns), ", ".join("?" for _ in columns)
    insert = f"INSERT INTO {reference} ({listed}) VALUES ({marks})"
    texts = {one: f"{value} (by hand)" for one, value in row.items() if isinstance(value, str) and one not in key}
    done = _tried(tables, insert, tuple(row.values())) or _tried(tables, insert, tuple((row | texts).values()))
    return tuple(row[column] for column in key) if done else None


def _where(key: list[str]) -> str:
    return " AND ".join(f"{name(column)} = ?" for column in key)


def _tried(tables: Tables, statement: str, values: Row) -> bool:
    """Runs a statement that a constraint of a table we do not know may refuse; false then."""
    import duckdb

    try:
        tables.run(statement, values)
    except (sqlite3.Error, duckdb.Error):
        return False
    return True


def change_keyless(source: Place, wanted: Sequence[str]) -> str | None:
    """Adds or removes a row of some table that has no key. Returns what was done, None when nothing could be."""
    for table in wanted:
        if source.kind == "parquet":
            file = source.path / f"{table}.parquet"
            done = file.is_file() and _rewrite(file, _without_last)
            words = "removed"
        elif source.kind == "csv":
            done, words = _repeat_last_line(source.path / f"{table}.csv"), "added"
        else:
            with opened(source, write=True) as tables:
                # What SQLite and DuckDB both call the place of a row; views have none.
                reference = tables.reference(table)
                (rows,) = next(iter(tables.rows(f"SELECT count(*) FROM {reference}")))
                last = f"DELETE FROM {reference} WHERE rowid = (SELECT max(rowid) FROM {reference})"
                done, words = rows > 0 and _tried(tables, last, ()), "removed"
        if done:
            return f"1 row {words} in {table}"
    return None


def _repeat_last_line(file: Path) -> bool:
    """Writes the last line of a CSV file again, unless quotes make it uncertain what a line is."""
    content = file.read_bytes() if file.is_file() else b""
    lines = content.splitlines(keepends=True)
    if len(lines) < 2 or b'"' in content:
        return False
    end = b"" if content.endswith((b"\n", b"\r")) else b"\n"
    file.write_bytes(content + end + lines[-1])
    return True


def put_strays(destination: Place, output: str, column: str) -> None:
    """Adds a column to an output table, and a row that the source does not have."""
    if destination.kind == "parquet":
        _rewrite(destination.path / f"{output}.parquet", lambda table: _with_strays(table, column))
        return
    with opened(destination, write=True) as tables:
        reference = tables.reference(output)
        tables.run(f"ALTER TABLE {reference} ADD COLUMN {name(column)} VARCHAR")
        columns = [one.name for one in tables.columns(output)]
        # A key of the output where there is one; without one a plain copy is stray enough.
        insert_copy(tables, reference, columns, tables.key(output), {column: "put here by hand"})


def _with_strays(table: Any, column: str) -> Any:
    arrow = importlib.import_module("pyarrow")  # comes without types
    more = arrow.concat_tables([table, table.slice(0, 1)])
    marks = arrow.array([None] * table.num_rows + ["put here by hand"] * (more.num_rows - table.num_rows), "string")
    # What the sync remembers is in the metadata of the schema, which stays.
    return more.append_column(column, marks).replace_schema_metadata(table.schema.metadata)


def _without_last(table: Any) -> Any:
    return table.slice(0, max(0, table.num_rows - 1))


def _rewrite(file: Path, change: Callable[[Any], Any]) -> bool:
    """Replaces a Parquet file by what `change` makes of its table; whether that has another number of rows."""
    parquet = importlib.import_module("pyarrow.parquet")  # comes without types
    with closing(parquet.ParquetFile(file)) as opened_file:
        table = opened_file.read()
    changed = change(table)
    parquet.write_table(changed, file)
    return changed.num_rows != table.num_rows
