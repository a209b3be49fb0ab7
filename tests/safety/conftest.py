"""What holds for every proof of safety."""

from collections.abc import Generator
from typing import NoReturn

import pytest

from bulk_sync_local.scheduler import Scheduler


@pytest.fixture(autouse=True, scope="module")
def nothing_fires() -> Generator[None]:
    """No schedule fires while something is proved: what the tables show is what was called for, and nothing else."""

    def start(_self: Scheduler) -> NoReturn:
        raise AssertionError("a scheduler was started, and could fire in the middle of a proof")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scheduler, "start", start)
        yield
