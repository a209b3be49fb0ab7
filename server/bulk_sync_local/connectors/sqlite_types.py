"""How SQLite's columns are read: by declared type, since SQLite lets any value into any column.

| declared | carried as | note |
|---|---|---|
| INT, INTEGER, BIGINT... | BIGINT | |
| REAL, DOUBLE, FLOAT | DOUBLE | |
| TEXT, VARCHAR(n), CHAR(n), UUID, JSON, none, anything unknown | VARCHAR | numbers as their exact text |
| BLOB, BINARY... | BLOB | |
| BOOLEAN, BOOL | BOOLEAN | 0, 1, or the words true and false |
| DATE | DATE | text `YYYY-MM-DD` |
| TIME | TIME | text |
| TIMESTAMP, DATETIME | TIMESTAMP | ISO 8601 text; an offset is turned into UTC |
| TIMESTAMPTZ | TIMESTAMP WITH TIME ZONE | ISO 8601 text |
| DECIMAL(p,s), NUMERIC(p,s) | DECIMAL(p,s) | a number that would be rounded does not fit |
| DECIMAL, NUMERIC | DOUBLE | SQLite holds only int64 and double there; integers past 2^53 do not fit |

A value that does not fit becomes NULL and is counted. Most columns are read quickly as they are: the ADBC
driver, told the type by a first row of our own, refuses a value of another storage class, and then the table
is read again with care, each value tested by `typeof`.
"""

import re
from dataclasses import dataclass

from bulk_sync_local.engine.conditions import Condition
from bulk_sync_local.engine.sql import text

_DECLARED = re.compile(r"\s*([^(]*?)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*")
_KINDS = {
    "BIGINT": ["INT", "INTEGER", "TINYINT", "SMALLINT", "MEDIUMINT", "BIGINT", "INT2", "INT4", "INT8", "SERIAL"],
    "DOUBLE": ["REAL", "DOUBLE", "DOUBLE PRECISION", "FLOAT", "FLOAT4", "FLOAT8"],
    "BLOB": ["BLOB", "BYTEA", "BINARY", "VARBINARY", "LONGBLOB", "MEDIUMBLOB", "TINYBLOB"],
    "BOOLEAN": ["BOOLEAN", "BOOL"],
    "DATE": ["DATE"],
    "TIME": ["TIME"],
    "TIMESTAMP": ["TIMESTAMP", "DATETIME"],
    "TIMESTAMP WITH TIME ZONE": ["TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"],
}
_KIND_OF = {declared: kind for kind, all_declared in _KINDS.items() for declared in all_declared}
_INT_DOUBLE = 15  # decimal digits a double always holds exactly
_LARGEST_EXACT = 2**53


def carried_type(declared: str) -> str:
    """The carried type of a declared one."""
    found = _DECLARED.fullmatch(declared.upper())
    if found is None:
        return "VARCHAR"
    base = re.sub(r"\s+", " ", found[1]).removeprefix("UNSIGNED ").removesuffix(" UNSIGNED")
    if base in ("DECIMAL", "NUMERIC", "DEC"):
        if found[2] is None:
            return "DOUBLE"
        precision, scale = int(found[2]), int(found[3] or 0)
        return f"DECIMAL({precision},{scale})" if 1 <= precision <= 38 and scale <= precision else "DOUBLE"
    return _KIND_OF.get(base, "VARCHAR")


@dataclass(frozen=True, slots=True)
class Reader:
    """How one column is read: a typed constant for the first row, the expression in SQLite, an expression that
    is 1 where that gave NULL for a value that does not fit (None: it cannot), and the expression in DuckDB."""

    sentinel: str
    select: str
    unfit: str | None
    restore: str


def reader(column: str, declared: str, kind: str, *, careful: bool) -> Reader:
    """The reader of the quoted `column`; `{}` in `restore` stands for what was selected."""
    found = decimal_scale(kind)
    if kind == "BLOB":
        unfit = f"typeof({column}) NOT IN ('blob', 'text', 'null')"
        select = f"CASE WHEN typeof({column}) IN ('blob', 'text') THEN CAST({column} AS BLOB) END"
        # Always with care: among the first rows the driver would turn a number into the bytes of its text.
        return Reader("x''", select, unfit, "{}")
    if kind == "BIGINT":
        return _strict("0", column, "integer", "{}", careful=careful)
    if kind == "BOOLEAN":
        return _boolean(column, careful=careful)
    if kind == "DOUBLE" and carried_bare_numeric(declared):
        return _exact_double(column)
    if kind == "DOUBLE":
        return _double(column, "{}", careful=careful)
    if found is not None and found[0] <= _INT_DOUBLE:
        number = f"TRY_CAST({{0}} AS {kind})"
        return _double(column, f"CASE WHEN CAST({number} AS DOUBLE) = {{0}} THEN {number} END", careful=careful)
    if found is not None:
        return _wide_decimal(column, kind, found[1])
    if kind == "VARCHAR":
        return _text(column, declared, careful=careful)
    return _temporal(column, kind, careful=careful)


def carried_bare_numeric(declared: str) -> bool:
    """Whether the column is a DECIMAL or NUMERIC that is carried as DOUBLE."""
    return declared.upper().lstrip().startswith(("DEC", "NUM"))


def decimal_scale(kind: str) -> tuple[int, int] | None:
    found = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", kind)
    return (int(found[1]), int(found[2])) if found else None


def _strict(sentinel: str, column: str, storage: str, restore: str, *, careful: bool) -> Reader:
    if not careful:
        return Reader(sentinel, column, None, restore)
    select = f"CASE typeof({column}) WHEN '{storage}' THEN {column} END"
    return Reader(sentinel, select, f"typeof({column}) NOT IN ('{storage}', 'null')", restore)


