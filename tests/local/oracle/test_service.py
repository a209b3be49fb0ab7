"""Histories through the whole service: the REST API, the store, a worker process a run."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from local.oracle import histories
from local.oracle.driving import Stage
from local.oracle.histories import History, Settings, Step, TableSetup
from local.oracle.service_runs import WholeService
from local.oracle.sources import Column
from local.oracle.test_oracle import RUNS

TABLES = (
    TableSetup(
        "Order Lines",
        (Column("id", "INTEGER"), Column("at", "TIMESTAMP"), Column("Größe", "REAL"), Column("user", "TEXT")),
        key=("id",),
        tracking="at",
        obfuscated=("user",),
        renamed=(("at", 'My "col"'),),
    ),
    TableSetup("it's", (Column("order", "TEXT"), Column("rowid", "BLOB")), filters=(("order", "Inequality", "x"),)),
)
ROWS = (
    ((1, "2024-01-01T10:00:00+02:00", 0.1, "é"), (2, "2024-01-02", "dirty", None), (3, "nope", 1e300, "z")),
    (("a", b"\0\xff"), ("x", b""), (None, "text")),
)
EXAMPLE = History(
    Settings(table_prefix="raw_"),
    TABLES,
    ROWS,
    (
        Step((((("insert", (4, "2024-01-03 00:00:00", 2, "new")), ("delete", 0))), (("update", 0, 0, "b"),)), ((), ())),
        Step((((("update", 0, 2, 7.5),)), ()), ((), ()), resync_mode="refetch", tables=(0,)),
        Step(((("delete", 0),), ()), ((), ()), test=True),
    ),
)


def play(source: str, target: str, history: History) -> None:
    folder = Path(tempfile.mkdtemp(prefix="oracle-"))
    (folder / "workspace").mkdir()
    service = WholeService(source, target, folder / "workspace", folder / "state", None)
    try:
        Stage(source, target, folder / "workspace", None).play(history, service)
    finally:
        service.close()
        shutil.rmtree(folder)


def test_runs_through_the_service_leave_what_the_documentation_says() -> None:
    play("sqlite", "duckdb", EXAMPLE)


@pytest.mark.skipif(RUNS < 10, reason="each run takes a process of its own; set BULK_SYNC_ORACLE_RUNS to 10 or more")
@pytest.mark.parametrize(("source", "target"), [("sqlite", "parquet"), ("duckdb", "sqlite"), ("csv", "duckdb")])
def test_random_runs_through_the_service_leave_what_the_documentation_says(source: str, target: str) -> None:
    @settings(
        max_examples=RUNS // 10, derandomize=True, deadline=None, database=None, print_blob=True,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.data())
    def run(data: st.DataObject) -> None:
        history = data.draw(histories.histories(source, target))
        # The service refuses some changes and names every column it knows, so tables and settings stay as they are.
        steps = tuple(replace(one, schema=tuple(() for _ in one.schema), settings=()) for one in history.steps)
        if history.settings.mode == "append":
            steps = tuple(replace(one, resync_mode=None) if one.resync_mode == "refetch" else one for one in steps)
        play(source, target, replace(history, steps=steps))

    run()
