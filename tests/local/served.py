"""The local service as its users run it: a process of `bulk-sync-mcp local` on a free port of loopback."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

from bulk_sync_local.app import API_VERSION
from transports.kit import PATIENCE, Place, empty_place, processes_of

T = TypeVar("T")
KEY = "served-key-Qm4Tz8Rw2Lk6"


@dataclass(frozen=True)
class Served:
    """A running service: where it answers, and which directories are its own."""

    url: str
    place: Place
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def workspace(self) -> Path:
        return self.place.workspace

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        """A plain client with the key and the version."""
        headers = {"Authorization": f"Bearer {KEY}", "X-Polytomic-Version": API_VERSION}
        with httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE, trust_env=False) as client:
            yield client


def until(what: str, found: Callable[[], T | None]) -> T:
    """What `found` returns once it is something; fails after `PATIENCE`."""
    end = time.monotonic() + PATIENCE
    while (value := found()) is None:
        assert time.monotonic() < end, f"still waiting: {what}"
        time.sleep(0.02)
    return value


@contextmanager
def served(directory: Path, **environment: str) -> Iterator[Served]:
    """Serves the workspace in `directory`; in the end runs have to end by themselves, and the service when told to.

    Several may serve one directory.
    """
    place = empty_place(directory)
    place.workspace.mkdir(exist_ok=True)
    key_file, log = directory / "key", directory / f"service-{len(list(directory.glob('service-*.log')))}.log"
    key_file.write_text(KEY)
    words = ["local", "--port", "0", "--key-file", str(key_file), *place.flags]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "bulk_sync_mcp", *words],
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            env=place.environment(environment),
            cwd=directory,
        )

    def address() -> str | None:
        assert process.poll() is None, log.read_text()
        said = re.search(r"POLYTOMIC_BASE_URL=(http://\S+)\n", log.read_text())
        return None if said is None else said.group(1)

    try:
        yield Served(until("the service says its address", address), place, process, log)
        until("runs end", lambda: None if workers(directory) else True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
        for pid in workers(directory):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def workers(directory: Path) -> list[int]:
    """The processes that carry out runs of a service in `directory`."""
    return [pid for pid, words in processes_of(directory).items() if "bulk_sync_local.worker" in words]


def data(answer: httpx.Response) -> Any:
    """The `data` of an answer that has to be a success."""
    assert answer.is_success, answer.text
    return answer.json()["data"]
