"""The audit log as calls: intent and outcome of each put together, and the lines as they come."""

import os
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.observe.chain import CURRENT, files, readable

NO_OUTCOME = "no outcome"


@dataclass
class AuditCall:
    """One call: its lines in the order they were written."""

    call: str
    lines: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])

    def get(self, name: str) -> Any:
        """A field, from the first line that has it; None when none has."""
        return next((line[name] for line in self.lines if name in line), None)

    @property
    def sync_id(self) -> str:
        """The bulk sync the call was about; empty when it was about none."""
        arguments: Any = self.get("arguments")
        given = arguments.get("sync_id") if isinstance(arguments, Mapping) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - any JSON object
        return str(given or self.get("sync_id") or "")  # pyright: ignore[reportUnknownArgumentType]

    @property
    def outcome(self) -> str:
        """`done`, the code it failed or was refused with, or that there is no outcome."""
        return str(self.get("outcome") or NO_OUTCOME)


def records(directory: Path) -> Generator[dict[str, Any]]:
    """Every line that can be read, oldest first. A torn line gives what it lost; seals are not checked here."""
    for path in files(directory):
        with path.open("rb") as file:
            for raw in file:
                yield from _meant(raw)


def _meant(raw: bytes) -> Generator[dict[str, Any]]:
    record = readable(raw)
    if record is None:
        return
    lost: Any = record.get("lost")
    # A torn intent was never sent; of a torn outcome the store still knew all of it.
    if record.get("event") == "torn" and isinstance(lost, dict) and lost.get("event") != "intent":  # pyright: ignore[reportUnknownMemberType] - any JSON object
        yield lost
    elif "call" in record:
        yield record


def calls(lines: Iterable[Mapping[str, Any]]) -> list[AuditCall]:
    """The calls, oldest first."""
    found: dict[str, AuditCall] = {}
    for line in lines:
        call = str(line.get("call", ""))
        found.setdefault(call, AuditCall(call)).lines.append(line)
    return list(found.values())


def follow(directory: Path, go_on: Callable[[], bool]) -> Generator[dict[str, Any]]:
    """Lines as they are written from now on, across new files, while `go_on()`."""
    path = directory / CURRENT
    file = None
    with suppress(FileNotFoundError):
        file = path.open("rb")
        file.seek(0, 2)
    rest = b""
    try:
        while True:
            # Looked at first: whatever was written to the old file before the change is then read below.
            renamed = file is not None and not _same(file.fileno(), path)
            if file is not None:
                rest += file.read()
                *whole, rest = rest.split(b"\n")
                for raw in whole:
                    yield from _meant(raw)
            if not go_on():
                return
            if file is None or renamed:
                if file is not None:
                    file.close()
                    file = None
                with suppress(FileNotFoundError):
                    file = path.open("rb")
                    continue
            time.sleep(0.25)
    finally:
        if file is not None:
            file.close()


def _same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def summary(record: Mapping[str, Any]) -> dict[str, str]:
    """A line in short, for a table."""
    event = str(record.get("event", ""))
    return {
        "time": clean(record.get("time", "")),
        "call": clean(record.get("call", "")),
        "event": clean(event),
        "operation": clean(record.get("operation", "")),
        "sync": clean(AuditCall("", [record]).sync_id),
        "outcome": clean(record.get("outcome", "")),
        "evidence": clean(record.get("evidence_obtained", "")),
        "from": clean(record.get("evidence_from", "")),
        "unattended": "yes" if record.get("unattended") else "",
    }
