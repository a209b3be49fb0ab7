"""The engine's workspace with a PostgreSQL server beside it."""

from dataclasses import dataclass, field, replace
from typing import Any

from bulk_sync_local.engine.job import Endpoint, RunJob, TableJob
from local.engine.kit import Workspace
from local.postgres.server import ADMIN, DATABASE, PASSWORD, Server

POSTGRES = "postgresql"


@dataclass
class PostgresWorkspace(Workspace):
    """`source` schema and all outputs are in one database; `user` is whom connections name."""

    server: Server = field(kw_only=True)
    user: str = ADMIN

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": self.server.port,
            "database": DATABASE,
            "username": self.user,
            "password": PASSWORD,
        }

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(POSTGRES, self.settings)

    def job(self, to: str, *tables: TableJob | str, **settings: Any) -> RunJob:
        if to != POSTGRES:
            return super().job(to, *tables, **settings)
        return replace(super().job("duckdb", *tables, **settings), destination=self.endpoint)

    def query(self, to: str, query: str, table: str, schema: str | None = None) -> list[dict[str, Any]]:
        if to != POSTGRES:
            return super().query(to, query, table, schema)
        with self.server.session() as connection, connection.cursor() as cursor:
            cursor.execute(query.format(f'"{schema or "public"}"."{table}"'))
            return cursor.fetch_arrow_table().to_pylist()

    def pg(self, *statements: str) -> list[tuple[Any, ...]]:
        return self.server.sql(*statements)
