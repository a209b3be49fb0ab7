"""What is read of a source table and how its columns are called: settled before the first row moves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bulk_sync_local.engine import names
from bulk_sync_local.engine.conditions import ORDERING, BadFilter, Condition, condition
from bulk_sync_local.engine.job import FieldChoice, RunJob, TableJob
from bulk_sync_local.engine.outputs import field_output_name
from bulk_sync_local.engine.ports import Column, SavedState, Shape, TableFailed

_UNTRACKABLE = ("BOOLEAN", "BLOB", "INTERVAL", "STRUCT", "MAP", "UNION")


@dataclass(frozen=True, slots=True)
class Selected:
    """A source column that goes to the output."""

    source: Column
    output: str
    obfuscated: bool

    @property
    def type(self) -> str:
        """The carried type at the output."""
        return "VARCHAR" if self.obfuscated else self.source.type


@dataclass(frozen=True, slots=True)
class TablePlan:
    """The columns of one table of a run.

    `hidden` are columns that are read for filters or tracking but do not go to the output, or go there
    obfuscated; `key` holds output names. `vanished` are columns that earlier runs loaded, that nobody has
    deselected, and that the source no longer has; `without` are fields that the sync names and that it no longer has.
    """

    selected: tuple[Selected, ...]
    hidden: tuple[Column, ...]
    key: tuple[str, ...]
    tracking: Column | None
    conditions: tuple[Condition, ...]
    cutoff: Condition | None
    vanished: tuple[str, ...]
    without: tuple[str, ...]
    warnings: tuple[str, ...]

    def selected_for(self, source: str) -> Selected | None:
        return next((column for column in self.selected if column.source.name == source), None)


def plan_table(job: RunJob, table: TableJob, shape: Shape, state: SavedState | None) -> TablePlan:
    """The plan of one table. Raises `TableFailed`."""
    warnings: list[str] = []
    present = {column.name: column for column in shape.columns}
    choices = {choice.id: choice for choice in table.fields}
    gone = _vanished(table, choices, present, state)
    without = tuple(choice.id for choice in table.fields if choice.enabled and choice.id not in present)
    _check_explicit(job, without, state, warnings)
    selected = _selected(job, table, shape, choices, warnings)
    key = _key(job, shape, selected)
    tracking = _tracking(table, present)
    conditions = _filters(table, present)
    cutoff: Condition | None = None
    if table.data_cutoff is not None and tracking is None:
        warnings.append("The data cutoff needs a tracking field and was not applied: the table has none.")
    elif table.data_cutoff is not None and tracking is not None:
        cutoff = Condition(tracking.name, tracking.type, "OnOrAfter", (table.data_cutoff,), keep_nulls=True)
    plain = {column.source.name for column in selected if not column.obfuscated}
    needed = [one.column for one in conditions] + ([tracking.name] if tracking else [])
    hidden = tuple(present[name] for name in dict.fromkeys(needed) if name not in plain)
    return TablePlan(selected, hidden, key, tracking, conditions, cutoff, gone, without, tuple(warnings))


def _check_explicit(job: RunJob, without: tuple[str, ...], state: SavedState | None, warnings: list[str]) -> None:
    """`without` are fields that the sync names and the source no longer has."""
    # Whoever emptied or rebuilt the output has agreed to lose them.
    agreed = () if state is None else state.without
    missed = [one for one in without if one not in agreed]
    if missed and job.resync_mode not in ("resync", "rebuild"):
        raise TableFailed(
            f"The source no longer has the selected field {_listed(missed)}. "
            "Deselect it to keep its column as it is, or run this table with resync_mode rebuild to drop the column."
        )
    if without:
        warnings.append(f"The source no longer has {_listed(without)}; the table is loaded without.")


def _listed(fields: Sequence[str]) -> str:
    return ", ".join(fields)


def _vanished(
    table: TableJob,
    choices: Mapping[str, FieldChoice],
    present: Mapping[str, Column],
    state: SavedState | None,
) -> tuple[str, ...]:
    if state is None or (table.fields and not table.new_fields):
        return ()
    return tuple(name for name in state.columns if name not in present and name not in choices)


def _selected(
    job: RunJob, table: TableJob, shape: Shape, choices: Mapping[str, FieldChoice], warnings: list[str]
) -> tuple[Selected, ...]:
    selected: list[Selected] = []
    taken = dict.fromkeys(names.STAMPS, "of the sync's own time stamps")
    for column in shape.columns:
        choice = choices.get(column.name)
        if choice is None:
            if table.fields and not table.new_fields:
                continue
            if column.name in names.STAMPS:
                warnings.append(
                    f"The source's {column.name}, of an earlier sync, is left out; select it under a name of its own."
                )
                continue
            choice = FieldChoice(column.name)
        if not choice.enabled:
            continue
        output = field_output_name(job, column.name, choice.user_output_name)
        other = taken.get(output.casefold())
        if other is not None:
            raise TableFailed(
                f"The fields {other} and {column.name} would both be called {output} at the destination. "
                "Give one of them an output name of its own, or deselect it."
            )
        taken[output.casefold()] = column.name
        selected.append(Selected(column, output, choice.obfuscated))
    if not selected:
        raise TableFailed("No field of this table is selected. Select at least one, or deselect the table.")
    return tuple(selected)


def _key(job: RunJob, shape: Shape, selected: tuple[Selected, ...]) -> tuple[str, ...]:
    if job.mode != "replicate":
        return ()
    outputs = {column.source.name: column.output for column in selected}
    missing = [name for name in shape.key if name not in outputs]
    if missing:
        raise TableFailed(
            f"Rows are merged by primary key, and its field {_listed(missing)} is not selected. "
            "Select it; to hide its values, obfuscate it instead."
        )
    return tuple(outputs[name] for name in shape.key)


def _tracking(table: TableJob, present: Mapping[str, Column]) -> Column | None:
    if table.tracking_field is None:
        return None
    column = present.get(table.tracking_field)
    if column is None:
        raise TableFailed(
            f"The source has no field {table.tracking_field} to track. Choose another tracking field, or none."
        )
    if not column.ordered or column.type.startswith(_UNTRACKABLE) or column.type.endswith("]"):
        raise TableFailed(
            f"The field {column.name} of type {column.type} has no order to track. "
            "Choose a number, date, time or text field, or none."
        )
    return column


def _filters(table: TableJob, present: Mapping[str, Column]) -> tuple[Condition, ...]:
    conditions: list[Condition] = []
    for row_filter in table.filters:
        column = present.get(row_filter.field_id)
        if column is None:
            raise TableFailed(f"A filter names the field {row_filter.field_id}, which the source does not have.")
        if not column.ordered and row_filter.function in ORDERING:
            raise TableFailed(
                f"A filter compares the field {column.name}, which is carried as text, by order. "
                "Filter by equality, or by another field."
            )
        try:
            conditions.append(condition(column.name, column.type, row_filter.function, row_filter.value))
        except BadFilter as bad:
            raise TableFailed(str(bad)) from bad
    return tuple(conditions)
