"""The statements that apply a stage to its output, in the SQL that SQLite, DuckDB and PostgreSQL share.

The destination runs them in one transaction. The stage has one row per key and no NULL keys by then.
"""

# Names and values in statements are quoted by engine/sql.py.
# ruff: noqa: S608

from bulk_sync_local.engine import names
from bulk_sync_local.engine.ports import Load, OutputColumn
from bulk_sync_local.engine.sql import name
from bulk_sync_local.engine.sql import names as quoted


def statements(load: Load, *, output: str, stage: str) -> list[str]:
    """What to run, in order; `output` and `stage` are complete quoted references."""
    write = load.strategy.write
    if write in ("create", "recreate"):
        drop = [f"DROP TABLE {output}"] if write == "recreate" else []
        if load.stage_is_output:
            return [*drop, f"ALTER TABLE {stage} RENAME TO {name(load.output)}"]
        return [*drop, f"CREATE TABLE {output} ({_definitions(load.columns)})", _insert_all(load, output, stage)]
    added = [f"ALTER TABLE {output} ADD COLUMN {_definitions((column,))}" for column in load.add]
    if write == "replace_rows":
        return [*added, f"DELETE FROM {output}", _insert_all(load, output, stage)]
    if write == "append":
        return [*added, _insert_all(load, output, stage)]
    return [*added, *_absent(load, output, stage), *_update(load, output, stage), _insert_new(load, output, stage)]


def _definitions(columns: tuple[OutputColumn, ...]) -> str:
    return ", ".join(f"{name(column.name)} {column.type}" for column in columns)


def _insert_all(load: Load, output: str, stage: str) -> str:
    columns = quoted(column.name for column in load.columns)
    return f"INSERT INTO {output} ({columns}) SELECT {columns} FROM {stage}"


def _matching(load: Load, output: str, stage_alias: str) -> str:
    return " AND ".join(f"{output}.{name(key)} = {stage_alias}.{name(key)}" for key in load.key)


def _stamp(load: Load, which: str) -> bool:
    return any(column.name == which for column in load.stamps)


def _update(load: Load, output: str, stage: str) -> list[str]:
    """Only rows that differ are written, so that `_polytomic_updated_at` tells when a row last changed."""
    values = [column.name for column in load.data if column.name not in load.key]
    changed = [f"{output}.{name(one)} IS DISTINCT FROM s.{name(one)}" for one in values]
    assigned = [f"{name(one)} = s.{name(one)}" for one in values]
    if _stamp(load, names.DELETED_AT):
        changed.append(f"{output}.{name(names.DELETED_AT)} IS NOT NULL")
        assigned.append(f"{name(names.DELETED_AT)} = NULL")
    if not assigned:
        return []
    if _stamp(load, names.UPDATED_AT):
        assigned.append(f"{name(names.UPDATED_AT)} = s.{name(names.UPDATED_AT)}")
    return [
        f"UPDATE {output} SET {', '.join(assigned)} FROM {stage} AS s "
        f"WHERE {_matching(load, output, 's')} AND ({' OR '.join(changed)})"
    ]


def _insert_new(load: Load, output: str, stage: str) -> str:
    columns = quoted(column.name for column in load.columns)
    return (
        f"INSERT INTO {output} ({columns}) SELECT {columns} FROM {stage} AS s "
        f"WHERE NOT EXISTS (SELECT 1 FROM {output} WHERE {_matching(load, output, 's')})"
    )


def _absent(load: Load, output: str, stage: str) -> list[str]:
    if load.strategy.absent == "keep":
        return []
    gone = f"NOT EXISTS (SELECT 1 FROM {stage} AS s WHERE {_matching(load, output, 's')})"
    if load.judged is not None:
        gone = f"{load.judged} AND {gone}"
    if load.strategy.absent == "remove":
        return [f"DELETE FROM {output} WHERE {gone}"]
    stamps = [f"{name(names.DELETED_AT)} = {load.now}"]
    if _stamp(load, names.UPDATED_AT):
        stamps.append(f"{name(names.UPDATED_AT)} = {load.now}")
    return [f"UPDATE {output} SET {', '.join(stamps)} WHERE {name(names.DELETED_AT)} IS NULL AND {gone}"]
