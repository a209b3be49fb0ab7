"""Approvals: single-use, short-lived records of what was shown and may be confirmed.

Threat: replay, use for another call, by another caller, after the plan has changed, or by two calls at once.
Only the SHA-256 of an id is stored, so the store does not give ids away. An approval is redeemed by one
conditional update in an immediate transaction that is on disk before the request is sent; a redeemed approval
whose call then fails stays spent. Approvals that a person gives elsewhere (on the approval page, or an operator)
also need that decision on record before they can be redeemed.
"""

import hashlib
import hmac
import json
import secrets
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.private import private_file
from bulk_sync_mcp.core.text import canonical_json

LIFETIME = timedelta(minutes=10)
CLOCK_STEP = 60.0
"""Seconds by which the clock may have been set back since; more, and an approval could outlive its time."""
Channel = Literal["form", "two_step", "page", "operator"]
"""How an approval is asked for. The last two need a decision given elsewhere."""
Decided = Literal["approved", "denied"]


@dataclass(frozen=True, slots=True)
class Binding:
    """What an approval holds for: one call, by one caller, at one backend, through one way of asking."""

    operation: str
    arguments: str
    principal: str
    backend: str
    channel: Channel

    def under(self, key: bytes) -> str:
        """An HMAC over all of it: arguments may hold a secret, which a bare digest would let be guessed."""
        parts = [self.operation, self.arguments, self.principal, self.backend, self.channel]
        return hmac.new(key, canonical_json(parts).encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Shown:
    """What was shown when the approval was made: the plan's digest, its title and its effects.

    `phrase` is what a form asks to have typed; empty when a ticked box is enough. `secret_hash` is what the
    operator's secret is checked against: the server's own, so that nobody approves under a policy of theirs.
    """

    plan_digest: str
    title: str
    effects: list[dict[str, Any]]
    phrase: str = ""
    undo: str = ""
    secret_hash: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Standing:
    """An approval as the store holds it. `ticket` stands for its id without giving it away."""

    ticket: str
    operation: str
    principal: str
    channel: Channel
    shown: Shown
    created: datetime
    expires: datetime
    decision: Decided | None

    @property
    def reference(self) -> str:
        """A short name for people, enough to tell approvals apart."""
        return self.ticket[:10]


def ticket_of(approval: str) -> str:
    """What the store knows an id by."""
    return hashlib.sha256(approval.encode()).hexdigest()


_SCHEMA = """
CREATE TABLE IF NOT EXISTS approvals (
    ticket TEXT PRIMARY KEY, binding TEXT NOT NULL, operation TEXT NOT NULL, principal TEXT NOT NULL,
    channel TEXT NOT NULL, shown TEXT NOT NULL, created REAL NOT NULL, expires REAL NOT NULL,
    decision TEXT, decided_by TEXT, redeemed REAL
) STRICT;
CREATE TABLE IF NOT EXISTS keys (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
"""
_COLUMNS = "ticket, operation, principal, channel, shown, created, expires, decision"
_KEEP_SPENT = timedelta(days=7)
_AGAIN = "Repeat the call without `confirmation` for a new preview."


class ApprovalStore:
    """Approvals in an SQLite file that only its owner can read; safe for several processes on one file."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        """Touches nothing yet: the file is made when it is first used."""
        self._path = path
        self._now = now

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        with closing(sqlite3.connect(private_file(self._path), timeout=10, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = DELETE")
            db.execute("PRAGMA synchronous = FULL")
            db.executescript(_SCHEMA)
            for name in ("idempotency", "binding"):
                db.execute("INSERT OR IGNORE INTO keys VALUES (?, ?)", (name, secrets.token_bytes(32)))
            yield db

    def issue(self, binding: Binding, shown: Shown) -> str:
        """A new id of 128 random bits, bound to `binding`, that lives `LIFETIME`."""
        approval = secrets.token_urlsafe(16)
        now = self._now()
        with self._open() as db:
            db.execute("DELETE FROM approvals WHERE expires < ?", ((now - _KEEP_SPENT).timestamp(),))
            db.execute(
                "INSERT INTO approvals VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL)",
                (
                    ticket_of(approval),
                    binding.under(_key(db, "binding")),
                    binding.operation,
                    binding.principal,
                    binding.channel,
                    json.dumps(asdict(shown)),
                    now.timestamp(),
                    (now + LIFETIME).timestamp(),
                ),
            )
        return approval

    def look_up(self, ticket: str, binding: Binding) -> Shown:
        """What was shown. Raises `Failure`: `confirmation_invalid`, `_expired`, `_used`, or no decision yet."""
        with self._open() as db:
            row = db.execute(
                "SELECT binding, shown, expires, redeemed, created FROM approvals WHERE ticket = ?", (ticket,)
            ).fetchone()
            bound = binding.under(_key(db, "binding"))
        if row is None or not hmac.compare_digest(row[0], bound):
            raise Failure(
                "confirmation_invalid",
                "This `confirmation` was not issued for this call with these arguments. Nothing has run.",
                next=_AGAIN,
            )
        if row[3] is not None:
            raise Failure(
                "confirmation_used", "This `confirmation` has been used; each works once. Nothing has run.", next=_AGAIN
            )
        if not row[4] - CLOCK_STEP <= self._now().timestamp() < row[2]:
            self.void(ticket)  # or it would live again when the clock is set back
            raise Failure(
                "confirmation_expired", "This `confirmation` is older than ten minutes. Nothing has run.", next=_AGAIN
            )
        return Shown(**json.loads(row[1]))

    def redeem(self, ticket: str, binding: Binding) -> None:
        """Spends it; on disk when this returns. Raises as `look_up`; of two at once, one raises."""
        now = self._now().timestamp()
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            changed = db.execute(
                "UPDATE approvals SET redeemed = ? WHERE ticket = ? AND binding = ? AND redeemed IS NULL "
                "AND expires > ? AND created <= ? AND (channel IN ('form', 'two_step') OR decision = 'approved')",
                (now, ticket, binding.under(_key(db, "binding")), now, now + CLOCK_STEP),
            ).rowcount
            db.execute("COMMIT")
        if changed != 1:
            self.look_up(ticket, binding)
            raise Failure("approval_required", "This call has not been approved. Nothing has run.")

    def standing(self, binding: Binding) -> Standing | None:
        """The newest live approval of exactly this call, None when there is none."""
        with self._open() as db:
            bound = binding.under(_key(db, "binding"))
        live = self._select("binding = ?", (bound,))
        return live[0] if live else None

    def open_decisions(self) -> list[Standing]:
        """Live approvals that wait for somebody's decision, newest first."""
        return self._select("channel IN ('page', 'operator') AND decision IS NULL", ())

    def find(self, reference: str) -> Standing | None:
        """The live approval whose ticket begins with `reference`; None when none or several do."""
        found = self._select("substr(ticket, 1, length(?)) = ?", (reference, reference)) if len(reference) >= 8 else []
        return found[0] if len(found) == 1 else None

    def _select(self, condition: str, values: tuple[str, ...]) -> list[Standing]:
        # `condition` is one of the constants above, never text from outside.
        sql = f"SELECT {_COLUMNS} FROM approvals WHERE redeemed IS NULL AND expires > ? AND {condition} ORDER BY created DESC"  # noqa: S608
        with self._open() as db:
            rows = db.execute(sql, (self._now().timestamp(), *values)).fetchall()
        return [
            Standing(
                ticket=row[0],
                operation=row[1],
                principal=row[2],
                channel=row[3],
                shown=Shown(**json.loads(row[4])),
                created=datetime.fromtimestamp(row[5], UTC),
                expires=datetime.fromtimestamp(row[6], UTC),
                decision=row[7],
            )
            for row in rows
        ]

    def decide(self, ticket: str, decision: Decided, by: str) -> bool:
        """Puts a decision on record. False when it was too late: decided, redeemed or expired before."""
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            changed = db.execute(
                "UPDATE approvals SET decision = ?, decided_by = ? WHERE ticket = ? AND decision IS NULL "
                "AND redeemed IS NULL AND expires > ? AND channel IN ('page', 'operator')",
                (decision, by, ticket, self._now().timestamp()),
            ).rowcount
            db.execute("COMMIT")
        return changed == 1

    def decided_by(self, ticket: str) -> str | None:
        """Who decided, None when nobody has."""
        with self._open() as db:
            row = db.execute("SELECT decided_by FROM approvals WHERE ticket = ?", (ticket,)).fetchone()
        return row[0] if row else None

    def void(self, ticket: str) -> None:
        """Ends an approval unused, so that the next call starts anew."""
        with self._open() as db:
            db.execute(
                "UPDATE approvals SET redeemed = ? WHERE ticket = ? AND redeemed IS NULL",
                (self._now().timestamp(), ticket),
            )

    def idempotency_key(self, ticket: str) -> str:
        """The key of the one request the approval allows: an HMAC under the store's own key."""
        with self._open() as db:
            key = _key(db, "idempotency")
        return hmac.new(key, ticket.encode(), hashlib.sha256).hexdigest()


def _key(db: sqlite3.Connection, name: str) -> bytes:
    """One of the store's own keys, made with the store."""
    key: bytes = db.execute("SELECT value FROM keys WHERE name = ?", (name,)).fetchone()[0]
    return key
