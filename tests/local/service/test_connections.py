"""Connections and what they offer."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bulk_sync_local import catalog
from bulk_sync_local.config import ConfigError, LocalConfig, SecretBinding
from bulk_sync_local.connectors.base import ConnectorError, ConnectorInfo
from bulk_sync_local.errors import ApiError
from local.service.harness import Api, make_source

pytestmark = pytest.mark.anyio

NOBODY = "00000000-0000-4000-8000-000000000000"


def _settings(path: str) -> dict:
    return {"name": "x", "type": "sqlite", "configuration": {"path": path}}


async def test_a_connection_is_created_listed_and_read(api: Api) -> None:
    made = await api.ok("POST", "/api/connections", _settings("shop.sqlite"))
    assert (made["status"], made["type"]) == ("healthy", {"id": "sqlite", "name": "SQLite"})
    found = await api.ok("GET", f"/api/connections/{made['id']}")
    assert found["configuration"] == {"path": "shop.sqlite"}
    assert await api.ok("GET", "/api/connections") == [found]


@pytest.mark.parametrize("path", ["loop", "x" * 300])
async def test_a_path_that_leads_nowhere_fails_where_it_is_used(api: Api, workspace: Path, path: str) -> None:
    (workspace / "loop").symlink_to("loop")
    target = (await api.ok("POST", "/api/connections", {**_settings(path), "validate": False}))["id"]
    await api.refused(400, "POST", f"/api/connections/{target}/schemas/refresh")
    sync_id = await api.sync(await api.connection("sqlite", "shop.sqlite"), target)
    run = await api.run(sync_id)
    assert run["status"] == "failed"
    assert "cannot be used" in run["schemas"][0]["status_message"]


async def test_connection_types_describe_their_settings(api: Api) -> None:
    types = await api.ok("GET", "/api/connection_types")
    assert {"sqlite", "duckdb"} <= {entry["id"] for entry in types}
    for entry in types:
        schema = (await api.send("GET", f"/api/connection_types/{entry['id']}")).json()
        assert schema["properties"] == entry["configurationForm"]["jsonschema"]["properties"]
    await api.refused(404, "GET", "/api/connection_types/oracle")


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"type": "oracle"}, 400, "sqlite"),
        ({"configuration": {}}, 400, "'path'"),
        ({"configuration": {"path": "shop.sqlite", "password": "x"}}, 400, "'password'"),
        ({"configuration": {"path": 1}}, 400, "string"),
        ({"configuration": {"path": "********"}}, 400, "mask"),
        ({"configuration": {"path": {"env": "HOME"}}}, 400, "string"),
        ({"configuration": {"path": "no/such/folder/x.sqlite"}}, 422, "folder"),
        ({"configuration": {"path": "/etc/passwd"}}, 422, "outside"),
        ({"configuration": {"path": "../state/store.sqlite"}}, 422, "outside"),
        ({"configuration": {"path": "notes.txt"}}, 422, "notes.txt"),
        ({"configuration": {"path": "x" * 300}}, 422, "cannot be used"),
        ({"configuration": {"path": "x/" * 3000}}, 422, "cannot be used"),
        ({"configuration": {"path": "a\0b"}}, 400, "NUL"),
        ({"policies": [NOBODY]}, 400, "policies"),
        ({"organization_id": NOBODY}, 400, "organization_id"),
        ({"redirect_url": "https://example.com"}, 400, "redirect_url"),
        ({"name": ""}, 400, "name"),
    ],
)
async def test_wrong_settings_are_refused_and_nothing_is_stored(
    api: Api, workspace: Path, changes: dict, status: int, words: str
) -> None:
    (workspace / "notes.txt").write_text("not a database, and long enough to be looked at " * 100)
    assert words in await api.refused(status, "POST", "/api/connections", {**_settings("shop.sqlite"), **changes})
    assert await api.ok("GET", "/api/connections") == []


async def test_a_symbolic_link_out_of_the_workspace_is_refused(api: Api, workspace: Path, tmp_path: Path) -> None:
    make_source(tmp_path / "outside.sqlite")
    (workspace / "link.sqlite").symlink_to(tmp_path / "outside.sqlite")
    assert "outside" in await api.refused(422, "POST", "/api/connections", _settings("link.sqlite"))


async def test_a_connection_can_be_stored_unchecked_and_says_so(api: Api) -> None:
    body = {**_settings("/etc/passwd"), "validate": False}
    made = await api.ok("POST", "/api/connections", body)
    assert made["status"] == "unchecked"
    assert "refresh" in await api.refused(400, "GET", f"/api/connections/{made['id']}/bulksync/source")
    assert "outside" in await api.refused(400, "POST", f"/api/connections/{made['id']}/schemas/refresh")


async def test_trying_a_connection_stores_nothing(api: Api) -> None:
    body = {"type": "sqlite", "configuration": {"path": "shop.sqlite"}}
    await api.ok("POST", "/api/connections/test", body)
    assert "outside" in await api.refused(
        400, "POST", "/api/connections/test", {**body, "configuration": {"path": "/etc/passwd"}}
    )
    assert await api.ok("GET", "/api/connections") == []


async def test_trying_over_a_stored_connection_fills_in_its_settings(api: Api) -> None:
    connection_id = await api.connection("sqlite", "shop.sqlite")
    body = {"type": "sqlite", "configuration": {}, "connection_id": connection_id}
    await api.ok("POST", "/api/connections/test", body)
    assert "type" in await api.refused(400, "POST", "/api/connections/test", {**body, "type": "duckdb"})
    await api.refused(404, "POST", "/api/connections/test", {**body, "connection_id": NOBODY})


async def test_an_update_replaces_the_settings_and_looks_at_the_source_again(api: Api, workspace: Path) -> None:
    connection_id = await api.connection("sqlite", "shop.sqlite")
    with closing(sqlite3.connect(workspace / "other.sqlite")) as connection, connection:
        connection.execute("CREATE TABLE things (id INTEGER PRIMARY KEY)")
    body = {"name": "other", "configuration": {"path": "other.sqlite"}}
    await api.ok("PUT", f"/api/connections/{connection_id}", body)
    source = await api.ok("GET", f"/api/connections/{connection_id}/bulksync/source")
    assert [schema["id"] for schema in source["schemas"]] == ["things"]
    assert "cannot be changed" in await api.refused(
        400, "PUT", f"/api/connections/{connection_id}", {**body, "type": "duckdb"}
    )
    assert "'path'" in await api.refused(
        400, "PUT", f"/api/connections/{connection_id}", {"name": "x", "configuration": {}}
    )


async def test_a_refresh_finds_new_tables_and_is_done_when_it_is_answered(api: Api, workspace: Path) -> None:
    connection_id = await api.connection("sqlite", "shop.sqlite")
    with closing(sqlite3.connect(workspace / "shop.sqlite")) as connection, connection:
        connection.execute("CREATE TABLE refunds (id INTEGER PRIMARY KEY)")
    response = await api.send("POST", f"/api/connections/{connection_id}/schemas/refresh")
    status = await api.ok("GET", response.headers["Location"])
    assert status["cache_status"] == "fresh"
    assert status["last_refresh_finished"] > status["last_refresh_started"]
    table = await api.ok("GET", f"/api/connections/{connection_id}/schemas/refunds")
    assert [(field["id"], field["is_primary_key"]) for field in table["fields"]] == [("id", True)]
    await api.refused(404, "GET", f"/api/connections/{connection_id}/schemas/nope")


async def test_a_failed_refresh_marks_the_connection_unhealthy_and_a_later_one_heals_it(
    api: Api, workspace: Path
) -> None:
    connection_id = await api.connection("sqlite", "shop.sqlite")
    (workspace / "shop.sqlite").rename(workspace / "away.sqlite")
    await api.refused(400, "POST", f"/api/connections/{connection_id}/schemas/refresh")
    found = await api.ok("GET", f"/api/connections/{connection_id}")
    assert (found["status"], "shop.sqlite" in found["status_error"]) == ("unhealthy", True)
    (workspace / "away.sqlite").rename(workspace / "shop.sqlite")
    await api.ok("POST", f"/api/connections/{connection_id}/schemas/refresh")
    assert (await api.ok("GET", f"/api/connections/{connection_id}"))["status"] == "healthy"


async def test_a_source_lists_its_schemas_with_fields_on_request(api: Api) -> None:
    connection_id = await api.connection("sqlite", "shop.sqlite")
    source = await api.ok("GET", f"/api/connections/{connection_id}/bulksync/source")
    assert source["schemas"] == [
        {"id": "customers", "name": "customers"},
        {"id": "orders", "name": "orders"},
    ]
    full = await api.ok("GET", f"/api/connections/{connection_id}/bulksync/source?include_fields=true")
    assert [field["id"] for field in full["schemas"][1]["fields"]] == ["id", "total", "email"]


async def test_a_destination_lists_modes_and_settings(api: Api) -> None:
    connection_id = await api.connection("sqlite", "warehouse.sqlite")
    found = await api.ok("GET", f"/api/connections/{connection_id}/bulksync/target")
    assert [mode["id"] for mode in found["modes"]] == ["replicate", "snapshot", "append"]
    assert found["supported_resync_modes"] == ["refetch", "resync", "rebuild"]
    assert set(found["configuration"]["advanced"]["items"]) >= {"table_prefix", "hard_deletes"}
    assert found["supports_history_mode"] is False


async def test_a_connection_in_use_is_kept_unless_forced(api: Api, sync_id: str, workspace: Path) -> None:
    await api.run(sync_id)
    source = (await api.ok("GET", f"/api/bulk/syncs/{sync_id}"))["source_connection_id"]
    response = await api.send("DELETE", f"/api/connections/{source}")
    assert response.status_code == 422
    assert response.json()["metadata"]["used_by"] == [{"type": "bulk_sync", "id": sync_id, "name": "shop to warehouse"}]
    await api.ok("DELETE", f"/api/connections/{source}?force=true")
    await api.refused(404, "GET", f"/api/connections/{source}")
    await api.refused(404, "GET", f"/api/bulk/syncs/{sync_id}")
    assert (workspace / "warehouse.sqlite").exists()


SECRETIVE = ConnectorInfo(
    type_id="vault",
    name="Vault",
    configuration_schema={
        "properties": {"host": {"type": "string"}, "password": {"type": "string"}},
        "required": ["host", "password"],
    },
    is_source=True,
    is_destination=False,
    secret_fields=frozenset({"password"}),
)
REFERENCE = {"env": "BULK_SYNC_SECRET_VAULT"}


@pytest.fixture
def bound(config: LocalConfig) -> LocalConfig:
    return replace(config, secrets={"BULK_SYNC_SECRET_VAULT": SecretBinding("vault", "db.internal")})


def test_a_bound_secret_may_be_referred_to(bound: LocalConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"host": "db.internal", "password": REFERENCE}
    monkeypatch.setattr(catalog, "infos", lambda: (SECRETIVE,))
    catalog.validate_settings(bound, SECRETIVE, settings)
    with pytest.raises(ConnectorError, match="BULK_SYNC_SECRET_VAULT is not set"):
        catalog.resolve(bound, "vault", settings)
    monkeypatch.setenv("BULK_SYNC_SECRET_VAULT", "hunter2")
    assert catalog.resolve(bound, "vault", settings).configuration["password"] == "hunter2"
    assert catalog.masked("vault", settings)["password"] == REFERENCE
    assert catalog.masked("vault", {"host": "h", "password": "plain"})["password"] == "********"


@pytest.mark.parametrize(
    "settings",
    [
        {"host": "elsewhere", "password": REFERENCE},
        {"host": "db.internal", "password": {"env": "HOME"}},
        {"host": "db.internal", "password": {"env": "BULK_SYNC_SECRET_OTHER"}},
        {"host": "db.internal", "password": {"file": "x"}},
        {"host": "db.internal", "password": "********"},
    ],
)
def test_any_other_reference_to_a_secret_is_refused(bound: LocalConfig, settings: dict) -> None:
    with pytest.raises(ApiError):
        catalog.validate_settings(bound, SECRETIVE, settings)


@pytest.mark.parametrize("inside", ["", "state", "deep/state"])
def test_a_state_directory_inside_a_root_is_refused(tmp_path: Path, inside: str) -> None:
    with pytest.raises(ConfigError, match="inside"):
        LocalConfig(workspace=tmp_path, state_dir=tmp_path / inside)


def test_secrets_have_names_of_their_own(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="BULK_SYNC_SECRET_"):
        LocalConfig(tmp_path / "w", tmp_path / "s", secrets={"PATH": SecretBinding("sqlite")})


def test_importing_the_service_loads_no_data_library() -> None:
    import subprocess
    import sys

    program = (
        "import sys, bulk_sync_local.app, bulk_sync_local.worker\n"
        "heavy = {'duckdb', 'pyarrow', 'adbc_driver_manager'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


async def test_reading_and_starting_load_no_data_library_in_the_server(
    open_api: Callable[..., Api], config: LocalConfig
) -> None:
    api = open_api(config)
    assert (await api.ok("GET", "/api/organization"))["id"] == config.organization_id
