"""A connection lost at the commit, and a session that outlives its worker: nothing half-done, nothing done twice."""

import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Generator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bulk_sync_local.app import create_app
from bulk_sync_local.config import LocalConfig
from bulk_sync_local.engine.job import Endpoint
from bulk_sync_local.engine.runner import run_job
from local.engine.kit import Recorder
from local.postgres.kit import POSTGRES, PostgresWorkspace
from local.service.harness import Api

COMMIT = b"COMMIT\0"


@dataclass
class Wire:
    """A way to a server that breaks when the first commit passes: before it arrives, or before its answer does."""

    port: int
    arrives: bool
    broken: bool = False
    _ends: list[socket.socket] = field(default_factory=list[socket.socket])

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.listener.close()
        for end in self._ends:
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.port))
            self._ends += [client, server]
            threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()
            threading.Thread(target=self._answer, args=(server, client), daemon=True).start()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        while data := _received(client):
            if COMMIT in data and not self.broken:
                self.broken = True
                if self.arrives:
                    client.shutdown(socket.SHUT_RDWR)
                    server.sendall(data)
                    continue
                break
            server.sendall(data)
        _hang_up(server)
        _hang_up(client)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        while data := _received(server):
            try:
                client.sendall(data)
            except OSError:
                return
        _hang_up(client)


def _received(end: socket.socket) -> bytes:
    try:
        return end.recv(65536)
    except OSError:
        return b""


def _hang_up(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


@pytest.fixture(params=[False, True], ids=["commit lost", "answer lost"])
def wire(request: pytest.FixtureRequest, workspace: PostgresWorkspace) -> Generator[Wire]:
    with closing(Wire(workspace.server.port, request.param)) as made:
        yield made


@pytest.mark.parametrize("mode", ["replicate", "append"])
def test_a_connection_lost_at_the_commit_leaves_the_table_whole_and_the_others_go_on(
    workspace: PostgresWorkspace, wire: Wire, mode: str
) -> None:
    workspace.sql(
        "CREATE TABLE big (id INTEGER PRIMARY KEY, name TEXT)",
        "CREATE TABLE small (id INTEGER PRIMARY KEY)",
        "INSERT INTO big VALUES (1, 'old')",
    )
    workspace.load(POSTGRES, "big", "small", mode=mode)
    before = workspace.pg("SELECT name FROM big ORDER BY id, name")
    workspace.sql("UPDATE big SET name = 'new'")
    settings = {**workspace.settings, "port": wire.listener.getsockname()[1], "sslmode": "disable"}
    job = workspace.job(POSTGRES, "big", "small", mode=mode, at_once=1)
    job = replace(job, destination=Endpoint(POSTGRES, settings))
    recorder = Recorder()
    run_job(job, recorder, workspace.confinement)
    assert wire.broken
    assert [one.status for one in recorder.finished.values()] == ["failed", "completed"]
    said = recorder.finished["big"].message or ""
    assert "either as it was before or as it is after" in said
    workspace.server.wait_for("SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_locks WHERE relation = 'big'::regclass)")
    after = [("new",)] if mode == "replicate" else [("new",), ("old",)]
    assert workspace.pg("SELECT name FROM big ORDER BY name") == (after if wire.arrives else before)
    workspace.load(POSTGRES, "big", "small", mode=mode, resync_mode="resync")
    assert workspace.pg("SELECT name FROM big") == [("new",)]


@pytest.fixture
async def api(workspace: PostgresWorkspace, tmp_path: Path) -> AsyncIterator[Api]:
    config = LocalConfig(workspace=workspace.path, state_dir=tmp_path / "state", api_key="local-key-1")
    made = Api(config, create_app(config))
    yield made
    made.service.store.close()


GATE = 4711


@pytest.mark.anyio
async def test_a_run_waits_for_the_commit_that_a_killed_worker_has_left_behind(
    api: Api, workspace: PostgresWorkspace
) -> None:
    """Rows that the dead worker's session is still committing must not be appended again."""
    workspace.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, seen INTEGER)", "INSERT INTO t VALUES (1, 1)")
    body = {"name": "out", "type": POSTGRES, "configuration": workspace.settings}
    destination = (await api.ok("POST", "/api/connections", body))["id"]
    schemas = [{"id": "t", "tracking_field": "seen"}]
    source = await api.connection("sqlite", "source.sqlite")
    sync_id = await api.sync(source, destination, mode="append", schemas=schemas)
    assert (await api.run(sync_id))["status"] == "completed"
    # A commit that takes as long as the test wants.
    workspace.pg(
        "CREATE FUNCTION shop.gate() RETURNS trigger LANGUAGE plpgsql AS "
        f"'BEGIN PERFORM pg_catalog.pg_advisory_xact_lock({GATE}); RETURN NULL; END'",
        "CREATE CONSTRAINT TRIGGER gate AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION shop.gate()",
    )
    workspace.sql("INSERT INTO t VALUES (2, 2)")
    waiting = "SELECT pid FROM pg_stat_activity WHERE application_name = 'bulk-sync' AND wait_event = 'advisory'"
    with workspace.server.session() as gate, gate.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_lock({GATE})")
        execution_id = await api.start(sync_id)
        ((left_behind,),) = workspace.server.wait_for(f"{waiting} AND query = 'COMMIT'")
        with api.service.store.read() as tx:
            (pid,) = tx.execute("SELECT worker_pid FROM executions WHERE id = ?", (execution_id,)).fetchone()
        os.kill(pid, signal.SIGKILL)
        assert (await api.finished(sync_id, execution_id))["status"] == "interrupted"
        next_id = await api.start(sync_id)
        workspace.server.wait_for(f"{waiting} AND pid <> {left_behind}")
        assert workspace.pg("SELECT id FROM t ORDER BY 1") == [(1,)]
        cursor.execute(f"SELECT pg_advisory_unlock({GATE})")
        gate.commit()
    assert (await api.finished(sync_id, next_id))["status"] == "completed"
    assert workspace.pg("SELECT id FROM t ORDER BY 1") == [(1,), (2,)]
