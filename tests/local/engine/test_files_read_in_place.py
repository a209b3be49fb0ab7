"""Files that the stage's own DuckDB reads: what arrives, what is told meanwhile, how it ends, and what it may reach."""

import hashlib
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest

from bulk_sync_local.connectors.confined import connect
from bulk_sync_local.connectors.registry import connector
from bulk_sync_local.engine.filling import insert
from bulk_sync_local.engine.job import Endpoint, FieldChoice, RowFilter, TableJob
from bulk_sync_local.engine.plan import Selected, TablePlan
from bulk_sync_local.engine.ports import Canceled, DestinationConnector, Query, Source, SourceConnector
from bulk_sync_local.engine.sql import name
from bulk_sync_local.engine.stage import Stage, Watch
from local.engine.kit import CancelAt, Recorder, Workspace

KINDS = ("parquet", "csv")
ROWS = 300_000  # three row groups


def written(workspace: Workspace, kind: str, query: str, table: str = "t") -> Endpoint:
    """The folder `in` with one more file: the rows of `query`."""
    folder = workspace.path / "in"
    folder.mkdir(exist_ok=True)
    with duckdb.connect() as con:
        con.execute(f"COPY ({query}) TO '{folder}/{table}.{kind}' (FORMAT {kind})")
    return Endpoint(kind, {"path": "in"})


def opened(workspace: Workspace, endpoint: Endpoint) -> Source:
    reads = cast("SourceConnector", connector(endpoint.type_id))
    return reads.open_source(endpoint.configuration, workspace.confinement)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_arrive_in_the_order_of_the_file_and_are_told_up_to_the_last(workspace: Workspace, kind: str) -> None:
    source = written(workspace, kind, f"SELECT range AS id, 'v' || range AS v FROM range({ROWS})")
    recorder = workspace.load("duckdb", "t", source=source)
    assert recorder.progress["t"] == sorted(recorder.progress["t"])
    assert recorder.progress["t"][-1] == recorder.finished["t"].records == ROWS
    (seen,) = workspace.query("duckdb", "SELECT bool_and(id = rowid AND v = 'v' || rowid) AS same FROM {}", "t")
    assert seen["same"]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_a_filter_leaves_out_are_not_told(workspace: Workspace, kind: str) -> None:
    source = written(workspace, kind, f"SELECT range AS id FROM range({ROWS})")
    table = TableJob("t", filters=(RowFilter("id", "LessThan", 10),))
    recorder = workspace.load("duckdb", table, source=source)
    assert max(recorder.progress["t"]) == recorder.finished["t"].records == 10


@pytest.mark.parametrize(("kind", "to"), [("parquet", "duckdb"), ("csv", "parquet")])
def test_a_cancel_at_any_question_keeps_the_output(workspace: Workspace, kind: str, to: str) -> None:
    workspace.load(to, "t", source=written(workspace, kind, "SELECT range AS a, 'old' AS v FROM range(1)"))
    source = written(workspace, kind, "SELECT range AS a, 'new' AS v FROM range(9)")
    for question in range(1, 60):
        recorder = workspace.run(to, "t", source=source, recorder=CancelAt(table="t", question=question))
        if recorder.finished["t"].status == "completed":
            break
        assert recorder.finished["t"].status == "canceled"
        assert [row["v"] for row in workspace.data(to, "t")] == ["old"]
    assert question > 3
    assert workspace.query(to, "SELECT count(*) AS rows FROM {} WHERE v = 'new'", "t") == [{"rows": 9}]


def test_what_is_raised_meanwhile_interrupts_a_statement_that_would_never_end() -> None:
    def look(share: float) -> None:
        assert 0 <= share <= 1
        raise Canceled

    with closing(connect(None)) as connection:
        connection.execute("CREATE TABLE t (a BIGINT)")
        connection.execute("BEGIN")
        with pytest.raises(Canceled):
            insert(connection, "INSERT INTO t SELECT count(*) FROM range(1000000000000) AS a", look)
        connection.execute("ROLLBACK")
        assert insert(connection, "INSERT INTO t FROM range(3)", look) == 3


@dataclass
class Meanwhile(Recorder):
    """Does something when it is told something: between the look at a table and its reading."""

    act: Callable[[], object] = field(default=lambda: None)

    def log(self, schema_id: str | None, level: Any, message: str) -> None:
        super().log(schema_id, level, message)
        self.act()


