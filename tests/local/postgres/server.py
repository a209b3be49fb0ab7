"""A real PostgreSQL server for tests: on loopback, at a free port, thrown away afterwards."""

import ctypes
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import adbc_driver_postgresql.dbapi as adbc
import pytest

ADMIN = "admin"
# Everything that has a meaning in an address, or none outside of ASCII.
PASSWORD = "p@ss:w/rd?#%&= 'é\""
DATABASE = "shop"
PATIENCE = 30.0
_UNPRIVILEGED = "nobody"
_PR_SET_PDEATHSIG = 1


def programs() -> Path | None:
    """The folder that holds `initdb` and `postgres`, the newest version's first."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: int(one.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    folders = [*installed, *([Path(on_path).resolve().parent] if on_path else [])]
    return next((one for one in folders if (one / "initdb").exists() and (one / "postgres").exists()), None)


def needed() -> Path:
    """Skips where the server's programs are missing; fails there when REQUIRE_POSTGRESQL is set, as in CI."""
    found = programs()
    if found is not None:
        return found
    why = "needs PostgreSQL's initdb and postgres; on Debian: apt-get install postgresql"
    if os.environ.get("REQUIRE_POSTGRESQL"):
        pytest.fail(why)
    pytest.skip(why)


@dataclass
class Server:
    """A running server with an empty database."""

    folder: Path
    bin: Path
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None
    largest_file: int | None = None
    """What the server's files are limited to from its next start on, in bytes."""
    _admin: dict[str, Any] = field(default_factory=dict[str, Any])

    def uri(self, database: str = DATABASE, user: str = ADMIN) -> str:
        return f"postgresql://{user}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{database}"

    def sql(self, *statements: str, database: str = DATABASE) -> list[tuple[Any, ...]]:
        """Runs statements as administrator, each on its own, and returns the rows of the last."""
        if database not in self._admin:
            self._admin[database] = adbc.connect(self.uri(database), autocommit=True)
        rows: list[tuple[Any, ...]] = []
        for statement in statements:
            with self._admin[database].cursor() as cursor:
                cursor.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def clean(self) -> None:
        """Empties the database, but for the empty schemas `public` and `shop`."""
        for schema in ("public", "shop"):
            self.sql(f"DROP SCHEMA IF EXISTS {schema} CASCADE", f"CREATE SCHEMA {schema}")

    @contextmanager
    def session(self, user: str = ADMIN) -> Generator[Any]:
        """A connection of somebody else; nothing is committed unless they do."""
        if user == ADMIN:
            self.sql("SELECT 1")  # opens the connection to clone, which is far quicker than a new one
            opened = self._admin[DATABASE].adbc_clone()
        else:
            opened = adbc.connect(self.uri(user=user))
        with opened as connection:
            yield connection

    def wait_for(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of `query`, once there are any."""
        end = time.monotonic() + PATIENCE
        while not (found := self.sql(query)):
            assert time.monotonic() < end, query
            time.sleep(0.01)
        return found

    def start(self) -> None:
        """Starts the server at a free port."""
        for _ in range(5):
            self.port = _free_port()
            if self._run():
                return
        raise AssertionError((self.folder / "log").read_text())

    def restart(self) -> None:
        """Starts a server that was killed where it was before; its processes may take a moment to notice its death."""
        end = time.monotonic() + PATIENCE
        while not self._run():
            assert time.monotonic() < end, (self.folder / "log").read_text()

    def recovered(self) -> None:
        """Returns once the server answers again after a crash of one of its processes."""
        self._forget()
        assert self._answers(), (self.folder / "log").read_text()

    def _forget(self) -> None:
        connections, self._admin = self._admin, {}
        for connection in connections.values():
            connection.close()

    def _run(self) -> bool:
        data, port = str(self.folder / "data"), str(self.port)
        self.process = self._spawn("postgres", "-D", data, "-p", port, "-k", str(self.folder), *_QUICK)
        return self._answers()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Ends the server: SIGINT in order, SIGQUIT at once, as in a crash; SIGKILL without its being told."""
        if self.process is None:
            return
        self._forget()
        self.process.send_signal(how)
        self.process.wait(PATIENCE)
        self.process = None

    def make(self) -> None:
        password = self.folder / "password"
        password.write_text(PASSWORD)
        _own(password)
        options = (
            "-D",
            str(self.folder / "data"),
            "-U",
            ADMIN,
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
            "--wal-segsize=1",
        )
        made = self._spawn("initdb", *options, "-A", "scram-sha-256", f"--pwfile={password}", "--no-instructions")
        assert made.wait(PATIENCE) == 0, (self.folder / "log").read_text()
        self.start()
        self.sql(f"CREATE DATABASE {DATABASE}", database="postgres")

    def _spawn(self, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        # As root the server refuses to run.
        other: dict[str, Any] = {"user": _UNPRIVILEGED, "group": _group(), "extra_groups": []} if _is_root() else {}
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [str(self.bin / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={"PATH": os.environ.get("PATH", ""), "HOME": str(self.folder), "LC_ALL": "C"},
                preexec_fn=partial(_before_it_runs, self.largest_file),
                **other,
            )

    def _answers(self) -> bool:
        assert self.process is not None
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < end:
            try:
                adbc.connect(self.uri("postgres")).close()
            except adbc.Error:
                time.sleep(0.02)
            else:
                return True
        return False


_QUICK: Sequence[str] = (
    "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "autovacuum=off",
    "-c", "shared_buffers=64MB", "-c", "max_connections=40", "-c", "log_statement=none",
)  # fmt: skip


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _group() -> int:
    import pwd

    return pwd.getpwnam(_UNPRIVILEGED).pw_gid


def _own(path: Path) -> None:
    path.chmod(0o700)
    if _is_root():
        shutil.chown(path, _UNPRIVILEGED, _group())


def _before_it_runs(largest_file: int | None) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running() -> Generator[Server]:
    """A fresh server, stopped and erased at the end."""
    bin_folder = needed()
    # Not below pytest's own folder, which only its user may enter.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    _own(folder)
    server = Server(folder, bin_folder)
    try:
        server.make()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
