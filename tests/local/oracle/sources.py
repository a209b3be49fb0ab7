"""Source tables, written with nothing but the databases' own libraries."""

import csv
import io
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from local.oracle.meanings import (
    Clock,
    Day,
    Json,
    Moment,
    Span,
    Uuid,
    ZonedClock,
    ZonedMoment,
    clock_text,
    date_text,
    moment_text,
    offset_text,
)
from local.oracle.values import Stored, plain
from local.postgres.server import Server

SCHEMA = "shop"
ANCHORS = {
    "whole numbers": "7", "numbers": "0.5", "true, false": "true", "dates": "2024-01-31", "times": "10:00:00",
    "dates and times": "2024-01-31 10:00:00", "anything else": "some text",
}  # fmt: skip
"""A CSV file tells its types by its values, so one row is always there that tells them."""


@dataclass(frozen=True)
class Column:
    name: str
    type: str


def quoted(one: str) -> str:
    return '"' + one.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def table_id(source: str, table: str) -> str:
    """What the API calls the table."""
    if source == "postgresql":
        shown = quoted(table) if set(table) & {".", '"'} else table
        return f"{SCHEMA}.{shown}"
    return f"main.{table}" if source == "duckdb" and "." in table else table


def write(
    source: str, place: Any, table: str, columns: Sequence[Column], key: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Makes the table anew with these rows; with SQLite rows that break its own rules are left out."""
    rows = [[plain(value) for value in row] for row in rows]
    if source == "csv":
        _csv(place, table, columns, rows)
        return
    constraint = f", PRIMARY KEY ({', '.join(quoted(one) for one in key)})" if key else ""
    if source == "sqlite":
        _sqlite(place, table, columns, constraint, rows)
    elif source == "postgresql":
        _postgres(place, table, columns, constraint, rows)
    else:
        name = f"main.{quoted(table)}"
        with closing(duckdb.connect(str(place) if source == "duckdb" else ":memory:")) as db:
            definitions = ", ".join(f"{quoted(one.name)} {one.type}" for one in columns)
            db.execute("BEGIN")
            db.execute(f"DROP TABLE IF EXISTS {name}")
            db.execute(f"CREATE TABLE {name} ({definitions}{constraint})")
            if rows:
                db.execute(f"INSERT INTO {name} VALUES {_tuples(columns, rows, _duckdb_literal)}")
            db.execute("COMMIT")
            if source == "parquet":
                place.mkdir(exist_ok=True)
                db.execute(f"COPY {name} TO {_literal(str(place / f'{table}.parquet'))} (FORMAT parquet)")


def _tuples(columns: Sequence[Column], rows: Sequence[Sequence[Any]], literal: Any) -> str:
    return ", ".join(
        "(" + ", ".join(literal(one.type, value) for one, value in zip(columns, row, strict=True)) + ")" for row in rows
    )


def tuples(source: str, columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> str:
    """The rows as the VALUES of a statement of DuckDB or PostgreSQL; each value is one of its column's type."""
    return _tuples(columns, rows, _postgres_literal if source == "postgresql" else _duckdb_literal)


def drop(source: str, place: Any, table: str) -> None:
    """Removes the table."""
    if source in ("csv", "parquet"):
        (place / f"{table}.{source}").unlink()
    elif source == "postgresql":
        place.sql(f"DROP TABLE {SCHEMA}.{quoted(table)}")
    else:
        opened: Any = sqlite3.connect(place) if source == "sqlite" else duckdb.connect(str(place))
        with closing(opened):
            opened.execute(f"DROP TABLE {quoted(table)}")
            opened.commit()


def _csv(folder: Path, table: str, columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> None:
    folder.mkdir(exist_ok=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
    writer.writerow([one.name for one in columns])
    writer.writerow([ANCHORS[one.type] for one in columns])
    writer.writerows([["" if value is None else csv_text(value) for value in row] for row in rows])
    (folder / f"{table}.csv").write_text(text.getvalue(), encoding="utf-8", newline="")


def csv_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Day):
        return date_text(value.days, "")
    if isinstance(value, Clock):
        return clock_text(value.microseconds)
    if isinstance(value, Moment):
        return moment_text(value.nanoseconds, "")
    return repr(value) if isinstance(value, float) else str(value)


def _sqlite(place: Path, table: str, columns: Sequence[Column], constraint: str, rows: Sequence[Sequence[Any]]) -> None:
    definitions = ", ".join(f"{quoted(one.name)} {one.type}".strip() for one in columns)
    with closing(sqlite3.connect(place)) as db:
        db.execute(f"DROP TABLE IF EXISTS {quoted(table)}")
        db.execute(f"CREATE TABLE {quoted(table)} ({definitions}{constraint})")
        statement = f"INSERT OR IGNORE INTO {quoted(table)} VALUES ({', '.join('?' * len(columns))})"
        for row in rows:
            try:
                db.execute(statement, row)
            except sqlite3.IntegrityError as error:
                # A key of type INTEGER is SQLite's row id, which holds nothing else and which IGNORE does not cover.
                if str(error) != "datatype mismatch":
                    raise
        db.commit()


def stored(place: Path, table: str, columns: Sequence[Column]) -> list[list[Stored | None]]:
    """The rows as SQLite holds them, in the order it reads them."""
    parts = [
        f"{quoted(one.name)}, CAST({quoted(one.name)} AS TEXT), CASE typeof({quoted(one.name)}) WHEN 'real' "
        f"THEN CAST(CAST({quoted(one.name)} AS TEXT) AS REAL) = {quoted(one.name)} END, printf('%!.17g', {quoted(one.name)})"
        for one in columns
    ]
    rows: list[list[Stored | None]] = []
    with closing(sqlite3.connect(place)) as db:
        db.text_factory = bytes
        for row in db.execute(f"SELECT {', '.join(parts)} FROM {quoted(table)} ORDER BY rowid"):
            values: list[Stored | None] = []
            for value, short, exact, long in zip(*[iter(row)] * 4, strict=True):
                values.append(_stored(value, short, exact, long, db))
            rows.append(values)
        # Told apart from blobs by SQLite itself: both came as bytes.
        kinds = db.execute(
            f"SELECT {', '.join(f'typeof({quoted(one.name)})' for one in columns)} FROM {quoted(table)} ORDER BY rowid"
        ).fetchall()
    return [
        [
            Stored(one.value.decode()) if one is not None and kind == b"text" else one
            for one, kind in zip(row, kinds_of_row, strict=True)
        ]
        for row, kinds_of_row in zip(rows, kinds, strict=True)
    ]


def _stored(value: Any, short: bytes | None, exact: int | None, long: bytes, db: Any) -> Stored | None:
    if value is None:
        return None
    if isinstance(value, float):
        return Stored(value, ((short or b"") if exact else long).decode())
    return Stored(value, str(value) if isinstance(value, int) else None)


def _duckdb_literal(declared: str, value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"unhex('{value.hex()}')"
    if isinstance(value, str) and declared == "VARCHAR":
        return "(" + " || chr(0) || ".join(_literal(part) for part in value.split("\0")) + ")"
    if isinstance(value, list):
        element = declared.removesuffix("[]")
        return f"CAST([{', '.join(_duckdb_literal(element, one) for one in value)}] AS {declared})"
    if isinstance(value, dict):
        return f"{{'a': {_duckdb_literal('INTEGER', value['a'])}, 'b': {_duckdb_literal('VARCHAR', value['b'])}}}"
    if isinstance(value, Span):
        return f"(to_months({value.months}) + to_days({value.days}) + to_microseconds({value.microseconds}))"
    return f"CAST({_literal(_written(value, ' (BC)'))} AS {declared})"


def _written(value: Any, before_christ: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Day):
        return date_text(value.days, before_christ)
    if isinstance(value, Clock):
        return clock_text(value.microseconds)
    if isinstance(value, ZonedClock):
        return clock_text(value.microseconds) + offset_text(value.offset)
    if isinstance(value, Moment):
        return moment_text(value.nanoseconds, before_christ)
    if isinstance(value, ZonedMoment):
        number = value.microseconds
        return (
            number if isinstance(number, str) else _with_zone(moment_text(number * 1000, before_christ), before_christ)
        )
    if isinstance(value, Uuid | Json):
        return value.text
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _with_zone(text: str, before_christ: str) -> str:
    # DuckDB and PostgreSQL both want the zone before the era or after, as they themselves print it.
    if text.endswith(before_christ):
        return text.removesuffix(before_christ) + "+00" + before_christ
    return text + "+00"


def _postgres(
    server: Server, table: str, columns: Sequence[Column], constraint: str, rows: Sequence[Sequence[Any]]
) -> None:
    name = f"{SCHEMA}.{quoted(table)}"
    definitions = ", ".join(f"{quoted(one.name)} {one.type}" for one in columns)
    server.sql(f"DROP TABLE IF EXISTS {name}", f"CREATE TABLE {name} ({definitions}{constraint})")
    if rows:
        server.sql(f"INSERT INTO {name} VALUES {_tuples(columns, rows, _postgres_literal)}")


def _postgres_literal(declared: str, value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'::bytea"
    if isinstance(value, list):
        element = declared.removesuffix("[]")
        return f"ARRAY[{', '.join(_postgres_literal(element, one) for one in value)}]::{declared}"
    if isinstance(value, Span):
        return f"'{value.months} mons {value.days} days {value.microseconds} microseconds'::interval"
    if declared == "money":
        return f"'{format(value, 'f')}'::numeric::money"
    text = _written(value, " BC")
    return f"{_literal(text)}::{declared}"
