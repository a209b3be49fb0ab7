"""DuckDB connections that can touch only what they were opened for.

A view in a database file, or a crafted file name, must not make DuckDB read other files, load extensions or
reach the network: access is limited to the listed files and folders and the configuration is locked.
"""

import os
import time
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from bulk_sync_local.connectors.base import ConnectorError
from bulk_sync_local.connectors.batches import BATCH_ROWS, UNKNOWN_ROWS, VALUE_BYTES, batch_rows, joined
from bulk_sync_local.connectors.complaints import explained, is_locked
from bulk_sync_local.engine import libraries
from bulk_sync_local.engine.sql import text

MEMORY_LIMIT = "352MB"
SCRATCH_LIMIT = "256MB"
"""For a stage that is only put together here and handed over elsewhere."""
# Types whose values have one length, give or take a few bytes.
_SHORT = (
    "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
    "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "DATE", "TIME", "INTERVAL", "UUID",
)  # fmt: skip
# Each thread needs memory of its own, and a reading does not keep many of them at work.
_THREADS, _SCRATCH_THREADS = 4, 1
# Cursors do not take these over from their connection, so they stay open to change; none opens anything to a statement.
_PER_CURSOR = ("enable_progress_bar", "enable_progress_bar_print", "search_path")
_MEMORY_LIMIT = "max_memory"  # DuckDB's own name for memory_limit
_LOCK_WAIT_SECONDS = 5.0
_LOCK_POLL_SECONDS = 0.1


def connect(
    database: Path | None,
    *,
    read_only: bool = False,
    allowed_files: Sequence[Path] = (),
    allowed_folders: Sequence[Path] = (),
    spill: Path | None = None,
    memory_limit: str = MEMORY_LIMIT,
) -> Any:
    """A connection to `database` (None: in memory). What does not fit in memory goes to the folder `spill`.

    A lower `memory_limit` than usual may be raised with `give_room`.

    Waits up to five seconds for another process to let go of the file. Raises `ConnectorError`.
    """
    # Older DuckDB tools shall be able to open the files we make.
    settings = {"storage_compatibility_version": "v1.2.0"} if not read_only else {}
    connection = _open(str(database) if database is not None else ":memory:", read_only, settings)
    connection.execute("LOAD icu")
    raised = () if memory_limit == MEMORY_LIMIT else (_MEMORY_LIMIT,)
    for setting in (
        "GLOBAL TimeZone = 'UTC'",
        f"memory_limit = '{memory_limit}'",
        f"threads = {min(_THREADS if memory_limit == MEMORY_LIMIT else _SCRATCH_THREADS, os.cpu_count() or 1)}",
        f"temp_directory = {text(str(spill) if spill is not None else '')}",
        "enable_progress_bar = false",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "allow_community_extensions = false",
        "python_enable_replacements = false",
        f"allowed_paths = [{_listed(allowed_files)}]",
        f"allowed_directories = [{_listed(allowed_folders)}]",
        "enable_external_access = false",
        f"allowed_configs = [{', '.join(text(one) for one in (*_PER_CURSOR, *raised))}]",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")
    return connection


def give_room(connection: Any) -> bool:
    """Raises a connection's lower memory limit to the usual one; false when it was opened with that."""
    ((allowed,),) = connection.execute("SELECT current_setting('allowed_configs')").fetchall()
    lower = _MEMORY_LIMIT in allowed
    if lower:
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
    return lower


def _listed(paths: Sequence[Path]) -> str:
    """The paths, and the patterns that stand for them alone: DuckDB checks what it is given, not what it opens."""
    return ", ".join(text(path) for one in paths for path in dict.fromkeys((str(one), glob_escaped(one))))


def _open(database: str, read_only: bool, settings: dict[str, str]) -> Any:
    duckdb = libraries.duckdb()
    deadline = time.monotonic() + _LOCK_WAIT_SECONDS
    while True:
        try:
            return duckdb.connect(database, read_only=read_only, config=settings)
        except duckdb.Error as failure:
            locked = is_locked(str(failure)) or "different configuration" in str(failure)
            if locked and time.monotonic() < deadline:
                time.sleep(_LOCK_POLL_SECONDS)
                continue
            if locked:
                raise ConnectorError(
                    f"Another process has the DuckDB file {Path(database).name} open. "
                    "Close it there, or wait until it is done, and try again."
                ) from failure
            raise ConnectorError(
                f"{Path(database).name} cannot be opened as a DuckDB database: {explained(str(failure))}"
            ) from failure


@contextmanager
def scratch_connection(files: Sequence[Path] = ()) -> Generator[Any]:
    """An empty database in memory, for typing a handful of rows; it may read `files`."""
    connection = connect(None, allowed_files=files)
    try:
        yield connection
    finally:
        connection.close()


def stream(connection: Any, query: str, most: int = BATCH_ROWS) -> tuple[Any, Generator[Any]]:
    """The Arrow schema of the result of `query`, and its batches, of `most` rows at the most and bounded in bytes.

    On a cursor of its own, so that a stream left half read is in nobody's way; and by way of `sql`: in DuckDB
    2.0.0 `execute` would copy the whole result into memory first.
    """
    cursor = connection.cursor()
    relation = cursor.sql(query)
    rows = batch_rows(VALUE_BYTES * len(relation.columns), most)
    long = not all(str(kind).startswith(_SHORT) for kind in relation.types)
    reader = relation.to_arrow_reader(min(rows, UNKNOWN_ROWS) if long else rows)

    def batches() -> Generator[Any]:
        with closing(cursor):
            yield from reader

    return reader.schema, joined(batches(), most) if long else batches()


def glob_escaped(path: Path) -> str:
    """`path` so that DuckDB's readers take every character of it literally."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in str(path))
