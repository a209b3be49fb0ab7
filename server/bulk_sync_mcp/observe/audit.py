"""The audit log: what was about to be changed, and what came of it.

Each mutating call leaves two lines, joined by a call id: *intent*, on disk before anything is sent, and *outcome*.
A refusal is one line. Lines are chained by HMAC under a key kept in the state directory, so a changed, removed or
reordered line breaks the chain. Arguments hold no secrets; confirmations are never written.
"""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from bulk_sync_mcp.core.pipeline import Admission, Recorded
from bulk_sync_mcp.core.private import private
from bulk_sync_mcp.core.text import canonical_json, iso

_START = "0" * 64


class AuditLog:
    """Appends to `audit.jsonl` in the state directory; safe for several processes on one file."""

    def __init__(self, directory: Path, backend: str, now: Callable[[], datetime]) -> None:
        self._directory = directory
        self._path = directory / "audit.jsonl"
        self._key_path = directory / "audit.key"
        self._lock = FileLock(directory / "audit.lock", mode=0o600)
        self._backend = backend
        self._now = now

    def intent(self, call: Recorded, admission: Admission) -> None:
        """On disk when this returns. Raises `OSError`; the call must not be sent then."""
        self._append(
            call,
            {
                "event": "intent",
                "arguments": call.arguments,
                "plan_digest": admission.plan.digest(),
                "effects": [effect.rule for effect in admission.plan.ordered()],
                "evidence_required": int(admission.required),
                "evidence_from": admission.evidence_from,
            },
        )

    def outcome(self, call: Recorded, outcome: str, detail: Mapping[str, Any]) -> None:
        """What became of an intent."""
        self._append(call, {"event": "outcome", "outcome": outcome, **detail})

    def refusal(self, call: Recorded, code: str) -> None:
        """A call that was not let through."""
        self._append(call, {"event": "refusal", "arguments": call.arguments, "outcome": code})

    def _append(self, call: Recorded, entry: Mapping[str, Any]) -> None:
        private(self._directory)
        with self._lock:
            record = {
                "time": iso(self._now()),
                "call": call.call_id,
                "operation": call.operation,
                "principal": call.principal,
                "backend": self._backend,
                **entry,
                "previous": self._head(),
            }
            line = json.dumps({**record, "mac": self._mac(record)}, ensure_ascii=False) + "\n"
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                data = line.encode()
                if os.write(descriptor, data) != len(data):
                    raise OSError("the audit log could not be written in full; is the disk full?")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _head(self) -> str:
        if not self._path.exists():
            return _START
        with self._path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            size = file.tell()
            step = 65_536
            tail = b""
            while size > 0 and tail.count(b"\n") < 2:
                size = max(0, size - step)
                file.seek(size)
                tail = file.read()
        lines = tail.strip().split(b"\n")
        return str(json.loads(lines[-1])["mac"]) if lines[-1] else _START

    def _mac(self, record: Mapping[str, Any]) -> str:
        return hmac.new(self._key(), canonical_json(record).encode(), hashlib.sha256).hexdigest()

    def _key(self) -> bytes:
        if not self._key_path.exists():
            descriptor = os.open(self._key_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(descriptor, secrets.token_bytes(32))
            finally:
                os.close(descriptor)
        return self._key_path.read_bytes()

    def verify(self) -> int:
        """The number of lines, all in an unbroken chain. Raises `ValueError` naming the first broken line."""
        previous = _START
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        for number, line in enumerate(lines, start=1):
            record = json.loads(line)
            mac = record.pop("mac", "")
            if record["previous"] != previous or not hmac.compare_digest(mac, self._mac(record)):
                raise ValueError(f"audit line {number} is changed, or a line before it is missing")
            previous = mac
        return len(lines)
