"""What tests of connections share: a kind of connection with secrets, which the local service has none of yet.

It is a connector like those of the local service, put into its registry: it keeps nothing, knows one password, and
quotes the one it refuses, as some services do.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from bulk_sync_local.connectors import registry
from bulk_sync_local.connectors.base import Confinement, ConnectorError, ConnectorInfo, SourceField, SourceTable
from operations.kit import CONNECTIONS
from support import Called, Workshop

CONNECTION = "/api/connections/{id}"
RIGHT = "Tr0ub4dor&3-is-right"
WRONG = "correct horse battery staple"
TOKEN = "tk_9f8e7d6c5b4a39281706"
MASK = "********"


class Vault:
    """A service that asks for a password."""

    info = ConnectorInfo(
        type_id="vault",
        name="Vault",
        configuration_schema={
            "type": "object",
            "properties": {
                "host": {"type": "string", "description": "Where it listens."},
                "user": {"type": "string"},
                "password": {"type": "string", "format": "password"},
                "token": {"type": "string", "writeOnly": True},
                "mode": {"type": "string", "enum": ["fast", "safe"]},
                "tls": {"type": "object", "properties": {"verify": {"type": "boolean"}}},
            },
            "required": ["host", "password"],
            "additionalProperties": False,
        },
        is_source=True,
        is_destination=False,
        secret_fields=frozenset({"password", "token"}),
    )

    def __init__(self) -> None:
        self.tried: list[dict[str, Any]] = []

    def check(self, configuration: Mapping[str, Any], confinement: Confinement) -> None:
        self.tried.append(dict(configuration))
        if configuration.get("password") != RIGHT:
            raise ConnectorError(f"login to {configuration['host']} failed with password {configuration['password']!r}")

    def discover(
        self, configuration: Mapping[str, Any], confinement: Confinement, *, include_fields: bool
    ) -> list[SourceTable]:
        return [SourceTable("notes", "notes", (SourceField("id", "id", "number", "INT", True),))]


def with_vault(monkeypatch: pytest.MonkeyPatch) -> Vault:
    """The connector, in the local service's registry."""
    vault = Vault()
    monkeypatch.setitem(registry._CONNECTORS, "vault", vault)  # pyright: ignore[reportPrivateUsage]
    return vault


async def vault_connection(workshop: Workshop, **settings: Any) -> str:
    """A connection of that kind made over the API, past the tools."""
    whole = {"host": "db.example.com", "user": "me", "password": RIGHT, **settings}
    body = {"name": "Notes", "type": "vault", "configuration": whole}
    made = (await workshop.api.inner.post(CONNECTIONS, body=body)).data["id"]
    workshop.api.calls.clear()
    return str(made)


async def connection_of(workshop: Workshop, connection_id: str) -> dict[str, Any]:
    """A connection as the API tells it."""
    return dict((await workshop.api.inner.get(CONNECTION, id=connection_id)).data)


def stored(workshop: Workshop, connection_id: str) -> dict[str, Any]:
    """The settings of a connection as the local service keeps them, secrets included."""
    import json
    import sqlite3
    from contextlib import closing

    path = workshop.application.settings.local_dir / "store.sqlite"
    with closing(sqlite3.connect(path)) as db:
        (text,) = db.execute("SELECT configuration FROM connections WHERE id = ?", (connection_id,)).fetchone()
    return dict(json.loads(text))


def nowhere(workshop: Workshop, secrets: tuple[str, ...], *answers: Called, asked: list[str] | None = None) -> None:
    """Proof that no secret is in an answer, a question, the audit log or anything else the guard has written."""
    texts = [part for one in answers for part in (one.text, str(one.data))] + (asked or [])
    guard = workshop.application.settings.guard_dir
    texts += [path.read_bytes().decode("latin-1") for path in guard.rglob("*") if path.is_file()]
    for secret in secrets:
        for text in texts:
            assert secret not in text
            assert secret[: len(secret) // 2] not in text
