"""Clients for the raw server."""

import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from api.fakes import QUICK, SECRET, FakeClock
from bulk_sync_mcp.api.client import ApiClient, Backend, bearer


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def open_client(clock: FakeClock) -> AsyncIterator[Callable[..., ApiClient]]:
    """Makes clients of an origin; closes them in the end."""
    opened: list[ApiClient] = []

    def make(origin: str, **options: Any) -> ApiClient:
        options = {"clock": clock, "rng": random.Random(7), "limits": QUICK, **options}
        client = ApiClient(Backend(origin, bearer(SECRET)), **options)
        opened.append(client)
        return client

    yield make
    for client in opened:
        await client.aclose()
