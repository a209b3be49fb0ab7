"""The oracle itself: it shares no code with the project, sees what the API tells, and misses nothing by hand."""

import ast
import sqlite3
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from safety.machine import oracle
from safety.machine.stage import EXECUTIONS, SYNC, SYNCS, Stage, Theatre, theatre

MINE = ("duckdb",)
"""What the oracle may import beside the standard library."""


@pytest.fixture(scope="module")
def house() -> Generator[Theatre]:
    """One template for all."""
    with theatre() as made:
        yield made


@pytest.fixture
def stage(house: Theatre) -> Generator[Stage]:
    """A stage that nothing has happened on."""
    made = house.open()
    yield made
    house.run(made.close())


def test_the_oracle_imports_nothing_of_the_project() -> None:
    tree = ast.parse(Path(str(oracle.__file__)).read_text(encoding="utf-8"))
    roots = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
    }
    assert roots <= {*sys.stdlib_module_names, *MINE}, roots


def test_what_lies_on_disk_is_what_the_api_tells(house: Theatre, stage: Stage) -> None:
    async def told() -> None:
        api, world = stage.application.api, stage.oracle.world
        assert {one["id"] for one in (await api.get("/api/connections")).data} == set(world.connections)
        syncs = {one["id"]: one for one in (await api.get(SYNCS)).data}
        assert set(syncs) == set(world.syncs)
        for sync_id, sync in syncs.items():
            seen = world.syncs[sync_id]
            assert (sync["name"], sync["mode"], sync["active"]) == (seen["name"], seen["mode"], bool(seen["active"]))
            schedules = [sync["default_schedule"], *(sync.get("additional_schedules") or [])]
            assert {one["id"] for one in schedules} == set(seen["schedules"])
            assert {one["id"] for one in (await api.get(EXECUTIONS, id=sync_id)).data} == set(seen["executions"])
            for table, one in seen["schemas"].items():
                known = (await api.get(f"{SYNC}/schemas/{{schema_id}}", id=sync_id, schema_id=table)).data
                assert known["enabled"] == bool(one["enabled"])
                columns = {each["id"]: (each["enabled"], each["obfuscated"]) for each in known["fields"]}
                stored = one["settings"]["fields"]
                assert columns == {each["id"]: (each["enabled"], each["obfuscated"]) for each in stored}

    house.run(told())


def _row(stage: Stage) -> None:
    stage.on_destination("DELETE FROM ledger")


def _value(stage: Stage) -> None:
    stage.on_destination("UPDATE ledger SET amount = 0")


def _column(stage: Stage) -> None:
    stage.on_destination("ALTER TABLE customers DROP COLUMN stray")


def _table(stage: Stage) -> None:
    stage.on_destination("DROP TABLE ledger")


def _file(stage: Stage) -> None:
    (stage.workspace / "warehouse.duckdb").unlink()


def _in_store(statement: str) -> Callable[[Stage], None]:
    def change(stage: Stage) -> None:
        with sqlite3.connect(stage.state / "store.sqlite") as db:
            db.execute("PRAGMA foreign_keys = ON")
            db.execute(statement)
        db.close()

    return change


BY_HAND = {
    "row": _row,
    "value": _value,
    "column": _column,
    "table": _table,
    "file": _file,
    "sync": _in_store("DELETE FROM syncs WHERE name = 'Shop'"),
    "schedule": _in_store("DELETE FROM schedules WHERE NOT is_default"),
    "history": _in_store("DELETE FROM executions"),
    "one execution": _in_store("DELETE FROM executions WHERE id = (SELECT min(id) FROM executions)"),
    "connection": _in_store("DELETE FROM connections WHERE name = 'Spare'"),
    "secret": _in_store("UPDATE connections SET configuration = '{}' WHERE name = 'Notes'"),
    "table selection": _in_store("UPDATE sync_schemas SET enabled = 0"),
    "narrowness": _in_store("UPDATE sync_schemas SET enabled = 1"),
    "write mode": _in_store("UPDATE syncs SET mode = 'append'"),
    "alert": _in_store("UPDATE syncs SET subscribers = '[]'"),
}


@pytest.mark.parametrize("what", sorted(BY_HAND))
def test_whatever_goes_by_itself_is_missed(what: str, stage: Stage) -> None:
    BY_HAND[what](stage)
    problems = stage.oracle.judge(stage.look(), None, [])
    assert problems
    assert all("lost without any" in one for one in problems), problems


def test_a_world_that_stays_is_no_loss(stage: Stage) -> None:
    assert stage.oracle.judge(stage.look(), None, []) == []
