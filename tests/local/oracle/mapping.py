"""What becomes of a column: one table of data, from source type to destination type, for every pair.

`SOURCES` says what the engine carries each source type as, `DESTINATIONS` what each destination makes of that.
The oracle checks both against real databases, and `server/docs/types.md` is written from them:

    python tests/local/oracle/mapping.py > server/docs/types.md
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NAMES = {
    "sqlite": "SQLite",
    "duckdb": "DuckDB",
    "csv": "CSV folder",
    "parquet": "Parquet folder",
    "postgresql": "PostgreSQL",
}
TARGETS = ("duckdb", "sqlite", "parquet", "postgresql")


@dataclass(frozen=True)
class Declared:
    """A type at a source. `samples` are what the tests declare; `note` is for a person."""

    type: str
    carried: str
    note: str = ""
    samples: tuple[str, ...] = ()

    @property
    def tried(self) -> tuple[str, ...]:
        return self.samples or (self.type,)


@dataclass(frozen=True)
class Arrived:
    """What a carried type is in each destination."""

    carried: str
    duckdb: str
    sqlite: str
    parquet: str
    postgresql: str


def _same(carried: str, sqlite: str, postgresql: str, parquet: str = "") -> Arrived:
    return Arrived(carried, carried, sqlite, parquet or carried, postgresql)


DESTINATIONS = (
    _same("BOOLEAN", "BOOLEAN", "boolean"),
    _same("TINYINT", "INTEGER", "smallint"),
    _same("SMALLINT", "INTEGER", "smallint"),
    _same("INTEGER", "INTEGER", "integer"),
    _same("BIGINT", "INTEGER", "bigint"),
    _same("UTINYINT", "INTEGER", "smallint"),
    _same("USMALLINT", "INTEGER", "integer"),
    _same("UINTEGER", "INTEGER", "bigint"),
    _same("UBIGINT", "TEXT", "numeric(20,0)"),
    _same("HUGEINT", "TEXT", "numeric(39,0)", "VARCHAR"),
    _same("UHUGEINT", "TEXT", "numeric(39,0)", "VARCHAR"),
    _same("FLOAT", "REAL", "real"),
    _same("DOUBLE", "REAL", "double precision"),
    _same("DECIMAL(p,s), p up to 15", "DECIMAL(p,s)", "numeric(p,s)"),
    _same("DECIMAL(p,s), p from 16", "TEXT", "numeric(p,s)"),
    _same("VARCHAR", "TEXT", "text"),
    _same("BLOB", "BLOB", "bytea"),
    _same("DATE", "DATE", "date"),
    _same("TIME", "TIME", "time without time zone"),
    _same("TIME WITH TIME ZONE", "TEXT", "time with time zone", "VARCHAR"),
    _same("TIMESTAMP", "TIMESTAMP", "timestamp without time zone"),
    _same("TIMESTAMP_S", "TIMESTAMP", "timestamp without time zone", "TIMESTAMP"),
    _same("TIMESTAMP_MS", "TIMESTAMP", "timestamp without time zone", "TIMESTAMP"),
    _same("TIMESTAMP_NS", "TIMESTAMP", "timestamp without time zone"),
    _same("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ", "timestamp with time zone"),
    _same("INTERVAL", "TEXT", "interval", "VARCHAR"),
    _same("UUID", "TEXT", "uuid"),
    _same("JSON", "TEXT", "jsonb"),
    _same("BOOLEAN[]", "TEXT", "boolean[]"),
    _same("SMALLINT[]", "TEXT", "smallint[]"),
    _same("INTEGER[]", "TEXT", "integer[]"),
    _same("BIGINT[]", "TEXT", "bigint[]"),
    _same("FLOAT[]", "TEXT", "real[]"),
    _same("DOUBLE[]", "TEXT", "double precision[]"),
    _same("VARCHAR[]", "TEXT", "text[]"),
    _same("other lists, STRUCT, MAP", "TEXT", "jsonb"),
)

SOURCES: dict[str, tuple[Declared, ...]] = {
    "sqlite": (
        Declared("INTEGER", "BIGINT", "also INT, BIGINT, SMALLINT, ...", ("INTEGER", "INT", "BIGINT")),
        Declared("REAL", "DOUBLE", "also DOUBLE, FLOAT, ...", ("REAL", "DOUBLE PRECISION")),
        Declared(
            "TEXT", "VARCHAR", "also VARCHAR(n), UUID, JSON, no type, any unknown one; numbers as their exact text",
            ("TEXT", "VARCHAR(20)", "", "UUID"),
        ),
        Declared("BLOB", "BLOB", "also BINARY, BYTEA, ...; text as its bytes", ("BLOB", "VARBINARY")),
        Declared("BOOLEAN", "BOOLEAN", "also BOOL; 0, 1, or the words true and false"),
        Declared("DATE", "DATE", "text `YYYY-MM-DD`"),
        Declared("TIME", "TIME", "text"),
        Declared(
            "TIMESTAMP", "TIMESTAMP", "also DATETIME; ISO 8601 text, an offset is turned into UTC",
            ("TIMESTAMP", "DATETIME"),
        ),
        Declared("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE", "ISO 8601 text"),
        Declared(
            "DECIMAL(p,s), p up to 38", "DECIMAL(p,s)", "also NUMERIC; a number that would be rounded does not fit",
            ("DECIMAL(10,2)", "NUMERIC(15,4)", "NUMERIC(30,4)"),
        ),
        Declared("NUMERIC", "DOUBLE", "also DECIMAL; whole numbers past 2^53 do not fit"),
    ),
    "duckdb": (
        *(
            Declared(one, one)
            for one in (
                "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
                "HUGEINT", "UHUGEINT", "FLOAT", "DOUBLE",
            )
        ),
        Declared("DECIMAL(p,s)", "DECIMAL(p,s)", "", ("DECIMAL(4,1)", "DECIMAL(15,6)", "DECIMAL(18,3)", "DECIMAL(38,10)")),
        *(
            Declared(one, one)
            for one in (
                "VARCHAR", "BLOB", "DATE", "TIME", "TIME WITH TIME ZONE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS",
                "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE", "INTERVAL", "UUID",
            )
        ),
        Declared("JSON", "VARCHAR", "its text"),
        Declared("ENUM", "VARCHAR", "the value's name", ("ENUM('a', 'é')",)),
        Declared("BIT", "VARCHAR", "its text"),
        *(Declared(one, one) for one in ("BOOLEAN[]", "INTEGER[]", "BIGINT[]", "DOUBLE[]", "VARCHAR[]")),
        Declared("STRUCT(a INTEGER, b VARCHAR)", "STRUCT(a INTEGER, b VARCHAR)", "and other structures and maps"),
        Declared("DATE[]", "DATE[]", "and lists of other types"),
        Declared("UUID[]", "VARCHAR", "JSON text; so are all that hold UUID, HUGEINT, INTERVAL, ENUM, JSON, ..."),
    ),
    "parquet": (
        *(
            Declared(one, one)
            for one in (
                "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
                "FLOAT", "DOUBLE",
            )
        ),
        Declared("DECIMAL(p,s)", "DECIMAL(p,s)", "", ("DECIMAL(4,1)", "DECIMAL(38,10)")),
        *(
            Declared(one, one)
            for one in (
                "VARCHAR", "BLOB", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE", "UUID",
            )
        ),
        Declared("JSON", "VARCHAR", "its text"),
        *(Declared(one, one) for one in ("INTEGER[]", "VARCHAR[]")),
        Declared("STRUCT(a INTEGER, b VARCHAR)", "STRUCT(a INTEGER, b VARCHAR)", "and other structures and maps"),
    ),
    "csv": (
        Declared("whole numbers", "BIGINT", "up to 64 bits; with a leading zero or plus sign they stay text"),
        Declared("numbers", "DOUBLE", "with more digits than a double tells apart they stay text"),
        Declared("true, false", "BOOLEAN"),
        Declared("dates", "DATE", "`YYYY-MM-DD`"),
        Declared("times", "TIME", "`hh:mm:ss`"),
        Declared("dates and times", "TIMESTAMP", "`YYYY-MM-DD hh:mm:ss`"),
        Declared("anything else", "VARCHAR", "also a column without any value"),
    ),
    "postgresql": (
        Declared("boolean", "BOOLEAN"),
        Declared("smallint", "SMALLINT"),
        Declared("integer", "INTEGER"),
        Declared("bigint", "BIGINT"),
        Declared("real", "FLOAT"),
        Declared("double precision", "DOUBLE"),
        Declared(
            "numeric(p,s), p up to 38", "DECIMAL(p,s)", "NaN does not fit",
            ("numeric(10,2)", "numeric(15,0)", "numeric(38,10)"),
        ),
        Declared("numeric", "VARCHAR", "its exact text; no order to track or filter by", ("numeric", "numeric(50,2)")),
        Declared("money", "DECIMAL(19,2)", "the scale is that of the server's locale"),
        Declared("text", "VARCHAR", "also varchar(n)", ("text", "character varying(40)")),
        Declared("character(n)", "VARCHAR", "without the padding", ("character(5)",)),
        Declared("bytea", "BLOB"),
        Declared("uuid", "UUID"),
        Declared("date", "DATE", "infinity does not fit"),
        Declared("time without time zone", "TIME"),
        Declared("time with time zone", "TIME WITH TIME ZONE"),
        Declared("timestamp without time zone", "TIMESTAMP", "infinity, and years past 294246, do not fit"),
        Declared("timestamp with time zone", "TIMESTAMP WITH TIME ZONE", "infinity, and years past 294246, do not fit"),
        Declared("interval", "INTERVAL", "more than 290 years in hours does not fit"),
        Declared("json", "JSON"),
        Declared("jsonb", "JSON"),
        Declared("boolean[]", "BOOLEAN[]", "one dimension, counted from 1; others do not fit"),
        Declared("smallint[]", "SMALLINT[]", "likewise"),
        Declared("integer[]", "INTEGER[]", "likewise"),
        Declared("bigint[]", "BIGINT[]", "likewise"),
        Declared("real[]", "FLOAT[]", "likewise"),
        Declared("double precision[]", "DOUBLE[]", "likewise"),
        Declared("text[]", "VARCHAR[]", "likewise"),
        Declared("numeric[]", "VARCHAR[]", "and arrays of other types; the elements' text"),
        Declared("oid", "BIGINT"),
        Declared("inet", "VARCHAR", "its text, an address with its mask; so are enums, xml, ranges, bits and all others", ("inet", "int4range", "bit varying")),
    ),
}  # fmt: skip

_DIGITS = re.compile(r"(?:DECIMAL|NUMERIC)\((\d+),\s*(\d+)\)", re.IGNORECASE)


def digits(type_: str) -> tuple[int, int] | None:
    """Precision and scale, where a type has them."""
    found = _DIGITS.fullmatch(type_)
    return (int(found[1]), int(found[2])) if found else None


def columns(source: str) -> Iterator[tuple[str, str]]:
    """Each type the tests declare at a source, with what it is carried as."""
    for row in SOURCES[source]:
        for sample in row.tried:
            if (found := digits(sample)) is not None and "(p,s)" in row.carried:
                yield sample, row.carried.replace("(p,s)", f"({found[0]},{found[1]})")
            else:
                yield sample, row.carried


def _arrived(carried: str) -> Arrived:
    if (found := digits(carried)) is not None:
        carried = "DECIMAL(p,s), p up to 15" if found[0] <= 15 else "DECIMAL(p,s), p from 16"
    known = {row.carried: row for row in DESTINATIONS}
    return known.get(carried) or known["other lists, STRUCT, MAP"]


def arrives_as(carried: str, target: str) -> str:
    """The destination's name for the type of a carried column."""
    row = _arrived(carried)
    found = str(getattr(row, target)).split(", p ")[0]
    if row.carried.startswith("other"):
        return carried if target in ("duckdb", "parquet") else found
    pair = digits(carried)
    return found.replace("(p,s)", f"({pair[0]},{pair[1]})") if pair else found


