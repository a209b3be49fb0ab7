"""The statements that apply a stage to its output, in the SQL that SQLite, DuckDB and PostgreSQL share.

The destination runs them in one transaction. The stage has one row per key and no NULL keys by then.
"""

# Names and values in statements are quoted by engine/sql.py.
# ruff: noqa: S608

from collections.abc import Iterable
from dataclasses import dataclass

from bulk_sync_local.engine import names
from bulk_sync_local.engine.ports import Load, OutputColumn
from bulk_sync_local.engine.sql import name
from bulk_sync_local.engine.sql import names as quoted


@dataclass(frozen=True, slots=True)
class Replacing:
    """For databases that delete and insert a row faster than they update it, and have a `rowid`.

    `columns` are those of the output before the run, `changed` the quoted reference of a temporary table.
    """

    columns: Iterable[str]
    changed: str


@dataclass(frozen=True, slots=True)
class _Aliases:
    """What the output, the stage and the changed rows are called in a statement.

    To DuckDB `s.id` is the field `id` of a structure, where a column is called `s`.
    """

    o: str
    s: str
    c: str


def _aliases(load: Load, columns: Iterable[str] = ()) -> _Aliases:
    """Names that no column of the output or the stage has."""
    taken = {one.casefold() for one in [*columns, *(column.name for column in load.columns)]}
    mark = ""
    while any(one + mark in taken for one in "osc"):
        mark += "_"
    return _Aliases("o" + mark, "s" + mark, "c" + mark)


def statements(load: Load, *, output: str, stage: str, replacing: Replacing | None = None) -> list[str]:
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
    absent, new = _absent(load, output, stage), _insert_new(load, output, stage)
    if replacing is not None:
        return [*added, *absent, *_replace(load, output, stage, replacing, new)]
    return [*added, *absent, *_update(load, output, stage), new]


def _definitions(columns: tuple[OutputColumn, ...]) -> str:
    return ", ".join(f"{name(column.name)} {column.type}" for column in columns)


def _insert_all(load: Load, output: str, stage: str) -> str:
    columns = quoted(column.name for column in load.columns)
    return f"INSERT INTO {output} ({columns}) SELECT {columns} FROM {stage}"


def _matching(load: Load, output: str, stage_alias: str) -> str:
    return " AND ".join(f"{output}.{name(key)} = {stage_alias}.{name(key)}" for key in load.key)


def _stamp(load: Load, which: str) -> bool:
    return any(column.name == which for column in load.stamps)


def _changed(load: Load, output: str, stage: str) -> str | None:
    """Which matching rows are written: only those that differ, so that `_polytomic_updated_at` tells when a row
    last changed. None when the rows have nothing beside their key."""
    values = [column for column in load.data if column.name not in load.key]
    changed = [f"{_compared(one, output)} IS DISTINCT FROM {_compared(one, stage)}" for one in values]
    if _stamp(load, names.DELETED_AT):
        changed.append(f"{output}.{name(names.DELETED_AT)} IS NOT NULL")
    return " OR ".join(changed) or None


def _compared(column: OutputColumn, table: str) -> str:
    value = f"{table}.{name(column.name)}"
    # A month and thirty days are equal, and not the same.
    return f"CAST({value} AS VARCHAR)" if column.type.casefold() == "interval" else value


def _update(load: Load, output: str, stage: str) -> list[str]:
    alias = _aliases(load).s
    changed = _changed(load, output, alias)
    if changed is None:
        return []
    assigned = [f"{name(c.name)} = {alias}.{name(c.name)}" for c in load.data if c.name not in load.key]
    if _stamp(load, names.DELETED_AT):
        assigned.append(f"{name(names.DELETED_AT)} = NULL")
    if _stamp(load, names.UPDATED_AT):
        assigned.append(f"{name(names.UPDATED_AT)} = {alias}.{name(names.UPDATED_AT)}")
    return [
        f"UPDATE {output} SET {', '.join(assigned)} FROM {stage} AS {alias} "
        f"WHERE {_matching(load, output, alias)} AND ({changed})"
    ]


