"""Values to compare with, brought into the form DuckDB and the destinations agree on."""

from dataclasses import replace
from typing import Any

from bulk_sync_local.engine.conditions import FUNCTIONS, Condition
from bulk_sync_local.engine.sql import first_row

_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "DECIMAL")


def settled(condition: Condition, scratch: Any) -> Condition | None:
    """`condition` with its values as DuckDB prints them in the column's type; None when one does not fit.

    Times with an offset become UTC. A value that would have to be rounded does not fit.
    """
    if FUNCTIONS[condition.function].textual:
        return condition
    values: list[str] = []
    for value in condition.values:
        typed = f"TRY_CAST(? AS {condition.type})"
        if condition.type.startswith("TIMESTAMP"):
            # Casting text straight to TIMESTAMP would drop its offset.
            typed = f"CAST(TRY_CAST(? AS TIMESTAMPTZ) AS {condition.type})"
        elif condition.type == "DATE":
            typed = "CAST(TRY_CAST(? AS TIMESTAMPTZ) AS DATE)"
        fits = f"{typed} IS NOT NULL"
        count = 2
        if condition.type.startswith(_NUMBERS):
            fits = f"CAST({typed} AS DOUBLE) = TRY_CAST(? AS DOUBLE)"
            count = 3
        row = first_row(scratch, f"SELECT CAST({typed} AS VARCHAR), {fits}", [value] * count)
        if not row[1]:
            return None
        values.append(row[0])
    return replace(condition, values=tuple(values))
