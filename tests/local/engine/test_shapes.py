"""Columns that come, go, change, are renamed or hidden."""

import hashlib

import pytest

from bulk_sync_local.engine.job import FieldChoice, TableJob
from local.engine.kit import Workspace

DESTINATIONS = ("duckdb", "sqlite", "parquet")


@pytest.fixture
def people(workspace: Workspace) -> Workspace:
    workspace.sql(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, age INTEGER)",
        "INSERT INTO people VALUES (1, 'ann', 30), (2, NULL, 40)",
    )
    return workspace


@pytest.mark.parametrize("to", DESTINATIONS)
@pytest.mark.parametrize("mode", ["replicate", "snapshot", "append"])
def test_a_new_column_is_added_to_the_output(people: Workspace, mode: str, to: str) -> None:
    table = TableJob("people", tracking_field="id" if mode != "snapshot" else None)
    people.load(to, table, mode=mode)
    people.sql("ALTER TABLE people ADD COLUMN city TEXT", "INSERT INTO people VALUES (3, 'eve', 50, 'Oslo')")
    recorder = people.load(to, table, mode=mode)
    cities = {row["id"]: row["city"] for row in people.rows(to, "people")}
    assert cities == {1: None, 2: None, 3: "Oslo"}
    assert recorder.said("New column at the output: city") == (mode != "snapshot")


def test_a_new_column_stays_out_when_new_fields_are_not_wanted(people: Workspace) -> None:
    table = TableJob("people", (FieldChoice("id"), FieldChoice("name")), new_fields=False)
    people.load("duckdb", table)
    people.sql("ALTER TABLE people ADD COLUMN city TEXT")
    people.load("duckdb", table)
    assert set(people.rows("duckdb", "people")[0]) & {"age", "city"} == set()


@pytest.mark.parametrize("to", DESTINATIONS)
def test_a_vanished_column_fails_the_table_until_it_is_deselected(people: Workspace, to: str) -> None:
    people.load(to, "people")
    before = people.rows(to, "people")
    people.sql("ALTER TABLE people DROP COLUMN age")
    message = people.run(to, "people").finished["people"].message or ""
    assert "no longer has the field age" in message
    assert "Deselect it" in message
    assert people.rows(to, "people") == before
    people.load(to, TableJob("people", (FieldChoice("age", enabled=False),)))
    assert [row["age"] for row in people.rows(to, "people")] == [30, 40]
    explicit = people.run(to, TableJob("people", (FieldChoice("age"),)))
    assert "selected field age" in (explicit.finished["people"].message or "")
    people.load(to, TableJob("people", (FieldChoice("age"),)), resync_mode="rebuild")
    assert "age" not in people.rows(to, "people")[0]


@pytest.mark.parametrize("to", DESTINATIONS)
@pytest.mark.parametrize("mode", ["resync", "rebuild"])
def test_a_table_goes_on_without_a_named_field_once_it_was_emptied_or_made_anew(
    people: Workspace, mode: str, to: str
) -> None:
    table = TableJob("people", (FieldChoice("id"), FieldChoice("name"), FieldChoice("age")))
    people.load(to, table)
    people.sql("ALTER TABLE people DROP COLUMN age")
    for once_more in (None, "refetch"):
        said = people.run(to, table, resync_mode=once_more).finished["people"].message or ""
        assert "resync_mode rebuild" in said
    people.load(to, table, resync_mode=mode)
    people.sql("INSERT INTO people VALUES (3, 'eve')")
    for _ in range(2):
        assert people.load(to, table).said("no longer has age; the table is loaded without")
    assert [row.get("age") for row in people.rows(to, "people")] == [None] * 3
    assert ("age" in people.rows(to, "people")[0]) == (mode == "resync")
    people.sql("ALTER TABLE people ADD COLUMN age INTEGER", "UPDATE people SET age = 7")
    people.load(to, table)
    people.sql("ALTER TABLE people DROP COLUMN age")
    assert people.run(to, table).finished["people"].status == "failed"


@pytest.mark.parametrize("to", DESTINATIONS)
def test_a_resync_keeps_a_vanished_column_empty(people: Workspace, to: str) -> None:
    people.load(to, "people")
    people.sql("ALTER TABLE people DROP COLUMN age")
    people.load(to, "people", resync_mode="resync")
    assert [row["age"] for row in people.rows(to, "people")] == [None, None]


