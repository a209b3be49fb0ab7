"""create_connection: settings are stored, secrets are seen by nobody else."""

import pytest

from operations.connections_kit import (
    MASK,
    RIGHT,
    TOKEN,
    WRONG,
    connection_of,
    nowhere,
    stored,
    with_vault,
)
from operations.kit import CONNECTIONS, proved, refuses
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "create_connection"


async def test_a_connection_is_made_and_its_secrets_show_nowhere(
    all_on: Workshop, era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = with_vault(monkeypatch)
    settings = {"host": "db.example.com", "user": "me", "password": RIGHT, "token": TOKEN}
    async with all_on.tools(era) as tools:
        answer = await tools.call(TOOL, {"name": "Notes", "type": "vault", "configuration": settings})
    data = proved(all_on, TOOL, answer)
    assert data["effects"] == ["Creates the vault connection “Notes” with the settings given, tried at once."]
    assert (data["name"], data["type"], data["status"]) == ("Notes", "vault", "healthy")
    assert stored(all_on, data["id"]) == settings
    assert vault.tried == [settings]
    nowhere(all_on, (RIGHT, TOKEN), answer)
    assert [line["event"] for line in all_on.audit()] == ["intent", "outcome"]


async def test_a_refused_password_that_the_service_quotes_is_not_passed_on(
    all_on: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_vault(monkeypatch)
    settings = {"host": "db.example.com", "password": WRONG, "token": TOKEN}
    long = {"host": "h" * 200, "password": WRONG * 4}
    async with all_on.tools() as tools:
        answer = await tools.call(TOOL, {"name": "Notes", "type": "vault", "configuration": settings})
        cut = await tools.call(TOOL, {"name": "Notes", "type": "vault", "configuration": long})
    assert (answer.code, cut.code) == ("bad_request", "bad_request")
    assert "login to db.example.com failed with password '(secret)'" in answer.text
    nowhere(all_on, (WRONG, TOKEN), answer, cut)
    assert len((await all_on.api.inner.get(CONNECTIONS)).data) == 2


async def test_settings_can_be_stored_untried(all_on: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = with_vault(monkeypatch)
    settings = {"host": "db.example.com", "password": WRONG}
    call = {"name": "Later", "type": "vault", "configuration": settings, "validate_settings": False}
    async with all_on.tools() as tools:
        data = proved(all_on, TOOL, await tools.call(TOOL, call))
    assert (data["status"], vault.tried) == ("unchecked", [])
    assert "untried" in data["effects"][0]


async def test_a_secret_can_be_a_reference_that_the_model_never_sees_through(
    all_on: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a binding in the service's settings it is refused, by the name of the variable."""
    with_vault(monkeypatch)
    monkeypatch.setenv("BULK_SYNC_SECRET_NOTES", RIGHT)
    settings = {"host": "db.example.com", "password": {"env": "BULK_SYNC_SECRET_NOTES"}}
    async with all_on.tools() as tools:
        answer = await tools.call(TOOL, {"name": "Notes", "type": "vault", "configuration": settings})
    assert "BULK_SYNC_SECRET_NOTES is not a secret set up" in answer.text
    assert all_on.api.mutations[0][2]["configuration"] == settings
    nowhere(all_on, (RIGHT,), answer)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://login.example.com/authorize?state=abc", True),
        ("http://login.example.com/authorize", False),
        ("https://login.example.com/" + "x" * 1_000, False),
        ("javascript:alert(1)", False),
    ],
)
async def test_a_person_is_to_open_the_address_of_an_authorisation(all_on: Workshop, url: str, shown: bool) -> None:
    all_on.api.rewrites["POST", CONNECTIONS] = lambda data: {
        **data, "saved": False, "auth_url": url, "auth_code": "AB-12",
    }  # fmt: skip
    call = {"name": "Files", "type": "sqlite", "configuration": {"path": "new.db"}}
    async with all_on.tools() as tools:
        data = proved(all_on, TOOL, await tools.call(TOOL, call))
    assert (data.get("auth_url") == url) is shown
    assert data["auth_code"] == "AB-12"
    assert "ask the user to open auth_url" in data["next"] if shown else "ask the user to finish it" in data["next"]


async def test_wrong_settings_are_refused_without_being_repeated(
    all_on: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_vault(monkeypatch)
    base = {"name": "Notes", "type": "vault"}
    answers = [
        await refuses(all_on, TOOL, {**base, "configuration": RIGHT}, "`configuration`", "object"),
        await refuses(all_on, TOOL, {**base, "configuration": [RIGHT]}, "`configuration`"),
        await refuses(all_on, TOOL, {**base, "password": RIGHT, "configuration": {}}, "`password`"),
        await refuses(all_on, TOOL, {**base, "configuration": {}, "redirect_url": "https://x"}, "`redirect_url`"),
        await refuses(all_on, TOOL, {**base, "type": "../x", "configuration": {}}, "`type`"),
    ]
    async with all_on.tools() as tools:
        for configuration, word in (
            ({"host": "x", "password": MASK}, "mask"),
            ({"host": "x", "password": "••••••"}, "mask"),
            ({"host": "x", "password": RIGHT, "pass_word": RIGHT}, "pass_word"),
        ):
            refused = await tools.call(TOOL, {**base, "configuration": configuration})
            assert refused.code == "invalid_arguments", refused.text
            assert word in refused.text
            answers.append(refused)
        unknown = await tools.call(TOOL, {**base, "type": "oracle", "configuration": {"password": RIGHT}})
    assert (unknown.code, "list_connection_types" in unknown.text) == ("not_found", True)
    assert all_on.api.mutations == []
    nowhere(all_on, (RIGHT,), *answers, unknown)


async def test_the_new_connection_can_be_read_from(all_on: Workshop) -> None:
    call = {"name": "Again", "type": "sqlite", "configuration": {"path": "source.db"}}
    async with all_on.tools() as tools:
        made = proved(all_on, TOOL, await tools.call(TOOL, call))
        tables = await tools.get_bulk_source(connection_id=made["id"])
    assert tables.data["total"] == 3
    assert (await connection_of(all_on, made["id"]))["name"] == "Again"
