"""The stage: where the rows of one table are typed and cleaned before the output is touched.

It is a DuckDB table. Its first columns are those of the output, then come hidden ones.
"""

# Names and values in statements are quoted by engine/sql.py.
# ruff: noqa: S608

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bulk_sync_local.engine import libraries
from bulk_sync_local.engine.ahead import ahead
from bulk_sync_local.engine.conditions import Condition
from bulk_sync_local.engine.filling import insert
from bulk_sync_local.engine.plan import TablePlan
from bulk_sync_local.engine.ports import Column, OutputColumn, Query, Reading
from bulk_sync_local.engine.sql import first_row, name

HIDDEN = "__hidden_"
_FEED = "__stage_feed"
_WIDE = 128  # columns


@dataclass(slots=True)
class _Present:
    """What DuckDB scans when it is asked for the registered rows: those of the present batch."""

    batch: Any

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        table = libraries.pyarrow().Table.from_batches([self.batch])
        return table.__arrow_c_stream__(requested_schema)


@dataclass(slots=True)
class Ascending:
    """Whether the integers of column `index` come each greater than the one before: then none comes twice."""

    index: int
    holds: bool = True
    last: int | None = None

    def follow(self, batch: Any) -> None:
        column = batch.column(self.index)
        if not self.holds or not len(column):
            return
        compute = libraries.pyarrow_compute()
        risen = compute.all(compute.less(column[:-1], column[1:]), skip_nulls=False, min_count=0).as_py()
        first = column[0].as_py()
        self.holds = column.null_count == 0 and risen is True and (self.last is None or self.last < first)
        self.last = column[-1].as_py()


