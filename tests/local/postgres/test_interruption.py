"""Cancelled and cut off: the output is as it was before. For killed workers see `tests/local/kills`."""

import os
import signal
from collections.abc import Callable

import pytest

from bulk_sync_local.engine.job import TableJob
from local.engine.kit import CancelAt, Recorder
from local.postgres.kit import POSTGRES, PostgresWorkspace
from local.postgres.server import PASSWORD, running

ROWS = 20_000


def fill(workspace: PostgresWorkspace, name: str) -> None:
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})"
    workspace.sql(
        "DROP TABLE IF EXISTS big",
        "CREATE TABLE big (id INTEGER PRIMARY KEY, name TEXT)",
        f"{numbers} INSERT INTO big SELECT i, '{name}' FROM n",
    )


def seen(workspace: PostgresWorkspace) -> tuple[int, set[str]]:
    groups = workspace.pg("SELECT name, count(*) FROM big GROUP BY name")
    return sum(group[1] for group in groups), {group[0] for group in groups}


def at(question: int, act: Callable[[], object]) -> Callable[[int], bool]:
    """Acts when asked for the how-manieth time whether to cancel: while reading (2), in the hand-over (4), then between statements."""
    asked: list[int] = []

    def cancel(records: int) -> bool:
        asked.append(records)
        return len(asked) == question and act() is True

    return cancel


@pytest.mark.parametrize("resync", [None, "resync", "rebuild"])
def test_a_cancelled_table_keeps_its_output_and_the_others_go_on(
    workspace: PostgresWorkspace, resync: str | None
) -> None:
    fill(workspace, "old")
    workspace.sql("CREATE TABLE small (id INTEGER PRIMARY KEY)", "INSERT INTO small VALUES (1)")
    workspace.load(POSTGRES, "big")
    fill(workspace, "new")
    for question in range(1, 30):
        recorder = CancelAt(question=question)
        workspace.run(POSTGRES, "big", "small", recorder=recorder, resync_mode=resync, at_once=1)
        assert recorder.finished["small"].status == "completed"
        if recorder.finished["big"].status == "completed":
            break
        assert recorder.finished["big"].status == "canceled", (question, recorder.finished["big"])
        assert seen(workspace) == (ROWS, {"old"})
    assert question > 5
    assert seen(workspace) == (ROWS, {"new"})


def test_a_reading_that_is_given_up_leaves_the_source_usable(workspace: PostgresWorkspace) -> None:
    workspace.pg(
        "CREATE VIEW shop.endless AS SELECT g AS id, repeat('x', 200) AS t FROM generate_series(1, 10000) g, generate_series(1, 10000)",
        "CREATE TABLE shop.small (id int)",
    )
    recorder = Recorder(cancel=at(3, lambda: True))
    workspace.run("duckdb", "shop.endless", "shop.small", recorder=recorder, source=workspace.endpoint, at_once=1)
    assert [one.status for one in recorder.finished.values()] == ["canceled", "completed"]


@pytest.mark.parametrize(
    ("how", "question"), [("pg_terminate_backend", 2), ("pg_terminate_backend", 4), ("pg_cancel_backend", 7)]
)
def test_a_backend_ended_by_somebody_fails_its_table_and_the_others_go_on(
    workspace: PostgresWorkspace, how: str, question: int
) -> None:
    fill(workspace, "old")
    workspace.sql("CREATE TABLE small (id INTEGER PRIMARY KEY)", "INSERT INTO small VALUES (1)")
    workspace.load(POSTGRES, "big")
    fill(workspace, "new")
    end = f"SELECT {how}(pid) FROM pg_stat_activity WHERE application_name = 'bulk-sync'"
    recorder = Recorder(cancel=at(question, lambda: workspace.pg(end)))
    workspace.run(POSTGRES, "big", "small", recorder=recorder, resync_mode="resync", at_once=1)
    big = recorder.finished["big"]
    assert recorder.finished["small"].status == "completed"
    # Between two statements there is nothing to cancel.
    assert big.status == "failed" or how == "pg_cancel_backend"
    assert seen(workspace) == (ROWS, {"old" if big.status == "failed" else "new"})
    assert PASSWORD not in (big.message or "")
    workspace.load(POSTGRES, "big", resync_mode="resync")
    assert seen(workspace) == (ROWS, {"new"})


def test_a_source_backend_ended_while_it_is_read_fails_that_table_alone(workspace: PostgresWorkspace) -> None:
    workspace.pg(
        "CREATE TABLE shop.a AS SELECT g AS id, repeat('x', 500) AS t FROM generate_series(1, 60000) g",
        "CREATE TABLE shop.b (id int)",
    )
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^COPY .*\"a\"' AND pid <> pg_backend_pid()"
    recorder = Recorder(cancel=at(2, lambda: workspace.pg(end)))
    workspace.run("duckdb", "shop.a", "shop.b", recorder=recorder, source=workspace.endpoint, at_once=1)
    assert [one.status for one in recorder.finished.values()] == ["failed", "completed"]
    assert "Reading the table shop.a failed" in (recorder.finished["shop.a"].message or "")


def test_a_server_that_dies_leaves_the_output_as_it_was(workspace: PostgresWorkspace) -> None:
    """A server of its own: a backend killed by SIGKILL makes PostgreSQL end all others and recover."""
    with running() as server:
        workspace.server = server
        fill(workspace, "old")
        workspace.load(POSTGRES, "big")
        fill(workspace, "new")

        def crash() -> None:
            ((pid,),) = server.sql(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'bulk-sync' ORDER BY backend_start LIMIT 1"
            )
            os.kill(pid, signal.SIGKILL)

        recorder = workspace.run(POSTGRES, "big", recorder=Recorder(cancel=at(6, crash)), resync_mode="rebuild")
        message = recorder.finished["big"].message or ""
        server.stop(signal.SIGQUIT)
        refused = workspace.run(POSTGRES, "big", TableJob("other")).finished
        server.start()
        assert recorder.finished["big"].status == "failed"
        assert "failed" in message
        assert seen(workspace) == (ROWS, {"old"})
        assert {one.status for one in refused.values()} == {"failed"}
        assert "Connection refused" in (refused["big"].message or "")
        assert PASSWORD not in message + (refused["big"].message or "")
        workspace.load(POSTGRES, "big", resync_mode="rebuild")
        assert seen(workspace) == (ROWS, {"new"})
