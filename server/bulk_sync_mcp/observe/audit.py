"""The audit log: what was about to be changed, and what came of it.

Each mutating call leaves two lines, joined by a call id: *intent*, on disk before anything is sent, and *outcome*.
A refusal is one line. Lines are numbered and chained (chain.py); key, count and last seal lie elsewhere (seal.py).
Nothing here ever changes or removes a byte of the log: files are appended to, and renamed when full.

A line is written in three steps, under a lock that all processes share:

    1  the store takes down the whole line as pending, and where it will begin
    2  the line is appended, and synced
    3  the store counts it, and forgets that it was pending

so that whatever a process dies in the middle of is told from somebody cutting the log, and mended by the next line:

    after 1   nothing is there: the line was never written, and its call not sent
    within 2  the beginning of the pending line is there: a *torn* line. It stays; the next line, of the event `torn`,
              repeats the pending line from the store and holds the digest of the piece, which proves what it is
    after 2   the pending line is there: it is counted now
    after 3   any line less is one that was cut off

A full disk is no different: the append fails, the call is not sent, and the piece, if any, is a torn line. When only
step 3 fails the line counts, since the next one finds it. A log cut within the moment between 2 and 3 of a process
that then died cannot be told from one that died after 1.
"""

import hashlib
import logging
import os
import sqlite3
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bulk_sync_mcp.core.pipeline import Admission, Recorded
from bulk_sync_mcp.core.private import private
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.observe.chain import CURRENT, files, next_rotated, readable, sealed
from bulk_sync_mcp.observe.redact import Redactor
from bulk_sync_mcp.observe.seal import AuditError, Head, Pending, SealStore, prepare, settle
from bulk_sync_mcp.observe.verify import Report, inspect

if TYPE_CHECKING:
    from filelock import FileLock

logger = logging.getLogger(__name__)

MAX_BYTES = 10 * 1024 * 1024
"""Size from which the next line begins a new file."""
WAIT = 10.0
"""Seconds to wait for another process that is writing."""
OBTAINED = {"two_step": "confirm", "form": "human", "page": "human", "operator": "operator"}
"""What an answer through each channel is evidence of (guard/consent.py)."""


