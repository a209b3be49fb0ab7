"""A worker process in the hands of a test: started for one execution, watched, and struck at a chosen moment."""

import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import pytest

from bulk_sync_local.config import write_worker_settings
from local.service.harness import Api

LOOK_SECONDS = 0.002


@dataclass(frozen=True)
class Moment:
    """When to strike: `delay` seconds after the `change`-th change that could be seen; 0 is the start."""

    change: int
    delay: float


@dataclass
class Life:
    """How a worker lived: when each change was seen and when it ended, in seconds from its start; and whether a
    blow fell while it was alive."""

    changes: list[float] = field(default_factory=list[float])
    ended: float = 0.0
    status: int = 0
    struck: bool = False

    def moment(self, rng: random.Random) -> Moment:
        """A moment in a life like this one: seldom anywhere, mostly in the part that the destination shows."""
        where = rng.random()
        if not self.changes or where < 0.15:
            return Moment(0, rng.uniform(0, self.ended))
        if where < 0.4:
            return Moment(1, rng.uniform(0, self.changes[-1] - self.changes[0]))
        # After the last change everything is committed. Right upon a change is where a commit is found half-way.
        change = rng.randrange(1, max(2, len(self.changes)))
        span = [*self.changes, self.ended][change] - self.changes[change - 1]
        return Moment(change, rng.choice((0.0, rng.uniform(0, span))))


async def prepared(api: Api, sync_id: str, resync: str | None) -> str:
    """An execution whose worker has been asked for and does not come."""
    with pytest.MonkeyPatch.context() as held:
        held.setattr(api.service.supervisor, "_spawn", partial(write_worker_settings, api.config))
        return await api.start(sync_id, **({"resync_mode": resync} if resync else {}))


def lived(
    api: Api,
    execution_id: str,
    sight: Callable[[], object],
    moment: Moment | None = None,
    strike: Callable[["subprocess.Popen[bytes]"], bool] | None = None,
) -> Life:
    """The life of a worker for that execution, to its end. `strike` tells whether it hit."""
    command = [sys.executable, "-P", "-m", "bulk_sync_local.worker", "--state-dir", str(api.config.state_dir)]
    before = sight()
    life = Life()
    start = time.monotonic()
    with (api.config.run_dir(execution_id) / "worker.log").open("ab") as log:
        worker = subprocess.Popen(
            [*command, "--execution", execution_id],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=api.service.supervisor.environment(),
        )
    due = start + moment.delay if moment is not None and moment.change == 0 else None
    while worker.poll() is None and not life.struck:
        if due is not None and strike is not None and time.monotonic() >= due:
            life.struck = strike(worker)
            break
        now = sight()
        if now != before:
            before = now
            life.changes.append(time.monotonic() - start)
            if moment is not None and len(life.changes) == moment.change:
                due = time.monotonic() + moment.delay
                continue
        wait = LOOK_SECONDS if due is None else min(LOOK_SECONDS, max(0.0, due - time.monotonic()))
        _ended(worker, wait)
    life.status = worker.wait(60)
    life.ended = time.monotonic() - start
    return life


def _ended(worker: "subprocess.Popen[bytes]", within: float) -> None:
    try:
        worker.wait(within)
    except subprocess.TimeoutExpired:
        return
