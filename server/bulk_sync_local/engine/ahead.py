"""Reading ahead: the next batch is fetched while the present one is worked on, so that both have a core."""

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def ahead(batches: Generator[Any], interrupt: Callable[[], None] | None = None) -> Generator[Any]:
    """The items of `batches`, which a thread of its own draws, one in advance.

    Closing it ends `batches` too, once the fetch that is under way has ended; `interrupt`, called from another
    thread, may make that sooner.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="reading") as reading:
        coming = reading.submit(next, batches, None)
        try:
            while (batch := coming.result()) is not None:
                coming = reading.submit(next, batches, None)
                yield batch
        finally:
            if interrupt is not None and not coming.done():
                interrupt()
            # In that thread, after the fetch: a generator at work cannot be closed.
            reading.submit(batches.close).result()
