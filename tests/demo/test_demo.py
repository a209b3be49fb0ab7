"""The demo run as a user runs it: plainly, twice in one directory, and on files of the user's own."""

import hashlib
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from bulk_sync_mcp.cli import parser
from bulk_sync_mcp.demo import guarding
from bulk_sync_mcp.demo.options import options_of
from bulk_sync_mcp.demo.places import NotUsable
from bulk_sync_mcp.demo.story import STEPS

ROWS = 1_500


def demo(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """A finished demo: no terminal, a small sample, no slow motion of the first load."""
    command = [sys.executable, "-m", "bulk_sync_mcp", "demo", "--rows", str(ROWS), "--pause", "0"]
    return subprocess.run(
        [*command, *(str(one) for one in arguments)],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def digests(folder: Path) -> dict[str, str]:
    """Every file of a folder by the digest of its bytes."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def told(output: str, tool: str) -> int:
    """How many calls of a tool the output shows."""
    return len(re.findall(rf"^  [ABC] → {tool} \{{", output, re.MULTILINE))


@pytest.fixture(scope="module")
def told_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, subprocess.CompletedProcess[str]]:
    """The demo on its own sample: a home directory, the workspace, and how it ended."""
    home, workspace = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("demo") / "workspace"
    credentials = {"POLYTOMIC_API_KEY": "not-for-the-demo", "POLYTOMIC_BASE_URL": "http://127.0.0.1:9"}
    done = demo("--workspace", workspace, HOME=str(home), XDG_STATE_HOME=str(home / "state"), **credentials)
    return home, workspace, done


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A source of the user's own, in WAL mode, in a folder with nothing else."""
    folder = tmp_path / "mine"
    folder.mkdir()
    path = folder / "mine.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE people (code TEXT PRIMARY KEY, label TEXT UNIQUE, height REAL, at TIMESTAMP)")
        connection.execute("CREATE TABLE log (line TEXT)")
        connection.executemany(
            "INSERT INTO people VALUES (?, ?, ?, '2024-02-29 12:00:00')",
            [(f"c{i}", f"ü{i}", i / 3) for i in range(200)],
        )
        connection.executemany("INSERT INTO log VALUES (?)", [("same",)] * 20)
    return path


def test_the_whole_story_is_told_plainly_and_everything_is_kept_in_the_workspace(
    told_once: tuple[Path, Path, subprocess.CompletedProcess[str]],
) -> None:
    home, workspace, done = told_once
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    numbered = dict(re.findall(r"^ ?(\d+)  (.+)$", done.stdout, re.MULTILINE))
    assert list(numbered.values()) == [str(step.__doc__).rstrip(".") for step in STEPS]
    for step in re.split(r"^ ?\d+  ", done.stdout, flags=re.MULTILINE)[1:]:
        assert " → " in step
        assert "    ← " in step
        assert "    ✓ " in step
    assert told(done.stdout, "wait_for_bulk_sync_execution") == 5
    for code in ("confirmation_required", "confirmation_declined", "confirmation_used", "invalid_arguments"):
        assert f"← {code}: " in done.stdout
    assert "← already_running: " in done.stdout
    assert f"{ROWS:,} rows arrived exactly as they are at the source" in done.stdout
    assert "not-for-the-demo" not in done.stdout
    assert list(home.iterdir()) == []
    (kept,) = (workspace / "data").glob("*/warehouse.duckdb")
    assert (kept.parent / "source" / "shop.sqlite").is_file()
    assert (workspace / "state" / "guard").is_dir()
    assert not list(workspace.rglob("*not-for-the-demo*"))


def test_a_directory_serves_twice_and_a_given_source_and_the_rest_of_a_destination_stay_as_they_are(
    tmp_path: Path, shop: Path, told_once: tuple[Path, Path, subprocess.CompletedProcess[str]]
) -> None:
    destination, workspace = tmp_path / "lake.duckdb", told_once[1]
    with duckdb.connect(str(destination)) as lake:
        lake.execute("CREATE TABLE keep AS SELECT range AS n, 'as it was' AS word FROM range(10)")
    before = digests(shop.parent)
    done = demo("--source", shop, "--destination", destination, "--workspace", workspace)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "By hand, at the copy: 3 rows changed, 2 rows deleted, 1 row inserted in people" in done.stdout
    assert "no other row of a table with a key was rewritten" in done.stdout
    assert str(guarding.bystanders.__doc__).rstrip(".") in done.stdout
    assert digests(shop.parent) == before
    with duckdb.connect(str(destination)) as lake:
        assert lake.execute("SELECT count(*), sum(n), min(word), max(word) FROM keep").fetchall() == [
            (10, 45, "as it was", "as it was")
        ]
        (removal,) = re.findall(r'^ +(DROP SCHEMA IF EXISTS "bulk_sync_demo_.*;)$', done.stdout, re.MULTILINE)
        schemas = "SELECT DISTINCT schema_name FROM duckdb_tables() ORDER BY 1"
        assert len(lake.execute(schemas).fetchall()) == 2
        lake.execute(removal)
        assert lake.execute(schemas).fetchall() == [("main",)]


def test_files_without_keys_are_synced_and_what_cannot_be_shown_is_said(tmp_path: Path) -> None:
    source, destination = tmp_path / "csv", tmp_path / "lake"
    source.mkdir()
    destination.mkdir()
    (source / "people.csv").write_text("id,name,code\n1,Zoë,007\n2,李,008\n", encoding="utf-8")
    (destination / "keep.txt").write_text("as it was")
    before = digests(source)
    done = demo("--source", source, "--destination", destination)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "left out: merging" in done.stdout
    assert digests(source) == before
    assert (destination / "keep.txt").read_text() == "as it was"
    (made,) = (one for one in destination.iterdir() if one.is_dir())
    assert made.name.startswith("bulk_sync_demo_")
    assert f"delete the folder {made}" in done.stdout


def test_arguments_that_cannot_be_used_are_refused_in_one_line() -> None:
    done = demo("--source", "nothing-here.sqlite")
    assert done.returncode == 2
    assert done.stderr == "bulk-sync-mcp demo: there is nothing at nothing-here.sqlite\n"
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--state-dir", "elsewhere"), "use --workspace only"),
        (("--config", "config.toml"), "reads no configuration"),
        (("--rows", "3"), "--rows must be"),
        (("--pause", "60"), "--pause must be"),
    ],
)
def test_what_the_demo_is_not_made_for_is_refused(arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(NotUsable, match=words):
        options_of(parser().parse_args(["demo", *arguments]))
