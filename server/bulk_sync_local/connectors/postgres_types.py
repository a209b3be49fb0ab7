"""PostgreSQL's types: how its columns are read, and what carried columns become in it.

Reading:

| declared | carried as | note |
|---|---|---|
| boolean, smallint, integer, bigint, real, double precision, text, varchar, bytea, uuid, time | the same | |
| char(n), name | VARCHAR | without the padding |
| oid | BIGINT | |
| numeric(p,s) up to 38 digits | DECIMAL(p,s) | NaN does not fit |
| numeric without precision, or wider | VARCHAR | its exact text; no order to track or filter by |
| money | DECIMAL(19,s) | s as the server's locale has it |
| date, timestamp, timestamptz | the same | infinity does not fit |
| interval | INTERVAL | more than 290 years in hours does not fit |
| json, jsonb | JSON | |
| one-dimensional arrays of numbers, booleans, text | LIST | those of more dimensions do not fit |
| other arrays | VARCHAR[] | the elements' text |
| anything else (enum, inet, xml, ranges, timetz...) | VARCHAR, timetz itself | its text |

A value that does not fit becomes NULL and is counted. Times are read quickly as they are; the driver turns
infinity into numbers below any time PostgreSQL has, and then the table is read again with care.
"""

import re
from dataclasses import dataclass
from typing import Literal

from bulk_sync_local.connectors.base import FieldType
from bulk_sync_local.connectors.mending import Mend
from bulk_sync_local.engine.conditions import Condition
from bulk_sync_local.engine.sql import text
from bulk_sync_local.engine.types import decimal, field_type, is_nested

_NUMERIC = re.compile(r"numeric\((\d+),(-?\d+)\)")
_MOST_DIGITS = 38
_MONEY_DIGITS = 19

# Microseconds and days since 1970: the earliest times of PostgreSQL, the latest timestamp of DuckDB.
FIRST_MICROSECOND, LAST_MICROSECOND = -210_866_803_200_000_000, 2**63 - 2
FIRST_DAY = -2_440_588
_FINITE_TIMESTAMP = "{} BETWEEN TIMESTAMP '4714-11-24 BC' AND TIMESTAMP '294247-01-10 04:00:54.775806'"
_FINITE_TIMESTAMPTZ = "{} BETWEEN TIMESTAMPTZ '4714-11-24+00 BC' AND TIMESTAMPTZ '294247-01-10 04:00:54.775806+00'"


@dataclass(frozen=True, slots=True)
class Kind:
    """How one PostgreSQL type is read; `{}` stands for the column.

    `fits` is a test of PostgreSQL that a value can be read at all: with `guarded` always made, else only with
    care. `watched` names the range that a quick reading is held against. `ordered` is false where the carried
    values are not in PostgreSQL's own order. `compared` is what PostgreSQL compares with a carried value.
    """

    carried: str
    select: str = "{}"
    restore: str = "{}"
    fits: str | None = None
    guarded: bool = False
    watched: Literal["microseconds", "days"] | None = None
    ordered: bool = True
    field: FieldType | None = None
    compared: str = "{}"


_FLAT = "coalesce(array_ndims({}), 1) = 1 AND coalesce(array_lower({}, 1), 1) = 1"
_ELEMENTS = {
    "boolean": "BOOLEAN", "smallint": "SMALLINT", "integer": "INTEGER", "bigint": "BIGINT", "real": "FLOAT",
    "double precision": "DOUBLE", "text": "VARCHAR", "character varying": "VARCHAR",
}  # fmt: skip
_KINDS = {
    **{declared: Kind(carried) for declared, carried in _ELEMENTS.items()},
    "bytea": Kind("BLOB"),
    "uuid": Kind("UUID"),
    "character": Kind("VARCHAR", "CAST({} AS text)"),
    "name": Kind("VARCHAR", "CAST({} AS text)"),
    "oid": Kind("BIGINT", "CAST({} AS bigint)", compared="CAST({} AS bigint)"),
    "json": Kind("JSON", ordered=False, field="object"),
    "jsonb": Kind("JSON", ordered=False, field="object"),
    "date": Kind("DATE", fits="isfinite({})", watched="days"),
    "time without time zone": Kind("TIME"),
    "time with time zone": Kind("TIME WITH TIME ZONE", "CAST({} AS text)", "TRY_CAST({} AS TIMETZ)"),
    "timestamp without time zone": Kind("TIMESTAMP", fits=_FINITE_TIMESTAMP, watched="microseconds"),
    "timestamp with time zone": Kind(
        "TIMESTAMP WITH TIME ZONE", fits=_FINITE_TIMESTAMPTZ, watched="microseconds"
    ),
    # The driver counts nanoseconds.
    "interval": Kind("INTERVAL", fits="extract(hour FROM {}) BETWEEN -2540000 AND 2540000"),
}  # fmt: skip
_ITS_TEXT = Kind("VARCHAR", "CAST({} AS text)", ordered=False)
_EXACT_TEXT = Kind("VARCHAR", "CAST({} AS text)", ordered=False, field="number")


