"""Fixtures for tests of single tools."""

from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest

from operations.every_tool import with_every_tool
from operations.kit import EXECUTIONS, STATUS, SYNCS
from support import Workshop, build_workshop


@pytest.fixture
async def held(tmp_path: Path) -> AsyncGenerator[Workshop]:
    """A workshop whose runs go on until they are cancelled; what still runs in the end is."""
    made = await build_workshop(tmp_path, batch_pause=50)
    yield made
    api = made.api.inner
    with anyio.fail_after(30):
        for sync in (await api.get(SYNCS)).data:
            while (await api.get(STATUS, id=sync["id"])).data["current_execution"] is not None:
                await api.post("/api/bulk/syncs/{id}/cancel", id=sync["id"])
                await anyio.sleep(0.05)
            assert (await api.get(EXECUTIONS, id=sync["id"])).data is not None
    await api.aclose()


@pytest.fixture
def all_on(workshop: Workshop) -> Workshop:
    """The workshop with the tools of every toolset."""
    return with_every_tool(workshop)


@pytest.fixture
def all_held(held: Workshop) -> Workshop:
    """The workshop whose runs go on, with the tools of every toolset."""
    return with_every_tool(held)
