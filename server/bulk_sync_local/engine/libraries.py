"""The data libraries, imported when first used.

They come with the extra `local`; a server on the cloud backend starts without them, so nothing in this
package imports them at module level. pyarrow and the ADBC driver ship no types: `Any` enters here and
nowhere else.
"""

from importlib import import_module
from typing import Any

from bulk_sync_local.connectors.base import ConnectorError


def load(name: str) -> Any:
    """The module `name`. Raises `ConnectorError` with the remedy when the extra is not installed."""
    try:
        return import_module(name)
    except ModuleNotFoundError as missing:
        raise ConnectorError(
            f"The local service needs the library {missing.name}. Install it with: pip install 'bulk-sync-mcp[local]'"
        ) from missing


def duckdb() -> Any:
    return load("duckdb")


def pyarrow() -> Any:
    return load("pyarrow")


def pyarrow_compute() -> Any:
    return load("pyarrow.compute")


def adbc_postgresql() -> Any:
    return load("adbc_driver_postgresql.dbapi")


def adbc_sqlite() -> Any:
    return load("adbc_driver_sqlite.dbapi")
