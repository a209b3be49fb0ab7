"""test_connection: nothing is stored, and stored credentials go nowhere new unasked."""

import pytest

from operations.connections_kit import RIGHT, TOKEN, WRONG, nowhere, stored, vault_connection, with_vault
from operations.kit import ABSENT, asked_of, confirmed, proved, refuses
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "test_connection"
TEST = "/api/connections/test"


async def test_stored_settings_are_tried_as_they_are(
    all_on: Workshop, era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = with_vault(monkeypatch)
    connection_id = await vault_connection(all_on)
    vault.tried.clear()
    async with all_on.tools(era) as tools:
        data = proved(all_on, TOOL, await tools.test_connection(connection_id=connection_id))
    assert data["works"] is True
    assert vault.tried == [{"host": "db.example.com", "user": "me", "password": RIGHT}]
    assert data["effects"] == ["Uses the stored credentials of “Notes” against its service; nothing is stored."]


async def test_a_new_password_is_tried_at_once_and_not_stored(
    all_on: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_vault(monkeypatch)
    connection_id = await vault_connection(all_on, token=TOKEN)
    async with all_on.tools() as tools:
        answer = await tools.test_connection(connection_id=connection_id, configuration={"password": WRONG})
    assert answer.code == "bad_request"
    assert "failed with password '(secret)'" in answer.text
    assert stored(all_on, connection_id)["password"] == RIGHT
    nowhere(all_on, (WRONG, RIGHT, TOKEN), answer)


@pytest.mark.parametrize("change", [{"host": "evil.example.com"}, {"tls": {"verify": False}}, {"user": None}])
async def test_stored_credentials_with_other_settings_ask_first(
    all_on: Workshop, monkeypatch: pytest.MonkeyPatch, change: dict[str, object]
) -> None:
    """Laid over the stored settings, another host would be handed the stored password."""
    vault = with_vault(monkeypatch)
    connection_id = await vault_connection(all_on)
    vault.tried.clear()
    asked = await asked_of(all_on, TOOL, connection_id=connection_id, configuration=change)
    assert "SENDS the stored credentials of “Notes” to where these settings lead" in asked
    assert (all_on.api.mutations, vault.tried) == ([], [])


async def test_a_secret_that_is_an_address_asks_while_others_stay_stored(
    all_on: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_vault(monkeypatch)
    connection_id = await vault_connection(all_on, token=TOKEN)
    address = "vault://evil.example.com/x"
    asked = await asked_of(all_on, TOOL, connection_id=connection_id, configuration={"token": address})
    assert "token (secret) → (secret)" in asked
    assert "evil" not in asked
    async with all_on.tools() as tools:
        both = await tools.test_connection(
            connection_id=connection_id, configuration={"token": address, "password": RIGHT}
        )
    proved(all_on, TOOL, both)


async def test_once_confirmed_they_are_tried(all_on: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = with_vault(monkeypatch)
    connection_id = await vault_connection(all_on)
    async with all_on.tools() as tools:
        preview, answer = await confirmed(
            tools, TOOL, connection_id=connection_id, configuration={"host": "replica.example.com"}
        )
    proved(all_on, TOOL, answer)
    assert "host db.example.com → replica.example.com" in preview.text
    assert vault.tried[-1]["host"] == "replica.example.com"
    assert stored(all_on, connection_id)["host"] == "db.example.com"


async def test_settings_without_a_connection_are_tried(all_on: Workshop) -> None:
    async with all_on.tools() as tools:
        works = await tools.test_connection(type="sqlite", configuration={"path": "source.db"})
        fails = await tools.test_connection(type="sqlite", configuration={"path": "no/such/folder/x.db"})
    proved(all_on, TOOL, works)
    assert fails.code == "bad_request"
    assert len((await all_on.api.inner.get("/api/connections")).data) == 2


async def test_wrong_arguments_are_refused(all_on: Workshop) -> None:
    await refuses(all_on, TOOL, {}, "`type` is required without")
    await refuses(all_on, TOOL, {"connection_id": "x"}, "`connection_id`")
    await refuses(all_on, TOOL, {"type": "sqlite", "configuration": "path"}, "`configuration`")
    async with all_on.tools() as tools:
        other = await tools.test_connection(connection_id=all_on.source_id, type="duckdb")
        absent = await tools.test_connection(connection_id=ABSENT)
        unknown = await tools.test_connection(type="oracle")
        masked = await tools.test_connection(connection_id=all_on.source_id, configuration={"path": "********"})
    codes = [one.code for one in (other, absent, unknown, masked)]
    assert codes == ["invalid_arguments", "not_found", "not_found", "invalid_arguments"]
    assert all_on.api.mutations == []
