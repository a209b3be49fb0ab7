"""The connection types there are. Listing them imports no data library."""

from bulk_sync_local.connectors.base import Connector, ConnectorError, ConnectorInfo
from bulk_sync_local.connectors.csv import CsvFolder
from bulk_sync_local.connectors.duckdb import DuckDBFile
from bulk_sync_local.connectors.parquet import ParquetFolder
from bulk_sync_local.connectors.postgres import PostgreSQL
from bulk_sync_local.connectors.sqlite import SQLiteFile

_CONNECTORS: dict[str, Connector] = {
    one.info.type_id: one for one in (CsvFolder(), DuckDBFile(), ParquetFolder(), PostgreSQL(), SQLiteFile())
}


def connector(type_id: str) -> Connector:
    """The connector of a type. Raises `ConnectorError`, which names the types there are."""
    found = _CONNECTORS.get(type_id)
    if found is None:
        raise ConnectorError(f"There is no connection type {type_id}. Use one of: {', '.join(_CONNECTORS)}.")
    return found


def infos() -> tuple[ConnectorInfo, ...]:
    """What the API tells about each type, in order of id."""
    return tuple(one.info for one in _CONNECTORS.values())
