"""Rows as a compact table: one header, values between bars, nothing padded."""

import json
from collections.abc import Mapping, Sequence
from typing import Any


def cell(value: object) -> str:
    """One value on one line: text as it is with bars escaped, yes or no for booleans, other JSON compact."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value.replace("|", "\\|")
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("|", "\\|")


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every key that occurs, in the order the rows have them: one the first row lacks stands where a later one has it."""
    columns: list[str] = []
    for row in rows:
        place = 0
        for key in row:
            if key not in columns:
                columns.insert(place, key)
            place = columns.index(key) + 1
    return columns


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows under one header of every key that occurs; empty for no rows."""
    columns = columns_of(rows)
    lines = [" | ".join(columns), *(" | ".join(cell(row.get(column)) for column in columns) for row in rows)]
    return "\n".join(lines) if rows else ""