@dataclass(slots=True)
class Watch:
    """Follows one reading: counts, reports, and stops when asked to.

    `values` stays empty where all are known to fit. An exception raised here reaches the caller of DuckDB as DuckDB's
    own, so the real one is kept.
    """

    on_batch: Callable[[int], None]
    order: "Ascending | None" = None
    rows: int = 0
    values: dict[int, int] = field(default_factory=dict[int, int])
    replaced: dict[int, int] = field(default_factory=dict[int, int])
    failure: BaseException | None = None

    def batches(self, reading: Reading) -> Generator[Any]:
        compute = libraries.pyarrow_compute()
        coming = ahead(reading.batches, reading.interrupt)
        try:
            for batch in coming:
                self.rows += batch.num_rows
                for index in range(len(reading.expressions)):
                    present = batch.num_rows - batch.column(index).null_count
                    self.values[index] = self.values.get(index, 0) + present
                for index, flag in reading.flags.items():
                    hits = compute.sum(batch.column(flag)).as_py() or 0
                    self.replaced[index] = self.replaced.get(index, 0) + hits
                if self.order is not None:
                    self.order.follow(batch)
                self.on_batch(self.rows)
                yield batch
        except BaseException as failure:
            self.failure = failure
            raise
        finally:
            coming.close()


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What cleaning found. `unfit` counts, per source column, values that did not fit and became NULL."""

    rows: int
    unfit: Mapping[str, int]
    null_keys: int
    duplicates: int
    watermark: str | None
    untracked: int


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage on a DuckDB connection; `table` is its quoted reference."""

    connection: Any
    table: str
    plan: TablePlan
    stage_types: tuple[str, ...]
    stamps: tuple[OutputColumn, ...]
    stamp_values: tuple[str, ...]

    def columns_read(self) -> tuple[Column, ...]:
        """What a source is asked for, in the order `fill` expects."""
        return tuple(column.source for column in self.plan.selected) + self.plan.hidden

    def create(self) -> None:
        kinds = [
            *(f"{name(c.output)} {kind}" for c, kind in zip(self.plan.selected, self.stage_types, strict=True)),
            *(f"{name(stamp.name)} {stamp.type}" for stamp in self.stamps),
            *(f"{self._hidden(i)} {column.type}" for i, column in enumerate(self.plan.hidden)),
        ]
        self.connection.execute(f"CREATE OR REPLACE TABLE {self.table} ({', '.join(kinds)})")

    def fill(self, reading: Reading | Query, watch: Watch) -> None:
        """Creates the stage and reads everything into it."""
        self.create()
        if isinstance(reading, Query):
            statement = f"INSERT INTO {self.table} {self.typed(reading, f'({reading.sql})')}"
            expected = reading.rows or 0
            watch.rows = insert(self.connection, statement, lambda share: watch.on_batch(int(share * expected)))
            watch.on_batch(watch.rows)
            return
        watch.order = self.key_order(reading)
        feed = watch.batches(reading)
        try:
            self._insert(reading, feed)
        except Exception:
            # The feed stays registered: a transaction that failed takes no statement but its rollback.
            if watch.failure is not None:
                raise watch.failure from None
            raise
        finally:
            feed.close()

    def _insert(self, reading: Reading, feed: Generator[Any]) -> None:
        statement = f"INSERT INTO {self.table} {self.typed(reading, _FEED)}"
        if len(self.stage_types) < _WIDE:
            self.connection.register(_FEED, libraries.pyarrow().RecordBatchReader.from_batches(reading.schema, feed))
            self.connection.execute(statement)
        else:
            # All in one statement, each thread would keep a block, 256 KB, of every column in memory, and DuckDB, when
            # it puts their rows together, one more. What is registered stays in memory until the transaction ends.
            present = _Present(libraries.pyarrow().RecordBatch.from_pylist([], reading.schema))
            self.connection.register(_FEED, present)
            for present.batch in feed:
                self.connection.execute(statement)
        self.connection.unregister(_FEED)

    def typed(self, reading: Reading | Query, rows: str) -> str:
        """A query for the rows of a reading, which `rows` stands for, with the stage's columns."""
        count = len(self.plan.selected)
        data: list[str] = []
        for column, kind, value in zip(self.plan.selected, self.stage_types, reading.expressions[:count], strict=True):
            if column.obfuscated and column.source.type == "BLOB":
                data.append(f"sha256({value})")
            elif column.obfuscated:
                data.append(f"sha256(CAST({value} AS VARCHAR))")
            else:
                data.append(f"CAST({value} AS {kind})")
        values = [*data, *self.stamp_values, *reading.expressions[count:]]
        outputs = [column.output for column in self.plan.selected] + [stamp.name for stamp in self.stamps]
        quoted = [name(one) for one in outputs] + [self._hidden(index) for index in range(len(self.plan.hidden))]
        listed = ", ".join(f"{value} AS {one}" for value, one in zip(values, quoted, strict=True))
        return f"SELECT {listed} FROM {rows}"

    def key_order(self, reading: Reading | Query) -> Ascending | None:
        """To be followed when the key is one integer column that reaches the stage as it comes."""
        if len(self.plan.key) != 1 or isinstance(reading, Query):
            return None
        index = next(i for i, column in enumerate(self.plan.selected) if column.output == self.plan.key[0])
        plain = reading.expressions[index] == reading.schema.names[index] and not self.plan.selected[index].obfuscated
        integer = libraries.pyarrow().types.is_integer(reading.schema.types[index])
        return Ascending(index) if plain and integer else None

    def _hidden(self, index: int) -> str:
        """The quoted name of a hidden column, which no column of the output has."""
        prefix = HIDDEN
        while any(column.output.casefold().startswith(prefix) for column in self.plan.selected):
            prefix += "_"
        return name(f"{prefix}{index}")

    def reference(self, source: str) -> str:
        """The stage column that holds a source column's plain values, quoted."""
        for index, column in enumerate(self.plan.hidden):
            if column.name == source:
                return self._hidden(index)
        selected = self.plan.selected_for(source)
        if selected is None or selected.obfuscated:
            raise LookupError(source)
        return name(selected.output)

    def clean(self, watch: Watch, conditions: tuple[Condition, ...]) -> Cleaned:
        """Drops rows that do not match, rows without a key, and all but the last of rows with one key."""
        unfit = self._unfit(watch)
        if conditions:
            wanted = " AND ".join(one.sql(self.reference(one.column)) for one in conditions)
            self._run(f"DELETE FROM {self.table} WHERE NOT ({wanted})")
        null_keys = duplicates = 0
        if self.plan.key:
            null_keys = self._drop_null_keys()
            duplicates = 0 if watch.order is not None and watch.order.holds else self._drop_duplicates()
        tracking = self.plan.tracking
        watermark: str | None = None
        untracked = 0
        if tracking is not None:
            column = self.reference(tracking.name)
            watermark, untracked = self._one(
                f"SELECT CAST(max({column}) AS VARCHAR), count(*) - count({column}) FROM {self.table}"
            )
        (rows,) = self._one(f"SELECT count(*) FROM {self.table}")
        return Cleaned(rows, unfit, null_keys, duplicates, watermark, untracked)

    def _unfit(self, watch: Watch) -> dict[str, int]:
        if not watch.values:
            return {}
        staged = [
            *(name(column.output) for column in self.plan.selected),
            *(self._hidden(i) for i in range(len(self.plan.hidden))),
        ]
        counts = self._one(f"SELECT {', '.join(f'count({column})' for column in staged)} FROM {self.table}")
        return self.unfit(watch, counts)

    def unfit(self, watch: Watch, kept: Sequence[int]) -> dict[str, int]:
        """How many values became NULL, by source column; `kept` counts what is left in each column read."""
        found: dict[str, int] = {}
        columns = self.columns_read()
        for index, present in watch.values.items():
            lost = present - kept[index] + watch.replaced.get(index, 0)
            if lost:
                found[columns[index].name] = lost
        return found

    def _drop_null_keys(self) -> int:
        missing = " OR ".join(f"{name(key)} IS NULL" for key in self.plan.key)
        (count,) = self._one(f"SELECT count(*) FROM {self.table} WHERE {missing}")
        if count:
            self._run(f"DELETE FROM {self.table} WHERE {missing}")
        return count

    def _drop_duplicates(self) -> int:
        keys = ", ".join(name(key) for key in self.plan.key)
        (count,) = self._one(
            f"SELECT (SELECT count(*) FROM {self.table}) - "
            f"(SELECT count(*) FROM (SELECT DISTINCT {keys} FROM {self.table}))"
        )
        if count:
            with self._own_row_ids() as now_called:
                tracking = self.plan.tracking
                latest = f"{now_called(self.reference(tracking.name))} DESC NULLS LAST, " if tracking else ""
                keys = ", ".join(now_called(name(key)) for key in self.plan.key)
                self._run(
                    f"DELETE FROM {self.table} WHERE rowid IN (SELECT rowid FROM (SELECT rowid, row_number() OVER "
                    f"(PARTITION BY {keys} ORDER BY {latest}rowid DESC) AS place FROM {self.table}) WHERE place > 1)"
                )
        return count

    @contextmanager
    def _own_row_ids(self) -> Generator[Callable[[str], str]]:
        """Inside, `rowid` is the rows' own id even where a column has that name; gives the columns' present names."""
        hiding = next((one.output for one in self.plan.selected if one.output.casefold() == "rowid"), None)
        if hiding is None:
            yield lambda quoted: quoted
            return
        spare = self._hidden(len(self.plan.hidden))
        self._run(f"ALTER TABLE {self.table} RENAME COLUMN {name(hiding)} TO {spare}")
        yield lambda quoted: spare if quoted == name(hiding) else quoted
        self._run(f"ALTER TABLE {self.table} RENAME COLUMN {spare} TO {name(hiding)}")

    def _run(self, statement: str) -> None:
        self.connection.execute(statement)

    def _one(self, query: str) -> Any:
        return first_row(self.connection, query)
