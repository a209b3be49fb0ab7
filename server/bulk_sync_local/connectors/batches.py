"""How large the batches are in which rows travel: bounded in rows, and in bytes.

Several are in memory at a time: one that is being read, one that waits, and those that are worked on.
"""

from collections.abc import Generator
from contextlib import closing
from typing import Any

from bulk_sync_local.engine import libraries

BATCH_ROWS = 122_880  # a row group of DuckDB: it would have to put smaller batches together
BATCH_BYTES = 24_000_000
UNKNOWN_ROWS = 2_048
"""Rows fetched at once where nothing is known of their length: DuckDB's vector, so that it cannot fetch fewer."""
VALUE_BYTES = 8


def most_bytes(most: int = BATCH_ROWS) -> int:
    """How many bytes a batch of `most` rows at the most may have; a single row may have more."""
    return BATCH_BYTES * most // BATCH_ROWS


def batch_rows(row_bytes: float, most: int = BATCH_ROWS) -> int:
    """How many rows of so many bytes each a batch shall have: `most`, and fewer of long rows."""
    return int(max(1, min(most, most_bytes(most) / max(row_bytes, 1))))


def joined(batches: Generator[Any], most: int = BATCH_ROWS) -> Generator[Any]:
    """The Arrow batches put together up to `most` rows, or what `most_bytes` allows."""
    limit = most_bytes(most)
    with closing(batches):
        held: list[Any] = []
        rows = size = 0
        for batch in batches:
            added = batch.nbytes
            if held and (rows + batch.num_rows > most or size + added > limit):
                yield _one(held)
                held, rows, size = [], 0, 0
            held.append(batch)
            rows += batch.num_rows
            size += added
            del batch
        if held:
            yield _one(held)


def _one(held: list[Any]) -> Any:
    return held[0] if len(held) == 1 else libraries.pyarrow().concat_batches(held)
