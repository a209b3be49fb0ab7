"""A stage shared by all attacks of a module: it is built anew only when something has changed it."""

from collections.abc import AsyncGenerator

import pytest

from safety.hostile.stage import Stage, build_stage


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    made = await build_stage(tmp_path_factory.mktemp("stage"))
    yield made
    await made.workshop.api.aclose()
