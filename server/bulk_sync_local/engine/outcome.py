"""How a table ended that was loaded, and what there is to tell of it."""

from collections.abc import Sequence

from bulk_sync_local.engine.job import Reporter, TableJob, TableOutcome
from bulk_sync_local.engine.stage import Cleaned


def outcome(
    table: TableJob, cleaned: Cleaned, reporter: Reporter, changed: Sequence[tuple[int, str]] = ()
) -> TableOutcome:
    """The outcome; its notes are told to `reporter` too. `changed` is what the destination had to change."""
    notes = [note for _, note in changed]
    warnings = sum(cleaned.unfit.values()) + cleaned.duplicates + sum(count for count, _ in changed)
    if cleaned.unfit:
        counts = ", ".join(f"{column} ({count})" for column, count in cleaned.unfit.items())
        notes.append(f"Values that do not fit their column's type became NULL: {counts}.")
    if cleaned.duplicates:
        notes.append(f"{cleaned.duplicates} row(s) repeated a key; the last row of each key was kept.")
    if cleaned.null_keys:
        notes.append(f"{cleaned.null_keys} row(s) without a primary key value were left out.")
    if cleaned.untracked:
        reporter.log(
            table.schema_id,
            "warning",
            f"{cleaned.untracked} row(s) have no value in the tracking field: incremental runs do not see them again.",
        )
    for note in notes:
        reporter.log(table.schema_id, "error" if "left out" in note else "warning", note)
    return TableOutcome(
        "completed", cleaned.rows, errors=cleaned.null_keys, warnings=warnings, message=" ".join(notes) or None
    )
