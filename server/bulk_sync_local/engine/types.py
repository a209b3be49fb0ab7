"""Types, as data: how a DuckDB type is carried, and what the API and other databases call it.

Whatever the source, a column is carried as one DuckDB type. Types that Arrow cannot bring over unchanged
travel as text (`wire`); those without an equal elsewhere become text.
"""

import re
from dataclasses import dataclass

from bulk_sync_local.connectors.base import FieldType

_NATIVE = frozenset(
    {
        "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
        "FLOAT", "DOUBLE", "VARCHAR", "BLOB", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS",
        "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE",
    }
)  # fmt: skip
_AS_TEXT_AND_BACK = frozenset({"HUGEINT", "UHUGEINT", "UUID", "INTERVAL", "TIME WITH TIME ZONE"})
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_NESTED_UNSAFE = re.compile(r"HUGEINT|UUID|INTERVAL|TIME WITH|ENUM|UNION|BIT|JSON|VARIANT|GEOMETRY|BIGNUM")


@dataclass(frozen=True, slots=True)
class Carried:
    """`type` is what the column becomes; `wire` and `restore` are expressions with `{}` for the column."""

    type: str
    wire: str = "{}"
    restore: str = "{}"


def carried(duckdb_type: str) -> Carried:
    """How a column of a DuckDB source travels."""
    if duckdb_type in _NATIVE or _DECIMAL.fullmatch(duckdb_type):
        return Carried(duckdb_type)
    if duckdb_type in _AS_TEXT_AND_BACK:
        return Carried(duckdb_type, "CAST({} AS VARCHAR)", f"CAST({{}} AS {duckdb_type})")
    if is_nested(duckdb_type):
        if _NESTED_UNSAFE.search(duckdb_type):
            return Carried("VARCHAR", "CAST(to_json({}) AS VARCHAR)")
        return Carried(duckdb_type)
    return Carried("VARCHAR", "CAST({} AS VARCHAR)")


def is_nested(carried_type: str) -> bool:
    return carried_type.endswith("]") or carried_type.startswith(("STRUCT(", "MAP("))


def decimal(carried_type: str) -> tuple[int, int] | None:
    """Precision and scale of a DECIMAL, else None."""
    found = _DECIMAL.fullmatch(carried_type)
    return (int(found[1]), int(found[2])) if found else None


def field_type(carried_type: str) -> FieldType:
    """The API's name for a carried type."""
    if carried_type.endswith("]"):
        return "array"
    if carried_type.startswith(("STRUCT(", "MAP(")):
        return "object"
    if carried_type.startswith(("TIMESTAMP", "DATE")):
        return "datetime"
    if carried_type == "BOOLEAN":
        return "boolean"
    if carried_type == "BLOB":
        return "binary"
    if carried_type.endswith("INT") or carried_type.startswith(("DECIMAL", "INTEGER", "UINTEGER", "FLOAT", "DOUBLE")):
        return "number"
    return "string"