def carried_as(source: str, declared: str) -> str:
    return dict(columns(source))[declared]


def _page() -> str:
    lines = [
        "# Types",
        "",
        "What a column of each source becomes in each destination. The tests hold this page, the table it is written",
        "from and real databases against each other; `tests/local/oracle/mapping.py` is that table.",
        "",
        "A value that does not fit its column's type becomes NULL and is counted as a warning. What a destination",
        "itself cannot hold is told at the end.",
    ]
    for source, rows in SOURCES.items():
        lines += ["", f"## From {_with_article(source)}", ""]
        lines += [f"| {NAMES[source]} | {' | '.join(NAMES[one] for one in TARGETS)} | |", "|---|---|---|---|---|---|"]
        for row in rows:
            arrived = [_shown(row.carried, target) for target in TARGETS]
            lines.append(f"| {row.type} | {' | '.join(arrived)} | {row.note} |")
    lines += ["", "## What destinations change", "", "| Destination | Value | Becomes |", "|---|---|---|"]
    lines += [f"| {NAMES[one]} | {value} | {becomes} |" for one, value, becomes in CHANGES]
    return "\n".join(lines) + "\n"


CHANGES = (
    ("postgresql", "NUL character in a text", "left out, counted as a warning; in a key it fails the table"),
    (
        "postgresql",
        "date or time outside of its calendar, infinity",
        "NULL, counted as a warning; in a key it fails the table",
    ),
    ("postgresql", "nanoseconds", "rounded to microseconds, counted as a warning; in a key it fails the table"),
    ("sqlite", "NaN", "NULL, counted as a warning; in a key it fails the table"),
    ("sqlite", "-0.0", "0.0"),
)


def _with_article(source: str) -> str:
    return f"a {NAMES[source]}" if source in ("csv", "parquet") else NAMES[source]


def _shown(carried: str, target: str) -> str:
    if carried == "DECIMAL(p,s)":
        small, large = (
            str(getattr(row, target)).split(", p ")[0] for row in DESTINATIONS if row.carried.startswith("DECIMAL")
        )
        return small if small == large else f"{small}; {large} from p = 16"
    return arrives_as(carried, target)


def page() -> Path:
    return Path(__file__).resolve().parents[3] / "server" / "docs" / "types.md"


def rendered() -> str:
    """The page as it has to be."""
    return _page()


if __name__ == "__main__":
    sys.stdout.write(rendered())
