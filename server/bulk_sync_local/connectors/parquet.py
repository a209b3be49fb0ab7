"""Folders of Parquet files. Source: each `*.parquet`, and each folder of such files directly inside, is a
table without a primary key. Destination: one file per table.
"""

# Names and values in statements are quoted by engine/sql.py.
# ruff: noqa: S608

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from bulk_sync_local.connectors import paths
from bulk_sync_local.connectors.base import Confinement, ConnectorInfo, SourceTable
from bulk_sync_local.connectors.confined import glob_escaped
from bulk_sync_local.connectors.files import FileTables, Relation, tables_in
from bulk_sync_local.connectors.parquet_output import open_folder
from bulk_sync_local.engine.job import RunJob
from bulk_sync_local.engine.ports import Destination, Source
from bulk_sync_local.engine.sql import first_row, text


class ParquetFolder:
    info = ConnectorInfo(
        type_id="parquet",
        name="Parquet files",
        configuration_schema={
            "type": "object",
            "properties": {
                "path": {"type": "string", "minLength": 1, "description": "Folder that holds the Parquet files."}
            },
            "required": ["path"],
            "additionalProperties": False,
        },
        is_source=True,
        is_destination=True,
        modes=("replicate", "snapshot", "append"),
        resync_modes=("refetch", "resync", "rebuild"),
        destination_settings={
            "advanced.table_prefix": {"type": "string"},
            "advanced.hard_deletes": {"type": "boolean"},
        },
    )

    def check(self, configuration: Mapping[str, Any], confinement: Confinement) -> None:
        """A folder that is not there yet passes: it may be meant as a destination."""
        folder = paths.output_folder(configuration, confinement)
        if folder.exists():
            tables_in(folder, ".parquet", confinement, part_folders=True)

    def discover(
        self, configuration: Mapping[str, Any], confinement: Confinement, *, include_fields: bool
    ) -> list[SourceTable]:
        with closing(_open(configuration, confinement)) as tables:
            return [
                SourceTable(table, table, tables.fields(table) if include_fields else ()) for table in tables.names()
            ]

    def open_source(self, configuration: Mapping[str, Any], confinement: Confinement) -> Source:
        return _open(configuration, confinement)

    def open_destination(
        self, job: RunJob, confinement: Confinement, *, read_only: bool, files: Sequence[Path] = ()
    ) -> Destination | None:
        folder = paths.output_folder(job.destination.configuration, confinement)
        if not folder.exists():
            if read_only:
                return None
            folder.mkdir()
        return open_folder(folder, confinement, job.sync_id, files, read_only=read_only)


def _open(configuration: Mapping[str, Any], confinement: Confinement) -> "ParquetTables":
    folder = paths.existing_folder(configuration, confinement)
    return ParquetTables(tables_in(folder, ".parquet", confinement, part_folders=True))


class ParquetTables(FileTables):
    def beside(self) -> Source:
        return ParquetTables(self.tables)

    def relation(self, connection: Any, files: Sequence[Path]) -> Relation:
        """Part files need not have the same columns; one that lacks a column has NULL there."""
        listed = ", ".join(text(glob_escaped(file)) for file in files)
        read = f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
        return Relation(read, first_row(connection, f"SELECT count(*) FROM {read}")[0])
