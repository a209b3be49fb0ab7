"""One PostgreSQL server for all tests of a process."""

from collections.abc import Generator

import pytest

from local.postgres.server import Server, running


@pytest.fixture(scope="session")
def server() -> Generator[Server]:
    with running() as made:
        yield made
