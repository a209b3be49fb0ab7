"""How `SavedState` is written: as a row of the state table, or as one text beside a file."""

# Names and values in statements are quoted by engine/sql.py.
# ruff: noqa: S608

import json

from bulk_sync_local.engine.ports import SavedState
from bulk_sync_local.engine.sql import text

COLUMNS = "sync_id, schema_id, output_name, state, updated_at"


def encode(state: SavedState) -> str:
    return json.dumps(
        {
            "output": state.output,
            "mode": state.mode,
            "key": state.key,
            "columns": dict(state.columns),
            "tracking_field": state.tracking_field,
            "watermark": state.watermark,
            "rows": state.rows,
            "digested": sorted(state.digested),
            "without": state.without,
        },
        sort_keys=True,
    )


def decode(encoded: str) -> SavedState:
    """Raises `ValueError` or `KeyError` on what `encode` never wrote."""
    read = json.loads(encoded)
    return SavedState(
        output=read["output"],
        mode=read["mode"],
        key=tuple(read["key"]),
        columns=read["columns"],
        tracking_field=read["tracking_field"],
        watermark=read["watermark"],
        rows=read["rows"],
        digested=frozenset(read.get("digested", ())),
        without=tuple(read.get("without", ())),
    )


def make_statement(table: str) -> str:
    """A statement that makes the state table where there is none; `table` is its quoted reference."""
    return (
        f"CREATE TABLE IF NOT EXISTS {table} (sync_id TEXT, schema_id TEXT, output_name TEXT, "
        "state TEXT, updated_at TIMESTAMP)"
    )


def save_statements(
    table: str, sync_id: str, schema_id: str, state: SavedState, now: str, *, any_case: bool
) -> list[str]:
    """Statements that keep `state` in the state table; `table` is its quoted reference, `now` an SQL literal.

    What anybody remembers of an output of that name goes: whoever filled it before does not own it any more. With
    `any_case` names that differ in case alone are one table.
    """
    return [
        f"DELETE FROM {table} WHERE {_of(state.output, any_case=any_case)}",
        f"INSERT INTO {table} ({COLUMNS}) VALUES ({text(sync_id)}, {text(schema_id)}, {text(state.output)}, "
        f"{text(encode(state))}, {now})",
    ]


def find_statement(table: str, sync_id: str, schema_id: str, output: str, *, any_case: bool) -> str:
    """A query for the encoded state of one output of a sync. A table that was renamed at the destination has left one
    output behind for each of its names."""
    return (
        f"SELECT state FROM {table} WHERE sync_id = {text(sync_id)} AND schema_id = {text(schema_id)} "
        f"AND {_of(output, any_case=any_case)}"
    )


def _of(output: str, *, any_case: bool) -> str:
    return f"lower(output_name) = lower({text(output)})" if any_case else f"output_name = {text(output)}"
