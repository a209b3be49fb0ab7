"""Fixtures every test may use."""

import os
import threading
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from support import ERAS, Workshop, build_workshop


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have real credentials set: no test may see them."""
    for name in list(os.environ):
        if name.startswith(("POLYTOMIC_", "BULK_SYNC_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def no_scheduler_stays() -> Generator[None]:
    """Whatever a test has started to fire schedules it has ended, or they could fire in the middle of another."""
    yield
    assert [thread for thread in threading.enumerate() if thread.name == "scheduler"] == []


@pytest.fixture
async def workshop(tmp_path: Path) -> AsyncGenerator[Workshop]:
    """An application on the local service with a source, a destination and no sync."""
    made = await build_workshop(tmp_path)
    yield made
    await made.api.aclose()


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    """Each protocol revision."""
    return str(request.param)
