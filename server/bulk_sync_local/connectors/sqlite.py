"""SQLite files, as source and as destination.

All access goes through the ADBC driver. Python's own `sqlite3` is a second copy of SQLite: on the same file
in one process the two ignore each other's locks, and closing one drops the other's.
"""

# Names and values in statements are quoted by engine/sql.py.
# ruff: noqa: S608

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bulk_sync_local.connectors import paths, sqlite_types
from bulk_sync_local.connectors.base import Confinement, ConnectorError, ConnectorInfo, SourceField, SourceTable
from bulk_sync_local.connectors.batches import BATCH_ROWS, joined
from bulk_sync_local.connectors.complaints import explained
from bulk_sync_local.connectors.sqlite_lengths import fetched_rows
from bulk_sync_local.connectors.sqlite_output import SQLiteOutput
from bulk_sync_local.connectors.sqlite_times import arrow_type, plain_times
from bulk_sync_local.engine import libraries
from bulk_sync_local.engine.conditions import Condition
from bulk_sync_local.engine.job import RunJob
from bulk_sync_local.engine.names import is_reserved
from bulk_sync_local.engine.ports import Column, Destination, NeedsCare, Reading, Shape, Source
from bulk_sync_local.engine.sql import name, text
from bulk_sync_local.engine.types import field_type

_LOCK_WAIT_MILLISECONDS = 5000
_ADVANCED = ("advanced.table_prefix", "advanced.truncate_existing", "advanced.hard_deletes")


class SQLiteFile:
    info = ConnectorInfo(
        type_id="sqlite",
        name="SQLite",
        configuration_schema={
            "type": "object",
            "properties": {"path": {"type": "string", "minLength": 1, "description": "Path of the database file."}},
            "required": ["path"],
            "additionalProperties": False,
        },
        is_source=True,
        is_destination=True,
        modes=("replicate", "snapshot", "append"),
        resync_modes=("refetch", "resync", "rebuild"),
        destination_settings={
            setting: {"type": "string" if "prefix" in setting else "boolean"} for setting in _ADVANCED
        },
    )

    def check(self, configuration: Mapping[str, Any], confinement: Confinement) -> None:
        """A file that is not there yet passes: it may be meant as a destination."""
        path = paths.output_file(configuration, confinement)
        if path.exists():
            with closing(SQLiteTables(path)) as tables:
                tables.names()

    def discover(
        self, configuration: Mapping[str, Any], confinement: Confinement, *, include_fields: bool
    ) -> list[SourceTable]:
        with closing(SQLiteTables(paths.existing_file(configuration, confinement))) as tables:
            return [
                SourceTable(table, table, tables.fields(table) if include_fields else ()) for table in tables.names()
            ]

    def open_source(self, configuration: Mapping[str, Any], confinement: Confinement) -> Source:
        return SQLiteTables(paths.existing_file(configuration, confinement))

    def open_destination(
        self, job: RunJob, confinement: Confinement, *, read_only: bool, files: Sequence[Path] = ()
    ) -> Destination | None:
        path = paths.output_file(job.destination.configuration, confinement)
        if read_only and not path.exists():
            return None
        return SQLiteOutput(lambda: connect(path, read_only=read_only), path, job.sync_id, files)


def connect(path: Path, *, read_only: bool, autocommit: bool = False) -> Any:
    """An ADBC connection; without `autocommit` a transaction is always open on it. Raises `ConnectorError`."""
    mode = "ro" if read_only else "rwc"
    adbc = libraries.adbc_sqlite()
    connection: Any = None
    try:
        connection = adbc.connect(f"file:{quote(str(path))}?mode={mode}", autocommit=autocommit)
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {_LOCK_WAIT_MILLISECONDS}")
            # Functions with side effects in views and triggers of somebody else's file stay out of reach.
            cursor.execute("PRAGMA trusted_schema = OFF")
            cursor.execute("SELECT count(*) FROM sqlite_schema")
            cursor.fetchall()
    except adbc.Error as failure:
        if connection is not None:
            connection.close()
        # Asked about a file that could not be opened, the driver repeats what SQLite says of no connection at all.
        said = str(failure).replace("failed to allocate memory", "unable to open database file")
        raise ConnectorError(f"{path.name} cannot be opened as a SQLite database: {explained(said)}") from failure
    return connection


