"""One server for all tests of a process; every test finds its database empty."""

from collections.abc import Generator
from pathlib import Path

import pytest

from local.postgres.kit import PostgresWorkspace
from local.postgres.server import PASSWORD, Server, running

_SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"


@pytest.fixture(scope="session")
def server() -> Generator[Server]:
    with running() as made:
        yield made


@pytest.fixture
def workspace(tmp_path: Path, server: Server) -> PostgresWorkspace:
    folder = tmp_path / "workspace"
    folder.mkdir()
    for (schema,) in server.sql(_SCHEMAS):
        server.sql(f'DROP SCHEMA "{schema}" CASCADE')
    server.sql("CREATE SCHEMA public", "CREATE SCHEMA shop")
    return PostgresWorkspace(folder, server=server)


@pytest.fixture
def reader(server: Server, workspace: PostgresWorkspace) -> Generator[str]:
    """A role that may read the schema `shop`."""
    password = PASSWORD.replace("'", "''")
    server.sql(f"CREATE ROLE reader LOGIN PASSWORD '{password}'", "GRANT USAGE ON SCHEMA shop TO reader")
    server.sql("ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO reader")
    yield "reader"
    server.sql("DROP OWNED BY reader", "DROP ROLE reader")
