"""Tables side by side: lanes, each a thread with a source and a destination of its own, that share a run's tables."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event, Lock
from typing import cast

from bulk_sync_local.connectors.base import Confinement, ConnectorError
from bulk_sync_local.connectors.registry import connector
from bulk_sync_local.engine.endpoints import check_pair
from bulk_sync_local.engine.job import Reporter, RunJob, TableJob
from bulk_sync_local.engine.ports import Destination, DestinationConnector, Source, SourceConnector

Lane = tuple[Source, Destination | None]
MOST = 8
"""A load keeps more than one core busy, and holds connections and memory: more side by side gain nothing."""


def opened(job: RunJob, reporter: Reporter, confinement: Confinement, stack: ExitStack) -> list[Lane]:
    """The lanes of a run, at least one, which `stack` closes.

    Raises what keeps the first from being opened; what keeps another is told to `reporter`, and there are fewer.
    """
    check_pair(job, confinement)
    # The registry knows connectors by what the service asks of them; the engine asks for more of the same objects.
    reads = cast("SourceConnector", connector(job.source.type_id))
    writes = cast("DestinationConnector", connector(job.destination.type_id))
    source = reads.open_source(job.source.configuration, confinement)
    stack.callback(source.close)
    destination = writes.open_destination(job, confinement, read_only=job.test, files=source.files)
    if destination is not None:
        stack.callback(destination.close)
    found: list[Lane] = [(source, destination)]
    for number in range(1, wanted(job)):
        try:
            into = destination.beside(number) if destination is not None else None
            if into is not None:
                stack.callback(into.close)
            elif destination is not None:
                break
            out_of = source.beside()
        except ConnectorError as failure:
            reporter.log(None, "warning", f"Not more than {number} at a time: {failure}")
            break
        if out_of is None:
            reporter.log(None, "info", f"Not more than {number} at a time: the source has just been written to.")
            break
        stack.callback(out_of.close)
        found.append((out_of, into))
    return found


def cores() -> int:
    """How many of the machine's cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def wanted(job: RunJob) -> int:
    """How many tables of the run shall be loaded at once, where both ends allow it."""
    return max(1, min(cores(), MOST, len(job.tables), job.at_once or MOST))


def share(
    tables: Iterable[TableJob], between: list[Lane], run: Callable[[TableJob, Source, Destination | None], None]
) -> None:
    """Has `run` called for each table, in order, by the lanes as they become free; returns when all have ended.

    Raises what `run` raises, once the tables that are under way have ended; no other is begun then.
    """
    waiting, taking, failed = iter(tables), Lock(), Event()

    def following() -> TableJob | None:
        with taking:
            return None if failed.is_set() else next(waiting, None)

    def work(lane: Lane) -> None:
        while (table := following()) is not None:
            try:
                run(table, *lane)
            except BaseException:
                failed.set()
                raise

    with ThreadPoolExecutor(len(between), thread_name_prefix="lane") as pool:
        running = [pool.submit(work, lane) for lane in between]
    for one in running:
        one.result()
