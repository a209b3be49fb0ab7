"""What a connection can reach, and what a crafted file cannot make it reach."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from bulk_sync_local.connectors.base import Confinement, ConnectorError
from bulk_sync_local.connectors.registry import connector, infos
from bulk_sync_local.engine.job import Endpoint
from local.engine.kit import Workspace

FILES = {"sqlite": "x.sqlite", "duckdb": "x.duckdb", "parquet": "x", "csv": "x"}
SERVER = Path(__file__).resolve().parents[3] / "server"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the workspace with one of everything."""
    folder = tmp_path / "outside"
    (folder / "x").mkdir(parents=True)
    (folder / "x" / "t.csv").write_text("a\nsecret\n")
    beside = Workspace(folder)
    beside.sql("CREATE TABLE t (a INTEGER)", file="x.sqlite")
    beside.duck("CREATE TABLE t (a INTEGER)", f"COPY t TO '{folder}/x/t.parquet'", file="x.duckdb")
    return folder


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("way", ["absolute", "dots", "link"])
def test_a_path_that_leads_outside_is_refused_everywhere(
    workspace: Workspace, outside: Path, way: str, kind: str
) -> None:
    name = FILES[kind]
    if way == "link":
        (workspace.path / "link").symlink_to(outside / name)
    path = {"absolute": str(outside / name), "dots": f"../outside/{name}", "link": "link"}[way]
    one = connector(kind)
    with pytest.raises(ConnectorError, match="outside the folders"):
        one.check({"path": path}, workspace.confinement)
    with pytest.raises(ConnectorError, match="outside the folders"):
        one.discover({"path": path}, workspace.confinement, include_fields=True)
    recorder = workspace.run("duckdb", "t", source=Endpoint(kind, {"path": path}))
    assert "outside the folders" in (recorder.finished["t"].message or "")


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_link_inside_a_folder_that_leads_outside_is_refused(workspace: Workspace, outside: Path, kind: str) -> None:
    (workspace.path / "in").mkdir()
    (workspace.path / "in" / f"t.{kind}").symlink_to(outside / "x" / f"t.{kind}")
    recorder = workspace.run("duckdb", "t", source=Endpoint(kind, {"path": "in"}))
    assert "outside the folders" in (recorder.finished["t"].message or "")


@pytest.mark.parametrize("to", ["duckdb", "sqlite", "parquet"])
def test_a_destination_swapped_for_a_link_outside_is_refused_at_the_next_run(
    workspace: Workspace, outside: Path, to: str
) -> None:
    workspace.sql("CREATE TABLE t (a INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    workspace.load(to, "t")
    target = {"duckdb": "out.duckdb", "sqlite": "out.sqlite", "parquet": "out/t.parquet"}[to]
    file = workspace.path / target
    file.unlink()
    victim = outside / {"duckdb": "x.duckdb", "sqlite": "x.sqlite", "parquet": "x/t.parquet"}[to]
    before = victim.read_bytes()
    file.symlink_to(victim)
    recorder = workspace.run(to, "t", resync_mode="rebuild")
    assert "outside the folders" in (recorder.finished["t"].message or "")
    assert victim.read_bytes() == before


def test_a_view_in_a_duckdb_file_cannot_read_other_files(workspace: Workspace, outside: Path) -> None:
    workspace.duck(f"CREATE VIEW t AS SELECT * FROM read_csv('{outside}/x/t.csv')")
    workspace.duck(f"CREATE VIEW u AS SELECT * FROM read_text('{workspace.path}/../outside/x/t.csv')")
    recorder = workspace.run("parquet", "t", "u", source=Endpoint("duckdb", {"path": "source.duckdb"}))
    for outcome in recorder.finished.values():
        assert outcome.status == "failed"
        assert "disabled by configuration" in (outcome.message or "")


def test_characters_of_patterns_in_paths_are_only_characters(workspace: Workspace) -> None:
    folder = workspace.path / "in [ab]*"
    folder.mkdir()
    for name in ("a*", "a1", "b[c]", "bc", "q?"):
        (folder / f"{name}.csv").write_text(f"v\n{name}\n")
        with duckdb.connect() as con:
            con.execute("CREATE TABLE t AS SELECT ? AS v", [name])
            con.table("t").write_parquet(str(folder / "made"))
            (folder / "made").rename(folder / f"{name}.parquet")
    for kind in ("csv", "parquet"):
        for name in ("a*", "a1", "b[c]", "bc", "q?"):
            recorder = workspace.load(
                "sqlite",
                name,
                source=Endpoint(kind, {"path": "in [ab]*"}),
                normalize_names="disabled",
                resync_mode="rebuild",
            )
            assert recorder.finished[name].records == 1
            assert workspace.rows("sqlite", name)[0]["v"] == name


def test_several_roots_and_relative_paths(tmp_path: Path, workspace: Workspace, outside: Path) -> None:
    both = Confinement((workspace.path, outside), workspace.path)
    connector("sqlite").check({"path": str(outside / "x.sqlite")}, both)
    connector("sqlite").check({"path": "../outside/x.sqlite"}, both)


@pytest.mark.parametrize("path", ["", None, 5, "nul\0", "missing/file.db"])
@pytest.mark.parametrize("kind", FILES)
def test_a_path_that_is_none_is_refused_with_words(workspace: Workspace, kind: str, path: Any) -> None:
    with pytest.raises(ConnectorError):
        connector(kind).check({"path": path}, workspace.confinement)
    with pytest.raises(ConnectorError):
        connector(kind).discover({"path": path}, workspace.confinement, include_fields=False)


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_file_that_is_no_database_is_refused_with_words(workspace: Workspace, kind: str) -> None:
    (workspace.path / "x").write_bytes(b"not a database at all" * 100)
    with pytest.raises(ConnectorError, match="cannot be opened"):
        connector(kind).check({"path": "x"}, workspace.confinement)


def test_an_unknown_type_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConnectorError, match="csv, duckdb, parquet, postgresql, sqlite"):
        connector("oracle")


def test_listing_the_types_imports_no_data_library() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from bulk_sync_local.connectors.registry import infos\n"
        "import bulk_sync_local.engine.runner\n"
        "assert [one.type_id for one in infos()] == ['csv', 'duckdb', 'parquet', 'postgresql', 'sqlite']\n"
        "libraries = {'duckdb', '_duckdb', 'pyarrow', 'adbc_driver_sqlite', 'adbc_driver_postgresql', 'adbc_driver_manager'}\n"
        "assert not libraries & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(SERVER)], check=True)


def test_every_configuration_schema_refuses_unknown_settings() -> None:
    for info in infos():
        assert info.configuration_schema["additionalProperties"] is False
        assert {"path", "host"} & set(info.configuration_schema["required"])
