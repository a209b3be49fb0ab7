"""What a destination holds, read with nothing but the databases' own libraries."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb

from local.oracle.mapping import digits
from local.oracle.meanings import (
    Clock,
    Day,
    Json,
    Moment,
    Span,
    Uuid,
    ZonedMoment,
    parse_clock,
    parse_date,
    parse_moment,
    parse_zoned_clock,
)
from local.postgres.server import Server


@dataclass(frozen=True)
class Table:
    """The columns of a table with their types, and its rows, each value as what it means."""

    columns: dict[str, str]
    rows: list[dict[str, Any]]


class Reader:
    """Reads the tables of one destination."""

    def __init__(self, kind: str, place: Any) -> None:
        self._kind, self._place = kind, place
        self._duckdb: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> "Reader":
        if self._kind == "parquet" or (self._kind == "duckdb" and self._place.exists()):
            self._duckdb = _duckdb(self._place if self._kind == "duckdb" else None)
        return self

    def __exit__(self, *_: object) -> None:
        if self._duckdb is not None:
            self._duckdb.close()

    def table(self, table: str, carried: Mapping[str, str]) -> Table | None:
        """The table, None when there is none. `carried` says how to understand a column's text."""
        if self._kind == "postgresql":
            return _postgres(self._place, table)
        if self._kind == "sqlite":
            return _sqlite(self._place, table, carried) if self._place.exists() else None
        if self._duckdb is None:
            return None
        if self._kind == "parquet":
            file = self._place / f"{table}.parquet"
            return _duck(self._duckdb, f"'{_glob(file)}'", carried) if file.exists() else None
        found = self._duckdb.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = ?", [table]).fetchone()
        return _duck(self._duckdb, _name(table), carried) if found and found[0] else None


def _name(one: str) -> str:
    return '"' + one.replace('"', '""') + '"'


def _glob(file: Path) -> str:
    return "".join(f"[{one}]" if one in "*?[" else one for one in str(file)).replace("'", "''")


def _duckdb(file: Path | None) -> duckdb.DuckDBPyConnection:
    db = duckdb.connect(str(file) if file else ":memory:", read_only=file is not None)
    db.execute("SET TimeZone = 'UTC'")
    return db


def _duck(db: duckdb.DuckDBPyConnection, relation: str, carried: Mapping[str, str]) -> Table:
    columns = {row[0]: row[1] for row in db.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}
    selected = ", ".join(_duck_value(_name(column), kind) for column, kind in columns.items())
    rows = db.execute(f"SELECT {selected} FROM {relation}").fetchall()
    kinds = list(columns.items())
    return Table(
        columns,
        [
            {
                column: _from_text(value, carried.get(column, "")) if kind == "VARCHAR" else _from_duck(value, kind)
                for (column, kind), value in zip(kinds, row, strict=True)
            }
            for row in rows
        ],
    )


def _duck_value(column: str, kind: str) -> str:
    if kind == "DATE":
        return f"CASE WHEN isfinite({column}) THEN CAST({column} - DATE '1970-01-01' AS VARCHAR) ELSE CAST({column} AS VARCHAR) END"
    if kind == "TIMESTAMP_NS":
        return (
            f"CASE WHEN isfinite({column}) THEN CAST(epoch_ns({column}) AS VARCHAR) ELSE CAST({column} AS VARCHAR) END"
        )
    if kind.startswith("TIMESTAMP"):
        wide = column if "ZONE" in kind else f"CAST({column} AS TIMESTAMP)"
        return f"CASE WHEN isfinite({wide}) THEN CAST(epoch_us({wide}) AS VARCHAR) ELSE CAST({wide} AS VARCHAR) END"
    if kind.startswith("TIME") or kind == "UUID":
        return f"CAST({column} AS VARCHAR)"
    if kind == "INTERVAL":
        return _span(column)
    return column


def _span(column: str) -> str:
    parts = ["year", "month", "day", "hour", "minute", "microsecond"]
    return f"CASE WHEN {column} IS NOT NULL THEN [{', '.join(f'datepart({part!r}, {column})' for part in parts)}] END"


def _whole(text: str) -> int | str:
    return text if "inf" in text else int(text)