class SQLiteTables:
    """An open SQLite source; one read transaction from the first look to the end."""

    files = ()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._declared: dict[str, dict[str, str]] = {}
        # Outside of any transaction, and from before the first look: it tells whether anybody has written since.
        self._lookout = connect(path, read_only=True, autocommit=True)
        try:
            self._version = self._present_version()
            self._connection = connect(path, read_only=True)
        except BaseException:
            self._lookout.close()
            raise

    def beside(self) -> Source | None:
        other = SQLiteTables(self._path)
        if self._present_version() == self._version:
            return other
        other.close()
        return None

    def _present_version(self) -> int:
        """Another number than the one before when somebody has committed something in between."""
        try:
            with self._lookout.cursor() as cursor:
                cursor.execute("PRAGMA data_version")
                return cursor.fetchall()[0][0]
        except libraries.adbc_sqlite().Error as failure:
            raise ConnectorError(f"{self._path.name} cannot be read: {explained(str(failure))}") from failure

    def close(self) -> None:
        self._connection.close()
        self._lookout.close()

    def names(self) -> list[str]:
        """Tables and views, in name order, without SQLite's and the engine's own."""
        rows = self._rows(
            "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
            "ORDER BY name"
        )
        return [row[0] for row in rows if not is_reserved(row[0])]

    def fields(self, table: str) -> tuple[SourceField, ...]:
        shape = self.shape(table)
        declared = self._declared[table]
        return tuple(
            SourceField(c.name, c.name, field_type(c.type), declared[c.name], c.name in shape.key)
            for c in shape.columns
        )

    def shape(self, table: str) -> Shape:
        if table not in self.names():
            raise ConnectorError(f"The source has no table {table} any more. Refresh the schemas of the connection.")
        # hidden = 1 are the hidden columns of virtual tables; generated columns (2, 3) are read like others.
        rows = self._rows(
            f"SELECT name, coalesce(type, '') AS type, pk FROM pragma_table_xinfo({text(table)}) WHERE hidden <> 1"
        )
        self._declared[table] = {row[0]: row[1] for row in rows}
        key = sorted((row[2], row[0]) for row in rows if row[2])
        columns = tuple(Column(row[0], sqlite_types.carried_type(row[1])) for row in rows)
        # Such a key is the place of the row, in whose order a table is read.
        is_rowid = len(key) == 1 and self._declared[table][key[0][1]].upper() == "INTEGER"
        return Shape(columns, tuple(column for _, column in key), read_in_key_order=is_rowid)

    def read(
        self,
        table: str,
        columns: Sequence[Column],
        conditions: Sequence[Condition],
        *,
        limit: int | None,
        careful: bool,
        most: int = BATCH_ROWS,
    ) -> Reading:
        declared = self._declared[table]
        readers = [sqlite_types.reader(name(c.name), declared[c.name], c.type, careful=careful) for c in columns]
        constants = [f"{one.sentinel} AS c{i}" for i, one in enumerate(readers)]
        values = [one.select for one in readers]
        flags: dict[int, str] = {}
        for index, one in enumerate(readers):
            if one.unfit is not None:
                flags[index] = f"f{index}"
                constants.append(f"0 AS f{index}")
                values.append(f"({one.unfit})")
        wanted = [sql for one in conditions if (sql := sqlite_types.narrowed(one, name(one.column))) is not None]
        where = f" WHERE {' AND '.join(wanted)}" if wanted else ""
        rows = f"SELECT {', '.join(values)} FROM {name(table)}{where}"
        if limit is not None:
            rows = f"SELECT * FROM ({rows} LIMIT {limit})"
        expected = [one.sentinel for one in readers]
        long = [column.name for column, kind in zip(columns, expected, strict=True) if kind in ("''", "x''")]
        all_rows = not wanted and limit is None
        fetched = fetched_rows(self._rows, table, declared, len(values) - len(long), long, all_rows=all_rows, most=most)
        # The driver takes its types from the first rows, so a row of ours comes first and is cut off again.
        cursor = self._execute(f"SELECT {', '.join(constants)} UNION ALL {rows}", max(fetched, 2))
        reader = self._guarded(cursor.fetch_record_batch, careful=careful)
        if [str(kind) for kind in reader.schema.types[: len(expected)]] != [_ARROW[one] for one in expected]:
            cursor.close()
            raise NeedsCare
        kinds = {
            index: column.type
            for index, (column, one) in enumerate(zip(columns, expected, strict=True))
            if one == "''" and arrow_type(column.type) is not None
        }
        texts = [index for index, one in enumerate(expected) if one == "''"]
        fetches = self._fetches(cursor, reader, careful=careful)
        batches = self._batches(joined(fetches, most) if fetched < most else fetches, reader.schema, texts, kinds)
        schema, times = next(batches)
        restore = tuple(
            f"c{index}" if index in times else one.restore.format(f"c{index}") for index, one in enumerate(readers)
        )
        return Reading(schema, batches, restore, flags, fetched=fetched)

    def _fetches(self, cursor: Any, reader: Any, *, careful: bool) -> Generator[Any]:
        """What the driver fetches, without our own row."""
        with cursor:
            ours = 1
            while True:
                try:
                    batch = self._guarded(reader.read_next_batch, careful=careful)
                except StopIteration:
                    return
                yield batch.slice(ours)
                ours = 0

    def _batches(
        self, fetches: Generator[Any], schema: Any, texts: list[int], kinds: Mapping[int, str]
    ) -> Generator[Any]:
        """First the schema and the columns that come as times, then the batches. `kinds` are those that may."""
        with closing(fetches):
            batch = next(fetches, None)
            times = (
                []
                if batch is None
                else [i for i, kind in kinds.items() if plain_times(batch.column(i), kind) is not None]
            )
            for index in times:
                schema = schema.set(index, schema.field(index).with_type(arrow_type(kinds[index])))
            yield schema, times
            while batch is not None:
                columns = batch.columns
                for index in texts:
                    if index not in times:
                        self._check_text(columns[index])
                        continue
                    columns[index] = plain_times(columns[index], kinds[index])
                    if columns[index] is None:
                        raise NeedsCare
                if batch.num_rows:
                    yield libraries.pyarrow().RecordBatch.from_arrays(columns, schema=schema)
                del columns
                batch = next(fetches, None)

    def _check_text(self, column: Any) -> None:
        try:
            column.validate(full=True)  # SQLite does not promise UTF-8
        except libraries.pyarrow().ArrowInvalid as failure:
            raise NeedsCare from failure

    def _guarded(self, call: Any, *, careful: bool) -> Any:
        """Runs a step of the driver; its complaint about a type means that the quick reading will not do."""
        try:
            return call()
        except (OSError, UnicodeDecodeError) as failure:
            if not careful and (isinstance(failure, UnicodeDecodeError) or "Type mismatch" in str(failure)):
                raise NeedsCare from failure
            raise

    def _execute(self, query: str, rows: int) -> Any:
        cursor = self._connection.cursor()
        try:
            cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": rows})
            cursor.execute(query)
        except BaseException:
            cursor.close()
            raise
        return cursor

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with self._execute(query, 1024) as cursor:
            return cursor.fetchall()


_ARROW = {"0": "int64", "0.0": "double", "''": "string", "x''": "binary"}
