"""Cancelled runs: the output is as it was before. For killed ones see `tests/local/kills`."""

import pytest

from local.engine.kit import CancelAt, Recorder, Workspace

DESTINATIONS = ("duckdb", "sqlite", "parquet")
ROWS = 130_000  # two batches


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
