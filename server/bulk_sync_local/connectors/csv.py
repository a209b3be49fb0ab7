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
_LINE_ENDS = (r"\n", r"\r", r"\r\n")  # as DuckDB writes them; several in one file are none of these
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


def _options(configuration: Mapping[str, Any]) -> dict[str, str]:
    """What the settings say of the files, as options of `sniff_csv`."""
    options: dict[str, str] = {}
    delimiter, header = configuration.get("delimiter"), configuration.get("header")
    if delimiter is not None:
        if not isinstance(delimiter, str) or len(delimiter) != 1:
            raise ConnectorError("The setting delimiter must be a single character.")
        options["delim"] = text(delimiter)
    if header is not None:
        options["header"] = "true" if header else "false"
    return options


class CsvTables(FileTables):
    def __init__(self, tables: Mapping[str, list[Path]], options: dict[str, str]) -> None:
        super().__init__(tables)
        self._options = options

    def beside(self) -> Source:
        return CsvTables(self.tables, self._options)

    def relation(self, connection: Any, files: Sequence[Path]) -> Relation:
        """A `read_csv` call in which every column has the type it shall have."""
        file = text(glob_escaped(files[0]))
        options = self._options
        if files[0].stat().st_size == 0:  # a header that is not there would be complained of
            options = {option: value for option, value in options.items() if option != "header"}
        dialect, kinds = _sniffed(connection, file, options)
        read = f"read_csv({file}, {_listed(dialect)}, hive_partitioning = false"
        numbers = {
            column: _LOSES_AS_INTEGER if kind == "BIGINT" else _LOSES_AS_DOUBLE
            for column, kind in kinds.items()
            if kind in ("BIGINT", "DOUBLE")
        }
        tests = [
            f"coalesce(bool_or(regexp_matches({name(column)}, {text(pattern)})), false)"
            for column, pattern in numbers.items()
        ]
        rows, *loses = first_row(
            connection, f"SELECT {', '.join(['count(*)', *tests])} FROM {read}, all_varchar = true)"
        )
        kinds |= {column: "VARCHAR" for column, lost in zip(numbers, loses, strict=True) if lost}
        types = ", ".join(f"{text(column)}: {text(kind)}" for column, kind in kinds.items())
        return Relation(f"{read}, types = {{{types}}})", rows)


def _sniffed(connection: Any, file: str, options: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """How the file is written, as options of `read_csv`, and its columns with the types that fit all their values.

    This is the one time that DuckDB goes through the whole file to find them out, row after row on one core. Told what
    it found, `read_csv` looks at the beginning only, whether that is still so.
    """
    *written, columns = first_row(
        connection,
        "SELECT Delimiter, Quote, Escape, Comment, NewLineDelimiter, DateFormat, TimestampFormat, SkipRows, HasHeader, "
        f"Columns FROM sniff_csv({file}, {_listed({'sample_size': '-1', **options})})",
    )
    delimiter, quote, escape, comment, line_end, dates, times, skipped, header = written
    dialect = {
        "delim": _character(delimiter),
        "quote": _character(quote),
        "escape": _character(escape),
        "comment": _character(comment),
        "skip": str(skipped),
        "header": "true" if header else "false",
    }
    if line_end in _LINE_ENDS:
        dialect["new_line"] = text(line_end)
    if dates:
        dialect["dateformat"] = text(dates)
    if times:
        dialect["timestampformat"] = text(times)
    return dialect, {column["name"]: column["type"] for column in columns}


def _character(found: str) -> str:
    return text("" if found == "(empty)" else found)


def _listed(options: Mapping[str, str]) -> str:
    return ", ".join(f"{option} = {value}" for option, value in options.items())
