"""Fixtures of tests of approvals."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from approvals.kit import Desk, desk_in, guarded_workshop, with_evidence
from support import Workshop


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncGenerator[Desk]:
    """A store and its page."""
    async with desk_in(tmp_path) as made:
        yield made


@pytest.fixture
async def for_human(tmp_path: Path) -> AsyncGenerator[Workshop]:
    """A workshop where deletions and rebuilds need a person."""
    async with guarded_workshop(tmp_path, with_evidence("human")) as made:
        yield made


@pytest.fixture
async def for_operator(tmp_path: Path) -> AsyncGenerator[Workshop]:
    """A workshop where deletions and rebuilds need an operator."""
    async with guarded_workshop(tmp_path, with_evidence("operator")) as made:
        yield made
