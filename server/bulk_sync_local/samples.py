"""A few rows of a source, for a look at shape and values."""

# Names in statements are quoted by engine/sql.py.
# ruff: noqa: S608

import base64
import math
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import islice
from typing import Any, cast  # Any: rows are whatever the source holds

from bulk_sync_local import catalog
from bulk_sync_local.config import LocalConfig
from bulk_sync_local.connectors.base import ConnectorError
from bulk_sync_local.connectors.confined import scratch_connection
from bulk_sync_local.connectors.registry import connector
from bulk_sync_local.engine import libraries
from bulk_sync_local.engine.job import Endpoint
from bulk_sync_local.engine.ports import NeedsCare, Query, Reading, Shape, SourceConnector
from bulk_sync_local.engine.sql import name

MOST = 10
_FEED = "__sample_feed"


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows in the form JSON can hold, keyed by column."""

    rows: tuple[dict[str, Any], ...]


def read(config: LocalConfig, endpoint: Endpoint, table: str) -> Rows:
    """At most `MOST` rows of a table, in no promised order. Raises `ConnectorError`."""
    resolved = catalog.resolve(config, endpoint.type_id, endpoint.configuration)
    # The registry knows connectors by what the service asks of them; reading rows asks for more of the same objects.
    reads = cast("SourceConnector", connector(endpoint.type_id))
    try:
        return _read(reads, resolved, config, table)
    except (libraries.duckdb().Error, OSError) as failure:
        first = (str(failure).strip().splitlines() or [""])[0][:300]
        raise ConnectorError(f"The table {table} could not be read ({type(failure).__name__}: {first}).") from failure


def _read(reads: SourceConnector, resolved: Endpoint, config: LocalConfig, table: str) -> Rows:
    for careful in (False, True):
        with closing(reads.open_source(resolved.configuration, config.confinement)) as source:
            shape = source.shape(table)
            try:
                reading = source.read(table, shape.columns, (), limit=MOST, careful=careful)
                with scratch_connection(source.files) as scratch:
                    return Rows(tuple(_rows(shape, reading, scratch)))
            except NeedsCare:
                if careful:
                    raise
    raise AssertionError("a careful reading does not ask for care")


def _rows(shape: Shape, reading: Reading | Query, scratch: Any) -> Generator[dict[str, Any]]:
    if isinstance(reading, Query):
        rows = f"({reading.sql})"
    else:
        rows = _FEED
        with closing(reading.batches):
            # Read before DuckDB asks for them, which would hide what a batch raises behind an error of its own.
            batches = list(islice(reading.batches, MOST))
        scratch.register(_FEED, libraries.pyarrow().RecordBatchReader.from_batches(reading.schema, batches))
    columns = zip(reading.expressions, shape.columns, strict=True)
    values = ", ".join(f"{expression} AS {name(column.name)}" for expression, column in columns)
    for row in scratch.execute(f"SELECT {values} FROM {rows} LIMIT {MOST}").fetchall():
        yield {column.name: _plain(value) for column, value in zip(shape.columns, row, strict=True)}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in cast("dict[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast("list[object]", value)]
    return str(value)
