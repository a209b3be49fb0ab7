"""Tables that the sync did not make, and those it did."""

from typing import Any

import duckdb
import pytest

from bulk_sync_local.engine.job import Endpoint, TableJob
from local.engine.kit import Workspace

DESTINATIONS = ("duckdb", "sqlite", "parquet")


def put_foreign(workspace: Workspace, to: str, columns: str = "id, name, mine", values: str = "9, 'theirs', 7") -> None:
    names = [column.strip() for column in columns.split(",")]
    kinds = {"id": "INTEGER" if to == "sqlite" else "BIGINT", "name": "TEXT" if to == "sqlite" else "VARCHAR"}
    definition = ", ".join(f"{one} {kinds.get(one, 'INTEGER')}" for one in names)
    create, insert = f"CREATE TABLE people ({definition})", f"INSERT INTO people VALUES ({values})"
    if to == "sqlite":
        workspace.sql(create, insert, file="out.sqlite")
    elif to == "duckdb":
        workspace.duck(create, insert, file="out.duckdb")
    else:
        (workspace.path / "out").mkdir()
        with duckdb.connect() as con:
            con.execute(create)
            con.execute(insert)
            con.execute(f"COPY people TO '{workspace.path}/out/people.parquet'")


@pytest.fixture
def people(workspace: Workspace) -> Workspace:
    workspace.sql("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT)", "INSERT INTO people VALUES (1, 'ours')")
    return workspace


@pytest.mark.parametrize("to", DESTINATIONS)
@pytest.mark.parametrize(
    "settings", [{}, {"mode": "snapshot"}, {"mode": "append"}, {"resync_mode": "refetch"}], ids=str
)
def test_a_table_of_somebody_else_is_left_alone(people: Workspace, settings: dict[str, Any], to: str) -> None:
    put_foreign(people, to)
    recorder = people.run(to, "people", **settings)
    assert recorder.finished["people"].status == "failed"
    assert "not made by this sync" in (recorder.finished["people"].message or "")
    assert people.rows(to, "people") == [{"id": 9, "name": "theirs", "mine": 7}]


@pytest.mark.parametrize("to", DESTINATIONS)
def test_a_test_run_warns_of_a_table_of_somebody_else(people: Workspace, to: str) -> None:
    put_foreign(people, to)
    recorder = people.load(to, "people", test=True)
    assert recorder.finished["people"].warnings == 1
    assert recorder.said("not made by this sync")


@pytest.mark.parametrize("to", DESTINATIONS)
def test_a_resync_takes_a_table_over_and_keeps_its_stray_columns(people: Workspace, to: str) -> None:
    put_foreign(people, to)
    people.load(to, "people", resync_mode="resync")
    (row,) = people.rows(to, "people")
    assert (row["id"], row["name"], row["mine"]) == (1, "ours", None)
    people.load(to, "people")


@pytest.mark.parametrize("to", DESTINATIONS)
def test_a_rebuild_takes_a_table_over_with_the_shape_of_the_source(people: Workspace, to: str) -> None:
    put_foreign(people, to)
    people.load(to, "people", resync_mode="rebuild")
    assert "mine" not in people.rows(to, "people")[0]
    people.load(to, "people")


@pytest.mark.parametrize("to", DESTINATIONS)
def test_a_resync_into_columns_of_other_types_is_refused(people: Workspace, to: str) -> None:
    put_foreign(people, to, "id, mine, name2", "9, 7, 8")
    people.sql("ALTER TABLE people ADD COLUMN mine TEXT")
    recorder = people.run(to, "people", resync_mode="resync")
    assert "resync_mode rebuild" in (recorder.finished["people"].message or "")
    assert people.rows(to, "people")[0]["mine"] == 7


@pytest.mark.parametrize("to", DESTINATIONS)
def test_two_syncs_do_not_share_an_output(people: Workspace, to: str) -> None:
    people.load(to, "people", sync_id="first")
    assert people.run(to, "people", sync_id="second").finished["people"].status == "failed"
    people.load(to, "people", sync_id="first")


@pytest.mark.parametrize("to", DESTINATIONS)
def test_a_table_that_another_sync_took_over_is_no_longer_written_to_by_the_first(people: Workspace, to: str) -> None:
    people.load(to, "people", sync_id="first")
    people.load(to, "people", sync_id="second", resync_mode="rebuild")
    assert "not made by this sync" in (people.run(to, "people", sync_id="first").finished["people"].message or "")
    people.load(to, "people", sync_id="second")


@pytest.mark.parametrize("to", DESTINATIONS)
def test_a_table_that_another_table_of_the_sync_took_over_is_its_own_no_more(people: Workspace, to: str) -> None:
    people.sql("CREATE TABLE other (id INTEGER PRIMARY KEY, name TEXT)", "INSERT INTO other VALUES (7, 'seven')")
    people.load(to, "people")
    people.load(to, TableJob("other", user_output_name="people"), resync_mode="resync")
    assert people.run(to, "people").finished["people"].status == "failed"
    assert [row["name"] for row in people.rows(to, "people")] == ["seven"]


