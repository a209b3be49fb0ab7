"""Tables that are known to be replaced by every run, because they have no primary key.

Threat: a table that was merged so far loses its key at the source. The next ordinary run drops and recreates it
(api/README.md 3), although nobody has changed the sync, so the configuration proves nothing. Replacing a table is
taken for usual only when a run started through this server did it before, with whatever evidence that needed then,
and the table has not been seen with a key since.
"""

import logging
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.private import private_file
from bulk_sync_mcp.core.text import MAX_MESSAGE, clean

logger = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS replaced (
    backend TEXT NOT NULL, sync TEXT NOT NULL, source_table TEXT NOT NULL, PRIMARY KEY (backend, sync, source_table)
) STRICT
"""


class ReplacedTables:
    """What is remembered of one backend, in an SQLite file that only its owner can read."""

    def __init__(self, path: Path, backend: str) -> None:
        """Touches nothing yet: the file is made when there is something to remember."""
        self._path = path
        self._backend = backend

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        with closing(sqlite3.connect(private_file(self._path), timeout=10, isolation_level=None)) as db:
            db.execute("PRAGMA synchronous = FULL")
            db.execute(_SCHEMA)
            yield db

    def known(self, sync_id: str) -> frozenset[str]:
        """The tables of a sync that are known to be replaced. Raises `OSError` or `sqlite3.Error`."""
        if not self._path.exists():
            return frozenset()
        with self._open() as db:
            rows = db.execute(
                "SELECT source_table FROM replaced WHERE backend = ? AND sync = ?", (self._backend, sync_id.lower())
            ).fetchall()
        return frozenset(row[0] for row in rows)

    def remember(self, sync_id: str, tables: frozenset[str]) -> None:
        """Takes down tables that a run now replaces. A failure is told in the log: they are asked about again."""
        try:
            if not tables or tables <= self.known(sync_id):
                return
            rows = [(self._backend, sync_id.lower(), one) for one in sorted(tables)]
            with self._open() as db:
                db.execute("BEGIN IMMEDIATE")
                db.executemany("INSERT OR IGNORE INTO replaced VALUES (?, ?, ?)", rows)
                db.execute("COMMIT")
        except (OSError, sqlite3.Error) as error:
            logger.warning("tables without a key could not be taken down, and are asked about again: %s", error)

    def forget(self, sync_id: str, tables: frozenset[str]) -> None:
        """Takes down tables that have a key. Raises `Failure`: a run goes out only when that is on disk."""
        try:
            if tables.isdisjoint(self.known(sync_id)):
                return
            rows = [(self._backend, sync_id.lower(), one) for one in sorted(tables)]
            with self._open() as db:
                db.execute("BEGIN IMMEDIATE")
                db.executemany("DELETE FROM replaced WHERE backend = ? AND sync = ? AND source_table = ?", rows)
                db.execute("COMMIT")
        except (OSError, sqlite3.Error) as error:
            raise Failure(
                "internal",
                f"It cannot be taken down which tables have a key by now ({clean(error, MAX_MESSAGE)}). Nothing was sent.",
                next="Tell the user: a person must make the state directory usable (`bulk-sync-mcp doctor` names it).",
            ) from error