def _replace(load: Load, output: str, stage: str, replacing: Replacing, insert_new: str) -> list[str]:
    """As `_update` and `_insert_new`: rows that differ are put in anew, with the old values of what is not loaded."""
    alias = _aliases(load, replacing.columns)
    o, s, c = alias.o, alias.s, alias.c
    changed = _changed(load, o, s)
    if changed is None:
        return [insert_new]
    loaded = [column.name for column in load.columns if column.name != names.CREATED_AT]
    have = [*replacing.columns, *(column.name for column in load.add)]
    kept = [one for one in have if one.casefold() not in {other.casefold() for other in loaded}]
    olds = "".join(f", {o}.{name(one)} AS old{index}" for index, one in enumerate(kept))
    values = [f"{s}.{name(one)}" for one in loaded] + [f"{c}.old{index}" for index in range(len(kept))]
    pairs = f"{o}.rowid AS place, {s}.rowid AS source{olds}"
    matched = f"FROM {output} AS {o} JOIN {stage} AS {s} ON {_matching(load, o, s)}"
    make = f"CREATE OR REPLACE TEMP TABLE {replacing.changed} AS SELECT"
    tracked = _tracked(load)
    if tracked is None:
        found = [f"{make} {pairs} {matched} WHERE {changed}", insert_new]
    else:
        # Nearly every row of an incremental reading has a new value in the tracking field, and then the other columns
        # of the output need not be read. Where none has the old one, DuckDB leaves the second comparison out.
        found = [
            f"{make} {pairs}, {o}.{tracked} IS DISTINCT FROM {s}.{tracked} AS differs {matched}",
            f"UPDATE {replacing.changed} AS {c} SET differs = true FROM {output} AS {o}, {stage} AS {s} "
            f"WHERE NOT {c}.differs AND {o}.rowid = {c}.place AND {s}.rowid = {c}.source AND ({changed})",
            f"INSERT INTO {output} ({quoted(one.name for one in load.columns)}) "
            f"SELECT {quoted(one.name for one in load.columns)} FROM {stage} AS {s} "
            f"WHERE NOT EXISTS (SELECT 1 FROM {replacing.changed} AS {c} WHERE {c}.source = {s}.rowid)",
            f"DELETE FROM {replacing.changed} WHERE NOT differs",
        ]
    return [
        *found,
        f"DELETE FROM {output} WHERE rowid IN (SELECT place FROM {replacing.changed})",
        f"INSERT INTO {output} ({quoted([*loaded, *kept])}) SELECT {', '.join(values)} "
        f"FROM {stage} AS {s} JOIN {replacing.changed} AS {c} ON {s}.rowid = {c}.source",
        f"DROP TABLE {replacing.changed}",
    ]


def _tracked(load: Load) -> str | None:
    """The quoted output column of the tracking field of an incremental reading; None when there is none."""
    field = load.state.tracking_field
    if load.strategy.read == "all" or field is None:
        return None
    column = load.state.columns.get(field)
    return None if column is None else name(column)


def _insert_new(load: Load, output: str, stage: str) -> str:
    columns = quoted(column.name for column in load.columns)
    alias = _aliases(load).s
    return (
        f"INSERT INTO {output} ({columns}) SELECT {columns} FROM {stage} AS {alias} "
        f"WHERE NOT EXISTS (SELECT 1 FROM {output} WHERE {_matching(load, output, alias)})"
    )


def _absent(load: Load, output: str, stage: str) -> list[str]:
    if load.strategy.absent == "keep":
        return []
    alias = _aliases(load).s
    gone = f"NOT EXISTS (SELECT 1 FROM {stage} AS {alias} WHERE {_matching(load, output, alias)})"
    if load.judged is not None:
        gone = f"{load.judged} AND {gone}"
    if load.strategy.absent == "remove":
        return [f"DELETE FROM {output} WHERE {gone}"]
    stamps = [f"{name(names.DELETED_AT)} = {load.now}"]
    if _stamp(load, names.UPDATED_AT):
        stamps.append(f"{name(names.UPDATED_AT)} = {load.now}")
    return [f"UPDATE {output} SET {', '.join(stamps)} WHERE {name(names.DELETED_AT)} IS NULL AND {gone}"]
