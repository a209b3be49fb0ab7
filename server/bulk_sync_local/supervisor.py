"""Worker processes seen from the service: started when a run is created, found dead when they are gone.

A worker holds an operating system lock on `runs/<execution>/worker.lock` for as long as it lives. Whoever gets
that lock for an execution that a worker had taken on knows that the worker is dead, however it died.
"""

import logging
import os
import shutil
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

from filelock import FileLock, Timeout

from bulk_sync_local import store_console, store_progress, store_syncs
from bulk_sync_local.clock import Clock, from_text, to_text
from bulk_sync_local.config import LocalConfig, write_worker_settings
from bulk_sync_local.store import Store

log = logging.getLogger(__name__)

SPAWN_ATTEMPTS = 3
SPAWN_PATIENCE = timedelta(seconds=15)
"""How long a worker may take from being started to taking its execution on, before another one is started."""

INTERRUPTED = (
    "the worker process ended before the run did; every table keeps the last state that was committed to it; "
    "start the sync again to go on"
)
NOT_STARTED = (
    "no worker process could be started for this run; nothing was read or written; the reason is in the service's "
    "log and in the run's directory under the state directory"
)
_WITHHELD = ("POLYTOMIC_", "BULK_SYNC_")


def lock_path(config: LocalConfig, execution_id: str) -> Path:
    """The file a worker keeps locked."""
    return config.run_dir(execution_id) / "worker.lock"


class Supervisor:
    """Starts workers and clears up after dead ones. Safe to call from several threads and processes at once."""

    def __init__(self, config: LocalConfig, store: Store, clock: Clock) -> None:
        self._config = config
        self._store = store
        self._clock = clock

    def start_worker(self, execution_id: str, attempts_before: int = 0) -> None:
        """Starts a worker for a waiting execution unless another process just did.

        An operating system that cannot start it is logged and not raised: the execution waits, and `sweep` tries
        again.
        """
        with self._store.write() as tx:
            if not store_progress.note_spawn(tx, execution_id, attempts_before, to_text(self._clock())):
                return
        try:
            self._spawn(execution_id)
        except OSError:
            log.exception("no worker could be started for execution %s", execution_id)

    def sweep(self) -> None:
        """Ends executions whose worker is dead, starts workers for those that wait, removes what was deleted."""
        with self._store.read() as tx:
            pending = store_progress.pending(tx)
        for execution in pending:
            if execution.claimed:
                self._interrupt_if_dead(execution.execution_id)
            elif execution.spawned_at is None:
                # Between the commit that created it and the start of its worker a crash may have come.
                self.start_worker(execution.execution_id, execution.spawn_attempts)
            elif self._clock() - from_text(execution.spawned_at) > SPAWN_PATIENCE:
                self._retry(execution)
        self.purge()

    def purge(self) -> None:
        """Removes deleted syncs of which nothing runs any more, with the directories of their runs."""
        with self._store.read() as tx:
            if not store_syncs.has_deleted(tx):
                return
        with self._store.write() as tx:
            executions = store_syncs.purge_deleted(tx)
        for execution_id in executions:
            directory = self._config.run_dir(execution_id)
            if directory.exists():
                shutil.rmtree(directory)

    def _retry(self, execution: store_progress.Pending) -> None:
        if execution.spawn_attempts < SPAWN_ATTEMPTS:
            self.start_worker(execution.execution_id, execution.spawn_attempts)
            return
        with self._store.write() as tx:
            still = {entry.execution_id for entry in store_progress.pending(tx) if not entry.claimed}
            if execution.execution_id in still:
                store_progress.interrupt(tx, execution.execution_id, NOT_STARTED, to_text(self._clock()))

    def _interrupt_if_dead(self, execution_id: str) -> None:
        path = lock_path(self._config, execution_id)
        if not path.parent.exists():
            self._interrupt(execution_id)
            return
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return
        try:
            self._interrupt(execution_id)
        finally:
            lock.release()

    def _interrupt(self, execution_id: str) -> None:
        now = to_text(self._clock())
        with self._store.write() as tx:
            # A worker that ended properly wrote so before it let go of the lock, and is left alone here.
            if store_progress.interrupt(tx, execution_id, INTERRUPTED, now):
                store_console.append(tx, execution_id, None, "error", INTERRUPTED, now)

    def _spawn(self, execution_id: str) -> None:
        write_worker_settings(self._config, execution_id)
        command = [sys.executable, "-P", "-m", "bulk_sync_local.worker"]
        command += ["--state-dir", str(self._config.state_dir), "--execution", execution_id]
        output = os.open(
            self._config.run_dir(execution_id) / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
        )
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        try:
            process = subprocess.Popen(  # noqa: S603  # our own interpreter and module, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._config.state_dir,
                env=self.environment(),
                start_new_session=True,
                creationflags=flags,
            )
        finally:
            os.close(output)
        # A child that nobody waits for stays a zombie as long as this process lives.
        threading.Thread(target=process.wait, name=f"reap-{execution_id}", daemon=True).start()

    def environment(self) -> dict[str, str]:
        """This process's environment without credentials that are no business of a worker."""
        return {
            name: value
            for name, value in os.environ.items()
            if name in self._config.secrets or not name.startswith(_WITHHELD)
        }
