"""Reads anything DuckDB can select from: tables, views, files."""

# Names and values in statements are quoted by engine/sql.py.
# ruff: noqa: S608

from collections.abc import Mapping, Sequence
from typing import Any

from bulk_sync_local.connectors.confined import stream
from bulk_sync_local.engine.conditions import Condition
from bulk_sync_local.engine.ports import Column, Reading
from bulk_sync_local.engine.sql import name
from bulk_sync_local.engine.types import carried


def reading(
    connection: Any,
    relation: str,
    types: Mapping[str, str],
    columns: Sequence[Column],
    conditions: Sequence[Condition],
    *,
    limit: int | None,
    most: int,
) -> Reading:
    """`columns` of `relation`, whose own types are `types`, with the conditions applied."""
    travel = [carried(types[column.name]) for column in columns]
    sent = [one.wire.format(name(column.name)) for column, one in zip(columns, travel, strict=True)]
    query = selection(relation, sent, types, conditions, limit=limit)
    schema, batches = stream(connection, query, most)
    restore = tuple(one.restore.format(label) for one, label in zip(travel, labels(columns), strict=True))
    return Reading(schema, batches, restore, {})


def selection(
    relation: str,
    values: Sequence[str],
    types: Mapping[str, str],
    conditions: Sequence[Condition],
    *,
    limit: int | None,
) -> str:
    """A query for the expressions `values`, called as `labels` has it, of the rows that satisfy the conditions."""
    selected = ", ".join(f"{value} AS {label}" for value, label in zip(values, labels(values), strict=True))
    wanted = [one.sql(as_carried(types[one.column], one.column)) for one in conditions]
    where = f" WHERE {' AND '.join(wanted)}" if wanted else ""
    rows = f" LIMIT {limit}" if limit is not None else ""
    return f"SELECT {selected} FROM {relation}{where}{rows}"


def labels(columns: Sequence[object]) -> tuple[str, ...]:
    """What the columns of a reading are called: `c0`, `c1`, ..."""
    return tuple(f"c{index}" for index in range(len(columns)))


def as_carried(own_type: str, column: str) -> str:
    """The value of a column in the type it is carried as."""
    travel = carried(own_type)
    return name(column) if travel.type == own_type else travel.restore.format(travel.wire.format(name(column)))
