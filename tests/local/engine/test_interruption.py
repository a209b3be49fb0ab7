"""Cancelled and killed runs: the output is as it was before, or as it is after; never between."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from local.engine.kit import CancelAt, Recorder, Workspace

DESTINATIONS = ("duckdb", "sqlite", "parquet")
ROWS = 130_000  # two batches
SERVER = Path(__file__).resolve().parents[3] / "server"


def fill(workspace: Workspace, name: str) -> None:
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})"
    workspace.sql(
        "DROP TABLE IF EXISTS big",
        "CREATE TABLE big (id INTEGER PRIMARY KEY, name TEXT)",
        f"{numbers} INSERT INTO big SELECT i, '{name}' FROM n",
    )


def seen(workspace: Workspace, to: str) -> tuple[int, set[str]]:
    groups = workspace.query(to, "SELECT name, count(*) AS rows FROM {} GROUP BY name", "big")
    return sum(group["rows"] for group in groups), {group["name"] for group in groups}


@pytest.mark.parametrize("to", DESTINATIONS)
@pytest.mark.parametrize("resync", [None, "rebuild"])
def test_a_cancelled_table_keeps_its_output_and_the_others_go_on(
    workspace: Workspace, resync: str | None, to: str
) -> None:
    fill(workspace, "old")
    workspace.sql("CREATE TABLE small (id INTEGER PRIMARY KEY)", "INSERT INTO small VALUES (1)")
    workspace.load(to, "big")
    fill(workspace, "new")
    recorder = Recorder(cancel=lambda records: records > 120_000)
    workspace.run(to, "big", "small", recorder=recorder, resync_mode=resync)
    assert recorder.finished["big"].status == "canceled"
    assert recorder.finished["small"].status == "completed"
    assert recorder.progress["big"] == [122_879]  # a batch, less the row that gives the types
    assert seen(workspace, to) == (ROWS, {"old"})
    workspace.load(to, "big", resync_mode=resync)
    assert seen(workspace, to) == (ROWS, {"new"})


@pytest.mark.parametrize("to", DESTINATIONS)
@pytest.mark.parametrize("resync", [None, "resync", "rebuild"])
def test_a_cancel_at_any_question_keeps_the_output_until_one_comes_too_late(
    workspace: Workspace, resync: str | None, to: str
) -> None:
    """While reading, while the rows are handed over, between any two statements, right before the commit."""
    workspace.sql("CREATE TABLE big (id INTEGER PRIMARY KEY, name TEXT)", "INSERT INTO big VALUES (1, 'old')")
    workspace.sql("CREATE TABLE small (id INTEGER PRIMARY KEY)")
    workspace.load(to, "big")
    workspace.sql("UPDATE big SET name = 'new'")
    for question in range(1, 30):
        recorder = CancelAt(question=question)
        workspace.run(to, "big", "small", recorder=recorder, resync_mode=resync)
        assert recorder.finished["small"].status == "completed"
        if recorder.finished["big"].status == "completed":
            break
        assert recorder.finished["big"].status == "canceled", (question, recorder.finished["big"])
        assert seen(workspace, to) == (1, {"old"})
    assert question > 5
    assert seen(workspace, to) == (1, {"new"})
    assert not [file.name for file in workspace.path.rglob("*") if "__stage_" in file.name]


def test_a_table_cancelled_before_it_starts_reads_nothing(workspace: Workspace) -> None:
    workspace.sql("CREATE TABLE big (id INTEGER PRIMARY KEY)")
    recorder = workspace.run("duckdb", "big", recorder=Recorder(cancel=lambda records: True))
    assert recorder.finished["big"].status == "canceled"
    assert recorder.progress == {}


RUN = """
    import os, signal, sys
    sys.path.insert(0, sys.argv[1])
    from pathlib import Path
    from bulk_sync_local.connectors.base import Confinement
    from bulk_sync_local.engine.job import Endpoint, RunJob, TableJob
    from bulk_sync_local.engine.runner import run_job

    class Reporter:
        asked = 0
        def table_started(self, schema_id, output_name): pass
        def table_progress(self, schema_id, records): pass
        def table_finished(self, schema_id, outcome): print(outcome.status)
        def log(self, schema_id, level, message): pass
        def cancel_requested(self, schema_id):
            self.asked += 1
            if self.asked == int(sys.argv[5]):
                os.kill(os.getpid(), signal.SIGKILL)
            return False

    folder = Path(sys.argv[2])
    job = RunJob("e", "sync-1", Endpoint("sqlite", {"path": "source.sqlite"}),
                 Endpoint(sys.argv[3], {"path": sys.argv[4]}), (TableJob("big"),), resync_mode="rebuild")
    run_job(job, Reporter(), Confinement((folder,), folder))
"""


@pytest.mark.parametrize(("to", "path"), [("duckdb", "out.duckdb"), ("sqlite", "out.sqlite"), ("parquet", "out")])
@pytest.mark.parametrize("moment", [3, 5, 7])
def test_a_killed_run_leaves_the_output_before_or_after(workspace: Workspace, to: str, path: str, moment: int) -> None:
    """`moment` is the how-manieth question about cancelling: while reading (3), then between the statements."""
    fill(workspace, "old")
    workspace.load(to, "big")
    fill(workspace, "new")
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(RUN), str(SERVER), str(workspace.path), to, path, str(moment)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert child.returncode in (-signal.SIGKILL, 0), child.stderr
    expected = "new" if child.returncode == 0 else "old"
    assert seen(workspace, to) == (ROWS, {expected})
    workspace.load(to, "big", resync_mode="rebuild")
    assert seen(workspace, to) == (ROWS, {"new"})
    left = [file.name for file in workspace.path.rglob("*") if "__stage_" in file.name]
    assert left == []
