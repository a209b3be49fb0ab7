"""A stage shared by all attacks: it is built anew only when something has changed it."""

from collections.abc import AsyncGenerator

import pytest

from safety.hostile.stage import Stage, build_stage


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def stages(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[list[Stage]]:
    made: list[Stage] = []
    yield made
    for one in made:
        await one.workshop.api.aclose()


@pytest.fixture
async def stage(stages: list[Stage], tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """The stage as it was built: one that an attack has changed is left behind."""
    if not stages or stages[-1].spoiled:
        stages.append(await build_stage(tmp_path_factory.mktemp("stage")))
    return stages[-1]