def kind(declared: str, money_scale: int) -> Kind:
    """How a column is read, by the name `format_type` gives its type."""
    if declared.endswith("[]"):
        element = _ELEMENTS.get(_bare(declared.removesuffix("[]")))
        if element is not None:
            return Kind(f"{element}[]", fits=_FLAT, guarded=True)
        return Kind("VARCHAR[]", "CAST({} AS text[])", fits=_FLAT, guarded=True, ordered=False)
    bare = _bare(declared)
    if bare == "money":
        number = f"DECIMAL({_MONEY_DIGITS},{money_scale})"
        plain = "CAST({} AS numeric)"
        return Kind(number, f"CAST({plain} AS text)", f"TRY_CAST({{}} AS {number})", compared=plain)
    if bare == "numeric":
        found = _NUMERIC.fullmatch(declared)
        if found is None or int(found[1]) > _MOST_DIGITS or not 0 <= int(found[2]) <= int(found[1]):
            return _EXACT_TEXT
        number = f"DECIMAL({found[1]},{found[2]})"
        return Kind(number, restore=f"TRY_CAST({{}} AS {number})")
    return _KINDS.get(bare, _ITS_TEXT)


def _bare(declared: str) -> str:
    return re.sub(r"\([^)]*\)", "", declared)


def shown_as(one: Kind) -> FieldType:
    """The API's name for what a column holds."""
    return one.field or field_type(one.carried)


def narrowed(condition: Condition, column: str) -> str | None:
    """A condition in PostgreSQL that no row fails which `condition` keeps; None when there is no useful one.

    Only comparisons: they are what an incremental read of a large table lives by.
    """
    operator = {
        "Equality": "=", "GreaterThan": ">", "GreaterThanEqual": ">=", "OnOrAfter": ">=",
        "LessThan": "<", "LessThanEqual": "<=", "OnOrBefore": "<=",
    }.get(condition.function)  # fmt: skip
    if operator is None or "(" in condition.values[0]:  # PostgreSQL has years before our era in another spelling
        return None
    kinds = {
        "SMALLINT": "bigint", "INTEGER": "bigint", "BIGINT": "bigint", "DATE": "date",
        "TIMESTAMP": "timestamp", "TIMESTAMP WITH TIME ZONE": "timestamptz",
    }  # fmt: skip
    compared = "numeric" if decimal(condition.type) is not None else kinds.get(condition.type)
    if compared is None:
        return None
    test = f"{column} {operator} CAST({text(condition.values[0])} AS {compared})"
    if condition.keep_nulls:
        # What cannot be read becomes NULL.
        finite = "" if compared in ("bigint", "numeric") else f" OR NOT isfinite({column})"
        test += f" OR {column} IS NULL{finite}"
    return f"({test})"


# What carried types become. The stage is handed over in the binary form of the type itself.
_OUTPUT = {
    "BOOLEAN": "boolean", "TINYINT": "smallint", "SMALLINT": "smallint", "UTINYINT": "smallint",
    "INTEGER": "integer", "USMALLINT": "integer", "BIGINT": "bigint", "UINTEGER": "bigint",
    "UBIGINT": "numeric(20,0)", "HUGEINT": "numeric(39,0)", "UHUGEINT": "numeric(39,0)", "FLOAT": "real",
    "DOUBLE": "double precision", "VARCHAR": "text", "BLOB": "bytea", "DATE": "date", "UUID": "uuid",
    "JSON": "jsonb", "TIME": "time without time zone", "TIME WITH TIME ZONE": "time with time zone",
    "TIMESTAMP": "timestamp without time zone", "TIMESTAMP_S": "timestamp without time zone",
    "TIMESTAMP_MS": "timestamp without time zone", "TIMESTAMP_NS": "timestamp without time zone",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone", "INTERVAL": "interval",
}  # fmt: skip
_WIRE = {
    "smallint": "SMALLINT", "integer": "INTEGER", "bigint": "BIGINT", "numeric(20,0)": "DECIMAL(20,0)",
    "timestamp without time zone": "TIMESTAMP",
}  # fmt: skip
_OUTPUT_ELEMENTS = ("BOOLEAN", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "VARCHAR")
_BY_TEXT = ("numeric(39,0)", "time with time zone", "interval")


