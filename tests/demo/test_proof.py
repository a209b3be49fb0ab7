"""The demo's own eyes: what counts as equal, what is noticed, and that a copy leaves no trace beside its source."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from bulk_sync_mcp.demo.copies import copy
from bulk_sync_mcp.demo.places import NotUsable, Place, recognise
from bulk_sync_mcp.demo.proof import Mismatch, Pair

COLUMNS = "n INTEGER, amount DECIMAL(10,2), moment TIMESTAMP, flag BOOLEAN, word TEXT, raw BLOB"
ROWS: list[tuple[object, ...]] = [
    (2**53 + 1, 12.5, "2024-02-29 23:59:59.123456", 1, "Zoë 李", b"\0\xff"),
    (1, -0.01, "2024-02-29 00:00:00", 0, "", b""),
    (1, -0.01, "2024-02-29 00:00:00", 0, "", b""),
    (None, None, None, None, None, None),
]


def pair(folder: Path, rows: Sequence[tuple[object, ...]], copied: Sequence[tuple[object, ...]]) -> Pair:
    """A SQLite source with `rows`, and a DuckDB destination with `copied` and the columns that a sync adds."""
    source, destination = folder / "source.sqlite", folder / "destination.duckdb"
    marks = "?, ?, ?, ?, ?, ?"
    with closing(sqlite3.connect(source)) as connection, connection:
        connection.execute(f"CREATE TABLE things ({COLUMNS})")
        connection.executemany(f"INSERT INTO things VALUES ({marks})", rows)
    with duckdb.connect(str(destination)) as connection:
        connection.execute(
            f"CREATE TABLE things ({COLUMNS.replace('INTEGER', 'BIGINT')}, _polytomic_deleted_at TIMESTAMP)"
        )
        for row in copied:
            connection.execute(f"INSERT INTO things VALUES ({marks}, NULL)", row)
        connection.execute(
            f"INSERT INTO things VALUES ({marks}, now()::TIMESTAMP)", [7, 7, None, None, "deleted", None]
        )
    return Pair(Place("sqlite", source), Place("duckdb", destination, "main"), {"things": "things"})


def test_rows_are_equal_whatever_their_order_and_however_each_database_spells_them(tmp_path: Path) -> None:
    compared = pair(tmp_path, ROWS, ROWS[::-1]).equal()
    assert compared.rows == {"things": 4}
    assert compared.left_out == ()


@pytest.mark.parametrize(
    "copied",
    [
        ROWS[:-1],
        [*ROWS, ROWS[0]],
        [ROWS[0], ROWS[1], ROWS[3], ROWS[3]],
        [(2**53, *ROWS[0][1:]), *ROWS[1:]],
        [(*ROWS[0][:4], "Zoe 李", ROWS[0][5]), *ROWS[1:]],
        [(*ROWS[0][:2], "2024-02-29 23:59:59.123457", *ROWS[0][3:]), *ROWS[1:]],
        [(*ROWS[0][:5], None), *ROWS[1:]],
    ],
    ids=["missing", "doubled", "swapped", "rounded", "accent", "microsecond", "null"],
)
def test_any_difference_is_a_mismatch(tmp_path: Path, copied: list[tuple[object, ...]]) -> None:
    both = pair(tmp_path, ROWS, copied)
    with pytest.raises(Mismatch):
        both.equal()


def test_a_table_that_was_equal_and_has_changed_since_is_a_mismatch(tmp_path: Path) -> None:
    both = pair(tmp_path, ROWS, ROWS)
    both.equal()
    with duckdb.connect(str(both.destination.path)) as connection:
        connection.execute("UPDATE things SET word = 'other' WHERE n > 1000")
    with pytest.raises(Mismatch):
        both.equal()


def test_a_source_that_has_changed_is_read_again(tmp_path: Path) -> None:
    both = pair(tmp_path, ROWS, ROWS)
    both.equal()
    with closing(sqlite3.connect(both.source.path)) as connection, connection:
        connection.execute("UPDATE things SET word = 'other' WHERE n > 1000")
    both.source_changed()
    with pytest.raises(Mismatch):
        both.equal()


def test_a_column_with_values_of_another_type_is_left_out_and_named(tmp_path: Path) -> None:
    odd = [("no number", *ROWS[0][1:]), *ROWS[1:]]
    null = [(None, *ROWS[0][1:]), *ROWS[1:]]
    assert pair(tmp_path, odd, null).equal().left_out == ("things.n",)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE things ADD COLUMN more TEXT",
        "UPDATE things SET _polytomic_deleted_at = NULL",
        "DELETE FROM things WHERE n = 7",
        "CREATE TABLE another (n INTEGER)",
    ],
)
def test_a_snapshot_notices_rows_columns_marks_and_tables(tmp_path: Path, statement: str) -> None:
    both = pair(tmp_path, ROWS, ROWS)
    before = both.snapshot()
    both.unchanged(before)
    with duckdb.connect(str(both.destination.path)) as connection:
        connection.execute(statement)
    with pytest.raises(Mismatch):
        both.unchanged(before)


@pytest.mark.parametrize("held_open", [False, True])
def test_a_copy_has_what_is_in_the_log_and_leaves_nothing_beside_the_source(tmp_path: Path, held_open: bool) -> None:
    folder, target = tmp_path / "mine", tmp_path / "copy"
    folder.mkdir()
    target.mkdir()
    writer = sqlite3.connect(folder / "mine.sqlite")
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("CREATE TABLE things (n INTEGER)")
    writer.execute("INSERT INTO things VALUES (42)")
    writer.commit()
    if not held_open:
        writer.close()
    before = {file.name: file.read_bytes() for file in folder.iterdir() if not file.name.endswith("-shm")}
    names = sorted(file.name for file in folder.iterdir())
    made = copy(recognise(folder / "mine.sqlite", as_source=True), target)
    assert sorted(file.name for file in folder.iterdir()) == names
    assert {name: (folder / name).read_bytes() for name in before} == before
    with closing(sqlite3.connect(made.path)) as connection:
        assert connection.execute("SELECT n FROM things").fetchall() == [(42,)]
    writer.close()


def test_what_is_no_database_and_no_folder_of_tables_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("not a database at all")
    with pytest.raises(NotUsable, match="neither a SQLite nor a DuckDB"):
        recognise(tmp_path / "notes.db", as_source=True)
    with pytest.raises(NotUsable, match="neither CSV nor Parquet"):
        recognise(tmp_path, as_source=True)
