"""Values to try: for each source type a Hypothesis strategy, and what the engine has to make of each value."""

import json
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

from hypothesis import strategies as st

from local.oracle.mapping import carried_as, digits
from local.oracle.meanings import (
    DAY,
    INFINITE,
    Clock,
    Day,
    Json,
    Moment,
    Span,
    Uuid,
    ZonedClock,
    ZonedMoment,
    date_text,
    days_of,
    frozen,
    parse_clock,
    parse_date,
    parse_moment,
)

LONG = 70_000
_EXACT = Context(prec=60)
_INTEGERS = {
    "TINYINT": (-(2**7), 2**7 - 1), "SMALLINT": (-(2**15), 2**15 - 1), "INTEGER": (-(2**31), 2**31 - 1),
    "BIGINT": (-(2**63), 2**63 - 1), "HUGEINT": (-(2**127), 2**127 - 1), "UTINYINT": (0, 2**8 - 1),
    "USMALLINT": (0, 2**16 - 1), "UINTEGER": (0, 2**32 - 1), "UBIGINT": (0, 2**64 - 1), "UHUGEINT": (0, 2**128 - 1),
}  # fmt: skip


@dataclass(frozen=True)
class Long:
    """A long text or binary, printed short when an example is reported."""

    piece: Any
    times: int

    @property
    def value(self) -> Any:
        return self.piece * self.times


def plain(value: Any) -> Any:
    return value.value if isinstance(value, Long) else value


def integers(low: int, high: int) -> st.SearchStrategy[int]:
    return st.sampled_from([low, high, 0, 1]) | st.integers(low, high)


def texts(*, nul: bool) -> st.SearchStrategy[Any]:
    awkward = [
        "",
        " ",
        "'; DROP TABLE t; --",
        '"',
        "a\nb\r\n",
        "表é🦆",
        "e\u0301",
        "\ufeff",
        "NULL",
        "\\N",
        "\\u0000",
        "%_",
        "0",
    ]
    some = st.characters(exclude_categories=["Cs"], exclude_characters="" if nul else "\0")
    pools = [st.sampled_from(awkward), st.text(some, max_size=8), st.builds(Long, st.sampled_from("xé"), st.just(LONG))]
    if nul:
        pools.append(st.sampled_from(["\0", "a\0b"]))
    return st.one_of(pools)


def binaries() -> st.SearchStrategy[Any]:
    return (
        st.sampled_from([b"", b"\0", b"\xff\xfe", b"plain"])
        | st.binary(max_size=8)
        | st.builds(Long, st.just(b"\0\xff"), st.just(LONG))
    )


def floats() -> st.SearchStrategy[float]:
    return (
        st.sampled_from([0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, 1.7976931348623157e308, 0.1]) | st.floats()
    )


def single_floats() -> st.SearchStrategy[float]:
    return st.sampled_from([0.0, -0.0, math.inf, -math.inf, math.nan, 0.5]) | st.floats(width=32)


def decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    most = 10**precision - 1
    return integers(-most, most).map(lambda whole: Decimal(whole).scaleb(-scale, _EXACT))


def _days(first: tuple[int, int, int], last: tuple[int, int, int]) -> st.SearchStrategy[Day]:
    low, high = days_of(*first), days_of(*last)
    likely = st.integers(days_of(1900, 1, 1), days_of(2100, 1, 1))
    return (st.sampled_from([low, high, 0, *INFINITE]) | likely | st.integers(low, high)).map(Day)


def _instants(low: int, high: int, unit: int) -> st.SearchStrategy[int | str]:
    """Nanoseconds in steps of `unit`, and infinities."""
    likely = st.integers(-2_000_000_000, 4_000_000_000).map(lambda seconds: seconds * 1_000_000_000)
    near = st.builds(lambda base, more: base + more * unit, likely, st.integers(0, 999))
    extreme = st.sampled_from([low * unit, high * unit, 0])
    return st.sampled_from(INFINITE) | extreme | near | likely


