"""What the runner needs of a source and of a destination, beyond what the service asks of a connector.

A source hands over Arrow batches, or what DuckDB is to read by itself; the runner types and cleans the rows in a
DuckDB stage, whatever the destination; the destination then applies the stage in one transaction. A new database is one more file in
`connectors/` with a class for each side.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bulk_sync_local.connectors.base import Confinement, Connector
from bulk_sync_local.connectors.batches import BATCH_ROWS, UNKNOWN_ROWS
from bulk_sync_local.engine.conditions import Condition
from bulk_sync_local.engine.job import RunJob
from bulk_sync_local.engine.strategy import Strategy


class TableFailed(Exception):
    """This table cannot be loaded; the text is one or two sentences for the user, with a remedy."""


class NeedsCare(Exception):
    """The quick reading met a value that does not fit its column: read again with `careful`."""


class Canceled(Exception):
    """The user asked for the table to be cancelled."""


@dataclass(frozen=True, slots=True)
class Column:
    """A source column; `type` is the DuckDB type its values are carried as.

    `ordered` is false when DuckDB's order of these values is not the source's: they cannot be compared by it.
    """

    name: str
    type: str
    ordered: bool = True


@dataclass(frozen=True, slots=True)
class Shape:
    """A source table as it is now; `key` is its primary key in key order, empty when it has none.

    `read_in_key_order` says that a reading of the whole table is expected to come in ascending order of the key.
    """

    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    read_in_key_order: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """One pass over a source table.

    `batches` are Arrow record batches of `schema`, whose columns are `c0`, `c1`, ... in the order asked for,
    then any flags. `expressions` turn them, in DuckDB, into the columns' types, giving NULL for a value that
    does not fit. `flags[i]` names a column that holds 1 where the source itself replaced such a value by NULL.
    The batches are drawn by a thread of their own; `interrupt`, called from another, cuts the present fetch short.
    `fetched` is how many rows the source takes for few enough to be in memory at once, whatever their length.
    """

    schema: Any  # pyarrow.Schema, untyped
    batches: Generator[Any]  # of pyarrow.RecordBatch, untyped
    expressions: tuple[str, ...]
    flags: Mapping[int, str]
    interrupt: Callable[[], None] | None = None
    fetched: int = UNKNOWN_ROWS


@dataclass(frozen=True, slots=True)
class Query:
    """One pass over files that DuckDB reads by itself, on any connection that was opened with `Source.files`.

    `sql` selects the columns asked for as `c0`, `c1`, ..., and `expressions` are these: they have their types, and no
    value fails to fit. `rows` is about how many there are, None when that is not known beforehand.
    """

    sql: str
    expressions: tuple[str, ...]
    rows: int | None


class Source(Protocol):
    """An open source, for one thread at a time; every read of a run sees the same state where the source can promise
    that."""

    @property
    def files(self) -> Sequence[Path]:
        """What its queries read; none when it hands over batches."""
        ...

    def shape(self, table: str) -> Shape:
        """Raises `ConnectorError` when the table is gone."""
        ...

    def read(
        self,
        table: str,
        columns: Sequence[Column],
        conditions: Sequence[Condition],
        *,
        limit: int | None,
        careful: bool,
        most: int = BATCH_ROWS,
    ) -> Reading | Query:
        """Rows that may match `conditions`: too many is fine, too few is not. `batches` may raise `NeedsCare`
        unless `careful`. A batch has `most` rows at the most, and no more bytes than `batches.most_bytes` allows, as
        far as the source can tell beforehand how long its rows are."""
        ...

    def beside(self) -> "Source | None":
        """The same source in the same state for another thread, to be closed before this one; None when the state may
        be another by now. Raises `ConnectorError`."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class SavedState:
    """What a sync remembers about an output, kept beside it and committed with it.

    `columns` maps source columns to output columns, `digested` are the output columns that hold obfuscated values,
    `without` the selected fields that the source had lost when the output was last emptied or made anew, `watermark`
    is text that DuckDB casts to the tracking field's type.
    """

    output: str
    mode: str
    key: tuple[str, ...]
    columns: Mapping[str, str]
    tracking_field: str | None
    watermark: str | None
    rows: int
    digested: frozenset[str] = frozenset()
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """A column of an output; `type` is the destination's own name for the type."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Load:
    """A filled and cleaned stage, and what to do with it.

    In `notes` the destination tells, with their number, of values that it had to change; each is a warning.
    """

    schema_id: str
    output: str
    stage: str
    strategy: Strategy
    data: tuple[OutputColumn, ...]
    stamps: tuple[OutputColumn, ...]
    add: tuple[OutputColumn, ...]
    key: tuple[str, ...]
    now: str
    stage_is_output: bool
    judged: str | None
    state: SavedState
    check_cancel: Callable[[], None]
    notes: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    @property
    def columns(self) -> tuple[OutputColumn, ...]:
        return self.data + self.stamps


class Destination(Protocol):
    """An open destination, for one thread at a time; `stage` is what its stages are called, `batch_rows` the most rows
    of the batches they are filled from."""

    scratch: Any  # duckdb.DuckDBPyConnection, where stages are made; untyped through `libraries`
    stage: str
    any_case: bool  # whether names of columns that differ in case alone are one
    batch_rows: int

    def existing(self, output: str) -> Mapping[str, str] | None:
        """Column names and types of the output, or None when there is none. Raises `TableFailed` when the name
        is taken by something that is not a table."""
        ...

    def state(self, schema_id: str, output: str) -> SavedState | None: ...

    def type_name(self, carried: str) -> str:
        """The destination's name for a carried type, spelled as `existing` spells it."""
        ...

    def stage_type(self, carried: str) -> str:
        """The DuckDB type the stage gives a carried type, so that applying it converts nothing."""
        ...

    def stage_reference(self, stage: str) -> str:
        """The quoted reference of a stage of that name on `scratch`."""
        ...

    def begin(self) -> None: ...

    def apply(self, load: Load) -> None:
        """Applies the stage and the state in one transaction and commits it."""
        ...

    def rollback(self) -> None:
        """Undoes everything since `begin`; harmless when nothing has begun."""
        ...

    def beside(self, lane: int) -> "Destination | None":
        """The same destination for another thread, to be closed before this one; None when it takes one load at a
        time. `lane` numbers them from 1. Raises `ConnectorError`."""
        ...

    def close(self) -> None: ...


class SourceConnector(Connector, Protocol):
    def open_source(self, configuration: Mapping[str, Any], confinement: Confinement) -> Source: ...


class DestinationConnector(Connector, Protocol):
    def open_destination(
        self, job: RunJob, confinement: Confinement, *, read_only: bool, files: Sequence[Path] = ()
    ) -> Destination | None:
        """With `read_only` nothing is created or changed, and None says that there is nothing yet.

        `files` are those of the source: `scratch` may read them.
        """
        ...
