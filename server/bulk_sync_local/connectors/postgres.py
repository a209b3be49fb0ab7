"""PostgreSQL databases, as source and as destination."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from bulk_sync_local.connectors.base import Confinement, ConnectorError, ConnectorInfo, SourceTable
from bulk_sync_local.connectors.postgres_output import PostgresOutput
from bulk_sync_local.connectors.postgres_reading import PostgresTables, table_id
from bulk_sync_local.connectors.postgres_session import (
    DEFAULT_PORT,
    READ_ONLY,
    SSL_MODES,
    connect,
    identity,
    place,
    worded,
)
from bulk_sync_local.engine.job import RunJob
from bulk_sync_local.engine.names import stage_table
from bulk_sync_local.engine.ports import Destination, Source

LONGEST_NAME = 63
_DEFAULT_SCHEMA = "public"


class PostgreSQL:
    info = ConnectorInfo(
        type_id="postgresql",
        name="PostgreSQL",
        configuration_schema={
            "type": "object",
            "properties": {
                "host": {
                    "type": "string",
                    "minLength": 1,
                    "description": "Name or address of the server, one of the allowed hosts; "
                    "or the folder of its socket, inside the allowed folders.",
                },
                "port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": DEFAULT_PORT},
                "database": {"type": "string", "minLength": 1},
                "username": {"type": "string", "minLength": 1},
                "password": {
                    "type": "string",
                    "description": 'The password, or {"env": "BULK_SYNC_SECRET_NAME"}: where it is kept.',
                },
                "sslmode": {
                    "type": "string",
                    "enum": list(SSL_MODES),
                    "default": "prefer",
                    "description": "Whether to encrypt; verify-full also checks the server's certificate.",
                },
            },
            "required": ["host", "database", "username"],
            "additionalProperties": False,
        },
        is_source=True,
        is_destination=True,
        supports_namespaces=True,
        secret_fields=frozenset({"password"}),
        modes=("replicate", "snapshot", "append"),
        resync_modes=("refetch", "resync", "rebuild"),
        destination_settings={
            "schema": {"type": "string"},
            "advanced.table_prefix": {"type": "string"},
            "advanced.truncate_existing": {"type": "boolean"},
            "advanced.hard_deletes": {"type": "boolean"},
        },
        longest_name=LONGEST_NAME,
    )

    def check(self, configuration: Mapping[str, Any], confinement: Confinement) -> None:
        connect(place(configuration, confinement), READ_ONLY).close()

    def discover(
        self, configuration: Mapping[str, Any], confinement: Confinement, *, include_fields: bool
    ) -> list[SourceTable]:
        with closing(PostgresTables(place(configuration, confinement))) as tables:
            return [
                SourceTable(table, table, tables.fields(table) if include_fields else ()) for table in tables.names()
            ]

    def open_source(self, configuration: Mapping[str, Any], confinement: Confinement) -> Source:
        return PostgresTables(place(configuration, confinement))

    def open_destination(
        self, job: RunJob, confinement: Confinement, *, read_only: bool, files: Sequence[Path] = ()
    ) -> Destination | None:
        where = place(job.destination.configuration, confinement)
        schema = job.output_schema or _DEFAULT_SCHEMA
        if schema.startswith("pg_") or schema == "information_schema":
            raise ConnectorError(f"The schema {schema} is PostgreSQL's own. Choose another.")
        if len(schema.encode()) > LONGEST_NAME:
            raise ConnectorError(f"The schema name {schema} is longer than {LONGEST_NAME} bytes. Choose a shorter one.")
        spill = None if read_only else confinement.root_for_relative / f"{stage_table(job.sync_id)}.spill"
        output = PostgresOutput(where, schema, job.sync_id, read_only=read_only, spill=spill, files=files)
        try:
            output.kept = _read_here(job, schema, output, confinement)
        except BaseException:
            output.close()
            raise
        return output


def _read_here(job: RunJob, schema: str, output: PostgresOutput, confinement: Confinement) -> frozenset[str]:
    """The tables of `schema` that the run reads, when source and destination are one database."""
    if job.source.type_id != PostgreSQL.info.type_id:
        return frozenset()
    source = place(job.source.configuration, confinement)
    with closing(connect(source, READ_ONLY)) as connection, worded(source, "Looking at the source"):
        if identity(connection) != output.identity():
            return frozenset()
    prefix = table_id(schema, "")
    inside = [one.schema_id.removeprefix(prefix) for one in job.tables if one.schema_id.startswith(prefix)]
    return frozenset(one[1:-1].replace('""', '"') if one.startswith('"') else one for one in inside)


def written_among(job: RunJob, tables: Iterable[str], confinement: Confinement) -> frozenset[str]:
    """Those of the source's tables that are in the schema which the run writes to, when both ends are one database."""
    identities: list[Any] = []
    for end in (job.source, job.destination):
        where = place(end.configuration, confinement)
        with closing(connect(where, READ_ONLY)) as connection, worded(where, "Looking at the database"):
            identities.append(identity(connection))
    if identities[0] != identities[1]:
        return frozenset()
    prefix = table_id(job.output_schema or _DEFAULT_SCHEMA, "")
    return frozenset(one for one in tables if one.startswith(prefix))
