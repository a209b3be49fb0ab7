"""What is known of the audit log outside its directory: the key, the number and seal of its last line, and the line
that is being written.

It lies in `seal/` beside the log's directory, so that putting back an older copy of the log, or removing it, does
not take this along.
"""

import secrets
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bulk_sync_mcp.core.private import private_file
from bulk_sync_mcp.observe.chain import START

_SCHEMA = """
CREATE TABLE IF NOT EXISTS audit (
    one INTEGER PRIMARY KEY CHECK (one = 1), key BLOB NOT NULL, count INTEGER NOT NULL, mac TEXT NOT NULL,
    pending_mac TEXT, pending_offset INTEGER, pending_text BLOB, pending_recovers INTEGER
) STRICT
"""


class AuditError(OSError):
    """The audit log cannot be written or read; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Bytes about to be appended to `audit.jsonl` at `offset`; with them the log has one line more, sealed `mac`.

    `recovers` tells that `text` begins with a torn line that is there already.
    """

    mac: str
    offset: int
    text: bytes
    recovers: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """How many lines the log has, and the seal of the last."""

    key: bytes = field(repr=False)
    count: int
    mac: str
    pending: Pending | None


class SealStore:
    """The one row, in an SQLite file for its owner's eyes only. Used under the log's lock alone."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "audit.sqlite"

    @contextmanager
    def opened(self, *, begin: bool) -> Generator[sqlite3.Connection]:
        """The store; made, with a new key, only if `begin`. Raises `AuditError` when it is missing otherwise."""
        if begin:
            private_file(self.path)
        elif not self.path.exists():
            raise AuditError(self._missing())
        with closing(sqlite3.connect(self.path, timeout=10, isolation_level=None)) as db:
            # A committed pending line must not be lost with the power, or its torn beginning would look foreign.
            # PERSIST syncs the end of a transaction too, and takes half the time of the default.
            db.execute("PRAGMA journal_mode = PERSIST")
            db.execute("PRAGMA synchronous = FULL")
            if begin:
                db.execute(_SCHEMA)
                row = (secrets.token_bytes(32), START)
                db.execute("INSERT OR IGNORE INTO audit (one, key, count, mac) VALUES (1, ?, 0, ?)", row)
            yield db

    def _missing(self) -> str:
        return (
            f"there are audit lines, but {self.path}, which holds their key and their count, is missing; "
            "put it back, or move the files audit*.jsonl elsewhere to begin a new log"
        )

    def head(self, db: sqlite3.Connection) -> Head:
        """The head. Raises `AuditError` when the store holds none."""
        try:
            row = db.execute(
                "SELECT key, count, mac, pending_mac, pending_offset, pending_text, pending_recovers FROM audit"
            ).fetchone()
        except sqlite3.OperationalError:
            row = None
        if row is None:
            raise AuditError(self._missing())
        pending = Pending(row[3], row[4], row[5], bool(row[6])) if row[3] is not None else None
        return Head(row[0], row[1], row[2], pending)


def prepare(db: sqlite3.Connection, pending: Pending) -> None:
    """Says what is about to be written; on disk when this returns."""
    db.execute(
        "UPDATE audit SET pending_mac = ?, pending_offset = ?, pending_text = ?, pending_recovers = ?",
        (pending.mac, pending.offset, pending.text, int(pending.recovers)),
    )


def settle(db: sqlite3.Connection, count: int, mac: str) -> None:
    """Says that the log has `count` lines, and that nothing is being written."""
    db.execute(
        "UPDATE audit SET count = ?, mac = ?, pending_mac = NULL, pending_offset = NULL, pending_text = NULL, "
        "pending_recovers = NULL",
        (count, mac),
    )
