"""A local service over a fresh workspace, driven through its ASGI application, with real worker processes."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from bulk_sync_local import store_progress
from bulk_sync_local.app import create_app
from bulk_sync_local.config import LocalConfig
from local.service.harness import Api, make_source


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    found = tmp_path / "workspace"
    found.mkdir()
    make_source(found / "shop.sqlite")
    return found


@pytest.fixture
def config(tmp_path: Path, workspace: Path) -> LocalConfig:
    return LocalConfig(workspace=workspace, state_dir=tmp_path / "state", api_key="local-key-1")


@pytest.fixture
async def open_api() -> AsyncIterator[Callable[..., Api]]:
    """Makes services; several on one configuration are several servers on one workspace."""
    opened: list[Api] = []

    def make(config: LocalConfig, **more: Any) -> Api:
        opened.append(Api(config, create_app(config, **more)))
        return opened[-1]

    yield make
    # No test leaves a run behind that still writes into a directory about to go.
    for api in opened:
        service, end = api.service, time.monotonic() + 30
        while time.monotonic() < end:
            with service.store.write() as tx:
                unfinished = store_progress.pending(tx)
                for execution in unfinished:
                    store_progress.request_cancel(tx, execution.execution_id, service.now())
            if not unfinished:
                break
            service.supervisor.sweep()
            await asyncio.sleep(0.05)
        service.store.close()


@pytest.fixture
async def api(open_api: Callable[..., Api], config: LocalConfig) -> Api:
    return open_api(config)


@pytest.fixture
async def sync_id(api: Api) -> str:
    """A sync of both tables from the SQLite source into another SQLite file."""
    return await api.sync(
        await api.connection("sqlite", "shop.sqlite"), await api.connection("sqlite", "warehouse.sqlite")
    )