def _from_duck(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "DATE":
        return Day(_whole(value))
    if kind == "TIMESTAMP_NS":
        return Moment(_whole(value))
    if kind == "TIMESTAMP WITH TIME ZONE":
        return ZonedMoment(_whole(value))
    if kind.startswith("TIMESTAMP"):
        whole = _whole(value)
        return Moment(whole * 1000 if isinstance(whole, int) else whole)
    if kind == "TIME":
        return Clock(parse_clock(value) or 0)
    if kind == "TIME WITH TIME ZONE":
        return parse_zoned_clock(value)
    if kind == "UUID":
        return Uuid(value)
    if kind == "JSON":
        return Json(value)
    if kind == "INTERVAL":
        return _as_span(value)
    if kind == "DATE[]":
        return [None if one is None else Day((one - date(1970, 1, 1)).days) for one in value]
    return value


def _as_span(parts: list[int]) -> Span:
    years, months, days, hours, minutes, microseconds = parts
    return Span(years * 12 + months, days, (hours * 60 + minutes) * 60_000_000 + microseconds)


def _from_text(value: Any, carried: str) -> Any:
    """A text column that holds what the destination has no type for."""
    if not isinstance(value, str):
        return value
    if carried in ("HUGEINT", "UHUGEINT", "UBIGINT"):
        return int(value)
    if digits(carried):
        return Decimal(value)
    if carried == "TIME WITH TIME ZONE":
        return parse_zoned_clock(value) or value
    if carried == "INTERVAL":
        with closing(_duckdb(None)) as db:
            found = db.execute(f"SELECT {_span('v')} FROM (SELECT CAST(? AS INTERVAL) AS v)", [value]).fetchone()
            return _as_span(found[0]) if found else value
    if carried == "UUID":
        return Uuid(value)
    if carried == "JSON" or carried.endswith("]") or carried.startswith(("STRUCT", "MAP")):
        return Json(value)
    return value


def _sqlite(file: Path, table: str, carried: Mapping[str, str]) -> Table | None:
    with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)) as db:
        info = db.execute("SELECT name, type FROM pragma_table_info(?)", [table]).fetchall()
        if not info:
            return None
        rows = db.execute(f"SELECT {', '.join(_name(row[0]) for row in info)} FROM {_name(table)}").fetchall()
    return Table(
        dict(info),
        [
            {
                column: _from_sqlite(value, declared, carried.get(column, ""))
                for (column, declared), value in zip(info, row, strict=True)
            }
            for row in rows
        ],
    )


_STORED: dict[str, tuple[type, ...]] = {
    "INTEGER": (int,), "BOOLEAN": (int,), "REAL": (float,), "TEXT": (str,), "BLOB": (bytes,), "DATE": (str,),
    "TIME": (str,), "TIMESTAMP": (str,), "TIMESTAMPTZ": (str,),
}  # fmt: skip


def _from_sqlite(value: Any, declared: str, carried: str) -> Any:
    """The value as what it means; as it is when it is not stored the way its column says."""
    if value is None or not isinstance(value, _STORED.get(declared, (int, float))):
        return value
    if declared == "BOOLEAN":
        return {0: False, 1: True}.get(value, value)
    if found := digits(declared):
        return Decimal(value if isinstance(value, int) else repr(value)).quantize(Decimal(1).scaleb(-found[1]))
    if declared == "DATE":
        return value if (days := parse_date(value)) is None else Day(days)
    if declared == "TIME":
        return value if (clock := parse_clock(value)) is None else Clock(clock)
    if declared == "TIMESTAMP":
        return value if (moment := parse_moment(value)) is None or "+" in value or "T" in value else Moment(moment)
    if declared == "TIMESTAMPTZ":
        moment = parse_moment(value)
        if moment is None or not (value.endswith("+00") or isinstance(moment, str)):
            return value
        return ZonedMoment(moment if isinstance(moment, str) else moment // 1000)
    return _from_text(value, carried)


_AS_TEXT = ("numeric", "interval", "uuid", "json", "time ")


def _postgres(server: Server, table: str) -> Table | None:
    types = server.sql(
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a WHERE a.attnum > 0 "
        f"AND NOT a.attisdropped AND a.attrelid = to_regclass({_literal('public.' + _name(table))}) ORDER BY a.attnum"
    )
    if not types:
        return None
    selected = ", ".join(f"{_postgres_value(_name(column), kind)} AS v{i}" for i, (column, kind) in enumerate(types))
    with server.session() as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT {selected} FROM public.{_name(table)}")
        rows = [list(row.values()) for row in cursor.fetch_arrow_table().to_pylist()]
    return Table(
        dict(types),
        [
            {column: _from_postgres(value, kind) for (column, kind), value in zip(types, row, strict=True)}
            for row in rows
        ],
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _postgres_value(column: str, kind: str) -> str:
    if kind.endswith("[]"):
        return column
    if kind == "interval":
        # The parts as they are stored; hours are not folded into days.
        parts = "(extract(year FROM {0}) * 12 + extract(month FROM {0}))::text || ' ' || extract(day FROM {0})::text || ' ' || "
        parts += "(extract(hour FROM {0}) * 3600000000 + extract(minute FROM {0}) * 60000000 + extract(microseconds FROM {0}))::text"
        return parts.format(column)
    if kind == "date":
        return f"CASE WHEN isfinite({column}) THEN ({column} - DATE '1970-01-01')::text ELSE {column}::text END"
    if kind.startswith("timestamp"):
        return (
            f"CASE WHEN isfinite({column}) THEN (extract(epoch FROM {column}) * 1000000)::text ELSE {column}::text END"
        )
    return f"{column}::text" if kind.startswith(_AS_TEXT) or kind == "jsonb" else column


def _from_postgres(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "date":
        return Day(_whole(value))
    if kind.startswith("timestamp"):
        whole = value if "inf" in value else int(Decimal(value))
        if "without" in kind:
            return Moment(whole * 1000 if isinstance(whole, int) else whole)
        return ZonedMoment(whole)
    if kind in ("numeric(20,0)", "numeric(39,0)"):
        return int(value)
    if kind.startswith("numeric"):
        return Decimal(value)
    if kind.startswith("time without"):
        return Clock(parse_clock(value) or 0)
    if kind.startswith("time with"):
        return parse_zoned_clock(value)
    if kind == "interval":
        return Span(*(int(Decimal(part)) for part in value.split(" ")))
    if kind == "uuid":
        return Uuid(value)
    return Json(value) if kind == "jsonb" else value