@pytest.mark.parametrize(
    ("kind", "other", "words"),
    [
        ("parquet", "'x' AS a", "changed while they were looked at"),
        ("parquet", "1 AS b", "changed while they were looked at"),
        ("csv", "1 AS b", "changed while they were looked at"),
        ("csv", "'x' AS a", "CSV Error on Line: 2"),
    ],
)
def test_a_file_with_other_columns_than_were_seen_fails_its_table_in_words(
    workspace: Workspace, kind: str, other: str, words: str
) -> None:
    source = written(workspace, kind, "SELECT 1 AS a")
    workspace.load("duckdb", "t", source=source)
    recorder = Meanwhile(act=lambda: written(workspace, kind, f"SELECT {other}"))
    # There is nothing to hold the cutoff against, which is told after the look at the file.
    workspace.run("duckdb", TableJob("t", data_cutoff="2024-01-01"), source=source, recorder=recorder)
    message = recorder.finished["t"].message or ""
    assert (recorder.finished["t"].status, words in message) == ("failed", True)
    assert [row["a"] for row in workspace.rows("duckdb", "t")] == [1]


def test_a_part_that_is_removed_during_a_run_fails_the_table_in_words(workspace: Workspace) -> None:
    source = written(workspace, "parquet", "SELECT 1 AS a", "a")
    (workspace.path / "in" / "t").mkdir()
    for part in ("a", "b"):
        shutil.copy(workspace.path / "in" / "a.parquet", workspace.path / "in" / "t" / f"{part}.parquet")
    workspace.load("duckdb", "t", source=source)
    recorder = Meanwhile(act=lambda: (workspace.path / "in" / "t" / "b.parquet").unlink(missing_ok=True))
    workspace.run("duckdb", TableJob("t", data_cutoff="2024-01-01"), source=source, recorder=recorder)
    assert "If one of them was removed since, run the sync again." in (recorder.finished["t"].message or "")
    assert len(workspace.rows("duckdb", "t")) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_vanishes_fails_its_table_only(workspace: Workspace, kind: str) -> None:
    written(workspace, kind, "SELECT 1 AS a", "other")
    source = written(workspace, kind, "SELECT 1 AS a")
    recorder = Meanwhile(act=lambda: (workspace.path / "in" / f"t.{kind}").unlink(missing_ok=True))
    workspace.run("duckdb", TableJob("t", data_cutoff="2024-01-01"), "other", source=source, recorder=recorder)
    assert [recorder.finished[one].status for one in ("t", "other")] == ["failed", "completed"]


@pytest.mark.parametrize("kind", ["duckdb", "sqlite", "parquet"])
def test_a_stage_reaches_the_files_of_its_source_and_no_others(workspace: Workspace, kind: str) -> None:
    source = written(workspace, "csv", "SELECT 1 AS a")
    beside = workspace.path / "beside.csv"
    beside.write_text("a\nsecret\n")
    job = workspace.job(kind, "t", source=source)
    with closing(opened(workspace, source)) as tables:
        writes = cast("DestinationConnector", connector(kind))
        destination = writes.open_destination(job, workspace.confinement, read_only=False, files=tables.files)
    assert destination is not None
    with closing(destination):
        (inside,) = tables.files
        assert destination.scratch.execute(f"FROM read_csv('{inside}')").fetchall() == [(1,)]
        for path in (beside, f"{inside.parent}/../beside.csv", f"{inside.parent}/*.csv"):
            with pytest.raises(duckdb.PermissionException):
                destination.scratch.execute(f"FROM read_text('{path}')")
        with pytest.raises(duckdb.Error, match="locked"):
            destination.scratch.execute(f"SET allowed_paths = ['{beside}']")


def test_macros_in_the_destination_change_nothing_of_what_is_read_and_hidden(workspace: Workspace) -> None:
    id_ = "b1a7c9de-0000-4000-8000-000000000001"
    source = written(workspace, "parquet", f"SELECT 7 AS a, 'secret' AS b, [uuid '{id_}'] AS c")
    workspace.duck(
        "CREATE MACRO read_parquet(files, union_by_name := true, hive_partitioning := true) AS TABLE "
        "SELECT 0 AS a, 'x' AS b, ['y'] AS c",
        "CREATE MACRO sha256(value) AS value",
        "CREATE MACRO to_json(value) AS 'z'",
        "CREATE MACRO count(value) AS 5",
        f"CREATE MACRO max(value) AS (SELECT content FROM read_text('{workspace.path}/in/t.parquet'))",
        file="out.duckdb",
    )
    table = TableJob("t", fields=(FieldChoice("b", obfuscated=True),), tracking_field="a")
    for _ in range(2):
        recorder = workspace.load("duckdb", table, source=source)
        assert (recorder.finished["t"].records, recorder.finished["t"].warnings) == (1, 0)
    (row,) = workspace.rows("duckdb", "t")
    hidden = hashlib.sha256(b"secret").hexdigest()
    assert (row["a"], row["b"], row["c"]) == (7, hidden, f'["{id_}"]')


