"""Connections to servers: which may be made, what is told of them, and one run through the REST service."""

import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bulk_sync_local.app import create_app
from bulk_sync_local.config import LocalConfig, SecretBinding
from bulk_sync_local.connectors.base import Confinement, ConnectorError
from bulk_sync_local.connectors.registry import connector
from local.postgres.kit import POSTGRES, PostgresWorkspace
from local.postgres.server import PASSWORD
from local.service.harness import Api, make_source

SECRET = "BULK_SYNC_SECRET_SHOP"


def refused(settings: dict[str, Any], confinement: Confinement) -> str:
    with pytest.raises(ConnectorError) as caught:
        connector(POSTGRES).check(settings, confinement)
    assert caught.value.__cause__ is None or isinstance(caught.value.__cause__, OSError | UnicodeError)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"host": "10.0.0.1"}, "not one that connections may reach"),
        ({"host": "example.com"}, "not one that connections may reach"),
        ({"host": "127.0.0.1,example.com"}, "not one that connections may reach"),
        ({"host": "127.1"}, "not one that connections may reach"),
        ({"host": "@socket"}, "not one that connections may reach"),
        ({"host": "/tmp"}, "outside"),
        ({"host": ""}, "host"),
        ({"port": 0}, "port"),
        ({"database": "nosuch"}, 'database "nosuch" does not exist'),
        ({"database": "postgres://evil"}, "does not exist"),
        ({"username": "nobody"}, "password authentication failed"),
        ({"password": "wr0ng-secret"}, "password authentication failed"),
        ({"sslmode": "require"}, "SSL"),
        ({"sslmode": "off"}, "sslmode"),
    ],
    ids=str,
)
def test_wrong_settings_are_refused_without_the_secret(
    workspace: PostgresWorkspace, changes: dict[str, Any], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = refused({**workspace.settings, **changes}, workspace.confinement)
    assert words in said
    for secret in (PASSWORD, "wr0ng-secret"):
        assert secret not in said
        assert secret not in caplog.text


def test_a_server_that_is_not_there_is_told(workspace: PostgresWorkspace) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        said = refused({**workspace.settings, "port": taken.getsockname()[1]}, workspace.confinement)
    assert "Connection refused" in said


@pytest.mark.parametrize(
    ("host", "addresses", "hosts", "allowed"),
    [
        ("localhost", ["127.0.0.1"], {"localhost"}, True),
        ("LOCALHOST.", ["127.0.0.1"], {"localhost"}, True),
        ("localhost", ["10.0.0.1"], {"localhost"}, False),
        ("localhost", ["10.0.0.1"], {"localhost", "10.0.0.1"}, False),
        ("db.example.com", ["127.0.0.1"], {"db.example.com"}, False),
        ("db.example.com", ["::ffff:127.0.0.1"], {"db.example.com"}, False),
        ("db.example.com", ["169.254.169.254"], {"db.example.com"}, False),
        ("db.example.com", ["10.0.0.1", "127.0.0.1"], {"db.example.com"}, False),
        ("db.example.com", ["0.0.0.0"], {"db.example.com"}, False),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(
    workspace: PostgresWorkspace,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    addresses: list[str],
    hosts: set[str],
    allowed: bool,
) -> None:
    port = workspace.server.port

    def resolve(name: str, *_: object, **__: object) -> list[Any]:
        assert name == host
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    confinement = replace(workspace.confinement, hosts=frozenset(hosts))
    settings = {**workspace.settings, "host": host}
    if allowed:
        connector(POSTGRES).check(settings, confinement)
    else:
        assert "resolves to" in refused(settings, confinement)


def test_a_socket_is_reached_only_inside_the_roots(workspace: PostgresWorkspace) -> None:
    settings = {**workspace.settings, "host": str(workspace.server.folder)}
    assert "outside" in refused(settings, workspace.confinement)
    inside = workspace.path / "run"
    inside.mkdir()
    (inside / f".s.PGSQL.{workspace.server.port}").symlink_to(
        workspace.server.folder / f".s.PGSQL.{workspace.server.port}"
    )
    assert "outside" in refused({**settings, "host": str(inside)}, workspace.confinement)
    wide = replace(workspace.confinement, roots=(workspace.path, workspace.server.folder))
    connector(POSTGRES).check(settings, wide)


def test_nothing_is_taken_from_the_environment(
    workspace: PostgresWorkspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    passfile = tmp_path / "pgpass"
    passfile.write_text("*:*:*:*:" + PASSWORD.replace("\\", "\\\\").replace(":", "\\:"))
    passfile.chmod(0o600)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    monkeypatch.setenv("PGPASSFILE", str(passfile))
    monkeypatch.setenv("PGOPTIONS", "-c default_transaction_read_only=on")
    settings = {name: value for name, value in workspace.settings.items() if name != "password"}
    assert "no password supplied" in refused(settings, workspace.confinement)


@pytest.fixture
async def api(workspace: PostgresWorkspace, tmp_path: Path) -> AsyncIterator[Api]:
    make_source(workspace.path / "shop.sqlite")
    config = LocalConfig(
        workspace=workspace.path,
        state_dir=tmp_path / "state",
        api_key="local-key-1",
        secrets={SECRET: SecretBinding(POSTGRES, "127.0.0.1")},
    )
    made = Api(config, create_app(config))
    yield made
    made.service.store.close()


def body(settings: dict[str, Any]) -> dict[str, Any]:
    return {"name": "warehouse", "type": POSTGRES, "configuration": settings}


@pytest.mark.anyio
async def test_a_run_through_the_service_shows_no_secret(
    api: Api, workspace: PostgresWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await api.ok("POST", "/api/connections", body(workspace.settings))
    assert made["status"] == "healthy"
    assert made["configuration"]["password"] == "********"
    monkeypatch.setenv(SECRET, PASSWORD)
    reference = {**workspace.settings, "password": {"env": SECRET}}
    referring = await api.ok("POST", "/api/connections", {**body(reference), "name": "by reference"})
    assert referring["configuration"]["password"] == {"env": SECRET}
    elsewhere = {**reference, "host": "localhost"}
    assert "bound" in await api.refused(400, "POST", "/api/connections", {**body(elsewhere), "name": "other"})
    masked = {**workspace.settings, "password": "********"}
    assert "mask" in await api.refused(400, "POST", "/api/connections", {**body(masked), "name": "other"})
    wrong = {**workspace.settings, "password": "wr0ng-secret"}
    assert "wr0ng" not in await api.refused(422, "POST", "/api/connections", {**body(wrong), "name": "other"})

    into = await api.sync(
        await api.connection("sqlite", "shop.sqlite"), referring["id"], destination_configuration={"schema": "mart"}
    )
    assert (await api.run(into))["status"] == "completed"
    assert workspace.pg("SELECT count(*) FROM mart.orders") == [(3,)]
    workspace.pg("CREATE TABLE shop.lines AS SELECT id, total FROM mart.orders")
    await api.ok("POST", f"/api/connections/{made['id']}/schemas/refresh")
    source = await api.ok("GET", f"/api/connections/{made['id']}/bulksync/source")
    assert [one["id"] for one in source["schemas"]] == ["mart.customers", "mart.orders", "shop.lines"]
    out = await api.sync(made["id"], await api.connection("duckdb", "out.duckdb"), schemas=["shop.lines"])
    execution = await api.run(out)
    assert execution["status"] == "completed", execution
    assert len(workspace.rows("duckdb", "shop_lines")) == 3
    written = [file.read_bytes() for file in api.config.run_dir(execution["id"]).iterdir()]
    assert not any(secret.encode() in text for text in written for secret in (PASSWORD, json.dumps(PASSWORD)))


@pytest.mark.anyio
async def test_the_connection_type_tells_what_it_can(api: Api) -> None:
    types = {one["id"]: one for one in await api.ok("GET", "/api/connection_types")}
    assert set(types[POSTGRES]["configurationForm"]["jsonschema"]["required"]) == {"host", "database", "username"}
