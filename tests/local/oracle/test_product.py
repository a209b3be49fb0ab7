"""Every way a run can go, one after the other, through the service: mode x kind of run x key x tracking field x hard
deletes x truncate_existing x destination. In each, rows come, change, go, come back and change their key before the run
and before the one after it."""

import shutil
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from local.oracle.driving import Stage
from local.oracle.histories import History, Settings, Step, TableSetup
from local.oracle.mapping import TARGETS
from local.oracle.service_runs import WholeService
from local.oracle.sources import Column
from local.oracle.test_oracle import RUNS
from local.postgres.server import Server

WHOLE = RUNS >= 10
"""Else each destination gets one of the ways to set a sync up, with half of the tables and all kinds of runs."""
MODES = ("replicate", "snapshot", "append")
KEYS = ((), ("id",), ("id", "o"))
TRACKED = (None, "place")
WAYS = tuple(product(MODES, (False, True), (False, True)))
"""Mode, hard deletes, truncate_existing."""
KINDS = ("ordinary", "refetch", "resync", "rebuild", "test")
PLAY = ("ordinary", "refetch", "ordinary", "resync", "ordinary", "rebuild", "ordinary", "test", "ordinary")
COLUMNS = (Column("id", "INTEGER"), Column("o", "TEXT"), Column("user", "TEXT"), Column("place", "INTEGER"))
TABLES = tuple(
    TableSetup(name, COLUMNS, key, tracking)
    for name, (key, tracking) in zip(
        ("orders", "Order Lines", "group", "Größe 表", "a.b", "it's"), product(KEYS, TRACKED), strict=True
    )
)
"""One table for each kind of key, with and without a tracking field."""


def rows_at_first() -> list[list[Any]]:
    return [[number, f"k{number}", f"first {number}", number] for number in range(1, 7)]


def edits() -> list[tuple[tuple[Any, ...], ...]]:
    """What happens before each run of `PLAY`. Where `id` alone is no key, a row that came back is in another place."""
    rows, now = rows_at_first(), 10
    gone: list[Any] | None = None
    played: list[tuple[tuple[Any, ...], ...]] = []
    for number in range(len(PLAY)):
        now += 10
        back, gone = gone, rows.pop(0)
        rows[-1][0] += 100
        new = [
            [rows[-1][0] + 1, f"k{number}", f"new {number}", now + 1],
            [rows[-1][0] + 2, f"k{number}", f"new without a place {number}", None],
        ]
        changes: list[tuple[Any, ...]] = [
            ("delete", 0),
            ("update", 0, 2, f"changed {number}"),
            ("update", 0, 3, now),
            ("update", 1, 2, f"changed unseen {number}"),  # the tracking field says nothing of it
            ("update", len(rows) - 1, 0, rows[-1][0]),
            *(("insert", tuple(one)) for one in new),
        ]
        rows += new
        if back is not None:
            rows.insert(0, [*back[:2], f"back {number}", now + 2])
            changes.append(("insert", tuple(rows[0])))
        played.append(tuple(changes))
    return played


def step(kind: str, changes: tuple[tuple[Any, ...], ...]) -> Step:
    resync = kind if kind in ("refetch", "resync", "rebuild") else None
    return Step(edits=(changes,) * len(TABLES), resync_mode=resync, test=kind == "test")


HISTORY = tuple(step(kind, changes) for kind, changes in zip(PLAY, edits(), strict=True))


@pytest.mark.parametrize("target", TARGETS)
def test_every_combination_leaves_what_the_documentation_says(
    target: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: Server | None = request.getfixturevalue("server") if target == "postgresql" else None
    walked: set[tuple[Any, ...]] = set()
    place = TARGETS.index(target)
    ways, tables = (WAYS, TABLES) if WHOLE else ((WAYS[5 * place % len(WAYS)],), TABLES[place % 2 :: 2])
    for mode, hard_deletes, truncate_existing in ways:
        settings = Settings(mode, hard_deletes=hard_deletes, truncate_existing=truncate_existing)
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        (folder / "workspace").mkdir()
        if server is not None:
            server.clean()
        service = WholeService("sqlite", target, folder / "workspace", folder / "state", server, workers=False)
        combinations = [(mode, table.key, table.tracking, hard_deletes, truncate_existing) for table in tables]
        try:
            if target == "parquet" and truncate_existing:
                service.refuses_to_create(settings, tables, "truncate_existing")
                walked |= {(*one, kind) for one, kind in product(combinations, KINDS)}
                continue
            stage = Stage("sqlite", target, folder / "workspace", server)
            rows = tuple(tuple(row) for row in rows_at_first())
            stage.play(History(settings, tables, (rows,) * len(tables), HISTORY, "in place"), service)
        finally:
            service.close()
            shutil.rmtree(folder)
        assert len(stage.outcomes) == 1 + len(PLAY)
        for kind, outcomes in zip(PLAY, stage.outcomes[1:], strict=True):
            # The one combination that is refused, by the API itself.
            wanted = "failed" if (mode, kind) == ("append", "refetch") else "completed"
            assert {one.status for one in outcomes.values()} == {wanted}
            walked |= {(*one, kind) for one in combinations}
    assert walked == {
        (mode, table.key, table.tracking, hard_deletes, truncate_existing, kind)
        for (mode, hard_deletes, truncate_existing), table, kind in product(ways, tables, KINDS)
    }
