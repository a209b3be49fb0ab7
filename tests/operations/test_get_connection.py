"""get_connection: one connection, its secrets hidden."""

import pytest

from operations.connections_kit import CONNECTION, RIGHT, nowhere, vault_connection, with_vault
from operations.kit import HOSTILE, proved, refuses_wrong_ids
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "get_connection"


async def test_it_tells_settings_and_hides_secrets(all_on: Workshop, era: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_vault(monkeypatch)
    connection_id = await vault_connection(all_on)
    async with all_on.tools(era) as tools:
        answer = await tools.get_connection(connection_id=connection_id)
    data = proved(all_on, TOOL, answer)
    assert (data["name"], data["type"], data["status"]) == ("Notes", "vault", "healthy")
    assert data["configuration"] == {"host": "db.example.com", "user": "me", "password": "(secret)"}
    nowhere(all_on, (RIGHT,), answer)
    assert len(all_on.api.calls) == 1


async def test_a_secret_the_backend_forgot_to_mask_is_hidden_all_the_same(all_on: Workshop) -> None:
    told = {
        "path": "x",
        "client_secret": "s3cr3t-value",
        "oauth": {"refreshToken": "s3cr3t-value", "scopes": ["read"]},
        "keys": [{"private_key": "s3cr3t-value"}],
        "password": {"env": "BULK_SYNC_SECRET_NOTES"},
    }
    all_on.api.rewrites["GET", CONNECTION] = lambda data: {
        **data,
        "name": HOSTILE,
        "configuration": told,
        "rate_limit": {"currently_limited": True, "limited_since": "2026-01-01T00:00:00Z"},
        "status": None,
        "type": None,
    }
    async with all_on.tools() as tools:
        answer = await tools.get_connection(connection_id=all_on.source_id)
    data = proved(all_on, TOOL, answer)
    assert "s3cr3t" not in answer.text
    assert "\u202e" not in answer.text
    assert data["configuration"]["oauth"] == {"refreshToken": "(secret)", "scopes": ["read"]}
    assert data["configuration"]["password"] == {"env": "BULK_SYNC_SECRET_NOTES"}
    assert data["rate_limited_since"].startswith("2026-01-01T00:00:00Z (")


async def test_ids_that_are_none_are_refused(all_on: Workshop) -> None:
    await refuses_wrong_ids(all_on, TOOL, "connection_id")
