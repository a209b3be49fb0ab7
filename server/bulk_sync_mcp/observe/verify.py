"""Reading the audit log back: whether it is whole, and which calls never ended.

A *problem* is what cannot have come about without somebody changing a file: a changed, foreign, missing, repeated
or moved line, or a log that is shorter or longer than the store says. A *note* is what a crash or a full disk left,
where that is proven by what the store or a later line holds.
"""

import hashlib
import sqlite3
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from bulk_sync_mcp.observe.chain import CURRENT, START, Line, files, readable, unsealed
from bulk_sync_mcp.observe.seal import AuditError, Head, SealStore


class Trail(Protocol):
    """The log and its store (audit.py)."""

    @property
    def directory(self) -> Path: ...
    @property
    def store(self) -> SealStore: ...
    def locked(self) -> Any: ...


@dataclass
class Report:
    """What was found. `unfinished` are intents without outcome; `head` names the last line, to be noted elsewhere."""

    lines: int = 0
    files: list[str] = field(default_factory=list[str])
    first: str | None = None
    last: str | None = None
    head: str = f"0:{START}"
    problems: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    unfinished: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    holds: bool | None = None
    """Whether the line that was asked for is in the log; None when none was."""


@dataclass(frozen=True)
class _Snapshot:
    head: Head | None
    opened: Sequence[tuple[str, IO[bytes], int]]


def inspect(trail: Trail, expected: str | None = None) -> Report:
    """Checks every line. `expected` is the `head` of an earlier report, whose line must still be there.

    Raises `AuditError` when the log or the store cannot be read.
    """
    with ExitStack() as stack:
        try:
            snapshot = _snapshot(trail, stack)
            return _Walk(snapshot, expected).report()
        except sqlite3.Error as error:
            raise AuditError(f"{trail.store.path}: {error}") from error
        except AuditError:
            raise
        except OSError as error:
            raise AuditError(f"{trail.directory}: {error.strerror or type(error).__name__}") from error


def _snapshot(trail: Trail, stack: ExitStack) -> _Snapshot:
    """Files, their sizes and the head at one moment; what is appended afterwards is not looked at."""
    with trail.locked():
        opened = [
            (path.name, stack.enter_context(path.open("rb")), path.stat().st_size) for path in files(trail.directory)
        ]
        head = None
        if trail.store.path.exists():
            with trail.store.opened(begin=False) as db:
                head = trail.store.head(db)
        return _Snapshot(head, opened)


