"""Histories through the whole service: the REST API, the store, a worker process a run."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from local.oracle import histories
from local.oracle.altering import IN_PLACE
from local.oracle.driving import Stage
from local.oracle.histories import History, Settings, Step, TableSetup
from local.oracle.service_runs import WholeService
from local.oracle.sources import Column
from local.oracle.test_oracle import RUNS, SEED, SHRINK
from local.postgres.server import Server

PAIRS = [("sqlite", "duckdb"), ("postgresql", "postgresql")]
if RUNS >= 10:
    PAIRS += [("duckdb", "parquet"), ("parquet", "sqlite")]
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


def play(source: str, target: str, history: History, *, workers: bool, server: Server | None = None) -> Stage:
    folder = Path(tempfile.mkdtemp(prefix="oracle-"))
    (folder / "workspace").mkdir()
    if server is not None:
        server.clean()
    service = WholeService(source, target, folder / "workspace", folder / "state", server, workers)
    try:
        stage = Stage(source, target, folder / "workspace", server)
        stage.play(history, service)
        return stage
    finally:
        service.close()
        shutil.rmtree(folder)


def test_runs_in_worker_processes_leave_what_the_documentation_says() -> None:
    play("sqlite", "duckdb", EXAMPLE, workers=True)


def test_outputs_in_the_database_that_is_read_do_not_join_the_sync(server: Server) -> None:
    orders, lines = (
        TableSetup(name, (Column("id", "integer"), Column("user", "text")), ("id",))
        for name in ("orders", "Order Lines")
    )
    new = ((lines, ((1, "line"),)),)
    steps = (Step(), Step(created=new), Step(resync_mode="rebuild"))
    history = History(Settings(new_objects="all"), (orders,), (((1, "one"),),), steps)
    stage = play("postgresql", "postgresql", history, workers=False, server=server)
    assert [len(one) for one in stage.outcomes] == [1, 1, 2, 2]


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=[f"{one}-{other}" for one, other in PAIRS])
def test_a_sync_whose_source_and_settings_change_leaves_what_the_documentation_says(
    source: str, target: str, request: pytest.FixtureRequest
) -> None:
    """Tables and columns come, go and change, the sync is changed by each call there is, runs are whole or partial."""
    server = request.getfixturevalue("server") if "postgresql" in (source, target) else None
    how = "in place" if source in IN_PLACE else ""

    @settings(
        max_examples=2 * RUNS if RUNS >= 10 else 1, derandomize=SEED is None, deadline=None, database=None,
        print_blob=True, phases=[Phase.generate, *([Phase.shrink] if SHRINK else [])],
        report_multiple_bugs=False, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(histories.histories(source, target, how, service=True))
    def run(history: History) -> None:
        play(source, target, history, workers=False, server=server)

    (seed(int(SEED))(run) if SEED is not None else run)()