def output_type(carried: str) -> str:
    """What a carried type becomes, as `format_type` spells it."""
    digits = decimal(carried)
    if digits is not None:
        return f"numeric({digits[0]},{digits[1]})"
    if carried.endswith("[]") and carried.removesuffix("[]") in _OUTPUT_ELEMENTS:
        return f"{_OUTPUT[carried.removesuffix('[]')]}[]"
    return "jsonb" if is_nested(carried) else _OUTPUT.get(carried, "text")


def stage_declaration(output: str) -> str:
    """What the stage declares for a column of the output's type: text where a value can only come as text."""
    return "text" if output in _BY_TEXT else output


def handed_over(carried: str, column: str) -> str:
    """The DuckDB expression whose Arrow value has the binary form of `output_type`."""
    output = output_type(carried)
    if output in _BY_TEXT:
        return f"CAST({column} AS VARCHAR)"
    if output == "uuid":
        return f"unhex(replace(CAST({column} AS VARCHAR), '-', ''))"
    if output == "jsonb":
        json = f"CAST({column} AS VARCHAR)" if carried == "JSON" else f"CAST(to_json({column}) AS VARCHAR)"
        return rf"('\x01'::BLOB || encode({json}))"
    return f"CAST({column} AS {_WIRE[output]})" if output in _WIRE else column


_OUTSIDE = "outside PostgreSQL's calendar became NULL"
_FIRST, _LAST = "4714-11-24 (BC)", "5874897-12-31"


def mends(carried: str, column: str) -> list[Mend]:
    """What may have to be changed in the quoted `column` of a stage: values PostgreSQL cannot hold."""
    if carried == "DATE":
        test = f"({column} NOT BETWEEN DATE '{_FIRST}' AND DATE '{_LAST}')"
        return [Mend(test, _OUTSIDE, f"CASE WHEN NOT {test} THEN {column} END")]
    if carried == "TIMESTAMP_NS":
        infinite = Mend(f"(NOT isfinite({column}))", _OUTSIDE, f"CASE WHEN isfinite({column}) THEN {column} END")
        return [infinite, Mend(f"(epoch_ns({column}) % 1000 <> 0)", "lost nanoseconds")]
    if carried in ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP WITH TIME ZONE"):
        test = f"(NOT isfinite({column}) OR {column} < CAST(TIMESTAMP '{_FIRST} 00:00:00' AS {carried}))"
        return [Mend(test, _OUTSIDE, f"CASE WHEN NOT {test} THEN {column} END")]
    words = "lost a NUL character, which PostgreSQL does not have"
    if carried in ("VARCHAR[]", "VARCHAR"):
        bare = f"replace({column}, chr(0), '')"
        if carried == "VARCHAR[]":
            bare = f"list_transform({column}, lambda element: replace(element, chr(0), ''))"
        return [Mend(f"contains(CAST({column} AS VARCHAR), chr(0))", words, bare)]
    if carried == "JSON" or is_nested(carried):
        json = f"CAST({column} AS VARCHAR)" if carried == "JSON" else f"CAST(to_json({column}) AS VARCHAR)"
        # An even number of backslashes before it belongs to something else.
        nul = r"'(^|[^\\])((?:\\\\)*)(?:\\u0000)+'"
        test = f"(contains({json}, '\\u0000') AND regexp_matches({json}, {nul}))"
        once = rf"regexp_replace({json}, {nul}, '\1\2', 'g')"
        bare = rf"CAST(regexp_replace({once}, {nul}, '\1\2', 'g') AS JSON)"
        return [Mend(test, words, bare)]
    return []