def _zoned(microseconds: int | str) -> ZonedMoment:
    return ZonedMoment(microseconds if isinstance(microseconds, str) else microseconds // 1000)


def clocks() -> st.SearchStrategy[Clock]:
    return (st.sampled_from([0, DAY - 1, 1]) | st.integers(0, DAY - 1)).map(Clock)


def zoned_clocks(largest: int = 57_599) -> st.SearchStrategy[ZonedClock]:
    offsets = st.sampled_from([0, 19_800, -largest, largest, 3600])
    return st.builds(ZonedClock, st.sampled_from([0, DAY - 1]) | st.integers(0, DAY - 1), offsets)


def spans(months: int = 2**31 - 1, days: int = 2**31 - 1, hours: int = 2**63 - 1) -> st.SearchStrategy[Span]:
    return st.builds(Span, integers(-months, months), integers(-days, days), integers(-hours, hours)) | st.sampled_from(
        [Span(1, 0, 0), Span(0, 30, 0), Span(0, 0, DAY * 30), Span(0, 0, 0)]
    )


def uuids() -> st.SearchStrategy[Uuid]:
    return st.uuids().map(lambda one: Uuid(str(one))) | st.sampled_from(
        [Uuid("00000000-0000-0000-0000-000000000000"), Uuid("ffffffff-ffff-ffff-ffff-ffffffffffff")]
    )


def jsons() -> st.SearchStrategy[Json]:
    return st.sampled_from(
        ["null", "1", "1.50", '"é🦆"', '{"b": [1, null, "x"], "a": {}}', "[]", "12345678901234567890123", '"\\\\u0000"']
    ).map(Json)


def _duckdb_values(declared: str) -> st.SearchStrategy[Any]:
    if declared in _INTEGERS:
        return integers(*_INTEGERS[declared])
    if found := digits(declared):
        return decimals(*found)
    if declared.endswith("[]"):
        element = declared.removesuffix("[]")
        one = _duckdb_values(element)
        if element in ("DOUBLE", "FLOAT"):
            one = st.floats(allow_nan=False, allow_infinity=False)
        if element == "DATE":
            one = st.integers(-700_000, 2_900_000).map(Day)
        if element == "VARCHAR":
            one = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
        return st.lists(one | st.none(), max_size=3)
    kinds: dict[str, Callable[[], st.SearchStrategy[Any]]] = {
        "BOOLEAN": st.booleans,
        "FLOAT": single_floats,
        "DOUBLE": floats,
        "VARCHAR": lambda: texts(nul=True),
        "BLOB": binaries,
        "DATE": lambda: _days((-5_877_640, 1, 1), (5_881_579, 12, 31)),
        "TIME": lambda: clocks() | st.just(Clock(DAY)),
        "TIME WITH TIME ZONE": zoned_clocks,
        "TIMESTAMP": lambda: _instants(-9_223_372_022_400_000_000, 2**63 - 2, 1000).map(Moment),
        "TIMESTAMP_S": lambda: _instants(-9_223_372_022_400, 9_223_372_036_854, 1_000_000_000).map(Moment),
        "TIMESTAMP_MS": lambda: _instants(-9_223_372_022_400_000, 9_223_372_036_854_775, 1_000_000).map(Moment),
        "TIMESTAMP_NS": lambda: _instants(-9_223_286_400_000_000_000, 2**63 - 2, 1).map(Moment),
        "TIMESTAMP WITH TIME ZONE": lambda: _instants(-9_223_372_022_400_000_000, 2**63 - 2, 1000).map(_zoned),
        "INTERVAL": spans,
        "UUID": uuids,
        "JSON": jsons,
        "ENUM('a', 'é')": lambda: st.sampled_from(["a", "é"]),
        "BIT": lambda: st.text("01", min_size=1, max_size=9),
        "STRUCT(a INTEGER, b VARCHAR)": lambda: st.fixed_dictionaries(
            {"a": integers(*_INTEGERS["INTEGER"]) | st.none(), "b": st.sampled_from(["", "x'y", 'é"\\']) | st.none()}
        ),
    }
    return kinds[declared]()


def _parquet_values(declared: str) -> st.SearchStrategy[Any]:
    return _duckdb_values(declared)


def _csv_values(declared: str) -> st.SearchStrategy[Any]:
    some = st.characters(exclude_categories=["Cs", "Cc"])
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "whole numbers": integers(*_INTEGERS["BIGINT"]),
        "numbers": st.sampled_from([0.1, 1e300, -2.5, 5e-324]) | st.floats(allow_nan=False, allow_infinity=False),
        "true, false": st.booleans(),
        "dates": st.integers(days_of(1, 1, 1), days_of(9999, 12, 31)).map(Day),
        "times": clocks().map(lambda one: Clock(one.microseconds // 1_000_000 * 1_000_000)),
        "dates and times": st.integers(-62_000_000_000, 250_000_000_000).map(lambda s: Moment(s * 1_000_000_000)),
        "anything else": st.sampled_from(
            ["a,b", 'say "hi"', "two\nlines", " padded ", "'single", "007", "+5", "x;y\tz"]
        )
        | st.text(some, min_size=1, max_size=8),
    }
    return kinds[declared]


def _postgres_values(declared: str) -> st.SearchStrategy[Any]:
    if found := digits(declared):
        return decimals(*found) | st.just(Decimal("NaN"))
    if declared.endswith("[]"):
        element = declared.removesuffix("[]")
        one = _postgres_values(element)
        if "real" in element or "double" in element:
            one = st.floats(allow_nan=False, allow_infinity=False, width=32 if element == "real" else 64)
        if element == "numeric":
            one = st.sampled_from([Decimal("0.10"), Decimal("1e30")])
        if element == "text":
            one = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)
        return st.lists(one | st.none(), max_size=3)
    fewer = [Decimal("1.10"), Decimal("NaN"), Decimal("-0.00001"), Decimal(10) ** 45]
    first = -210_866_803_200_000_000
    kinds: dict[str, Callable[[], st.SearchStrategy[Any]]] = {
        "boolean": st.booleans,
        "smallint": lambda: integers(*_INTEGERS["SMALLINT"]),
        "integer": lambda: integers(*_INTEGERS["INTEGER"]),
        "bigint": lambda: integers(*_INTEGERS["BIGINT"]),
        "oid": lambda: integers(*_INTEGERS["UINTEGER"]),
        "real": single_floats,
        "double precision": floats,
        "numeric": lambda: st.sampled_from(fewer) | decimals(50, 20),
        "money": lambda: integers(-(2**63), 2**63 - 1).map(lambda cents: Decimal(cents).scaleb(-2, _EXACT)),
        "text": lambda: texts(nul=False),
        "character varying(40)": lambda: st.text(
            st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40
        ),
        "character(5)": lambda: st.text("ab é", max_size=5),
        "bytea": binaries,
        "uuid": uuids,
        "date": lambda: _days((-4713, 11, 24), (5_874_897, 12, 31)),
        "time without time zone": lambda: clocks() | st.just(Clock(DAY)),
        "time with time zone": zoned_clocks,
        "timestamp without time zone": lambda: _instants(first, 9_224_318_015_999_999_999, 1000).map(Moment),
        "timestamp with time zone": lambda: _instants(first, 9_224_318_015_999_999_999, 1000).map(_zoned),
        "interval": lambda: spans(months=2_000_000_000, hours=9_144_000_000_000_000),
        "json": jsons,
        "jsonb": jsons,
        "inet": lambda: st.sampled_from(["10.0.0.1", "10.0.0.0/8", "::1"]),
        "int4range": lambda: st.sampled_from(["[1,5)", "empty", "(,3)"]),
        "bit varying": lambda: st.text("01", min_size=1, max_size=9),
    }
    if declared == "numeric(50,2)":
        return decimals(50, 2)
    return kinds[declared]()


def _sqlite_values(declared: str) -> st.SearchStrategy[Any]:
    """What is put in; SQLite itself may make something else of it, by the column's affinity."""
    fitting = {
        "BIGINT": integers(*_INTEGERS["BIGINT"]),
        "DOUBLE": floats().filter(lambda one: not math.isnan(one)),
        "VARCHAR": texts(nul=True),
        "BLOB": binaries(),
        "BOOLEAN": st.sampled_from([0, 1, "true", "FALSE"]),
        "DATE": st.integers(days_of(1, 1, 1), days_of(9999, 12, 31)).map(lambda days: date_text(days, "")),
        "TIME": st.sampled_from(["00:00:00", "23:59:59.999999", "10:00:00.5"]),
        "TIMESTAMP": _moments(),
        "TIMESTAMP WITH TIME ZONE": _moments(),
    }
    carried = carried_as("sqlite", declared)
    if found := digits(carried):
        scale = found[1]
        good: st.SearchStrategy[Any] = decimals(min(found[0], 15), scale).map(float)
    else:
        good = fitting[carried]
    dirty = st.sampled_from(
        [
            "nope",
            "2024-13-01",
            "2024-02-30 10:00:00",
            "",
            2,
            1.5,
            2**53 + 1,
            1.005,
            b"\xff",
            b"abc",
            "12",
            math.inf,
            "infinity",
            "inf",
        ]
    )
    return st.one_of(good, good, good, good, dirty)


def _moments() -> st.SearchStrategy[str]:
    days = st.integers(days_of(1000, 1, 1), days_of(9999, 12, 30)).map(lambda one: date_text(one, ""))
    times = st.sampled_from(
        ["", " 00:00:00", "T23:59:59", " 10:00:00.123456", "T10:00:00Z", " 10:00:00+05:30", " 01:02:03.5-08"]
    )
    return st.builds(lambda day, time: day + time, days, times)


_VALUES = {
    "sqlite": _sqlite_values,
    "duckdb": _duckdb_values,
    "parquet": _parquet_values,
    "csv": _csv_values,
    "postgresql": _postgres_values,
}


def values(source: str, declared: str) -> st.SearchStrategy[Any]:
    """What a column of this type can hold at this source, NULL apart."""
    return _VALUES[source](declared)


# -- what has to become of them ----------------------------------------------------------------------------------------

UNFIT = object()
"""Stands for a value that does not fit: it has to become NULL and be counted."""


def carry(source: str, declared: str, value: Any) -> Any:
    """What a value is carried as, or `UNFIT`. A SQLite value is one as stored (`Stored`)."""
    if value is None:
        return None
    if source == "sqlite":
        return _carry_sqlite(carried_as(source, declared), declared, value)
    if source == "postgresql":
        return _carry_postgres(declared, value)
    if declared == "JSON":
        return value.text
    if declared == "UUID[]":
        return json.dumps([None if one is None else one.text for one in value], separators=(",", ":"))
    return value


def _carry_postgres(declared: str, value: Any) -> Any:
    if declared.startswith("numeric") and carried_as("postgresql", declared) == "VARCHAR":
        return str(value) if not value.is_finite() else format(value, "f")
    if isinstance(value, Decimal):
        return value if value.is_finite() else UNFIT
    if isinstance(value, Day | Moment | ZonedMoment):
        number = next(iter(vars(value).values()))
        last = (2**63 - 2) * (1000 if isinstance(value, Moment) else 1)
        return UNFIT if isinstance(number, str) or (not isinstance(value, Day) and number > last) else value
    if declared == "character(5)":
        return value.rstrip(" ")
    if declared == "inet":
        return value if "/" in value else f"{value}/{128 if ':' in value else 32}"
    if declared == "numeric[]":
        return [None if one is None else format(one, "f") for one in value]
    return value


@dataclass(frozen=True)
class Stored:
    """A value as SQLite holds it; `text` is what SQLite itself says a number is in exact text."""

    value: Any
    text: str | None = None


def _carry_sqlite(carried: str, declared: str, stored: Stored) -> Any:
    value = stored.value
    if carried == "BIGINT":
        return value if isinstance(value, int) else UNFIT
    if carried == "DOUBLE" and declared.startswith(("NUM", "DEC")):
        exact = isinstance(value, float) or (isinstance(value, int) and abs(value) <= 2**53)
        return float(value) if exact else UNFIT
    if carried == "DOUBLE":
        return float(value) if isinstance(value, int | float) else UNFIT
    if carried == "VARCHAR":
        if isinstance(value, int | float):
            return stored.text
        try:
            return value.decode() if isinstance(value, bytes) else value
        except UnicodeDecodeError:
            return UNFIT
    if carried == "BLOB":
        return {bytes: lambda: value, str: lambda: value.encode()}.get(type(value), lambda: UNFIT)()
    if carried == "BOOLEAN":
        known = {0: False, 1: True} if isinstance(value, int) else {"true": True, "false": False}
        return known.get(value.lower() if isinstance(value, str) else value, UNFIT)
    if found := digits(carried):
        return _decimal(value, *found)
    if not isinstance(value, str):
        return UNFIT
    if carried == "DATE":
        days = parse_date(value)
        return UNFIT if days is None else Day(days)
    if carried == "TIME":
        clock = parse_clock(value)
        return UNFIT if clock is None else Clock(clock)
    moment = parse_moment(value)
    if moment is None:
        return UNFIT
    return Moment(moment) if carried == "TIMESTAMP" else _zoned(moment)


def _decimal(value: Any, precision: int, scale: int) -> Any:
    if not isinstance(value, int | float) or not math.isfinite(value):
        return UNFIT
    rounded = round(Decimal(repr(value)), scale)
    if float(rounded) != float(value) or abs(rounded) >= Decimal(10) ** (precision - scale):
        return UNFIT
    return rounded.quantize(Decimal(1).scaleb(-scale), context=_EXACT)


def single(value: float) -> float:
    return struct.unpack(">f", struct.pack(">f", value))[0]


_FIRST_DAY_OF_POSTGRES = days_of(-4713, 11, 24)
_LAST_DAY_OF_POSTGRES = days_of(5_874_897, 12, 31)


def present(target: str, carried: str, value: Any) -> tuple[Any, bool]:
    """A carried value as the destination shows it, and whether it had to be changed, which is counted."""
    if value is None:
        return None, False
    nested = carried.endswith("]") or carried.startswith(("STRUCT", "MAP"))
    if target == "sqlite":
        if isinstance(value, float) and math.isnan(value):
            return None, True
        if isinstance(value, float) and value == 0:
            return 0.0, False
        if nested:
            return Json(json.dumps(value, default=_in_json)), False
    if target == "postgresql":
        if isinstance(value, str) and "\0" in value:
            return value.replace("\0", ""), True
        if isinstance(value, Day | Moment | ZonedMoment) and _outside(value):
            return None, True
        if carried == "TIMESTAMP_NS":
            return Moment((value.nanoseconds + 500) // 1000 * 1000), value.nanoseconds % 1000 != 0
        if nested and not (carried.endswith("[]") and carried != "DATE[]"):
            return Json(json.dumps(value, default=_in_json)), False
        if carried == "VARCHAR[]" and any(one and "\0" in one for one in value):
            return [one and one.replace("\0", "") for one in value], True
    return value, False


def _in_json(value: Any) -> str:
    return date_text(value.days, " (BC)") if isinstance(value, Day) else str(value)


def _outside(value: Day | Moment | ZonedMoment) -> bool:
    if isinstance(value, Day):
        number = value.days
    else:
        number = value.nanoseconds if isinstance(value, Moment) else value.microseconds
        unit = DAY * 1000 if isinstance(value, Moment) else DAY
        number = number if isinstance(number, str) else number // unit
    return isinstance(number, str) or not _FIRST_DAY_OF_POSTGRES <= number <= _LAST_DAY_OF_POSTGRES


def order(value: Any) -> Any:
    """A sort key that orders values of one carried type as a tracking field is ordered."""
    if isinstance(value, float):
        return (math.isnan(value), 0.0 if math.isnan(value) else value)
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, Uuid):
        return value.text
    if isinstance(value, Day | Moment | ZonedMoment | Clock):
        number = next(iter(vars(value).values()))
        return {"infinity": math.inf, "-infinity": -math.inf}.get(number, number)
    return value


def identical(one: Any, other: Any) -> bool:
    return frozen(one) == frozen(other)


def same_key(value: Any) -> Any:
    """Equal for values that a primary key takes for one."""
    if isinstance(value, float) and value == 0:
        return frozen(0.0)
    return frozen(value)
