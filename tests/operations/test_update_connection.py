"""update_connection: a full replacement that neither writes a mask nor clears a secret unasked."""

import pytest

from operations.connections_kit import (
    CONNECTION,
    MASK,
    RIGHT,
    TOKEN,
    WRONG,
    connection_of,
    nowhere,
    stored,
    vault_connection,
    with_vault,
)
from operations.kit import asked_of, confirmed, proved, refuses, refuses_wrong_ids
from support import Person, Workshop

pytestmark = pytest.mark.anyio
TOOL = "update_connection"


async def test_every_secret_is_asked_for_by_name_and_no_mask_is_written(
    all_on: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_vault(monkeypatch)
    connection_id = await vault_connection(all_on, token=TOKEN)
    async with all_on.tools() as tools:
        for change in ({"name": "Renamed"}, {"configuration": {"user": "you"}}, {"configuration": {"password": WRONG}}):
            refused = await tools.call(TOOL, {"connection_id": connection_id, **change})
            assert refused.code == "invalid_arguments", refused.text
            assert "“token”" in refused.text
            assert ("“password”" in refused.text) is (change != {"configuration": {"password": WRONG}})
        masked = await tools.update_connection(connection_id=connection_id, configuration={"password": MASK})
    assert "mask" in masked.text
    assert all_on.api.mutations == []
    assert stored(all_on, connection_id) == {"host": "db.example.com", "user": "me", "password": RIGHT, "token": TOKEN}


async def test_with_the_secrets_given_the_rest_stays_and_none_shows(
    all_on: Workshop, era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_vault(monkeypatch)
    connection_id = await vault_connection(all_on, token=TOKEN)
    person = Person("accept")
    change = {"user": "you", "password": RIGHT, "token": None}
    async with all_on.tools(era, person) as tools:
        answer = await tools.update_connection(connection_id=connection_id, configuration=change)
    proved(all_on, TOOL, answer)
    assert stored(all_on, connection_id) == {"host": "db.example.com", "user": "you", "password": RIGHT}
    asked = person.asked[0]
    assert "REPLACES settings and credentials of the connection “Notes”" in asked
    for change in ("user me → you", "password (secret) → (secret)", "token (secret) → (not set)"):
        assert change in asked
    nowhere(all_on, (RIGHT, TOKEN), answer, asked=person.asked)


async def test_a_password_that_is_refused_changes_nothing_and_shows_nowhere(
    all_on: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_vault(monkeypatch)
    connection_id = await vault_connection(all_on)
    async with all_on.tools() as tools:
        preview, answer = await confirmed(tools, TOOL, connection_id=connection_id, configuration={"password": WRONG})
    assert "(secret)" in answer.text
    assert answer.code == "bad_request"
    assert stored(all_on, connection_id)["password"] == RIGHT
    nowhere(all_on, (WRONG, RIGHT), preview, answer)


async def test_a_confirmation_for_one_password_is_none_for_another(
    all_on: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_vault(monkeypatch)
    connection_id = await vault_connection(all_on)
    call = {"connection_id": connection_id, "configuration": {"password": RIGHT}}
    async with all_on.tools() as tools:
        preview = await tools.call(TOOL, call)
        other = {**call, "configuration": {"password": WRONG}, "confirmation": preview.confirmation}
        assert (await tools.call(TOOL, other)).code == "confirmation_invalid"
    assert all_on.api.mutations == []


async def test_moving_a_connection_names_every_sync_that_it_moves(all_on: Workshop) -> None:
    await all_on.create_sync("Reports")
    change = {"path": "elsewhere.duckdb"}
    asked = await asked_of(all_on, TOOL, connection_id=all_on.destination_id, configuration=change)
    assert "for the next runs of 1 bulk sync" in asked
    assert "REDIRECTS output: destination connection “Warehouse”: path “warehouse.duckdb” → “elsewhere.duckdb”" in asked
    source = await asked_of(all_on, TOOL, connection_id=all_on.source_id, configuration={"path": "other.db"})
    assert "CHANGES HOW ROWS ARE WRITTEN: source connection “Shop database”: path" in source
    assert all_on.api.mutations == []
    assert (await connection_of(all_on, all_on.destination_id))["configuration"] == {"path": "warehouse.duckdb"}


async def test_a_rename_without_secrets_keeps_the_settings(all_on: Workshop) -> None:
    async with all_on.tools() as tools:
        preview, answer = await confirmed(tools, TOOL, connection_id=all_on.source_id, name="Till")
    proved(all_on, TOOL, answer)
    assert "name “Shop database” → “Till”" in preview.text.replace("'Shop database'", "“Shop database”").replace(
        "'Till'", "“Till”"
    )
    now = await connection_of(all_on, all_on.source_id)
    assert (now["name"], now["configuration"]) == ("Till", {"path": "source.db"})


async def test_settings_the_type_declares_secret_and_nobody_shows_are_named(
    all_on: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_vault(monkeypatch)
    connection_id = await vault_connection(all_on)
    change = {"password": RIGHT}
    assert "If one of “token” is set, it is cleared." in await asked_of(
        all_on, TOOL, connection_id=connection_id, configuration=change
    )
    hidden = {"host": "db.example.com"}
    all_on.api.rewrites["GET", CONNECTION] = lambda data: {**data, "configuration": hidden}
    async with all_on.tools() as tools:
        refused = await tools.update_connection(connection_id=connection_id, configuration={"user": "x"})
    assert "Missing: “password”" in refused.text
    assert all_on.api.mutations == []


async def test_settings_this_server_does_not_know_are_sent_back(all_on: Workshop) -> None:
    policy = "00000000-0000-4000-8000-00000000000a"
    all_on.api.rewrites["GET", CONNECTION] = lambda data: {
        **data,
        "configuration": {"path": "source.db", "newer": {"deep": [1, {"x": None}]}},
        "policies": [policy],
        "healthcheck_interval": "1h",
    }
    async with all_on.tools() as tools:
        _, answer = await confirmed(tools, TOOL, connection_id=all_on.source_id, configuration={"path": "till.db"})
    assert answer.code == "bad_request", "the local service takes no unknown settings"
    body = all_on.api.mutations[0][2]
    assert body == {
        "name": "Shop database",
        "type": "sqlite",
        "configuration": {"path": "till.db", "newer": {"deep": [1, {"x": None}]}},
        "policies": [policy],
        "healthcheck_interval": "1h",
        "validate": True,
    }


async def test_what_cannot_be_changed_or_would_not_change_is_refused(all_on: Workshop) -> None:
    async with all_on.tools() as tools:
        same = await tools.update_connection(connection_id=all_on.source_id, configuration={"path": "source.db"})
        all_on.api.rewrites["GET", CONNECTION] = lambda data: {**data, "parent_connection_id": all_on.source_id}
        shared = await tools.update_connection(connection_id=all_on.source_id, name="x")
    assert ("Nothing would change" in same.text, shared.code) == (True, "conflict")
    assert all_on.api.mutations == []
    given = {"connection_id": all_on.source_id}
    await refuses(all_on, TOOL, {**given, "configuration": "x"}, "`configuration`")
    await refuses(all_on, TOOL, {**given, "name": ""}, "`name`")
    await refuses(all_on, TOOL, {**given, "type": "duckdb"}, "`type`")
    await refuses_wrong_ids(all_on, TOOL, "connection_id", name="x")
