"""How long the rows of a SQLite table are: the driver fetches a fixed number of them, whatever their length.

Reading the lengths of all values would cost a twentieth of the load. So some rows are looked at, evenly spread over
the row ids. SQLite says how long a value is without reading it.
"""

# Names and values in statements are quoted by engine/sql.py.
# ruff: noqa: S608

from collections.abc import Callable, Collection, Sequence
from typing import Any

from bulk_sync_local.connectors.batches import UNKNOWN_ROWS, VALUE_BYTES, batch_rows, most_bytes
from bulk_sync_local.engine.sql import name, text

_APART = 2_048  # of so many row ids one is looked at
_FEWEST_LOOKS, _MOST_LOOKS = 256, 4_096
_NEIGHBOURS = 16
"""Of how many of the rows looked at the mean is taken: long rows may come all at one place."""
_MOST_COLUMNS = 100  # SQLite limits the depth of an expression
_BLIND_ROWS = 256
_ROW_IDS = ("rowid", "_rowid_", "oid")


def fetched_rows(
    ask: Callable[[str], list[tuple[Any, ...]]],
    table: str,
    declared: Collection[str],
    numbers: int,
    texts: Sequence[str],
    *,
    all_rows: bool,
    most: int,
) -> int:
    """How many rows of `table` to fetch at once, `most` at the most.

    A row has `numbers` values of a fixed length and the columns `texts`. With `all_rows` the table is read from its
    first row to its last; else it may be that the longest are picked.
    """
    fixed = VALUE_BYTES * (numbers + len(texts))
    if not texts:
        return batch_rows(fixed, most)
    unknown = min(batch_rows(fixed, most), UNKNOWN_ROWS)
    row_id = next((one for one in _ROW_IDS if one not in {column.casefold() for column in declared}), None)
    kinds = ask(f"SELECT type, wr FROM pragma_table_list({text(table)}) WHERE schema = 'main'")
    if kinds != [("table", 0)] or row_id is None:
        return min(unknown, _BLIND_ROWS)
    ((pages, size),) = ask("SELECT page_count, page_size FROM pragma_page_count, pragma_page_size")
    if pages * size < most_bytes(most):
        return batch_rows(fixed, most)
    if len(texts) > _MOST_COLUMNS:
        return unknown
    longest = _longest(ask, name(table), row_id, texts, _NEIGHBOURS if all_rows else 1)
    if longest is None:
        return unknown
    rows = batch_rows(fixed + longest, most)
    return rows if all_rows else min(rows, UNKNOWN_ROWS)


def _longest(
    ask: Callable[[str], list[tuple[Any, ...]]], table: str, row_id: str, texts: Sequence[str], neighbours: int
) -> float | None:
    """The bytes of `texts` in a row, where they are longest; None when too few rows have been looked at to tell."""
    ((first,),) = ask(f"SELECT min({row_id}) FROM {table}")
    ((last,),) = ask(f"SELECT max({row_id}) FROM {table}")
    if first is None:
        return 0
    looks = max(_FEWEST_LOOKS, min(_MOST_LOOKS, (last - first) // _APART))
    step = max(1, (last - first) // looks)
    lengths = " + ".join(f"coalesce(octet_length({name(column)}), 0)" for column in texts)
    near = f"(SELECT {row_id} FROM {table} WHERE {row_id} >= {first} + i * {step} ORDER BY {row_id} LIMIT 1)"
    ((mean, found),) = ask(
        f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {looks}), "
        f"places(i, place) AS MATERIALIZED (SELECT i, {near} FROM n), "
        f"lengths(i, place, bytes) AS MATERIALIZED (SELECT i, place, {lengths} FROM places JOIN {table} ON {row_id} = place) "
        f"SELECT max(mean), sum(found) FROM (SELECT avg(bytes) AS mean, count(DISTINCT place) AS found "
        f"FROM lengths GROUP BY i / {neighbours})"
    )
    return mean if mean is not None and found * 2 >= min(looks, last - first + 1) else None
