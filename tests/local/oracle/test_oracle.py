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
from local.oracle.altering import IN_PLACE
from local.oracle.driving import Stage
from local.oracle.engine_runs import Engine
from local.oracle.histories import INTEGERS, TEXTS, History, Settings, Step, TableSetup
from local.oracle.mapping import NAMES, TARGETS, columns
from local.oracle.sources import Column
from local.postgres.server import Server

RUNS = int(os.environ.get("BULK_SYNC_ORACLE_RUNS", "2"))
SEED = os.environ.get("BULK_SYNC_ORACLE_SEED")
SHRINK = os.environ.get("BULK_SYNC_ORACLE_SHRINK")
PAIRS = [(source, target) for source in NAMES for target in TARGETS]


def play(source: str, target: str, history: History, server: Server | None) -> Stage:
    """Plays the history; returns the stage on which it was."""
    folder = Path(tempfile.mkdtemp(prefix="oracle-"))
    try:
        if server is not None:
            server.clean()
        stage = Stage(source, target, folder, server)
        stage.play(history, Engine(source, target, folder, server))
        return stage
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
    if source not in IN_PLACE:
        return st.one_of(usual, usual, usual, _wide(source))
    # An application's INSERT, UPDATE, DELETE and ALTER TABLE, beside files and tables that are written anew.
    changed = [histories.histories(source, target, how) for how in ("in place", "in place", "logged")]
    return st.one_of(usual, *changed, _wide(source))


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


@pytest.mark.parametrize(("source", "target"), list(zip(IN_PLACE, ("duckdb", "parquet", "sqlite"), strict=True)))
def test_each_statement_that_changes_a_table_in_place_is_followed(
    source: str, target: str, request: pytest.FixtureRequest
) -> None:
    """One history with all of them, and after each the run that shows it, or the one that puts things right."""
    server = request.getfixturevalue("server") if source == "postgresql" else None
    whole, text = INTEGERS[source][-2], TEXTS[source]
    table = TableSetup("orders", (Column("id", whole), Column("user", text), Column("c0", whole)), ("id",))
    rows = ((1, "one", 10), (2, "two", 20), (3, None, 30))
    again = Step(resync_mode="rebuild")
    history = History(
        Settings(),
        (table,),
        (rows,),
        (
            Step(((("insert", (4, "four", 40)), ("update", 0, 1, "changed"), ("delete", 1), ("update", 1, 0, 9)),)),
            Step(schema=(("add", Column("later 1", text), "there from the start"),)),
            Step(((("insert", (2, "two", 21)),),), (("rename", 1),)),  # the column it knew is gone
            again,
            Step(schema=(("retype", 1, text),)),  # a type of its own
            again,
            Step(((("update", 0, 1, "after"),),), (("drop", 0),)),
            again,
            Step(schema=(("unkey",),)),  # nothing to merge by
            again,
            Step(schema=(("key", 0),)),  # merged by it only once the output was emptied
            Step(resync_mode="resync"),
            Step(((("delete", 0),),)),
            Step(away=(0,)),
            Step(((("insert", (7, "seven", 70)),),)),
        ),
        "logged",
    )
    stage = play(source, target, history, server)
    assert {
        "insert",
        "update",
        "delete",
        "add",
        "rename",
        "retype",
        "drop",
        "unkey",
        "key",
        "rename table",
    } == stage.done
    ended = [outcome.status for one in stage.outcomes for outcome in one.values()]
    failed = [place for place, status in enumerate(ended) if status == "failed"]
    assert failed == [3, 5, 7, 9, 11, 14], ended
