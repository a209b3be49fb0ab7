"""Values that a destination cannot keep as they are: found in the stage, changed on the way, counted and told."""

# Names and values in statements are quoted by engine/sql.py.
# ruff: noqa: S608

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bulk_sync_local.engine.ports import Load, TableFailed
from bulk_sync_local.engine.sql import first_row, name


@dataclass(frozen=True, slots=True)
class Mend:
    """A test in DuckDB for such values, what happens to them in words, and what they become.

    `value` is None where handing the value over changes it anyway.
    """

    test: str
    words: str
    value: str | None = None


def mended(
    load: Load,
    scratch: Any,
    staged: str,
    kinds: Mapping[str, str],
    mends: Callable[[str, str], Sequence[Mend]],
    destination: str,
) -> dict[str, str]:
    """The expressions of the columns that hold such values; each is told in the load's notes.

    `kinds` are the stage's columns with their types, `mends` says what may be in a column of a type, by its quoted
    name. Raises `TableFailed` when a key would be changed: two rows might become one.
    """
    possible = [(column, one) for column, kind in kinds.items() for one in mends(kind, name(column))]
    if not possible:
        return {}
    tests = ", ".join(f"count(*) FILTER ({one.test})" for _, one in possible)
    counts = first_row(scratch, f"SELECT {tests} FROM {staged}")
    values: dict[str, str] = {}
    for (column, one), count in zip(possible, counts, strict=True):
        if not count:
            continue
        if column in load.key:
            raise TableFailed(
                f"{count} value(s) of the key column {column} cannot be kept in {destination} as they are "
                f"(each {one.words}). Mend them at the source."
            )
        load.notes.append((count, f"{count} value(s) of the column {column} {one.words}."))
        if one.value is not None:
            values[column] = one.value
    return values