class AuditTrail:
    """The log and its store, for whoever reads them. Nothing is made before the first line is written."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / CURRENT
        self.store = SealStore(directory.parent / "seal")

    @cached_property
    def _lock(self) -> "FileLock":
        from filelock import FileLock  # not before it is used: a client may start us just to list tools

        return FileLock(self.store.directory / "audit.lock", mode=0o600)

    @contextmanager
    def locked(self) -> Generator[None]:
        """Holds the lock, if there is anything to lock. Raises `AuditError` when another process keeps it."""
        if not self.store.directory.is_dir():
            yield
            return
        from filelock import Timeout

        try:
            with self._lock.acquire(timeout=WAIT):
                yield
        except Timeout:
            raise AuditError(f"another process has held the lock of the audit log for {WAIT:.0f} seconds") from None

    def inspect(self) -> Report:
        """What verification finds. Raises `AuditError` when the log or its store cannot be read."""
        return inspect(self)

    def verify(self) -> int:
        """The number of lines, all in an unbroken chain. Raises `ValueError` naming the first thing that is wrong."""
        report = self.inspect()
        if report.problems:
            raise ValueError(report.problems[0])
        return report.lines


class AuditLog(AuditTrail):
    """Writes the log; safe for several processes on one directory.

    `unattended` tells that the switch for unattended use is on and allows something; every line says so then.
    """

    def __init__(
        self,
        directory: Path,
        backend: str,
        now: Callable[[], datetime],
        *,
        unattended: bool = False,
        secrets: Iterable[str] = (),
        max_bytes: int = MAX_BYTES,
    ) -> None:
        super().__init__(directory)
        self._always: dict[str, Any] = {"backend": backend, **({"unattended": True} if unattended else {})}
        self._now = now
        self._redact = Redactor(secrets)
        self._max_bytes = max_bytes

    def intent(self, call: Recorded, admission: Admission) -> None:
        """On disk when this returns. Raises `AuditError`; the call must not be sent then."""
        required = admission.required.name
        by = self._redact.text(clean(admission.evidence_from))
        self._append(
            call,
            "intent",
            {
                "arguments": self._redact.arguments(call.arguments),
                "plan_digest": admission.plan.digest(),
                "effects": [effect.rule for effect in admission.plan.ordered()],
                "evidence_required": required,
                "evidence_obtained": OBTAINED.get(by.partition(":")[0], required),
                "evidence_from": by,
            },
        )

    def outcome(self, call: Recorded, outcome: str, detail: Mapping[str, Any]) -> None:
        """What became of an intent. Raises `AuditError`."""
        sync_id = call.arguments.get("sync_id")
        ids = {"sync_id": sync_id, **detail} if isinstance(sync_id, str) else detail
        self._append(call, "outcome", {"outcome": outcome, **self._redact.arguments(ids)})

    def refusal(self, call: Recorded, code: str) -> None:
        """A call that was not let through. Raises `AuditError`."""
        self._append(call, "refusal", {"arguments": self._redact.arguments(call.arguments), "outcome": code})

    def _append(self, call: Recorded, event: str, entry: Mapping[str, Any]) -> None:
        record = {
            "time": _milliseconds(self._now()),
            "event": event,
            "call": call.call_id,
            "operation": call.operation,
            "principal": call.principal,
            "process": os.getpid(),
            **self._always,
            **entry,
        }
        try:
            private(self.directory)
            private(self.store.directory)
            with self.locked(), self.store.opened(begin=not files(self.directory)) as db:
                self._write(db, self._mended(db, self.store.head(db)), record)
        except AuditError:
            raise
        except OSError as error:
            raise AuditError(f"{self.directory}: {error.strerror or type(error).__name__}") from error
        except sqlite3.Error as error:
            raise AuditError(f"{self.store.path}: {error}") from error

    def _write(self, db: sqlite3.Connection, head: Head, record: Mapping[str, Any]) -> None:
        line, mac = sealed(head.key, head.count + 1, record, head.mac)
        self._rotate(len(line))
        offset = self._size()
        # Only somebody else can have left a line without an end here; ours must stay apart from it.
        text = line if offset == 0 or self._from(offset - 1) == b"\n" else b"\n" + line
        prepare(db, Pending(mac, offset, text))
        self._put(text)
        _counted(db, head.count + 1, mac)

    def _mended(self, db: sqlite3.Connection, head: Head) -> Head:
        """The head once the line that another process, or a full disk, left pending is dealt with."""
        pending = head.pending
        if pending is None:
            return head
        there = self._from(pending.offset)
        rest = pending.text[len(there) :]
        if there.startswith(pending.text):
            count, mac = head.count + 1, pending.mac
        elif not there.strip(b"\n") or not pending.text.startswith(there):
            # Nothing of it is there, or something else is, which verification finds.
            count, mac = head.count, head.mac
        elif pending.recovers or rest == b"\n":
            self._put(rest)
            count, mac = head.count + 1, pending.mac
        else:
            line, mac = sealed(head.key, head.count + 1, self._torn(there, pending), head.mac)
            prepare(db, Pending(mac, pending.offset, there + b"\n" + line, recovers=True))
            self._put(b"\n" + line)
            count = head.count + 1
        settle(db, count, mac)
        return Head(head.key, count, mac, None)

    def _torn(self, there: bytes, pending: Pending) -> dict[str, Any]:
        piece = there.lstrip(b"\n")
        lost = readable(pending.text.strip(b"\n")) or {}
        return {
            "time": _milliseconds(self._now()),
            "event": "torn",
            "process": os.getpid(),
            **self._always,
            "torn_bytes": len(piece),
            "torn_sha256": hashlib.sha256(piece).hexdigest(),
            "lost": {name: value for name, value in lost.items() if name not in ("number", "previous", "mac")},
        }

    def _size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def _from(self, offset: int) -> bytes:
        """What the file being written holds from `offset` on."""
        if not self.path.exists():
            return b""
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read()

    def _put(self, data: bytes) -> None:
        new = not self.path.exists()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        descriptor = os.open(self.path, flags, 0o600)
        try:
            while data:
                data = data[os.write(descriptor, data) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if new:
            self._sync_directory()

    def _rotate(self, more: int) -> None:
        size = self._size()
        if not size or size + more <= self._max_bytes:
            return
        try:
            self.path.rename(next_rotated(self.directory))
        except OSError as error:
            # A reader that keeps the file open on Windows, say. It grows on; the next line tries again.
            logger.warning("the audit log could not begin a new file: %s", error.strerror or type(error).__name__)
        else:
            self._sync_directory()

    def _sync_directory(self) -> None:
        if os.name == "posix":
            descriptor = os.open(self.directory, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _counted(db: sqlite3.Connection, count: int, mac: str) -> None:
    """Step 3. The line is on disk, and told as pending: without this it is found by the next one."""
    try:
        settle(db, count, mac)
    except sqlite3.Error as error:
        logger.warning("an audit line is written, but could not be counted yet: %s", error)


def _milliseconds(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
