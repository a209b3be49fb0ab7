"""Random histories of a sync from every source into every destination: after every run the destination is what
the documentation says, row for row and type for type.

`BULK_SYNC_ORACLE_RUNS` sets how many histories a pair gets, `BULK_SYNC_ORACLE_SEED` makes up others. A failure prints
the history.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from local.oracle import histories
from local.oracle.driving import Stage
from local.oracle.engine_runs import Engine
from local.oracle.histories import History, Settings, Step, TableSetup
from local.oracle.mapping import NAMES, TARGETS, columns
from local.oracle.sources import Column
from local.postgres.server import Server

RUNS = int(os.environ.get("BULK_SYNC_ORACLE_RUNS", "2"))
SEED = os.environ.get("BULK_SYNC_ORACLE_SEED")
SHRINK = os.environ.get("BULK_SYNC_ORACLE_SHRINK")
PAIRS = [(source, target) for source in NAMES for target in TARGETS]


def play(source: str, target: str, history: History, server: Server | None) -> None:
    folder = Path(tempfile.mkdtemp(prefix="oracle-"))
    try:
        if server is not None:
            server.sql("DROP SCHEMA IF EXISTS public CASCADE", "CREATE SCHEMA public")
            server.sql("DROP SCHEMA IF EXISTS shop CASCADE", "CREATE SCHEMA shop")
        Stage(source, target, folder, server).play(history, Engine(source, target, folder, server))
    finally:
        shutil.rmtree(folder)


@st.composite
def _wide(draw: st.DrawFn, source: str) -> History:
    """A table with a column of every type there is."""
    every = tuple(Column(f"v{place}", declared) for place, (declared, _) in enumerate(columns(source)))
    rows = tuple(draw(st.lists(histories.row(source, every), min_size=5, max_size=5)))
    return History(Settings(), (TableSetup("orders", every),), (rows,), (Step(((),), ((),)),))


def _any(source: str, target: str) -> st.SearchStrategy[History]:
    usual = histories.histories(source, target)
    return st.one_of(usual, usual, usual, _wide(source))


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=[f"{one}-{other}" for one, other in PAIRS])
def test_the_destination_is_what_the_documentation_says(
    source: str, target: str, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue("server") if "postgresql" in (source, target) else None

    @settings(
        max_examples=RUNS,
        derandomize=SEED is None,
        deadline=None,
        database=None,
        print_blob=True,
        report_multiple_bugs=False,
        phases=[Phase.generate, *([Phase.shrink] if SHRINK else [])],
        suppress_health_check=list(HealthCheck),
    )
    @given(_any(source, target))
    def run(history: History) -> None:
        play(source, target, history, server)

    (seed(int(SEED))(run) if SEED is not None else run)()
