"""Filling a table by one statement of DuckDB, which may take its time: it is followed, and can be given up."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

_LOOK_SECONDS = 0.1


def insert(connection: Any, statement: str, look: Callable[[float], None]) -> int:
    """The number of rows that an INSERT has put in. It runs in a thread of its own.

    Meanwhile `look` is told about ten times a second which share is done, from 0 to 1. What it raises interrupts the
    statement and comes out as it is.
    """
    # For each connection anew: cursors do not take these settings over. DuckDB counts, and draws nothing.
    connection.execute("SET enable_progress_bar_print = false")
    connection.execute("SET enable_progress_bar = true")
    with ThreadPoolExecutor(1, thread_name_prefix="filling") as filling:
        running = filling.submit(lambda: connection.execute(statement).fetchone()[0])
        try:
            while not wait([running], _LOOK_SECONDS).done:
                look(min(max(connection.query_progress(), 0.0) / 100, 1.0))
        except BaseException:
            # Again and again: it is lost on a statement that has not quite begun.
            while not running.done():
                connection.interrupt()
                wait([running], _LOOK_SECONDS)
            raise
        return running.result()
