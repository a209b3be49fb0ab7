"""Folders of CSV files, as source: each `*.csv` is a table without a primary key; folders inside are ignored.

Types are found by looking at every row. A column keeps its text when a number would lose something of it:
leading zeros (`007`), or more digits than a double tells apart.
"""

# Names and values in statements are quoted by engine/sql.py.
# ruff: noqa: S608

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from bulk_sync_local.connectors import paths
from bulk_sync_local.connectors.base import Confinement, ConnectorError, ConnectorInfo, SourceTable
from bulk_sync_local.connectors.confined import glob_escaped
from bulk_sync_local.connectors.files import FileTables, Relation, tables_in
from bulk_sync_local.engine.ports import Source
from bulk_sync_local.engine.sql import first_row, name, text

_LOSES_AS_INTEGER = r"^\s*[+-]?0[0-9]|^\s*\+"
_LOSES_AS_DOUBLE = r"^\s*[+-]?0[0-9]|^\s*\+|[1-9](?:\.?[0-9]){17}"


class CsvFolder:
    info = ConnectorInfo(
        type_id="csv",
        name="CSV files",
        configuration_schema={
            "type": "object",
            "properties": {
                "path": {"type": "string", "minLength": 1, "description": "Folder that holds the CSV files."},
                "delimiter": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1,
                    "description": "Character between fields; found out when left out.",
                },
                "header": {
                    "type": "boolean",
                    "description": "Whether the first line holds the column names; found out when left out.",
                },
            },
            "required": ["path"],
            "additionalProperties": False,
        },
        is_source=True,
        is_destination=False,
    )

    def check(self, configuration: Mapping[str, Any], confinement: Confinement) -> None:
        folder = paths.existing_folder(configuration, confinement)
        _options(configuration)
        tables_in(folder, ".csv", confinement, part_folders=False)

    def discover(
        self, configuration: Mapping[str, Any], confinement: Confinement, *, include_fields: bool
    ) -> list[SourceTable]:
        with closing(_open(configuration, confinement)) as tables:
            return [
                SourceTable(table, table, tables.fields(table) if include_fields else ()) for table in tables.names()
            ]

    def open_source(self, configuration: Mapping[str, Any], confinement: Confinement) -> Source:
        return _open(configuration, confinement)


def _open(configuration: Mapping[str, Any], confinement: Confinement) -> "CsvTables":
    folder = paths.existing_folder(configuration, confinement)
    return CsvTables(tables_in(folder, ".csv", confinement, part_folders=False), _options(configuration))


def _options(configuration: Mapping[str, Any]) -> str:
    options = ["sample_size = -1", "auto_detect = true", "hive_partitioning = false"]
    delimiter, header = configuration.get("delimiter"), configuration.get("header")
    if delimiter is not None:
        if not isinstance(delimiter, str) or len(delimiter) != 1:
            raise ConnectorError("The setting delimiter must be a single character.")
        options.append(f"delim = {text(delimiter)}")
    if header is not None:
        options.append(f"header = {'true' if header else 'false'}")
    return ", ".join(options)


class CsvTables(FileTables):
    def __init__(self, tables: Mapping[str, list[Path]], options: str) -> None:
        super().__init__(tables)
        self._options = options

    def beside(self) -> Source:
        return CsvTables(self.tables, self._options)

    def relation(self, connection: Any, files: Sequence[Path]) -> Relation:
        """A `read_csv` call in which every column has the type it shall have."""
        # With its schema: the connection that runs it may hold a macro of that name.
        file = f"system.main.read_csv({text(glob_escaped(files[0]))}"
        sniffed = f"{file}, {self._options})"
        kinds = {row[0]: row[1] for row in connection.execute(f"DESCRIBE SELECT * FROM {sniffed}").fetchall()}
        numbers = {
            column: _LOSES_AS_INTEGER if kind == "BIGINT" else _LOSES_AS_DOUBLE
            for column, kind in kinds.items()
            if kind in ("BIGINT", "DOUBLE")
        }
        tests = [
            f"coalesce(bool_or(regexp_matches({name(column)}, {text(pattern)})), false)"
            for column, pattern in numbers.items()
        ]
        as_text = f"{file}, {self._options}, all_varchar = true)"
        rows, *loses = first_row(connection, f"SELECT {', '.join(['count(*)', *tests])} FROM {as_text}")
        kinds |= {column: "VARCHAR" for column, lost in zip(numbers, loses, strict=True) if lost}
        types = ", ".join(f"{text(column)}: {text(kind)}" for column, kind in kinds.items())
        return Relation(f"{file}, {self._options}, types = {{{types}}})", rows)
