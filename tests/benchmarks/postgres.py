"""The PostgreSQL server of a benchmark: started by it, on loopback, and thrown away with it."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from local.postgres import server  # the tests' own

_KEPT = "postgres.json"
_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def running(folder: Path) -> Generator[server.Server]:
    """A server whose address lies in `folder`, for the processes that measure."""
    with server.running() as one:
        assert one.process is not None
        settings = {
            "host": "127.0.0.1",
            "port": one.port,
            "database": server.DATABASE,
            "username": server.ADMIN,
            "password": server.PASSWORD,
        }
        (folder / _KEPT).write_text(json.dumps({"settings": settings, "bin": str(one.bin), "pid": one.process.pid}))
        yield one


def _kept(folder: Path) -> dict[str, Any]:
    return json.loads((folder / _KEPT).read_text())


def settings(folder: Path) -> dict[str, Any]:
    """The settings of a connection to the server."""
    return _kept(folder)["settings"]


def psql(folder: Path, *commands: str, out: Path = Path(os.devnull)) -> None:
    """Runs PostgreSQL's own client in one transaction."""
    kept = _kept(folder)
    to = kept["settings"]
    words = [word for command in commands for word in ("-c", command)]
    with out.open("wb") as standard_output:
        subprocess.run(
            [f"{kept['bin']}/psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-1", *words],
            check=True,
            stdout=standard_output,
            env={
                "PGHOST": to["host"],
                "PGPORT": str(to["port"]),
                "PGDATABASE": to["database"],
                "PGUSER": to["username"],
                "PGPASSWORD": to["password"],
                "PGOPTIONS": "-c client_min_messages=warning",
            },
        )


def server_cpu(folder: Path) -> float:
    """CPU seconds of the server so far: its own and those of the sessions that have ended; 0 without one."""
    if not (folder / _KEPT).exists():
        return 0.0
    stat = Path(f"/proc/{_kept(folder)['pid']}/stat")
    return sum(int(ticks) for ticks in stat.read_text().rpartition(")")[2].split()[11:15]) / _TICKS
