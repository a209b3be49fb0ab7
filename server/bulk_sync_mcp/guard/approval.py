"""Approvals: single-use, short-lived records of what was shown and may be confirmed.

Threat: replay, use for another call, by another caller, after the plan has changed, or by two calls at once.
Only the SHA-256 of an id is stored, so the store does not give ids away. An approval is redeemed by one
conditional update in an immediate transaction that is on disk before the request is sent; a redeemed approval
whose call then fails stays spent.
"""

import hashlib
import hmac
import json
import secrets
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.private import private
from bulk_sync_mcp.core.text import digest

LIFETIME = timedelta(minutes=10)
Channel = Literal["form", "two_step"]


@dataclass(frozen=True, slots=True)
class Binding:
    """What an approval holds for: one call, by one caller, at one backend, through one way of asking."""

    operation: str
    arguments: str
    principal: str
    backend: str
    channel: Channel

    def digest(self) -> str:
        """Digest over all of it."""
        return digest([self.operation, self.arguments, self.principal, self.backend, self.channel])


@dataclass(frozen=True, slots=True)
class Shown:
    """What was shown when the approval was made: the plan's digest, its title and its effects.

    `phrase` is what a form asks to have typed; empty when a ticked box is enough.
    """

    plan_digest: str
    title: str
    effects: list[dict[str, Any]]
    phrase: str = ""


class ApprovalStore(Protocol):
    """Where approvals live; safe for several processes on one store."""

    def issue(self, binding: Binding, shown: Shown) -> str:
        """A new id of 128 random bits, bound to `binding`, that lives `LIFETIME`."""
        ...

    def look_up(self, approval: str, binding: Binding) -> Shown:
        """What was shown under the id. Raises `Failure` `confirmation_invalid`, `_expired` or `_used`."""
        ...

    def redeem(self, approval: str, binding: Binding) -> None:
        """Spends the id; on disk when this returns. Raises as `look_up`; of two at once, one raises."""
        ...

    def idempotency_key(self, approval: str) -> str:
        """The key of the one request the approval allows: an HMAC of the id under the store's own key."""
        ...


_SCHEMA = """
CREATE TABLE IF NOT EXISTS approvals (
    id_hash TEXT PRIMARY KEY, binding TEXT NOT NULL, shown TEXT NOT NULL,
    created REAL NOT NULL, expires REAL NOT NULL, redeemed REAL
) STRICT;
CREATE TABLE IF NOT EXISTS keys (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
"""
_KEEP_SPENT = timedelta(days=7)
_AGAIN = "Repeat the call without `confirmation` for a new preview."


class SqliteApprovalStore:
    """Approvals in an SQLite file that only its owner can read."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        """Touches nothing yet: the file is made when it is first used."""
        self._path = path
        self._now = now

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        private(self._path.parent)
        self._path.touch(mode=0o600, exist_ok=True)
        with closing(sqlite3.connect(self._path, timeout=10, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = DELETE")
            db.execute("PRAGMA synchronous = FULL")
            db.executescript(_SCHEMA)
            db.execute("INSERT OR IGNORE INTO keys VALUES ('idempotency', ?)", (secrets.token_bytes(32),))
            yield db

    def issue(self, binding: Binding, shown: Shown) -> str:
        approval = secrets.token_urlsafe(16)
        now = self._now()
        record = json.dumps(asdict(shown))
        with self._open() as db:
            db.execute("DELETE FROM approvals WHERE expires < ?", ((now - _KEEP_SPENT).timestamp(),))
            db.execute(
                "INSERT INTO approvals VALUES (?, ?, ?, ?, ?, NULL)",
                (_hash(approval), binding.digest(), record, now.timestamp(), (now + LIFETIME).timestamp()),
            )
        return approval

    def look_up(self, approval: str, binding: Binding) -> Shown:
        with self._open() as db:
            row = db.execute(
                "SELECT binding, shown, expires, redeemed FROM approvals WHERE id_hash = ?",
                (_hash(approval),),
            ).fetchone()
        if row is None or not hmac.compare_digest(row[0], binding.digest()):
            raise Failure(
                "confirmation_invalid",
                "This `confirmation` was not issued for this call with these arguments. Nothing has run.",
                next=_AGAIN,
            )
        if row[3] is not None:
            raise Failure(
                "confirmation_used",
                "This `confirmation` has been used; each works once. Nothing has run.",
                next=_AGAIN,
            )
        if row[2] <= self._now().timestamp():
            raise Failure(
                "confirmation_expired",
                "This `confirmation` is older than ten minutes. Nothing has run.",
                next=_AGAIN,
            )
        return Shown(**json.loads(row[1]))

    def redeem(self, approval: str, binding: Binding) -> None:
        now = self._now().timestamp()
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            changed = db.execute(
                "UPDATE approvals SET redeemed = ? WHERE id_hash = ? AND binding = ? AND redeemed IS NULL AND expires > ?",
                (now, _hash(approval), binding.digest(), now),
            ).rowcount
            db.execute("COMMIT")
        if changed != 1:
            self.look_up(approval, binding)
            raise Failure(
                "confirmation_used",
                "This `confirmation` has been used; each works once. Nothing has run.",
                next=_AGAIN,
            )

    def idempotency_key(self, approval: str) -> str:
        with self._open() as db:
            key: bytes = db.execute("SELECT value FROM keys WHERE name = 'idempotency'").fetchone()[0]
        return hmac.new(key, approval.encode(), hashlib.sha256).hexdigest()


def _hash(approval: str) -> str:
    return hashlib.sha256(approval.encode()).hexdigest()