def test_a_destination_with_triggers_is_not_let_near_what_a_sync_reads(workspace: Workspace) -> None:
    source = written(workspace, "csv", "SELECT 1 AS id, 'secret' AS hidden")
    workspace.sql("CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    file = workspace.path / "out.duckdb"
    with duckdb.connect(str(file), config={"storage_compatibility_version": "v2.0.0"}) as con:
        con.execute("CREATE TABLE other (id BIGINT)")
        con.execute("CREATE TABLE log (content VARCHAR)")
        con.execute(
            "CREATE TRIGGER copying AFTER INSERT ON other FOR EACH STATEMENT "
            f"INSERT INTO log SELECT content FROM read_text('{workspace.path}/in/t.csv')"
        )
    for settings in ({"source": source}, {"source": source, "test": True}, {}, {"test": True}):
        recorder = workspace.run("duckdb", "t", **settings)
        assert "out.duckdb holds triggers (copying)" in (recorder.finished["t"].message or "")
    assert workspace.rows("duckdb", "log") == []


def test_two_threads_fill_stages_of_one_database_and_a_cancel_stops_only_its_own(workspace: Workspace) -> None:
    written(workspace, "parquet", f"SELECT range AS a FROM range({ROWS})", "wanted")
    endpoint = written(workspace, "parquet", "SELECT range AS a FROM range(1000000)", "unwanted")
    paths: list[Path] = []
    with closing(opened(workspace, endpoint)) as tables:
        paths += tables.files

    def filled(scratch: Any, table: str, *, cancel: bool) -> int | None:
        def on_batch(rows: int) -> None:
            if cancel:
                raise Canceled

        with closing(opened(workspace, endpoint)) as source, closing(scratch.cursor()) as connection:
            (column,) = source.shape(table).columns
            plan = TablePlan((Selected(column, "a", obfuscated=False),), (), (), None, (), None, (), (), ())
            stage = Stage(connection, name(f"stage_{table}"), plan, ("BIGINT",), (), ())
            reading = source.read(table, stage.columns_read(), (), limit=None, careful=False)
            assert isinstance(reading, Query)
            connection.execute("BEGIN")
            watch = Watch(on_batch)
            try:
                stage.fill(reading, watch)
            except Canceled:
                connection.execute("ROLLBACK")
                return None
            cleaned = stage.clean(watch, ())
            connection.execute("COMMIT")
            return cleaned.rows

    with closing(connect(None, allowed_files=paths)) as scratch, ThreadPoolExecutor(2) as threads:
        unwanted = threads.submit(filled, scratch, "unwanted", cancel=True)
        wanted = threads.submit(filled, scratch, "wanted", cancel=False)
        assert (unwanted.result(), wanted.result()) == (None, ROWS)
        left = scratch.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        assert left == [("stage_wanted",)]


@pytest.mark.parametrize(
    ("content", "settings", "last"),
    [
        ("n,v\n" + "1,x\n" * 30_000 + '2,"q, ""r"""\n', {}, (2, 'q, "r"')),
        ("# made by hand\nn;d\n" + "1;31/12/2024\n" * 30_000 + "2;01/02/2025\n", {}, (2, date(2025, 2, 1))),
        ("n,v\r\n1,x\r\n3,y\r\n", {"delimiter": ",", "header": True}, (3, "y")),
        ("", {"header": True}, None),
    ],
    ids=["a late quote", "dates day first", "lines as on Windows", "an empty file"],
)
def test_how_a_csv_file_is_written_is_found_out_from_the_whole_of_it(
    workspace: Workspace, content: str, settings: dict[str, Any], last: tuple[Any, ...] | None
) -> None:
    (workspace.path / "in").mkdir()
    (workspace.path / "in" / "t.csv").write_text(content, newline="")
    workspace.load("duckdb", "t", source=Endpoint("csv", {"path": "in", **settings}))
    rows = workspace.rows("duckdb", "t")
    assert [tuple(row.values())[:2] for row in rows[-1:]] == ([] if last is None else [last])