@pytest.mark.parametrize("to", DESTINATIONS)
def test_a_changed_type_fails_the_table_until_it_is_rebuilt(people: Workspace, to: str) -> None:
    people.load(to, "people")
    before = people.rows(to, "people")
    people.sql("ALTER TABLE people DROP COLUMN age", "ALTER TABLE people ADD COLUMN age TEXT")
    message = people.run(to, "people").finished["people"].message or ""
    assert "age would be" in message
    assert "rebuild" in message
    assert people.rows(to, "people") == before
    test = people.run(to, "people", test=True)
    assert test.finished["people"].status == "failed"
    people.load(to, "people", resync_mode="rebuild")


@pytest.mark.parametrize("to", DESTINATIONS)
def test_a_changed_or_vanished_column_fails_its_table_alone(people: Workspace, to: str) -> None:
    people.sql(
        "CREATE TABLE changed (id INTEGER PRIMARY KEY, v INTEGER)", "INSERT INTO changed VALUES (1, 1)",
        "CREATE TABLE vanished (id INTEGER PRIMARY KEY, v INTEGER)", "INSERT INTO vanished VALUES (1, 1)",
    )  # fmt: skip
    tables = ("changed", "people", "vanished")
    people.load(to, *tables)
    people.sql(
        "DROP TABLE changed", "CREATE TABLE changed (id INTEGER PRIMARY KEY, v TEXT)", "INSERT INTO changed VALUES (1, 'x')",
        "ALTER TABLE vanished DROP COLUMN v", "UPDATE people SET name = 'Ann'",
    )  # fmt: skip
    finished = people.run(to, *tables).finished
    assert [finished[one].status for one in tables] == ["failed", "completed", "failed"]
    for table in ("changed", "vanished"):
        assert "Deselect" in (finished[table].message or "")
        assert "rebuild" in (finished[table].message or "")
        assert [(row["id"], row["v"]) for row in people.rows(to, table)] == [(1, 1)]
    assert {row["name"] for row in people.rows(to, "people")} == {"Ann"}
    people.load(to, *tables, resync_mode="rebuild")


@pytest.mark.parametrize("to", DESTINATIONS)
def test_a_deselected_column_stays_as_it_is(people: Workspace, to: str) -> None:
    people.load(to, "people")
    people.sql("UPDATE people SET name = 'Ann', age = 99", "INSERT INTO people VALUES (3, 'eve', 50)")
    people.load(to, TableJob("people", (FieldChoice("age", enabled=False),)))
    assert [(row["name"], row["age"]) for row in people.rows(to, "people")] == [("Ann", 30), ("Ann", 40), ("eve", None)]


def test_a_changed_key_fails_the_table(people: Workspace) -> None:
    people.load("duckdb", "people")
    people.sql(
        "DROP TABLE people",
        "CREATE TABLE people (id INTEGER, name TEXT, age INTEGER, PRIMARY KEY (id, age))",
        "INSERT INTO people VALUES (1, 'ann', 30)",
    )
    assert "resync or rebuild" in (people.run("duckdb", "people").finished["people"].message or "")
    people.load("duckdb", "people", resync_mode="resync")
    people.load("duckdb", "people")


def test_an_output_that_was_appended_to_is_not_merged_into(people: Workspace) -> None:
    people.load("duckdb", "people", mode="append")
    assert "appended" in (people.run("duckdb", "people").finished["people"].message or "")


@pytest.mark.parametrize("to", DESTINATIONS)
def test_obfuscated_values_are_digests_and_still_merge(people: Workspace, to: str) -> None:
    table = TableJob("people", (FieldChoice("id", obfuscated=True), FieldChoice("name", obfuscated=True)))
    people.load(to, table)
    people.sql("UPDATE people SET age = 31 WHERE id = 1")
    people.load(to, table)
    rows = {row["age"]: row for row in people.rows(to, "people")}
    assert len(rows) == 2
    assert rows[31]["id"] == hashlib.sha256(b"1").hexdigest()
    assert rows[31]["name"] == hashlib.sha256(b"ann").hexdigest()
    assert rows[40]["name"] is None


