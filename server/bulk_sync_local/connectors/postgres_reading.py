"""A PostgreSQL database as source: one snapshot for everything a run reads.

The snapshot belongs to a transaction that stays open and reads the catalog only. Every table is read on a
connection of its own that takes the snapshot over, so that a reading given up half-way, or one that fails, is in
nobody's way.
"""

# Names and values in statements are quoted by engine/sql.py.
# ruff: noqa: S608

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from bulk_sync_local.connectors import postgres_types
from bulk_sync_local.connectors.base import ConnectorError, SourceField
from bulk_sync_local.connectors.batches import BATCH_ROWS, most_bytes
from bulk_sync_local.connectors.postgres_session import READ_ONLY, Place, broken, connect, rows, said, worded
from bulk_sync_local.connectors.postgres_types import Kind
from bulk_sync_local.engine import libraries
from bulk_sync_local.engine.conditions import Condition
from bulk_sync_local.engine.names import is_reserved
from bulk_sync_local.engine.ports import Column, NeedsCare, Reading, Shape, Source
from bulk_sync_local.engine.sql import name, text

_FETCHED_BYTES = (
    6_000_000  # the driver takes half as much CPU again for batches of 24 MB, which it has to make room for
)
# Partitions are read through their table. What the role may not read is not offered.
_TABLES = """
SELECT n.nspname, c.relname, CAST(c.oid AS bigint) FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND has_schema_privilege(n.oid, 'USAGE')
AND (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'))
"""
_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod),
  CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) ELSE format_type(a.atttypid, a.atttypmod) END
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped
AND has_column_privilege(a.attrelid, a.attnum, 'SELECT') ORDER BY a.attnum
"""
_KEY = """
SELECT a.attname FROM pg_catalog.pg_index i
CROSS JOIN LATERAL unnest(CAST(i.indkey AS int2[])) WITH ORDINALITY AS k (attnum, place)
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = {oid} AND i.indisprimary AND k.place <= i.indnkeyatts ORDER BY k.place
"""
_FACTS = """
SELECT pg_export_snapshot(), scale(CAST(CAST('1' AS money) AS numeric))
"""


def table_id(schema: str, table: str) -> str:
    """What the API calls a table; a part that holds a dot or a quote is quoted."""
    return ".".join(name(part) if set(part) & {".", '"'} else part for part in (schema, table))


class PostgresTables:
    """An open source. Those made by `beside` see the same state, and know of each other's snapshots. Raises
    `ConnectorError` whenever the server refuses or goes away."""

    files = ()

    def __init__(self, place: Place, snapshots: list[str] | None = None) -> None:
        self._place = place
        self._snapshots = [] if snapshots is None else snapshots
        self._begin(self._snapshots[0] if self._snapshots else None)
        try:
            with worded(place, "Looking at the source"):
                found = rows(self._main, _TABLES)
        except BaseException:
            self._main.close()
            raise
        self._places = {table_id(one[0], one[1]): one for one in found if not is_reserved(one[1])}
        self._kinds: dict[str, dict[str, Kind]] = {}
        self._declared: dict[str, dict[str, str]] = {}

    def _begin(self, snapshot: str | None) -> None:
        main = connect(self._place, READ_ONLY)
        try:
            with worded(self._place, "Looking at the source"):
                if snapshot is not None:
                    rows(main, f"SET TRANSACTION SNAPSHOT {text(snapshot)}")
                self._snapshot, self._money_scale = rows(main, _FACTS)[0]
        except BaseException:
            main.close()
            raise
        self._main = main
        self._snapshots.append(self._snapshot)

    def _go_on(self) -> None:
        """Sees to it that the connection is there: one that was lost can be had again while another holds the state."""
        try:
            rows(self._main, "SELECT 1")
        except broken() as failure:
            lost = self._main
            for snapshot in tuple(self._snapshots):
                try:
                    self._begin(snapshot)
                except ConnectorError:
                    continue  # that of a connection that is lost as well
                lost.close()
                return
            raise ConnectorError(f"Looking at the source failed: {said(failure, self._place)}") from None

    def beside(self) -> Source:
        return PostgresTables(self._place, self._snapshots)

    def close(self) -> None:
        with worded(self._place, "Closing the connection"):
            self._main.close()

    def names(self) -> list[str]:
        return sorted(self._places)

    def fields(self, table: str) -> tuple[SourceField, ...]:
        shape = self.shape(table)
        declared, kinds = self._declared[table], self._kinds[table]
        return tuple(
            SourceField(c.name, c.name, postgres_types.shown_as(kinds[c.name]), declared[c.name], c.name in shape.key)
            for c in shape.columns
        )

    def shape(self, table: str) -> Shape:
        if table not in self._places:
            raise ConnectorError(f"The source has no table {table} any more. Refresh the schemas of the connection.")
        oid = self._places[table][2]
        self._go_on()
        with worded(self._place, f"Looking at the table {table}"):
            columns = rows(self._main, _COLUMNS.format(oid=oid))
            key = tuple(row[0] for row in rows(self._main, _KEY.format(oid=oid)))
        self._declared[table] = {row[0]: row[1] for row in columns}
        self._kinds[table] = {row[0]: postgres_types.kind(row[2], self._money_scale) for row in columns}
        if not columns:
            raise ConnectorError(f"The table {table} has no column that can be read.")
        found = tuple(Column(one, kind.carried, kind.ordered) for one, kind in self._kinds[table].items())
        return Shape(found, key if set(key) <= self._kinds[table].keys() else ())

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
        kinds = [self._kinds[table][column.name] for column in columns]
        values: list[str] = []
        tests: list[str] = []
        flags: dict[int, str] = {}
        for index, (column, kind) in enumerate(zip(columns, kinds, strict=True)):
            quoted = name(column.name)
            value = kind.select.format(quoted)
            if kind.fits is not None and (careful or kind.guarded):
                fits = kind.fits.format(quoted, quoted)
                value = f"CASE WHEN {fits} THEN {value} END"
                flags[index] = f"f{index}"
                tests.append(f"CAST({quoted} IS NOT NULL AND NOT ({fits}) AS int) AS f{index}")
            values.append(f"{value} AS c{index}")
        folder, plain, _ = self._places[table]
        compared = {one: self._kinds[table][one.column].compared.format(name(one.column)) for one in conditions}
        wanted = [sql for one in conditions if (sql := postgres_types.narrowed(one, compared[one])) is not None]
        where = f" WHERE {' AND '.join(wanted)}" if wanted else ""
        rest = f" LIMIT {limit}" if limit is not None else ""
        query = f"SELECT {', '.join(values + tests)} FROM {name(folder)}.{name(plain)}{where}{rest}"
        size = min(_FETCHED_BYTES, most_bytes(most))
        batches = self._batches(table, query, () if careful else kinds, size, careful=careful)
        restore = tuple(kind.restore.format(f"c{index}") for index, kind in enumerate(kinds))
        schema, interrupt = next(batches)
        return Reading(schema, batches, restore, flags, interrupt)

    def _batches(self, table: str, query: str, watched: Sequence[Kind], size: int, *, careful: bool) -> Generator[Any]:
        """First the schema and what interrupts a fetch, then the batches."""
        with self._step(table, careful=True):
            connection = self._main.adbc_clone()  # many times as fast as a connection that is made anew
        try:
            with connection.cursor() as cursor:
                with self._step(table, careful=careful):
                    cursor.execute(f"SET TRANSACTION SNAPSHOT {text(self._snapshot)}")
                    cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": size})
                    cursor.execute(query)
                    reader = cursor.fetch_record_batch()
                yield reader.schema, cursor.adbc_cancel
                while True:
                    with self._step(table, careful=careful):
                        batch = next(reader, None)
                    if batch is None:
                        return
                    self._check(batch, watched)
                    if batch.num_rows:
                        yield batch
        finally:
            connection.close()

    @contextmanager
    def _step(self, table: str, *, careful: bool) -> Generator[None]:
        """A step of a reading; the driver's complaint about a value means that the quick reading will not do."""
        try:
            yield
        except broken() as failure:
            if not careful and "would overflow" in str(failure):
                raise NeedsCare from None
            raise ConnectorError(f"Reading the table {table} failed: {said(failure, self._place)}") from None

    def _check(self, batch: Any, watched: Sequence[Kind]) -> None:
        arrow = libraries.pyarrow()
        compute = libraries.pyarrow_compute()
        for index, kind in enumerate(watched):
            if kind.watched is None or not batch.num_rows:
                continue
            integers = arrow.int64() if kind.watched == "microseconds" else arrow.int32()
            range_ = compute.min_max(batch.column(index).cast(integers))
            first, last = range_["min"].as_py(), range_["max"].as_py()
            if first is None:
                continue
            earliest = postgres_types.FIRST_MICROSECOND if kind.watched == "microseconds" else postgres_types.FIRST_DAY
            if first < earliest or last > postgres_types.LAST_MICROSECOND:
                raise NeedsCare
