"""Whether what is there can take what is to be loaded: an output against the plan of a run."""

from collections.abc import Mapping

from bulk_sync_local.engine import names
from bulk_sync_local.engine.job import RunJob
from bulk_sync_local.engine.plan import TablePlan
from bulk_sync_local.engine.ports import OutputColumn, SavedState, TableFailed
from bulk_sync_local.engine.strategy import Strategy


def check_fit(
    job: RunJob,
    plan: TablePlan,
    strategy: Strategy,
    existing: Mapping[str, str],
    state: SavedState | None,
    columns: tuple[OutputColumn, ...],
    *,
    any_case: bool,
) -> None:
    """Raises `TableFailed` with a remedy when the output, made for another shape or other settings, would hold what
    does not belong together. `columns` are those to be written."""
    adopted = strategy.adopts
    if adopted and strategy.write == "recreate":
        return
    if plan.vanished and not adopted:
        raise TableFailed(
            f"The source no longer has the field {', '.join(plan.vanished)}, which the output holds. "
            "Deselect it to keep its column as it is, or run this table with resync_mode rebuild to drop the column."
        )
    kinds = {names.folded(column, any_case=any_case): kind for column, kind in existing.items()}
    for column in columns:
        kind = kinds.get(names.folded(column.name, any_case=any_case))
        if kind is not None and kind != column.type:
            raise TableFailed(
                f"The column {column.name} would be {column.type}, and the output has it as {kind}. "
                "Deselect the field, or run this table with resync_mode rebuild to make the output anew."
            )
    if state is not None and state.key and not plan.key and state.mode == job.mode == "replicate" and not adopted:
        raise TableFailed(
            f"The source table no longer has a primary key, by which its rows were merged ({', '.join(state.key)}); "
            "without one the output would be replaced. Put the key back, or run this table once with resync_mode "
            "resync or rebuild if the output may be replaced."
        )
    if strategy.write == "merge" and state is not None and (state.mode == "append" or state.key != plan.key):
        was = "rows were appended" if state.mode == "append" else f"key was {', '.join(state.key) or 'none'}"
        raise TableFailed(
            f"Rows are now merged by {', '.join(plan.key)}, but the output was filled when its {was}. "
            "Run this table once with resync_mode resync or rebuild."
        )
    digested = {column.output for column in plan.selected if column.obfuscated}
    toggled = [one for one in plan.key if (one in digested) != (state is not None and one in state.digested)]
    if strategy.write == "merge" and toggled:
        raise TableFailed(
            f"Rows are merged by {', '.join(plan.key)}, and the output holds {', '.join(toggled)} "
            f"{'as plain values' if toggled[0] in digested else 'obfuscated'}: no row would be found again. "
            "Run this table once with resync_mode resync or rebuild."
        )


def mixed(plan: TablePlan, state: SavedState) -> list[str]:
    """What to tell of columns that will hold plain values beside obfuscated ones."""
    notes: list[str] = []
    for column in plan.selected:
        before = column.output in state.digested
        if state.columns.get(column.source.name) == column.output and before != column.obfuscated:
            now, then = ("obfuscated", "plain") if column.obfuscated else ("plain", "obfuscated")
            notes.append(
                f"{column.output} is {now} from this run on; rows that are not written again keep their {then} values. "
                "A run with resync_mode resync or rebuild makes all of them alike."
            )
    return notes