def _boolean(column: str, *, careful: bool) -> Reader:
    restore = "CASE {0} WHEN 1 THEN true WHEN 0 THEN false END"
    if not careful:
        return Reader("0", column, None, restore)
    word = f"CASE WHEN typeof({column}) = 'text' THEN lower({column}) END"
    select = (
        f"CASE WHEN typeof({column}) = 'integer' THEN {column} WHEN {word} = 'true' THEN 1 "
        f"WHEN {word} = 'false' THEN 0 END"
    )
    unfit = f"typeof({column}) NOT IN ('integer', 'null') AND coalesce({word}, '') NOT IN ('true', 'false')"
    return Reader("0", select, unfit, restore)


def _double(column: str, restore: str, *, careful: bool) -> Reader:
    if not careful:
        return Reader("0.0", column, None, restore)
    select = f"CASE WHEN typeof({column}) IN ('real', 'integer') THEN CAST({column} AS REAL) END"
    return Reader("0.0", select, f"typeof({column}) IN ('text', 'blob')", restore)


def _exact_double(column: str) -> Reader:
    fits = (
        f"typeof({column}) = 'real' OR "
        f"(typeof({column}) = 'integer' AND {column} BETWEEN -{_LARGEST_EXACT} AND {_LARGEST_EXACT})"
    )
    select = f"CASE WHEN {fits} THEN CAST({column} AS REAL) END"
    return Reader("0.0", select, f"{column} IS NOT NULL AND NOT ({fits})", "{}")


def _wide_decimal(column: str, kind: str, scale: int) -> Reader:
    printed = f"printf('%.{scale}f', {column})"
    select = (
        f"CASE typeof({column}) WHEN 'integer' THEN CAST({column} AS TEXT) "
        f"WHEN 'real' THEN CASE WHEN CAST({printed} AS REAL) = {column} THEN {printed} END END"
    )
    return Reader("''", select, f"{column} IS NOT NULL AND ({select}) IS NULL", f"TRY_CAST({{}} AS {kind})")


def _real_text(column: str) -> str:
    short = f"CAST({column} AS TEXT)"
    return f"CASE WHEN CAST({short} AS REAL) = {column} THEN {short} ELSE printf('%!.17g', {column}) END"


def _text(column: str, declared: str, *, careful: bool) -> Reader:
    # The driver would print a REAL with six decimals; a column of text affinity cannot hold one.
    has_affinity = any(word in declared.upper() for word in ("CHAR", "CLOB", "TEXT"))
    select = (
        column if has_affinity else f"CASE typeof({column}) WHEN 'real' THEN {_real_text(column)} ELSE {column} END"
    )
    if careful:
        return Reader("x''", f"CAST({select} AS BLOB)", None, "TRY(decode({}))")
    return Reader("''", select, None, "{}")


def _temporal(column: str, kind: str, *, careful: bool) -> Reader:
    source = "TRY(decode({0}))" if careful else "{0}"
    restore = {
        # Through TIMESTAMPTZ: a straight cast would drop an offset, and the seconds after a stray space. The session's
        # time zone is UTC. Where there is room for neither, the straight cast says the same in half the time.
        "TIMESTAMP": f"CASE WHEN {source} LIKE '____-__-_____:__:__' AND {source} NOT LIKE '___________% %' "
        f"THEN TRY_CAST({source} AS TIMESTAMP) ELSE CAST(TRY_CAST({_no_number(source)} AS TIMESTAMPTZ) AS TIMESTAMP) "
        "END",
        "TIMESTAMP WITH TIME ZONE": f"TRY_CAST({_no_number(source)} AS TIMESTAMPTZ)",
        "TIME": f"TRY_CAST({source} AS TIME)",
        "DATE": f"CASE WHEN TRY_CAST({source} AS TIMESTAMP) = TRY_CAST({source} AS DATE) "
        f"THEN TRY_CAST({_no_number(source)} AS DATE) END",
    }[kind]
    if not careful:
        return Reader("''", column, None, restore)
    select = f"CASE typeof({column}) WHEN 'text' THEN CAST({column} AS BLOB) END"
    return Reader("x''", select, f"typeof({column}) NOT IN ('text', 'null')", restore)


def _no_number(source: str) -> str:
    """`source` unless it is how the driver prints an infinite REAL, which DuckDB would take for an infinite time."""
    return f"CASE WHEN {source} NOT IN ('inf', '-inf') THEN {source} END"


def narrowed(condition: Condition, column: str) -> str | None:
    """A condition in SQLite that no row fails which `condition` keeps; None when there is no useful one.

    Only comparisons: they are what an incremental read of a large table lives by.
    """
    operator = {
        "Equality": "=", "GreaterThan": ">", "GreaterThanEqual": ">=", "OnOrAfter": ">=",
        "LessThan": "<", "LessThanEqual": "<=", "OnOrBefore": "<=",
    }.get(condition.function)  # fmt: skip
    if operator is None:
        return None
    or_null = f" OR {column} IS NULL" if condition.keep_nulls else ""
    if condition.type == "BIGINT":
        return f"({column} {operator} {int(condition.values[0])}{or_null})"
    if condition.type.startswith("TIMESTAMP") and operator.startswith(">"):
        # Texts of one day may be written in several ways and with offsets, so compare by day, one day early.
        day = f"strftime('%Y-%m-%d', {text(condition.values[0][:10])}, '-1 day')"
        unlike = f"{column} NOT GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*'"
        return f"({column} >= {day} OR typeof({column}) <> 'text' OR {unlike}{or_null})"
    return None