@pytest.mark.parametrize("to", DESTINATIONS)
def test_a_sync_knows_its_output_again_when_it_gets_back_a_name_it_had(people: Workspace, to: str) -> None:
    table = TableJob("people", tracking_field="id")
    people.load(to, table)
    people.sql("INSERT INTO people VALUES (2, 'second')")
    people.load(to, table, table_prefix="new_")
    people.sql("INSERT INTO people VALUES (3, 'third')")
    assert people.load(to, table).finished["people"].records == 3  # from the row on that it had read last
    assert len(people.rows(to, "people")) == 3
    assert len(people.rows(to, "new_people")) == 2


@pytest.mark.parametrize("to", ["duckdb", "sqlite"])
def test_a_sync_knows_its_output_by_a_name_that_differs_in_case_alone(workspace: Workspace, to: str) -> None:
    workspace.sql('CREATE TABLE "People" (id INTEGER PRIMARY KEY, "Name" TEXT)', "INSERT INTO People VALUES (1, 'a')")
    workspace.load(to, "People", normalize_names="disabled")
    workspace.sql("INSERT INTO People VALUES (2, 'b')")
    workspace.load(to, "People", normalize_names="enabled")
    assert [row["Name"] for row in workspace.rows(to, "people")] == ["a", "b"]


@pytest.mark.parametrize("to", ["duckdb", "sqlite"])
def test_a_view_in_place_of_the_output_is_never_dropped(people: Workspace, to: str) -> None:
    if to == "sqlite":
        people.sql("CREATE VIEW people AS SELECT 1 AS id", file="out.sqlite")
    else:
        people.duck("CREATE VIEW people AS SELECT 1 AS id", file="out.duckdb")
    recorder = people.run(to, "people", resync_mode="rebuild")
    assert "is a view" in (recorder.finished["people"].message or "")
    assert people.rows(to, "people") == [{"id": 1}]


def test_an_output_schema_is_made_in_duckdb_and_refused_elsewhere(people: Workspace) -> None:
    people.load("duckdb", "people", output_schema="Sales é")
    assert people.rows("duckdb", "people", "Sales é")[0]["name"] == "ours"
    people.load("duckdb", "people", output_schema="out")  # the catalog of out.duckdb has that name too
    people.load("duckdb", "people", output_schema="out")
    for to in ("sqlite", "parquet"):
        assert "has no schemas" in (people.run(to, "people", output_schema="x").finished["people"].message or "")
        assert not (people.path / ("out" if to == "parquet" else "out.sqlite")).exists()


def test_source_and_destination_cannot_be_one_file(people: Workspace) -> None:
    before = people.fingerprint()
    (people.path / "out.sqlite").symlink_to(people.path / "source.sqlite")
    recorder = people.run("sqlite", "people")
    assert "same file" in (recorder.finished["people"].message or "")
    (people.path / "out.sqlite").unlink()
    assert people.fingerprint() == before


def test_one_table_that_fails_does_not_stop_the_others(people: Workspace) -> None:
    people.sql("CREATE TABLE other (id INTEGER PRIMARY KEY)", "INSERT INTO other VALUES (5)")
    recorder = people.run("duckdb", "people", "gone", "other")
    assert [recorder.finished[one].status for one in ("people", "gone", "other")] == [
        "completed",
        "failed",
        "completed",
    ]
    assert "no table gone" in (recorder.finished["gone"].message or "")


def test_tables_that_would_share_a_name_fail_with_a_remedy(workspace: Workspace) -> None:
    workspace.sql('CREATE TABLE "a b" (x INTEGER)', 'CREATE TABLE "a-b" (x INTEGER)', "CREATE TABLE c (x INTEGER)")
    recorder = workspace.run("duckdb", "a b", "a-b", "c")
    assert [one.status for one in recorder.finished.values()] == ["failed", "failed", "completed"]
    named = TableJob("a-b", user_output_name="second")
    workspace.load("duckdb", "a b", named)


@pytest.mark.parametrize("to", DESTINATIONS)
@pytest.mark.parametrize("given", ["_bulk_sync_state", "__stage_x", "_BULK_SYNC_STATE"])
def test_names_the_engine_keeps_are_refused(people: Workspace, given: str, to: str) -> None:
    recorder = people.run(to, TableJob("people", user_output_name=given))
    assert "own use" in (recorder.finished["people"].message or "")


@pytest.mark.parametrize("given", ["../escape", "a/b", "..", "nul\0"])
def test_an_output_name_cannot_leave_the_folder(people: Workspace, given: str) -> None:
    recorder = people.run("parquet", TableJob("people", user_output_name=given))
    assert recorder.finished["people"].status == "failed"
    assert sorted(file.name for file in people.path.rglob("*.parquet")) == []


def test_a_destination_that_cannot_be_opened_fails_every_table(people: Workspace) -> None:
    (people.path / "out.duckdb").write_bytes(b"this is no database" * 1000)
    recorder = people.run("duckdb", "people", "other")
    assert [one.status for one in recorder.finished.values()] == ["failed", "failed"]
    assert "cannot be opened" in (recorder.finished["people"].message or "")
    recorder = people.run("sqlite", "people", source=Endpoint("nosuch", {}))
    assert "Use one of: csv, duckdb, parquet, postgresql, sqlite" in (recorder.finished["people"].message or "")
