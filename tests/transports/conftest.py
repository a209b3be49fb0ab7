"""Fixtures of tests with real processes."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from support import Workshop
from transports.kit import Place, empty_place, none_left, place_of


@pytest.fixture
async def place(workshop: Workshop, tmp_path: Path) -> AsyncGenerator[Place]:
    """A workshop's place for server processes; in the end none of them, and no worker, may be left."""
    yield place_of(workshop)
    await none_left(tmp_path)


@pytest.fixture
async def bare(tmp_path: Path) -> AsyncGenerator[Place]:
    """A place where nothing has been made yet."""
    yield empty_place(tmp_path)
    await none_left(tmp_path)
