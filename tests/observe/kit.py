"""An audit log of a few lines, ways to harm it, and what becomes of it."""

import atexit
import json
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bulk_sync_mcp.core.effects import DeletesSync
from bulk_sync_mcp.core.pipeline import Recorded
from bulk_sync_mcp.core.plan import Plan
from bulk_sync_mcp.guard.policy import Evidence
from bulk_sync_mcp.observe.audit import AuditLog
from bulk_sync_mcp.observe.chain import files

SYNC = "1249c7f8-0d0b-4c3e-9b5e-3f1f6a0c7d11"


@dataclass(frozen=True)
class Leave:
    """An admission."""

    plan: Plan[None]
    required: Evidence = Evidence.confirm
    evidence_from: str = "form"
    idempotency_key: str | None = "x" * 64


LEAVE = Leave(Plan((DeletesSync(sync_id=SYNC, sync_name="Shop"),), None))


def now() -> datetime:
    return datetime(2026, 5, 12, 4, 15, 0, 123_456, tzinfo=UTC)


def open_log(directory: Path, **options: Any) -> AuditLog:
    return AuditLog(directory / "guard", "https://app.example.com", now, **options)


_written: dict[int, Path] = {}


def written(directory: Path, count: int) -> AuditLog:
    """A log with `count` calls in it: a copy of one that is written once, since every line waits for the disk."""
    if count not in _written:
        _written[count] = Path(tempfile.mkdtemp(prefix="audit-"))
        atexit.register(shutil.rmtree, _written[count], ignore_errors=True)
        write(open_log(_written[count]), count)
    shutil.copytree(_written[count], directory, dirs_exist_ok=True)
    return open_log(directory)


def call(number: int = 1, **arguments: Any) -> Recorded:
    return Recorded(f"call{number:04}", "delete_bulk_sync", "stdio:ann:1", {"sync_id": SYNC, **arguments})


def write(log: AuditLog, count: int, first: int = 1) -> None:
    """`count` calls of two lines each."""
    for number in range(first, first + count):
        log.intent(call(number), LEAVE)
        log.outcome(call(number), "done", {"changed": "done"})


def lines(log: AuditLog) -> list[bytes]:
    """The lines of the file being written, with their ends."""
    return log.path.read_bytes().splitlines(keepends=True)


def put(log: AuditLog, changed: list[bytes]) -> None:
    log.path.write_bytes(b"".join(changed))


def events(log: AuditLog) -> list[str]:
    """The events of every line of every file that is JSON."""
    found: list[str] = []
    for path in files(log.directory):
        for raw in path.read_bytes().split(b"\n"):
            try:
                found.append(str(json.loads(raw)["event"]))
            except ValueError:
                found += ["piece"] if raw else []
    return found
