"""Workers that the operating system refuses something: failed in words, the old data in place, and the next run works.

The workers are real; what they lack, room or rights, they lack from before the first look at their task on.
"""

import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from bulk_sync_local import supervisor
from bulk_sync_local.app import create_app
from bulk_sync_local.config import LocalConfig
from local.service.harness import Api

pytestmark = pytest.mark.anyio

OUTPUTS = {"duckdb": "to/out.duckdb", "sqlite": "to/out.sqlite", "parquet": "to/out"}
ROWS = 30_000
LIMIT = 1_500_000
LIMITED = f"""#!{sys.executable} -P
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT}, {LIMIT}))
os.execv({sys.executable!r}, [{sys.executable!r}, *sys.argv[1:]])
"""
# The libraries are loaded while the process may still read them, wherever this checkout is.
UNPRIVILEGED = f"""#!{sys.executable} -P
import importlib, importlib.readers, os, pkgutil, sys
import adbc_driver_sqlite.dbapi, duckdb, pyarrow.compute, pyarrow.parquet
adbc_driver_sqlite.dbapi.connect().close()
duckdb.connect().close()
import bulk_sync_local
for module in pkgutil.walk_packages(bulk_sync_local.__path__, "bulk_sync_local."):
    importlib.import_module(module.name)
from bulk_sync_local import worker
if os.geteuid() == 0:
    import pwd
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
sys.exit(worker.main(sys.argv[4:]))
"""


@pytest.fixture
def ground() -> Generator[Path]:
    """A folder that everybody may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="ground-"))
    folder.chmod(0o755)
    yield folder
    for inside in (folder, *folder.rglob("*")):
        if inside.is_dir():
            inside.chmod(0o755)
    shutil.rmtree(folder)


@contextmanager
def workers(program: str, folder: Path) -> Generator[None]:
    """Workers are started by way of `program`."""
    starter = folder / "starter"
    starter.write_text(program)
    starter.chmod(0o755)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(supervisor.sys, "executable", str(starter))
        yield


@pytest.fixture
def api(ground: Path) -> Generator[Api]:
    (ground / "workspace" / "to").mkdir(parents=True)
    config = LocalConfig(workspace=ground / "workspace", state_dir=ground / "state", api_key="local-key-1")
    made = Api(config, create_app(config))
    yield made
    made.service.store.close()


def source(api: Api, name: str, rows: int) -> None:
    with closing(sqlite3.connect(api.config.workspace / "shop.sqlite")) as db, db:
        for table, count in (("big", rows), ("small", 1)):
            db.execute(f"DROP TABLE IF EXISTS {table}")
            db.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, name TEXT, noise BLOB)")
            numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
            db.execute(f"{numbers} INSERT INTO {table} SELECT i, '{name}', randomblob(60) FROM n")


async def synced(api: Api, to: str) -> str:
    return await api.sync(await api.connection("sqlite", "shop.sqlite"), await api.connection(to, OUTPUTS[to]))


def seen(api: Api, to: str, table: str) -> list[Any]:
    path = api.config.workspace / OUTPUTS[to]
    query = "SELECT name, count(*) FROM {} GROUP BY name"
    if to == "sqlite":
        with closing(sqlite3.connect(path)) as db:
            return db.execute(query.format(table)).fetchall()
    with duckdb.connect(":memory:" if to == "parquet" else str(path)) as db:
        return db.execute(query.format(f"'{path / table}.parquet'" if to == "parquet" else table)).fetchall()


def strays(api: Api) -> list[str]:
    inside = (file.name for file in (api.config.workspace / "to").rglob("*"))
    return [name for name in inside if "__stage_" in name or name.endswith((".wal", "-journal"))]


@pytest.mark.parametrize("to", OUTPUTS)
@pytest.mark.parametrize("body", [{}, {"resync_mode": "resync"}, {"resync_mode": "rebuild"}], ids=str)
async def test_a_limit_on_the_size_of_files_fails_the_table_that_passes_it_and_no_other(
    api: Api, ground: Path, to: str, body: dict[str, str]
) -> None:
    source(api, "old", 100)
    sync_id = await synced(api, to)
    assert (await api.run(sync_id))["status"] == "completed"
    source(api, "new", ROWS)
    with workers(LIMITED, ground):
        done = await api.run(sync_id, **body)
    big, small = done["schemas"]
    assert (done["status"], big["status"], small["status"]) == ("errors", "failed", "completed")
    assert "limit on the size of files" in big["status_message"]
    assert "run the sync again" in big["status_message"]
    assert (seen(api, to, "big"), seen(api, to, "small")) == ([("old", 100)], [("new", 1)])
    assert (await api.run(sync_id, **body))["status"] == "completed"
    assert seen(api, to, "big") == [("new", ROWS)]
    assert strays(api) == []


def forbid(folder: Path) -> Callable[[], None]:
    """Takes the right to write away from everybody but root; gives what brings it back."""
    rights = {path: path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*"))}
    for path, mode in rights.items():
        path.chmod(mode & ~0o222)

    def allow() -> None:
        for path, mode in rights.items():
            path.chmod(mode)

    return allow


def lend(state: Path) -> None:
    """The worker writes to the service's own state, whoever it runs as."""
    if os.geteuid() == 0:
        for path in (state, *state.rglob("*")):
            shutil.chown(path, "nobody")


@pytest.mark.parametrize("to", OUTPUTS)
@pytest.mark.parametrize("there", [True, False], ids=["there", "not there yet"])
async def test_an_account_without_rights_fails_in_words_and_changes_nothing(
    api: Api, ground: Path, to: str, there: bool
) -> None:
    source(api, "old", 100)
    sync_id = await synced(api, to)
    if there:
        assert (await api.run(sync_id))["status"] == "completed"
    source(api, "new", 100)
    allow = forbid(api.config.workspace / "to")
    before = {path: path.read_bytes() for path in (api.config.workspace / "to").rglob("*") if path.is_file()}
    with workers(UNPRIVILEGED, ground), pytest.MonkeyPatch.context() as patched:
        spawn = api.service.supervisor._spawn

        def lent(execution_id: str) -> None:
            api.config.run_dir(execution_id).mkdir()
            lend(api.config.state_dir)
            spawn(execution_id)
            lend(api.config.state_dir)

        patched.setattr(api.service.supervisor, "_spawn", lent)
        done = await api.run(sync_id)
    print((api.config.run_dir(done["id"]) / "worker.log").read_text())
    for one in done["schemas"]:
        assert one["status"] == "failed", one
        assert "has no right to write there" in one["status_message"], one
    assert {path: path.read_bytes() for path in before} == before
    assert [path for path in (api.config.workspace / "to").rglob("*") if path.is_file()] == list(before)
    allow()
    assert (await api.run(sync_id))["status"] == "completed"
    assert (seen(api, to, "big"), strays(api)) == ([("new", 100)], [])