def test_a_deselected_key_fails_the_table(people: Workspace) -> None:
    recorder = people.run("duckdb", TableJob("people", (FieldChoice("id", enabled=False),)))
    assert "obfuscate it instead" in (recorder.finished["people"].message or "")


def test_names_are_normalised_unless_given(workspace: Workspace) -> None:
    workspace.sql('CREATE TABLE "Order Lines" ("Größe" INTEGER, "2nd" TEXT, "select" TEXT)')
    workspace.sql("INSERT INTO \"Order Lines\" VALUES (1, 'x', 'y')")
    workspace.load(
        "duckdb", TableJob("Order Lines", (FieldChoice("select", user_output_name="From Where"),)), table_prefix="p_"
    )
    row = workspace.rows("duckdb", "p_order_lines")[0]
    assert (row["grosse"], row["_2nd"], row["From Where"]) == (1, "x", "y")
    workspace.load("duckdb", "Order Lines", normalize_names="disabled", sync_id="2")
    assert workspace.rows("duckdb", "Order Lines")[0]["Größe"] == 1


@pytest.mark.parametrize("columns", ['"a b" INTEGER, "a-b" INTEGER', '"_Polytomic Updated At" TEXT'])
def test_columns_that_would_share_a_name_fail_the_table(workspace: Workspace, columns: str) -> None:
    workspace.sql(f"CREATE TABLE t ({columns})")
    assert "would both be called" in (workspace.run("duckdb", "t").finished["t"].message or "")


@pytest.mark.parametrize("to", DESTINATIONS)
def test_reserved_words_quotes_and_unicode_are_only_names(workspace: Workspace, to: str) -> None:
    table = "sel\"ect'; DROP 表"
    quoted = '"' + table.replace('"', '""') + '"'
    workspace.sql(
        f"""CREATE TABLE {quoted} ("order" INTEGER, "na""me" TEXT, "é'" TEXT, PRIMARY KEY ("order", "na""me"))"""
    )
    workspace.sql(f"INSERT INTO {quoted} VALUES (1, 'a', 'b')")
    output = TableJob(table, user_output_name="select 表") if to != "duckdb" else TableJob(table)
    for _ in range(2):
        workspace.load(to, output, normalize_names="disabled", output_schema="group" if to == "duckdb" else None)
    if to == "duckdb":
        rows = workspace.duck(f'SELECT "order", "na""me", "é\'" FROM "group".{quoted}', file="out.duckdb")
        assert rows == [(1, "a", "b")]
    else:
        (row,) = workspace.rows(to, "select 表")
        assert (row["order"], row['na"me'], row["é'"]) == (1, "a", "b")


@pytest.mark.parametrize("to", DESTINATIONS)
@pytest.mark.parametrize("first", [False, True])
def test_rows_are_not_merged_by_a_key_whose_obfuscation_has_changed(workspace: Workspace, first: bool, to: str) -> None:
    workspace.sql("CREATE TABLE people (id TEXT PRIMARY KEY, age INTEGER)", "INSERT INTO people VALUES ('ann', 30)")

    def table(*, obfuscated: bool) -> TableJob:
        return TableJob("people", (FieldChoice("id", obfuscated=obfuscated),))

    workspace.load(to, table(obfuscated=first))
    said = workspace.run(to, table(obfuscated=not first)).finished["people"].message or ""
    assert "no row would be found again" in said
    workspace.load(to, table(obfuscated=not first), resync_mode="resync")
    workspace.load(to, table(obfuscated=not first))
    assert len(workspace.rows(to, "people")) == 1


@pytest.mark.parametrize("to", DESTINATIONS)
def test_plain_values_beside_obfuscated_ones_are_told(workspace: Workspace, to: str) -> None:
    workspace.sql("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT)", "INSERT INTO people VALUES (1, 'ann')")
    workspace.load(to, TableJob("people", tracking_field="id"))
    workspace.sql("INSERT INTO people VALUES (2, 'eve')", "DELETE FROM people WHERE id = 1")
    hidden = TableJob("people", (FieldChoice("name", obfuscated=True),), tracking_field="id")
    assert workspace.load(to, hidden).said("name is obfuscated from this run on; rows that are not written again")
    assert workspace.rows(to, "people")[0]["name"] == "ann"
    assert not workspace.load(to, hidden, resync_mode="resync").said("from this run on")
    assert not workspace.load(to, hidden).said("from this run on")
