"""The way of a stage's rows from DuckDB into a database that has a driver of its own."""

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

from bulk_sync_local.engine import libraries
from bulk_sync_local.engine.ahead import ahead


def hand_over(
    handed: tuple[Any, Generator[Any]],
    ingest: Callable[[Any], object],
    check_cancel: Callable[[], None],
    driver: type[Exception],
) -> None:
    """Gives Arrow batches, which come with their schema, to `ingest`, and makes the next ready while that is at work.

    What reading them raises, a cancel request above all, comes out as it is: `driver`, the driver's own error, would
    take its place.
    """
    schema, batches = handed
    stopped: list[BaseException] = []

    def watched() -> Generator[Any]:
        try:
            with closing(ahead(batches)) as coming:
                for batch in coming:
                    check_cancel()
                    yield batch
        except Exception as failure:
            stopped.append(failure)
            raise

    feed = watched()
    try:
        ingest(libraries.pyarrow().RecordBatchReader.from_batches(schema, feed))
    except driver:
        if stopped:
            raise stopped[0] from None
        raise
    finally:
        feed.close()
