"""Fires the schedules of active syncs while a process serves, at most one run of a sync at a time.

Any number of processes may do so on one state directory. A firing, and the moment its schedule reckons from next, are
read and written in one transaction that holds the store's write lock, so that one process makes it and the others
find it made. Its run is recorded in the same transaction, by the code that records a run started by hand.

One of them holds a lock on `scheduler.lock`, for no other purpose than that it can be told whether schedules fire.
"""

import logging
import threading
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from bulk_sync_local import starting, store_console, store_executions, store_schedules, store_syncs, timing
from bulk_sync_local.clock import Clock, to_text
from bulk_sync_local.config import LocalConfig
from bulk_sync_local.errors import ApiError
from bulk_sync_local.ids import new_id
from bulk_sync_local.store import Store, Tx
from bulk_sync_local.store_syncs import StoredSync
from bulk_sync_local.supervisor import Supervisor

log = logging.getLogger(__name__)

POLL_SECONDS = 5.0
"""Other processes change schedules too, and clocks are set: no wait is longer than this."""
_SHORTEST_WAIT = 0.01
_MOST_DOUBLINGS = 6
_STOP_SECONDS = 5.0


def lock_path(config: LocalConfig) -> Path:
    """The file that some process keeps locked while schedules fire."""
    return config.state_dir / "scheduler.lock"


def schedules_fire(config: LocalConfig) -> bool:
    """Whether a process fires schedules on this state directory now."""
    if not lock_path(config).exists():
        return False
    lock = FileLock(lock_path(config))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


class Scheduler:
    """Looks at the schedules again and again in a thread of its own, from `start` to `stop`."""

    def __init__(self, config: LocalConfig, store: Store, clock: Clock, supervisor: Supervisor) -> None:
        # Taken in the thread that calls `start`, and given back in the scheduler's own.
        self._lock = FileLock(lock_path(config), thread_local=False)
        self._store = store
        self._clock = clock
        self._supervisor = supervisor
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to fire. May be called again."""
        if self._thread is None:
            # At once, for whoever asks next. What goes wrong here goes wrong again in the thread, which tells it.
            with suppress(OSError):
                self._be_known()
            self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends it for good, once what it is doing is done or five seconds have passed. Runs it has started go on."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)

    def tick(self) -> datetime | None:
        """Fires what is due now. Returns when something is due next, None when nothing will be.

        Raises what went wrong, once every sync has been looked at.
        """
        # A run whose worker is dead would otherwise keep its sync from firing until somebody asks how it stands.
        self._supervisor.sweep()
        now = self._clock()
        with self._store.read() as tx:
            active = store_schedules.of_active_syncs(tx)
        failures: list[Exception] = []
        for sync_id, schedules in active.items():
            if timing.due(schedules, now) or any(timing.unreckoned(schedule, now) for schedule in schedules):
                try:
                    self._attend(sync_id)
                except Exception as failure:
                    failures.append(failure)
        if failures:
            raise ExceptionGroup(f"the schedules of {len(failures)} syncs could not be attended to", failures)
        return min(
            (at for at in (timing.upcoming(schedules, now) for schedules in active.values()) if at is not None),
            default=None,
        )

    def _attend(self, sync_id: str) -> None:
        """Makes the firing that is due for a sync, if it still is: another process may have been quicker."""
        with self._store.write() as tx:
            now = self._clock()
            sync = store_syncs.get(tx, sync_id)
            if sync is None or not sync.active:
                return
            schedules = store_schedules.every(tx, sync_id)
            due = timing.due(schedules, now)
            done = [one.schedule for one in due] + [one for one in schedules if timing.unreckoned(one, now)]
            for schedule in done:
                store_schedules.reckon(tx, schedule.id, to_text(now))
            for one in due:
                if not one.in_time(now):
                    log.warning("%s of sync %s was not made: it is too late for it", _told(one, now), sync_id)
            due = [one for one in due if one.in_time(now)]
            execution_id = _fire(tx, sync, due, now) if due else None
        if execution_id is not None:
            self._supervisor.start_worker(execution_id)

    def _be_known(self) -> None:
        """Takes the lock if nobody has it."""
        if not self._lock.is_locked:
            with suppress(Timeout):
                self._lock.acquire(timeout=0)

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            wait = POLL_SECONDS
            try:
                due = self.tick()
                self._be_known()
                failures = 0
                if due is not None:
                    wait = min(POLL_SECONDS, (due - self._clock()).total_seconds())
            except Exception:
                # Whatever it is, say a full disk, it may pass; until then it is told more and more rarely.
                log.exception("schedules could not be looked at")
                failures += 1
                wait = POLL_SECONDS * 2 ** min(failures, _MOST_DOUBLINGS)
            self._stop.wait(max(wait, _SHORTEST_WAIT))
        self._lock.release()


def _fire(tx: Tx, sync: StoredSync, due: list[timing.Due], now: datetime) -> str | None:
    """Records the run of the first of what is due, for which a worker is then to be started; returns its id.

    None when nothing can be started; whoever looks finds out why at the run that is in the way, or at one that is
    recorded as failed. The others that are due are left to their next time.
    """
    first, *others = due
    running = store_executions.unfinished(tx, sync.id)
    if running is not None:
        for one in due:
            if one.schedule.settings.frequency != "continuous":
                message = f"{_told(one, now)} was skipped, because this run was not over"
                store_console.append(tx, running.id, None, "warning", message, to_text(now))
        return None
    settings = first.schedule.settings
    try:
        request = starting.scheduled_request(tx, sync, settings)
        execution = starting.record(tx, sync, request, "scheduled", to_text(now))
    except ApiError as error:
        message = f"{_told(first, now)} could not start a run: {error.message}"
        resync_mode = None if settings.resync_mode == "normal" else settings.resync_mode
        store_executions.record_failure(tx, new_id(), sync.id, "scheduled", resync_mode, message, to_text(now))
        log.warning("sync %s: %s", sync.id, message)
        return None
    store_console.append(tx, execution.id, None, "info", f"{_told(first, now)} started this run", to_text(now))
    for one in others:
        if one.schedule.settings.frequency != "continuous":
            message = f"{_told(one, now)} was skipped, because this run was started at its time"
            store_console.append(tx, execution.id, None, "info", message, to_text(now))
    log.info("%s of sync %s started execution %s", _told(first, now), sync.id, execution.id)
    return execution.id


def _told(one: timing.Due, now: datetime) -> str:
    """`the firing of 2026-05-12T04:15:00Z (hourly, minute 15)`, with how late it is made."""
    minutes = int((now - one.at).total_seconds() // 60)
    late = f"; {minutes} min late" if minutes else ""
    return f"the firing of {one.at:%Y-%m-%dT%H:%M:%SZ} ({timing.in_words(one.schedule.settings)}{late})"
