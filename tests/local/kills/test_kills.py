"""Killed at a random moment, whatever dies: every output is as it was before or as it is after, never between, what
the sync remembers agrees with it, the service says what became of the run, and the next run heals.

`BULK_SYNC_KILLS` sets how many kills have to hit a living process, over all destinations, `BULK_SYNC_KILL_SEED` the
seed, which every failure names. A kill that comes too late counts for nothing.
"""

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random, SystemRandom

import pytest

from local.kills.episode import Episode
from local.kills.places import SESSIONS, Files, Place, Schema
from local.kills.workers import Life
from local.postgres.server import Server, running

pytestmark = pytest.mark.anyio

KILLS = int(os.environ.get("BULK_SYNC_KILLS", "12"))
SEED = int(os.environ.get("BULK_SYNC_KILL_SEED", "0")) or SystemRandom().randrange(1, 2**32)
DESTINATIONS = ("duckdb", "sqlite", "parquet", "postgresql")
KILLS_AN_EPISODE = 8
TRIES = 3
"""How many blows, for each that has to hit, may fall before the test gives up."""

Strike = Callable[["subprocess.Popen[bytes]"], bool]


def _share(index: int) -> int:
    """How many of the kills a destination gets."""
    return KILLS * (index + 1) // len(DESTINATIONS) - KILLS * index // len(DESTINATIONS)


def worker(process: "subprocess.Popen[bytes]") -> bool:
    process.kill()
    return process.wait(60) == -signal.SIGKILL


def backend(server: Server) -> Strike:
    """The server's process that serves the worker: PostgreSQL then ends all others, and recovers."""

    def strike(process: "subprocess.Popen[bytes]") -> bool:
        found = server.sql(f"SELECT pid {SESSIONS}")
        if not found or process.poll() is not None:
            return False
        os.kill(found[0][0], signal.SIGKILL)
        return True

    return strike


def session(server: Server) -> Strike:
    """One of the worker's sessions, by the administrator."""

    def strike(process: "subprocess.Popen[bytes]") -> bool:
        one = f"SELECT pid {SESSIONS} ORDER BY random() LIMIT 1"
        found = server.sql(f"SELECT pg_terminate_backend(pid) FROM ({one}) AS one")
        return found == [(True,)] and process.poll() is None

    return strike


def postmaster(server: Server) -> Strike:
    """The server itself, without warning; its other processes notice when they next look."""

    def strike(process: "subprocess.Popen[bytes]") -> bool:
        server.stop(signal.SIGKILL)
        return process.poll() is None

    return strike


@contextmanager
def _server(to: str) -> Generator[Server | None]:
    """A server of its own where one is needed: no other test would like what happens to it."""
    if to != "postgresql":
        yield None
        return
    with running() as server:
        yield server


@pytest.mark.parametrize("to", DESTINATIONS)
async def test_whatever_is_killed_every_output_is_as_before_or_as_after(to: str, tmp_path: Path) -> None:
    rng = Random(f"{SEED} {to}")  # a seed of text is the same in every process
    wanted, hits, tries = _share(DESTINATIONS.index(to)), 0, 0
    seen: Counter[str] = Counter()
    usual: Life | None = None
    with _server(to) as server:
        while hits < wanted:
            folder = tmp_path / f"episode-{tries}"
            place = _place(to, folder, server)
            episode = Episode(folder, place, rng, partial(_recover, server))
            try:
                await episode.open()
                usual = usual or await episode.undisturbed()
                for _ in range(KILLS_AN_EPISODE):
                    tries += 1
                    what, strike = _victim(server, tries)
                    life = await episode.disturbed(what, strike, usual)
                    hits += life.struck
                    seen[f"{what}: {episode.verdict if life.struck else 'too late'}"] += 1
                    assert tries <= TRIES * max(wanted, 4), f"{hits} of {tries} blows hit"
                    if hits == wanted:
                        break
                    if rng.random() < 0.5:
                        usual = await episode.undisturbed()
                if episode.unhealed:
                    usual = await episode.undisturbed()
            except BaseException as failure:
                failure.add_note(f"BULK_SYNC_KILL_SEED={SEED} BULK_SYNC_KILLS={KILLS}; {episode}")
                raise
            finally:
                episode.close()
    print(f"{to}: {hits} kills of {tries} blows; {dict(sorted(seen.items()))}")
    assert hits >= wanted


def _place(to: str, folder: Path, server: Server | None) -> Place:
    workspace = folder / "workspace"
    workspace.mkdir(parents=True)
    if server is None:
        (workspace / "files").mkdir()
        return Files(workspace / "files", folder / "copy", to)
    server.sql("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return Schema(server, workspace)


def _victim(server: Server | None, number: int) -> tuple[str, Strike]:
    if server is None:
        return "worker", worker
    victims = {
        "backend": backend(server),
        "postmaster": postmaster(server),
        "worker": worker,
        "session": session(server),
    }
    return list(victims.items())[(number - 1) % len(victims)]


def _recover(server: Server | None, what: str) -> None:
    """Nothing of the killed is at work any more, and the server answers."""
    if server is None:
        return
    if server.process is None:
        server.restart()
    elif what == "backend":
        server.recovered()
    server.wait_for(f"SELECT 1 WHERE NOT EXISTS (SELECT 1 {SESSIONS})")
