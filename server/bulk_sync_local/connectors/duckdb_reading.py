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
    selected = ", ".join(
        f"{one.wire.format(name(column.name))} AS c{index}"
        for index, (column, one) in enumerate(zip(columns, travel, strict=True))
    )
    wanted = [one.sql(_typed(types[one.column], one.column)) for one in conditions]
    where = f" WHERE {' AND '.join(wanted)}" if wanted else ""
    rows = f" LIMIT {limit}" if limit is not None else ""
    schema, batches = stream(connection, f"SELECT {selected} FROM {relation}{where}{rows}", most)
    restore = tuple(one.restore.format(f"c{index}") for index, one in enumerate(travel))
    return Reading(schema, batches, restore, {})


def _typed(own_type: str, column: str) -> str:
    travel = carried(own_type)
    return travel.restore.format(travel.wire.format(name(column)))
