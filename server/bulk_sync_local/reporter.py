"""What a worker does with the engine's reports: into the store, at a bounded rate, and cancel requests back.

One thread beside the engine's refreshes the heartbeat and reads cancel requests, so that asking for them between
batches costs the engine nothing.
"""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self

from bulk_sync_local import store_console, store_progress
from bulk_sync_local.clock import Clock, to_text
from bulk_sync_local.engine.job import TableOutcome
from bulk_sync_local.store import Store, Tx

POLL_SECONDS = 0.2
HEARTBEAT_SECONDS = 5.0
PROGRESS_SECONDS = 0.25


class StoreReporter:
    """The engine's `Reporter` over the store, used as a context manager around the run.

    `batch_pause` is the wait, in seconds, at the start of a table and after each batch of it; a cancel request
    ends the wait. An error of the background thread is raised by the next report, so that it ends the run.
    """

    def __init__(self, store: Store, execution_id: str, clock: Clock, batch_pause: float = 0.0) -> None:
        self._store = store
        self._execution_id = execution_id
        self._clock = clock
        self._batch_pause = batch_pause
        self._requests = store_progress.CancelRequests(everything=False, schema_ids=frozenset())
        self._reported: dict[str, float] = {}
        self._failure: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._poll()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def table_started(self, schema_id: str, output_name: str) -> None:
        self._write(lambda tx, now: store_progress.schema_started(tx, self._execution_id, schema_id, output_name, now))
        self._pause(schema_id)

    def table_progress(self, schema_id: str, records: int) -> None:
        moment = time.monotonic()
        if moment - self._reported.get(schema_id, float("-inf")) >= PROGRESS_SECONDS:
            self._reported[schema_id] = moment
            self._write(lambda tx, now: store_progress.schema_progress(tx, self._execution_id, schema_id, records, now))
        self._pause(schema_id)

    def table_finished(self, schema_id: str, outcome: TableOutcome) -> None:
        self._write(lambda tx, now: store_progress.schema_finished(tx, self._execution_id, schema_id, outcome, now))

    def log(self, schema_id: str | None, level: Literal["info", "warning", "error"], message: str) -> None:
        self._write(lambda tx, now: store_console.append(tx, self._execution_id, schema_id, level, message, now))

    def cancel_requested(self, schema_id: str) -> bool:
        self._raise_failure()
        return self._requests.everything or schema_id in self._requests.schema_ids

    def _pause(self, schema_id: str) -> None:
        end = time.monotonic() + self._batch_pause
        while (left := end - time.monotonic()) > 0 and not self.cancel_requested(schema_id):
            self._stop.wait(min(left, POLL_SECONDS / 4))

    def _write(self, change: Callable[[Tx, str], None]) -> None:
        self._raise_failure()
        with self._store.write() as tx:
            change(tx, to_text(self._clock()))

    def _watch(self) -> None:
        beaten = time.monotonic()
        try:
            while not self._stop.wait(POLL_SECONDS):
                self._poll()
                if time.monotonic() - beaten >= HEARTBEAT_SECONDS:
                    beaten = time.monotonic()
                    with self._store.write() as tx:
                        store_progress.beat(tx, self._execution_id, to_text(self._clock()))
        except BaseException as error:  # handed to the engine's thread, which raises it
            self._failure = error

    def _poll(self) -> None:
        with self._store.read() as tx:
            self._requests = store_progress.cancel_requests(tx, self._execution_id)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise RuntimeError("the state of this run could not be read any more") from self._failure
