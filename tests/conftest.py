"""Fixtures every test may use."""

import os
from collections.abc import AsyncGenerator
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
