"""Earlier revisions of the configuration of bulk syncs: what each write was about to change, so that it can be put back.

A revision is kept before the write is sent, and a write whose revision cannot be kept is not sent. It holds what the
backend told, settings of source and destination included, since with anything taken out it could not be put back:
the file is for its owner alone (0600, in a 0700 directory), like the approvals beside it. Credentials are not in it;
they belong to connections, of which nothing is kept.
"""

import json
import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bulk_sync_mcp.core.pipeline import Recorded
from bulk_sync_mcp.core.plan import PreImage
from bulk_sync_mcp.core.private import private_file
from bulk_sync_mcp.core.text import digest

PER_SYNC = 50
IN_ALL = 10_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS revisions (
    origin TEXT NOT NULL, sync_id TEXT NOT NULL, number INTEGER NOT NULL, credential TEXT NOT NULL, at REAL NOT NULL,
    operation TEXT NOT NULL, call TEXT NOT NULL, digest TEXT NOT NULL, image TEXT NOT NULL,
    PRIMARY KEY (origin, sync_id, number)
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Revision:
    """A configuration as it was before one write. `number` counts from 1 for each sync and is never used again."""

    number: int
    at: datetime
    operation: str
    call: str
    credential: str
    image: PreImage


class RevisionStore:
    """Keeps revisions of the syncs of one backend, the latest `PER_SYNC` of each, in an SQLite file.

    `credential` is the fingerprint of the one in use. Who may see the sync may see its revisions, whatever the
    credential was; of a sync that is gone nobody can tell, so there it has to be the same.
    """

    def __init__(self, path: Path, origin: str, credential: str, now: Callable[[], datetime]) -> None:
        """Touches nothing yet: the file is made when something is kept."""
        self._path = path
        self._origin = origin
        self.credential = credential
        self._now = now

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        with closing(sqlite3.connect(private_file(self._path), timeout=10, isolation_level=None)) as db:
            db.execute("PRAGMA synchronous = FULL")
            db.executescript(_SCHEMA)
            yield db

    def keep(self, call: Recorded, images: Sequence[PreImage]) -> None:
        """On disk when this returns. Raises `OSError` or `sqlite3.Error`.

        What is the same as the latest revision replaces it, so that repeating a call that fails pushes nothing out.
        """
        if not images:
            return
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            for image in images:
                self._put(db, call, image)
            db.execute(
                "DELETE FROM revisions WHERE rowid IN (SELECT rowid FROM revisions ORDER BY at DESC LIMIT -1 OFFSET ?)",
                (IN_ALL,),
            )
            db.execute("COMMIT")

    def _put(self, db: sqlite3.Connection, call: Recorded, image: PreImage) -> None:
        body = {
            "sync": image.sync,
            "enabled": image.enabled,
            "tables": image.tables,
            "error_handling": image.error_handling,
        }
        own = (self._origin, image.sync_id)
        same = digest(body)
        latest = db.execute(
            "SELECT number, digest FROM revisions WHERE origin = ? AND sync_id = ? ORDER BY number DESC LIMIT 1", own
        ).fetchone()
        number = 1 if latest is None else latest[0] + (latest[1] != same)
        row = (*own, number, self.credential, self._now().timestamp(), call.operation, call.call_id, same)
        db.execute(
            "INSERT OR REPLACE INTO revisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, json.dumps(body, ensure_ascii=False)),
        )
        db.execute("DELETE FROM revisions WHERE origin = ? AND sync_id = ? AND number <= ?", (*own, number - PER_SYNC))

    def of(self, sync_id: str) -> list[Revision]:
        """The revisions of a sync, latest first. Raises `OSError` or `sqlite3.Error`."""
        if not self._path.exists():
            return []
        with self._open() as db:
            rows = db.execute(
                "SELECT number, at, operation, call, credential, image FROM revisions WHERE origin = ? AND sync_id = ? "
                "ORDER BY number DESC",
                (self._origin, sync_id),
            ).fetchall()
        return [Revision(*_typed(row), _image(sync_id, json.loads(row[5]))) for row in rows]


def _typed(row: Sequence[Any]) -> tuple[int, datetime, str, str, str]:
    return row[0], datetime.fromtimestamp(row[1], UTC), row[2], row[3], row[4]


def _image(sync_id: str, body: dict[str, Any]) -> PreImage:
    enabled = body["enabled"]
    return PreImage(
        sync_id, body["sync"], None if enabled is None else tuple(enabled), body["tables"], body["error_handling"]
    )
