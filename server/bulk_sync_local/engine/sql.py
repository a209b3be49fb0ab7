"""Quoting that SQLite, DuckDB and PostgreSQL agree on."""

from collections.abc import Iterable, Sequence
from typing import Any


def name(identifier: str) -> str:
    """`identifier` quoted, whatever it holds. Raises `ValueError` on a NUL, which no database can hold."""
    if "\0" in identifier:
        raise ValueError("A name with a NUL character cannot be used.")
    return '"' + identifier.replace('"', '""') + '"'


def names(identifiers: Iterable[str]) -> str:
    return ", ".join(name(identifier) for identifier in identifiers)


def text(value: str) -> str:
    """`value` as a string literal. Raises `ValueError` on a NUL."""
    if "\0" in value:
        raise ValueError("A text with a NUL character cannot be compared with.")
    return "'" + value.replace("'", "''") + "'"


def first_row(connection: Any, query: str, values: Sequence[Any] = ()) -> Any:
    """The first row of a small result, None when it is empty.

    Read to its end: DuckDB 2.0 refuses other work on a connection while a result is half read.
    """
    rows = connection.execute(query, list(values)).fetchall()
    return rows[0] if rows else None
