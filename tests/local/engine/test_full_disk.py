"""A destination that is full: the table fails in words with its old data in place, the others go on."""

from typing import Any

import pytest

from bulk_sync_local.connectors import sqlite
from bulk_sync_local.engine.job import TableJob
from local.engine.kit import Workspace

ROWS = 20_000
NUMBERS = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})"


@pytest.mark.parametrize("resync", [None, "resync", "rebuild"])
@pytest.mark.parametrize("room", [3, 50, 400])
def test_a_full_sqlite_file_fails_the_table_that_does_not_fit(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, room: int, resync: str | None
) -> None:
    """`room` is how many pages the file may grow by."""
    workspace.sql(
        "CREATE TABLE big (id INTEGER PRIMARY KEY, name TEXT, seen INTEGER)",
        "CREATE TABLE small (id INTEGER PRIMARY KEY, name TEXT)",
        "INSERT INTO big VALUES (1, 'old', 1)",
        "INSERT INTO small VALUES (1, 'old')",
    )
    tables = (TableJob("big", tracking_field="seen"), TableJob("small"))
    workspace.load("sqlite", *tables)
    before = workspace.rows("sqlite", "big")
    workspace.sql(
        f"{NUMBERS} INSERT INTO big SELECT i + 1, hex(randomblob(30)), i + 1 FROM n", "UPDATE small SET name = 'new'"
    )
    connect = sqlite.connect

    def confined(*arguments: Any, **more: Any) -> Any:
        connection = connect(*arguments, **more)
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA page_count")
            ((pages,),) = cursor.fetchall()
            cursor.execute(f"PRAGMA max_page_count = {pages + room}")
            cursor.fetchall()
        return connection

    with monkeypatch.context() as full:
        full.setattr(sqlite, "connect", confined)
        outcomes = workspace.run("sqlite", *tables, resync_mode=resync).finished
    assert outcomes["big"].status == "failed"
    assert "disk is full" in (outcomes["big"].message or "")
    assert "Make room and run the sync again" in (outcomes["big"].message or "")
    assert outcomes["small"].status == "completed"
    assert workspace.rows("sqlite", "big") == before
    assert [row["name"] for row in workspace.rows("sqlite", "small")] == ["new"]
    workspace.load("sqlite", *tables, resync_mode=resync)
    assert len(workspace.rows("sqlite", "big")) == ROWS + 1
