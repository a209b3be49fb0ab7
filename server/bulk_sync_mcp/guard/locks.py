"""One guarded change of a bulk sync at a time, across processes: a lock file for each sync.

The operating system frees the lock when its process ends, however it ends.
"""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.private import private

WAIT = 5.0
"""Seconds a call waits for another one that is changing the same sync."""


class Locks:
    """Locks in a directory of their own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @asynccontextmanager
    async def hold(self, subject: str | None) -> AsyncGenerator[None]:
        """Holds the lock of `subject` (none for None). Raises `Failure` `busy` after `WAIT` seconds."""
        if subject is None:
            yield
            return
        from filelock import FileLock, Timeout  # not before it is used: a client may start us just to list tools

        name = hashlib.sha256(subject.encode()).hexdigest()[:32]
        # thread_local=False: taken in a worker thread, freed in the event loop's.
        lock = FileLock(private(self._directory) / f"{name}.lock", thread_local=False, mode=0o600)
        with anyio.move_on_after(WAIT):
            while True:
                try:
                    lock.acquire(blocking=False)
                    break
                except Timeout:
                    await anyio.sleep(0.05)
        if not lock.is_locked:
            raise Failure("busy", "Another call is changing this bulk sync right now. Nothing has run.")
        try:
            yield
        finally:
            lock.release()
