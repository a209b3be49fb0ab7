"""Every mode with every resync mode, keyed and not, out of PostgreSQL and into it, held against a small model."""

from itertools import product
from typing import Any

import pytest

from bulk_sync_local.engine.job import TableJob, TableOutcome
from local.engine.test_write_modes import AFTER, BEFORE, model, repr_key
from local.postgres.kit import POSTGRES, PostgresWorkspace

PAIRS = [
    ("sqlite", POSTGRES),
    (POSTGRES, POSTGRES),
    (POSTGRES, "duckdb"),
    (POSTGRES, "sqlite"),
    (POSTGRES, "parquet"),
]
RESYNCS = (None, "refetch", "resync", "rebuild")
# One run loads them all: connecting is what takes the time.
TABLES = {
    f"{'keyed' if keyed else 'keyless'}_{'tracked' if tracked else 'untracked'}_{resync or 'ordinary'}": (
        keyed,
        tracked,
        resync,
    )
    for keyed, tracked, resync in product((True, False), (True, False), RESYNCS)
}


def fill(workspace: PostgresWorkspace, kind: str, table: str, rows: list[tuple[Any, ...]], *, keyed: bool) -> None:
    place = table if kind == "sqlite" else f"shop.{table}"
    number = "INTEGER" if kind == "sqlite" else "BIGINT"
    key = " PRIMARY KEY" if keyed else ""
    statements = [
        f"DROP TABLE IF EXISTS {place}",
        f"CREATE TABLE {place} (id {number}{key}, name TEXT, seen {number})",
        *(f"INSERT INTO {place} VALUES ({row[0]}, '{row[1]}', {row[2]})" for row in rows),
    ]
    if kind == "sqlite":
        workspace.sql(*statements)
    else:
        workspace.pg(*statements)


@pytest.mark.parametrize("mode", ["replicate", "snapshot", "append"])
@pytest.mark.parametrize(("kind", "to"), PAIRS)
def test_two_runs_leave_what_the_model_says(workspace: PostgresWorkspace, mode: str, kind: str, to: str) -> None:
    prefix = "" if kind == "sqlite" else "shop."
    settings: dict[str, Any] = {"mode": mode} if kind == "sqlite" else {"mode": mode, "source": workspace.endpoint}
    jobs = {
        table: TableJob(prefix + table, user_output_name=table, tracking_field="seen" if tracked else None)
        for table, (_, tracked, _) in TABLES.items()
    }
    for table, (keyed, *_) in TABLES.items():
        fill(workspace, kind, table, BEFORE, keyed=keyed)
    workspace.load(to, *jobs.values(), **settings)
    for table, (keyed, *_) in TABLES.items():
        fill(workspace, kind, table, AFTER, keyed=keyed)
    outcomes: dict[str, TableOutcome] = {}
    for resync in RESYNCS:
        chosen = [jobs[table] for table, (*_, wanted) in TABLES.items() if wanted == resync]
        outcomes |= workspace.run(to, *chosen, resync_mode=resync, **settings).finished
    for table, (keyed, tracked, resync) in TABLES.items():
        outcome = outcomes[prefix + table]
        after = workspace.data(to, table)
        refused = mode == "append" and resync == "refetch"
        assert outcome.status == ("failed" if refused else "completed"), outcome
        # A snapshot is read whole, tracked or not.
        expected = model(BEFORE, AFTER, mode, resync, keyed, tracked=tracked and mode != "snapshot")
        if refused:
            expected = [{"id": row[0], "name": row[1], "seen": row[2], "deleted": False} for row in BEFORE]
        assert sorted(after, key=repr_key) == sorted(expected, key=repr_key), table
