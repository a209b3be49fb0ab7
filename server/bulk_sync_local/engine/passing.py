"""The short way into a destination: rows are typed on their way and go over as they are read, without a stage.

It is for rows that cleaning would leave alone: no condition to hold them against, and no key, or one integer column
in whose order the source reads, so that none is missing and none comes twice. Rows that turn out otherwise raise
`NeedsStage`: the table is then read again by way of a stage.
"""

# Names and values in statements are quoted by engine/sql.py.
# ruff: noqa: S608

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from bulk_sync_local.connectors.batches import UNKNOWN_ROWS, joined
from bulk_sync_local.engine import libraries
from bulk_sync_local.engine.conditions import Condition
from bulk_sync_local.engine.ports import Load, Query, Reading, SavedState
from bulk_sync_local.engine.sql import name
from bulk_sync_local.engine.stage import Cleaned, Stage, Watch

BATCH_ROWS = 16_384  # nothing here needs large batches, and several are in memory at a time
_FEED = "__passing_feed"
_INTEGERS = ("SMALLINT", "INTEGER", "BIGINT")
_TRACKED = (*_INTEGERS, "DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")


class NeedsStage(Exception):
    """These rows have to be cleaned or mended before they are handed over."""


def possible(stage: Stage, conditions: tuple[Condition, ...], *, in_key_order: bool) -> bool:
    """Whether the rows of a table may go the short way, as far as can be told before they are read."""
    plan = stage.plan
    if conditions or plan.hidden:
        return False
    if plan.tracking is not None and plan.tracking.type not in _TRACKED:
        return False
    if not plan.key:
        return True
    keys = [one for one in plan.selected if one.output in plan.key]
    return in_key_order and len(keys) == 1 and keys[0].type in _INTEGERS


@dataclass(slots=True)
class Passing:
    """One reading on its way; `cleaned` says at its end what cleaning would have found."""

    stage: Stage
    reading: Reading | Query
    watch: Watch
    kept: dict[int, int] = field(default_factory=dict[int, int])
    latest: int | None = None
    untracked: int = 0
    opened: list[Any] = field(default_factory=list[Any])  # untyped: a generator, and objects of DuckDB and pyarrow

    def stream(self, columns: Mapping[str, str], doubtful: str) -> tuple[Any, Generator[Any]]:
        """The Arrow schema and the batches of the expressions `columns`, by output column, on the typed rows.

        They keep integers and times as they are. A row for which `doubtful` is true raises `NeedsStage`.
        """
        cursor = self.stage.connection.cursor()
        self.opened.append(cursor)
        rows = self._rows(cursor)
        arrow = libraries.pyarrow()
        wanted = ", ".join(f"{expression} AS {name(column)}" for column, expression in columns.items())
        fetched = self.reading.fetched if isinstance(self.reading, Reading) else UNKNOWN_ROWS
        query = f"SELECT {wanted}, ({doubtful}) AS __doubtful FROM ({self.stage.typed(self.reading, rows)})"
        reader = cursor.sql(query).to_arrow_reader(min(fetched, BATCH_ROWS))
        self.opened.append(reader)
        schema = arrow.schema(list(reader.schema)[:-1])

        def fetches() -> Generator[Any]:
            yield from reader

        def batches() -> Generator[Any]:
            for batch in joined(fetches(), BATCH_ROWS):
                passed = arrow.RecordBatch.from_arrays(batch.columns[:-1], schema=schema)
                if libraries.pyarrow_compute().any(batch.column(len(schema))).as_py():
                    raise NeedsStage
                if isinstance(self.reading, Query):
                    self.watch.rows += batch.num_rows
                    self.watch.on_batch(self.watch.rows)
                self._follow(passed)
                yield passed
            self._check_order()

        return schema, batches()

    def _rows(self, cursor: Any) -> str:
        """What stands for the rows of the reading in a query on `cursor`."""
        self.watch.order = self.stage.key_order(self.reading)
        if self.stage.plan.key and self.watch.order is None:
            raise NeedsStage
        if isinstance(self.reading, Query):
            return f"({self.reading.sql})"
        feed = self.watch.batches(self.reading)
        self.opened.append(feed)
        cursor.register(_FEED, libraries.pyarrow().RecordBatchReader.from_batches(self.reading.schema, feed))
        return _FEED

    def close(self) -> None:
        """Ends the reading, wherever it is."""
        while self.opened:
            self.opened.pop().close()
        if isinstance(self.reading, Reading):
            self.reading.batches.close()

    def _follow(self, batch: Any) -> None:
        selected = self.stage.plan.selected
        for index in range(len(selected)):
            self.kept[index] = self.kept.get(index, 0) + batch.num_rows - batch.column(index).null_count
        self._check_order()
        tracking = self.stage.plan.tracking
        if tracking is not None:
            column = batch.column(self._place(tracking.name))
            self.untracked += column.null_count
            latest = libraries.pyarrow_compute().max(self._as_integers(column)).as_py()
            if latest is not None:
                self.latest = latest if self.latest is None else max(self.latest, latest)

    def _check_order(self) -> None:
        """Of all the rows read so far, which may be more than were handed over."""
        if self.watch.order is not None and not self.watch.order.holds:
            raise NeedsStage

    def _place(self, source: str) -> int:
        return next(i for i, one in enumerate(self.stage.plan.selected) if one.source.name == source)

    def _as_integers(self, column: Any) -> Any:
        arrow = libraries.pyarrow()
        return column.cast(arrow.int32() if arrow.types.is_date32(column.type) else arrow.int64())

    def cleaned(self) -> Cleaned:
        """To be asked for when every batch has been drawn."""
        kept = [self.kept.get(index, 0) for index in range(len(self.stage.plan.selected))]
        return Cleaned(self.watch.rows, self.stage.unfit(self.watch, kept), 0, 0, self._watermark(), self.untracked)

    def _watermark(self) -> str | None:
        tracking = self.stage.plan.tracking
        if tracking is None or self.latest is None:
            return None
        number, kind = self.latest, tracking.type
        value = {
            "DATE": f"DATE '1970-01-01' + {number}",
            "TIMESTAMP": f"make_timestamp({number})",
            "TIMESTAMP WITH TIME ZONE": f"make_timestamptz({number})",
        }.get(kind, str(number))
        (text,) = self.stage.connection.execute(f"SELECT CAST(CAST({value} AS {kind}) AS VARCHAR)").fetchall()[0]
        return text


@runtime_checkable
class TakesRows(Protocol):
    """A destination that can do without a stage."""

    def apply_rows(self, load: Load, rows: Passing, state: Callable[[], SavedState]) -> None:
        """As `Destination.apply`, with the rows still to come; `state` is what to keep, once they have.

        Raises `NeedsStage`, or what the source raised.
        """
        ...
