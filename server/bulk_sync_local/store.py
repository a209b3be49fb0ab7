"""The store: one SQLite file, used by any number of service and worker processes at once.

Only the standard library's sqlite3 ever opens this file. What is in it is read and written by the functions of
the `store_*` modules, each inside a transaction that is made here.
"""

import os
import queue
import secrets
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

Tx = sqlite3.Connection
"""A connection inside a transaction; commit and rollback are the store's business, not the caller's."""

_BUSY_SECONDS = 20.0
_IDLE_CONNECTIONS = 8
_VERSION = 1

_TABLES = """
CREATE TABLE connections (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, configuration TEXT NOT NULL,
  status TEXT NOT NULL, status_error TEXT, healthcheck_interval TEXT,
  tables TEXT, refresh_started TEXT, refresh_finished TEXT,
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL
);
CREATE TABLE syncs (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, active INTEGER NOT NULL, mode TEXT NOT NULL,
  source_connection_id TEXT NOT NULL, destination_connection_id TEXT NOT NULL,
  settings TEXT NOT NULL, subscribers TEXT NOT NULL DEFAULT '[]', ingestion_failure_threshold INTEGER,
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL, deleted_at TEXT
);
CREATE INDEX syncs_by_change ON syncs (updated_at DESC, id) WHERE deleted_at IS NULL;
CREATE TABLE sync_schemas (
  sync_id TEXT NOT NULL REFERENCES syncs (id) ON DELETE CASCADE,
  schema_id TEXT NOT NULL, position INTEGER NOT NULL, enabled INTEGER NOT NULL, settings TEXT NOT NULL,
  PRIMARY KEY (sync_id, schema_id)
);
CREATE TABLE schedules (
  id TEXT PRIMARY KEY, sync_id TEXT NOT NULL REFERENCES syncs (id) ON DELETE CASCADE,
  is_default INTEGER NOT NULL, position INTEGER NOT NULL, settings TEXT NOT NULL,
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL, reckoned_from TEXT
);
CREATE UNIQUE INDEX one_default_schedule ON schedules (sync_id) WHERE is_default;
CREATE TABLE executions (
  id TEXT PRIMARY KEY, sync_id TEXT NOT NULL REFERENCES syncs (id) ON DELETE CASCADE,
  type TEXT NOT NULL, status TEXT NOT NULL, status_message TEXT,
  is_test INTEGER NOT NULL, resync_mode TEXT, is_partial INTEGER NOT NULL, fetch_mode TEXT NOT NULL,
  output_disposition TEXT NOT NULL, job TEXT, add_new_objects INTEGER NOT NULL,
  cancel_requested INTEGER NOT NULL DEFAULT 0,
  spawned_at TEXT, spawn_attempts INTEGER NOT NULL DEFAULT 0, worker_pid INTEGER, heartbeat_at TEXT,
  created_at TEXT NOT NULL, started_at TEXT, completed_at TEXT, updated_at TEXT NOT NULL
);
CREATE UNIQUE INDEX one_unfinished_execution ON executions (sync_id) WHERE completed_at IS NULL;
CREATE INDEX executions_by_start ON executions (sync_id, created_at, id);
CREATE TABLE execution_schemas (
  execution_id TEXT NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
  schema_id TEXT NOT NULL, position INTEGER NOT NULL, output_name TEXT, status TEXT NOT NULL, status_message TEXT,
  record_count INTEGER NOT NULL DEFAULT 0, error_count INTEGER NOT NULL DEFAULT 0,
  warning_count INTEGER NOT NULL DEFAULT 0, cancel_requested INTEGER NOT NULL DEFAULT 0,
  created_at TEXT NOT NULL, started_at TEXT, completed_at TEXT, updated_at TEXT NOT NULL,
  PRIMARY KEY (execution_id, schema_id)
);
CREATE TABLE console_lines (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  execution_id TEXT NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
  schema_id TEXT, level TEXT NOT NULL, message TEXT NOT NULL, timestamp TEXT NOT NULL
);
CREATE INDEX console_lines_of_execution ON console_lines (execution_id, id);
CREATE TABLE idempotency_keys (
  key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, reservation TEXT, reserved_at TEXT,
  status INTEGER, headers TEXT, body TEXT, created_at TEXT NOT NULL
);
"""

_LATER = """
CREATE TABLE log_exports (
  id TEXT PRIMARY KEY, execution_id TEXT NOT NULL REFERENCES executions (id) ON DELETE CASCADE, created_at TEXT NOT NULL
);
CREATE INDEX log_exports_of_execution ON log_exports (execution_id);
CREATE TABLE signing_key (id INTEGER PRIMARY KEY CHECK (id = 1), key BLOB NOT NULL);
"""
"""Tables that stores made before them get when they are opened; services of that time do not mind them."""


class Store:
    """Hands out transactions. Safe to share between threads; several processes may each have one on the same file."""

    def __init__(self, path: Path) -> None:
        """Opens the store, making it when there is none. The directory must exist."""
        self._path = path
        self._idle: queue.LifoQueue[Tx] = queue.LifoQueue(_IDLE_CONNECTIONS)
        # Switching to WAL and making the tables are not safe against another process doing the same.
        with FileLock(path.with_suffix(".lock")):
            # Only when it is not there: closing any descriptor of an SQLite file drops this process's locks on it.
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            connection = self._connect()
            connection.execute("PRAGMA journal_mode = WAL")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                connection.executescript(f"BEGIN IMMEDIATE;{_TABLES}PRAGMA user_version = {_VERSION};COMMIT;")
            elif version != _VERSION:
                connection.close()
                raise RuntimeError(
                    f"{path} was written by another version of the local service (format {version}, "
                    f"this one reads {_VERSION}); use another state directory"
                )
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'signing_key'").fetchone() is None:
                key = f"INSERT INTO signing_key (id, key) VALUES (1, x'{secrets.token_hex(32)}');"  # noqa: S608
                connection.executescript(f"BEGIN IMMEDIATE;{_LATER}{key}COMMIT;")
            columns = {row["name"] for row in connection.execute("PRAGMA table_info(schedules)")}
            if "reckoned_from" not in columns:
                # A store of a service that fired no schedules; one of that time does not mind the column.
                connection.execute("ALTER TABLE schedules ADD COLUMN reckoned_from TEXT")
            self._give_back(connection)

    @contextmanager
    def read(self) -> Generator[Tx]:
        """A transaction that sees one consistent state and writes nothing."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def write(self) -> Generator[Tx]:
        """A transaction that holds the write lock from its start; committed at the end, rolled back on error."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    def close(self) -> None:
        """Closes the idle connections; the store can still be used afterwards."""
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return

    @contextmanager
    def _transaction(self, begin: str) -> Generator[Tx]:
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = self._connect()
        try:
            connection.execute(begin)
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            else:
                connection.execute("COMMIT")
        finally:
            # A connection whose BEGIN, COMMIT or ROLLBACK failed is in an unknown state and is not used again.
            if connection.in_transaction:
                connection.close()
            else:
                self._give_back(connection)

    def _give_back(self, connection: Tx) -> None:
        try:
            self._idle.put_nowait(connection)
        except queue.Full:
            connection.close()

    def _connect(self) -> Tx:
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        return connection
