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


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows under one header of every key that occurs, in order of first occurrence; empty for no rows."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [" | ".join(columns), *(" | ".join(cell(row.get(column)) for column in columns) for row in rows)]
    return "\n".join(lines) if rows else ""
