"""Connections to a PostgreSQL server, and its complaints in words that hold no secret.

All access goes through the ADBC driver. libpq would take what a connection leaves out from the environment and
the home directory of whoever runs the service (`PGPASSWORD`, `PGOPTIONS`, `~/.pgpass`, Kerberos tickets); it is
told otherwise, since those were not lent to the connection.
"""

import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from bulk_sync_local.connectors.base import Confinement, ConnectorError
from bulk_sync_local.connectors.postgres_hosts import Server, server
from bulk_sync_local.engine import libraries

DEFAULT_PORT = 5432
SSL_MODES = ("disable", "prefer", "require", "verify-full")
_CONNECT_SECONDS = 10
_MASK = "********"
# How the server shall read and print values, and that it shall not cut off long loads.
_SETTINGS = {
    "client_min_messages": "error",
    "datestyle": "ISO",
    "extra_float_digits": "1",
    "idle_in_transaction_session_timeout": "0",
    "intervalstyle": "postgres",
    "standard_conforming_strings": "on",
    "statement_timeout": "0",
    "timezone": "UTC",
}
READ_ONLY = {"default_transaction_isolation": "repeatable read", "default_transaction_read_only": "on"}
READ_WRITE = {
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    # A load does not wait for ever behind somebody's open transaction, with everybody else waiting behind the load.
    "lock_timeout": "5min",
    "search_path": "pg_catalog",
}
_LOST = "The connection was lost. Run the sync again when the server answers."
_LOSSES = (
    "server closed the connection",
    "connection to server",
    "could not receive data",
    "no connection to the server",
)
_REMEDIES = {
    "25006": "The server or the role allows reading only. Use another server, or another role.",
    "42501": "Grant the role what it lacks, or use another role.",
    "53100": "The server's disk is full. Make room there and run the sync again.",
    "53300": "The server has no connection left. Try again later.",
    "54000": "A key is too long for that index. Drop the index: the sync does without.",
    "55P03": "Another session holds the table. Try again when it is done.",
    "57014": "Somebody cancelled the statement. Run it again.",
    "57P01": _LOST,
    "57P02": _LOST,
    "57P03": _LOST,
}


@dataclass(frozen=True, slots=True)
class Place:
    """One database on one server, and who asks."""

    server: Server
    database: str
    username: str
    sslmode: str
    password: str = field(repr=False)

    def __str__(self) -> str:
        return f"the database {self.database} at {self.server.host}:{self.server.port}"


def place(configuration: Mapping[str, Any], confinement: Confinement) -> Place:
    """What a connection's settings name. Raises `ConnectorError`."""
    given: dict[str, str] = {}
    for setting in ("database", "username"):
        value = configuration.get(setting)
        if not isinstance(value, str) or not value or "\0" in value:
            raise ConnectorError(f"The setting {setting} must be a non-empty text.")
        given[setting] = value
    password, sslmode = configuration.get("password", ""), configuration.get("sslmode", "prefer")
    if not isinstance(password, str) or "\0" in password:
        raise ConnectorError("The setting password must be a text.")
    if sslmode not in SSL_MODES:
        raise ConnectorError(f"The setting sslmode must be one of: {', '.join(SSL_MODES)}.")
    return Place(server(configuration, confinement, DEFAULT_PORT), **given, sslmode=sslmode, password=password)


def connect(to: Place, settings: Mapping[str, str]) -> Any:
    """An ADBC connection; a transaction is always open on it. Raises `ConnectorError`."""
    adbc = libraries.adbc_postgresql()
    try:
        return adbc.connect(_uri(to, settings))
    except adbc.Error as failure:
        raise ConnectorError(f"Connecting to {to} failed: {said(failure, to)}") from None


def _uri(to: Place, settings: Mapping[str, str]) -> str:
    words = [f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in {**_SETTINGS, **settings}.items()]
    parameters = {
        "host": to.server.host,
        **({"hostaddr": to.server.address} if to.server.address is not None else {}),
        "port": str(to.server.port),
        "dbname": to.database,
        "user": to.username,
        "password": to.password,
        # A file that cannot exist; an empty name would mean the usual one.
        "passfile": f"{os.devnull}/none",
        "sslmode": to.sslmode,
        **({"sslrootcert": "system"} if to.sslmode == "verify-full" else {}),
        "gssencmode": "disable",
        "require_auth": "none,password,md5,scram-sha-256",
        "client_encoding": "UTF8",
        "application_name": "bulk-sync",
        "connect_timeout": str(_CONNECT_SECONDS),
        "options": " ".join(words),
    }
    return "postgresql://?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())


def said(failure: BaseException, to: Place) -> str:
    """What the driver or the server complained of: one line, without the password, with a remedy where one is known."""
    lines = [line.strip() for line in str(failure).strip().splitlines() if line.strip()]
    first = lines[0] if lines else type(failure).__name__
    for mark in ("ERROR:", "FATAL:", "PANIC:", "[libpq]"):
        if mark in first:
            first = first.split(mark, 1)[1].strip()
            break
    if to.password:
        first = first.replace(to.password, _MASK).replace(quote(to.password, safe=""), _MASK)
    remedy = _REMEDIES.get(getattr(failure, "sqlstate", None) or "")
    if remedy is None and any(words in str(failure) for words in _LOSSES):
        remedy = _LOST
    sentence = first[:300].rstrip(".") + "."
    return f"{sentence} {remedy}" if remedy else sentence


def broken() -> tuple[type[Exception], ...]:
    """What the driver raises, itself or through Arrow."""
    return libraries.adbc_postgresql().Error, libraries.pyarrow().ArrowException, OSError


@contextmanager
def worded(to: Place, doing: str, raised: Callable[[str], Exception] = ConnectorError) -> Generator[None]:
    """Turns what the driver raises inside into `raised`, in words."""
    try:
        yield
    except broken() as failure:
        raise raised(f"{doing} failed: {said(failure, to)}") from None


def rows(connection: Any, query: str) -> list[tuple[Any, ...]]:
    """The rows of a small result. Raises the driver's own errors."""
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def identity(connection: Any) -> tuple[Any, ...]:
    """Equal for two connections to one database, by whatever address they came."""
    query = (
        "SELECT CAST(pg_postmaster_start_time() AS text), CAST(oid AS bigint), datname "
        "FROM pg_catalog.pg_database WHERE datname = current_database()"
    )
    return rows(connection, query)[0]
