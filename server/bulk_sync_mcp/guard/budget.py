"""The budget: how much may be destroyed in an hour before every writing call is refused.

Threat: an assistant in a loop, or one that has been talked into clearing sync after sync with a person who confirms
too easily. What is counted is on disk before the call is sent, for all processes on one state directory.
"""

import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.private import private_file

WINDOW = timedelta(hours=1)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS destructive (at REAL NOT NULL, operation TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS tripped (at REAL NOT NULL, reason TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS secrets (hash TEXT PRIMARY KEY) STRICT;
"""


class BudgetLedger:
    """Counts destructive calls in an SQLite file, and remembers that the budget has tripped until it is reset."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        """Touches nothing yet: the file is made when it is first used."""
        self._path = path
        self._now = now

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        with closing(sqlite3.connect(private_file(self._path), timeout=10, isolation_level=None)) as db:
            db.execute("PRAGMA synchronous = FULL")
            db.executescript(_SCHEMA)
            yield db

    def tripped(self) -> str | None:
        """Why everything that writes is refused, None while it is not."""
        if not self._path.exists():
            return None
        with self._open() as db:
            row = db.execute("SELECT reason FROM tripped ORDER BY at LIMIT 1").fetchone()
        return row[0] if row else None

    def used(self) -> int:
        """How many destructive calls were counted within the last hour."""
        if not self._path.exists():
            return 0
        with self._open() as db:
            since = (self._now() - WINDOW).timestamp()
            return int(db.execute("SELECT count(*) FROM destructive WHERE at > ?", (since,)).fetchone()[0])

    def check(self) -> None:
        """Raises `Failure` `budget_exceeded` while the budget is tripped."""
        reason = self.tripped()
        if reason is not None:
            raise Failure("budget_exceeded", f"The budget for destructive calls is used up: {reason}. Nothing has run.")

    def trip(self, reason: str, secret_hash: str | None = None) -> None:
        """Refuses every writing call from now on, until `reset`, which takes the operator secret if there is one."""
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("INSERT INTO tripped VALUES (?, ?)", (self._now().timestamp(), reason))
            if secret_hash is not None:
                db.execute("INSERT OR IGNORE INTO secrets VALUES (?)", (secret_hash,))
            db.execute("COMMIT")

    def secret_hashes(self) -> list[str]:
        """What the operator secret is checked against: that of the servers whose budget has tripped, so that nobody
        resets it under a policy of their own."""
        if not self._path.exists():
            return []
        with self._open() as db:
            return [str(row[0]) for row in db.execute("SELECT hash FROM secrets ORDER BY hash").fetchall()]

    def charge(self, operation: str, limit: int | None, secret_hash: str | None = None) -> None:
        """Counts one destructive call. Raises `Failure` `budget_exceeded`, and trips, when it is one too many."""
        if limit is None:
            return
        now = self._now()
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            since = (now - WINDOW).timestamp()
            count = db.execute("SELECT count(*) FROM destructive WHERE at > ?", (since,)).fetchone()[0]
            if count < limit:
                db.execute("INSERT INTO destructive VALUES (?, ?)", (now.timestamp(), operation))
            db.execute("COMMIT")
        if count >= limit:
            self.trip(f"{count} destructive calls within an hour, {limit} are allowed", secret_hash)
            self.check()

    def reset(self) -> bool:
        """Lets calls through again and forgets what was counted. False when it was not tripped."""
        with self._open() as db:
            was = db.execute("SELECT count(*) FROM tripped").fetchone()[0] > 0
            db.execute("DELETE FROM tripped")
            db.execute("DELETE FROM destructive")
            db.execute("DELETE FROM secrets")
        return was