class _Walk:
    """One pass through all lines."""

    def __init__(self, snapshot: _Snapshot, expected: str | None) -> None:
        self._snapshot = snapshot
        self._report = Report(files=[name for name, _, _ in snapshot.opened])
        self._count = 0
        self._mac = START
        self._bad: list[tuple[str, bytes]] = []
        self._open: dict[str, Mapping[str, Any]] = {}
        self._wanted = expected
        self._seen = {f"0:{START}"}

    def report(self) -> Report:
        head = self._snapshot.head
        if head is None:
            if self._snapshot.opened:
                self._wrong("the store with the key and the count is missing: no line can be checked")
        else:
            for where, raw in self._raw(head):
                line = unsealed(head.key, raw)
                if line is None:
                    self._bad.append((where, raw))
                else:
                    self._take(where, line)
            self._foreign(self._bad)
            self._end(head)
        self._report.unfinished = list(self._open.values())
        self._report.head = f"{self._count}:{self._mac}"
        if self._wanted is not None:
            self._report.holds = self._wanted in self._seen
            if not self._report.holds:
                self._wrong(f"the line {self._wanted.partition(':')[0]} that was expected is not in the log")
        return self._report

    def _wrong(self, text: str) -> None:
        self._report.problems.append(text)

    def _raw(self, head: Head) -> Generator[tuple[str, bytes]]:
        for name, file, size in self._snapshot.opened:
            end = self._torn_from(head, name, file, size)
            position = number = 0
            while position < end:
                number += 1
                raw = file.readline(end - position)
                position += len(raw)
                if not raw.endswith(b"\n"):
                    self._wrong(f"{name} line {number}: has no end; it was cut off or added")
                yield f"{name} line {number}", raw.removesuffix(b"\n")

    def _torn_from(self, head: Head, name: str, file: IO[bytes], size: int) -> int:
        """Where the line begins that was being written when a process ended; the size when there is none."""
        pending = head.pending
        if pending is None or name != CURRENT or size <= pending.offset:
            return size
        file.seek(pending.offset)
        there = file.read(size - pending.offset)
        file.seek(0)
        if there == pending.text or not pending.text.startswith(there):
            return size
        self._report.notes.append(
            f"{name}: torn line after a crash, {len(there)} of {len(pending.text)} bytes ({_about(pending.text)}); "
            "the next line will say so"
        )
        return pending.offset

    def _take(self, where: str, line: Line) -> None:
        bad, self._bad = self._bad, []
        if line.record["event"] == "torn":
            bad = self._explained(where, line, bad)
        self._foreign(bad)
        self._in_order(where, line, len(bad))
        self._note(line)

    def _explained(self, where: str, line: Line, bad: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        """What is left of the bad lines once the piece that this line tells of is taken out."""
        if not bad or hashlib.sha256(bad[-1][1]).hexdigest() != line.record["torn_sha256"]:
            self._wrong(f"{where}: tells of a torn line before it, which is changed or missing")
            return bad
        lost: dict[str, Any] = line.record["lost"]
        self._report.notes.append(
            f"{bad[-1][0]}: torn line after a crash or on a full disk: "
            f"{lost.get('event')} of {lost.get('operation')}, call {lost.get('call')}"
        )
        return bad[:-1]

    def _foreign(self, bad: list[tuple[str, bytes]]) -> None:
        for where, _ in bad:
            self._wrong(f"{where}: was changed or put in; its seal does not fit")

    def _in_order(self, where: str, line: Line, bad: int) -> None:
        missing = line.number - self._count - 1
        if missing < 0:
            self._wrong(f"{where}: is line {line.number} of the log again, or out of order")
            return
        if missing > bad:
            which = (
                f"line {line.number - 1} is" if missing == 1 else f"lines {self._count + 1} to {line.number - 1} are"
            )
            self._wrong(f"{where}: {which} missing before it")
        elif missing == 0 and line.previous != self._mac:
            self._wrong(f"{where}: does not follow the line before it")
        self._count, self._mac = line.number, line.mac
        if self._wanted is not None:
            self._seen.add(f"{line.number}:{line.mac}")

    def _note(self, line: Line) -> None:
        record = line.record
        report = self._report
        report.lines += 1
        report.first = report.first or record["time"]
        report.last = record["time"]
        lost: dict[str, Any] = record.get("lost", {})
        if record["event"] == "intent":
            self._open[record["call"]] = record
        elif record["event"] == "outcome":
            self._open.pop(record["call"], None)
        elif lost.get("event") == "outcome":
            self._open.pop(lost["call"], None)

    def _end(self, head: Head) -> None:
        pending = head.pending
        if pending is not None and (self._count, self._mac) == (head.count + 1, pending.mac):
            return
        if self._count < head.count:
            which = (
                f"line {head.count}" if self._count + 1 == head.count else f"lines {self._count + 1} to {head.count}"
            )
            self._wrong(f"the end of the log: {which} missing; the store has counted {head.count}")
        elif self._count > head.count:
            self._wrong(f"the store has counted {head.count} lines, the log has {self._count}: the store was put back")
        elif self._mac != head.mac:
            self._wrong("the last line is not the one the store knows")
        elif pending is not None and not self._report.notes:
            self._report.notes.append(
                f"a process ended before it wrote a line ({_about(pending.text)}); its call was not sent"
            )


def _about(text: bytes) -> str:
    """Which line it was."""
    record = readable(text.strip(b"\n").rpartition(b"\n")[2]) or {}
    return f"{record.get('event')} of {record.get('operation')}, call {record.get('call')}"
