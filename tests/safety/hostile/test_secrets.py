"""Planted secrets: whatever tool is called and however it fails, none comes out anywhere."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from safety.hostile.corpus import BASE
from safety.hostile.stage import sent
from support import ERAS, build_workshop
from transports.kit import Place, empty_place, over_http, place_of, ran, started

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[3]
KEY = "PLANTED-key-8f2Lq7Zt9Xb4Wv"
ORGANIZATION = "3f1c9a4e-00aa-4000-8000-00000000dead"
TOKEN = "PLANTED-token-q1w2e3r4t5y6u7"
ENVIRONMENT = "PLANTED-env-z9y8x7w6v5u4"
PASSWORD = "PLANTED-password-m3n4b5v6c7"
OPERATOR = "PLANTED operator secret of many words"
UUID = "3f1c9a4e-0001-4000-8000-000000000001"


def everywhere(place: Place, *spare: Path) -> dict[str, str]:
    """Every file below the place that is text or could hold some, by path; what is spared is left out."""
    return {
        str(path): path.read_bytes().decode("utf-8", errors="replace")
        for path in sorted(place.directory.rglob("*"))
        if path.is_file() and not any(one in (path, *path.parents) for one in spare)
    }


def leaks(texts: dict[str, str], *secrets: str) -> list[str]:
    """Where a secret is found, in whatever usual coding."""
    found: list[str] = []
    for secret in secrets:
        coded = {
            secret,
            secret[::-1],
            base64.b64encode(secret.encode()).decode().rstrip("="),
            secret.encode().hex(),
            json.dumps(secret)[1:-1],
            secret.replace(" ", "%20"),
        }
        found += [f"{secret} in {where}" for where, text in texts.items() if any(one in text for one in coded)]
    return found


@asynccontextmanager
async def echo(status: int, html: bool = False) -> AsyncGenerator[tuple[str, list[str]]]:
    """A backend that fails and sends back all it was sent: headers, target and body. Its address, and what it heard."""
    heard: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                heard.append(head)
                length = next(
                    (
                        int(line.split(":")[1])
                        for line in head.splitlines()
                        if line.lower().startswith("content-length:")
                    ),
                    0,
                )
                body = (await reader.readexactly(length)).decode("utf-8", "replace")
                told = f"You sent {head} {body}"
                content = (
                    f"<html><pre>{told}</pre></html>"
                    if html
                    else json.dumps({"key": "err", "message": told, "metadata": {"echo": head}, "status": status})
                )
                raw = content.encode()
                writer.write(
                    f"HTTP/1.1 {status} X\r\nContent-Type: {'text/html' if html else 'application/json'}\r\nContent-Length: {len(raw)}\r\n\r\n".encode()
                    + raw
                )
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard
    finally:
        server.close()


def arguments(tool: str) -> dict[str, Any]:
    """Arguments the tool takes, for things that need not exist."""
    return {
        name: UUID if isinstance(value, str) and value.startswith("<") else value for name, value in BASE[tool].items()
    }


@pytest.mark.parametrize(
    ("status", "html"), [(400, False), (401, False), (403, True), (404, False), (500, True), (200, False)]
)
async def test_a_backend_that_echoes_the_credential_does_not_make_it_known(
    tmp_path: Path, status: int, html: bool
) -> None:
    place = empty_place(tmp_path)
    basic = {"POLYTOMIC_ORGANIZATION_ID": ORGANIZATION} if status in (401, 403) else {}
    texts: dict[str, str] = {}
    async with echo(status, html) as (url, heard):
        environment = {
            "POLYTOMIC_BASE_URL": url,
            "POLYTOMIC_API_KEY": KEY,
            "BULK_SYNC_SECRET_PLANTED": ENVIRONMENT,
            **basic,
        }
        async with started(place, "--log-level", "DEBUG", environment=environment) as server:
            async with server.tools(ERAS[status % 2]) as tools:
                listed = await tools.client.list_tools()
                texts["tools"] = str(listed)
                for tool in BASE if status < 500 else ("get_bulk_sync",):
                    answer = await sent(tools, tool, arguments(tool))
                    texts[tool] = answer.text + str(answer.data)
                    if status != 200:
                        assert answer.error, f"{tool}: {answer.text}"
                        assert "<html>" not in answer.text
            assert await server.end() == 0
        doctor = await ran(place, "doctor", *place.flags, environment=environment)
        texts["doctor"] = doctor.out + doctor.err
    texts |= {f"stdout {at}": line for at, line in enumerate(server.lines)} | everywhere(place)
    coded = base64.b64encode(f"{ORGANIZATION}:{KEY}".encode()).decode()
    sent_along = coded if basic else KEY
    assert any(sent_along in head for head in heard), (
        "the backend never had the credential: nothing was put to the test"
    )
    assert leaks(texts, KEY, ENVIRONMENT, coded) == []


async def test_secrets_in_the_configuration_come_out_nowhere(tmp_path: Path) -> None:
    """The token of HTTP, the operator secret and what stands in the environment."""
    workshop = await build_workshop(tmp_path)
    place = place_of(workshop)
    sync = await workshop.create_sync()
    hashed = await ran(place, "policy", "hash-secret", "--secret-file", "-", *place.flags, given=OPERATOR + "\n")
    assert hashed.status == 0, hashed
    policy = tmp_path / "policy.toml"
    policy.write_text(hashed.out + '\n[effects]\nDeletesSync = "operator"\n')
    texts: dict[str, str] = {"hash": hashed.out + hashed.err}
    environment = {"BULK_SYNC_MCP_HTTP_TOKEN": TOKEN, "BULK_SYNC_SECRET_PLANTED": ENVIRONMENT}
    async with over_http(place, "--log-level", "DEBUG", "--policy", str(policy), environment=environment) as http:
        for era in ERAS:
            async with http.tools(era) as tools:
                for tool in BASE:
                    known = {
                        name: sync if value == UUID and name == "sync_id" else value
                        for name, value in arguments(tool).items()
                    }
                    answer = await sent(tools, tool, known)
                    texts[f"{era} {tool}"] = answer.text + str(answer.data)
                await sent(tools, TOKEN, {TOKEN: TOKEN})
        refused = await http.request("POST", token=TOKEN + "x", body={"jsonrpc": "2.0"})
        texts["refused"] = refused.text + str(refused.headers)
        texts["health"] = (await http.request("GET", "/health")).text
    shown = await ran(place, "policy", "show", "--policy", str(policy), *place.flags, environment=environment)
    texts["policy"] = shown.out + shown.err
    texts |= everywhere(place)
    assert leaks(texts, TOKEN, ENVIRONMENT, OPERATOR) == []
    await workshop.api.aclose()


async def test_settings_of_connections_are_kept_by_the_store_alone(tmp_path: Path) -> None:
    """Password-like settings, good and bad, right and wrong keys, in calls that work and that fail."""
    workshop = await build_workshop(tmp_path, toolsets=("all",))
    texts: dict[str, str] = {}
    place = place_of(workshop)
    configuration = {
        "path": "source.db",
        "password": PASSWORD,
        "token": PASSWORD,
        "nested": {"private_key": PASSWORD, "api_key": [PASSWORD]},
    }
    async with started(place, "--log-level", "DEBUG", "--toolsets", "all") as server:
        async with server.tools(ERAS[1]) as tools:
            texts["tools"] = str(await tools.client.list_tools())
            for tool, given in (
                ("create_connection", {"name": "New", "type": "sqlite", "configuration": configuration}),
                (
                    "create_connection",
                    {
                        "name": "New",
                        "type": "sqlite",
                        "configuration": {"path": f"{PASSWORD}.db", "password": PASSWORD},
                    },
                ),
                (
                    "create_connection",
                    {"name": "New", "type": "postgresql", "configuration": {"hostname": "db", "password": PASSWORD}},
                ),
                (
                    "create_connection",
                    {"name": "New", "type": "sqlite", "configuration": f'{{"password":"{PASSWORD}"}}'},
                ),
                ("create_connection", {"name": "New", "type": "sqlite", "configuration": {}, "password": PASSWORD}),
                ("update_connection", {"connection_id": workshop.source_id, "configuration": configuration}),
                (
                    "update_connection",
                    {"connection_id": workshop.source_id, "configuration": {"password": PASSWORD}, "api_key": PASSWORD},
                ),
                ("test_connection", {"type": "sqlite", "configuration": configuration}),
                (
                    "test_connection",
                    {"connection_id": workshop.source_id, "type": "sqlite", "configuration": {"password": PASSWORD}},
                ),
                (
                    "create_bulk_sync",
                    {
                        "name": "x",
                        "source_connection_id": workshop.source_id,
                        "destination_connection_id": workshop.destination_id,
                        "destination_configuration": {"password": PASSWORD},
                    },
                ),
                (
                    "create_bulk_sync",
                    {
                        "name": "x",
                        "source_connection_id": workshop.source_id,
                        "destination_connection_id": workshop.destination_id,
                        "source_configuration": {"auth": {"client_secret": PASSWORD}},
                    },
                ),
                ("list_bulk_syncs", {"api_key": PASSWORD}),
                ("list_bulk_syncs", {"authorization": f"Bearer {PASSWORD}"}),
                ("list_connections", {"password": [PASSWORD]}),
                ("list_connections", {}),
                ("get_connection", {"connection_id": workshop.source_id}),
            ):
                answer = await sent(tools, tool, given)
                texts[f"{len(texts)} {tool}"] = answer.text + str(answer.data)
        for line in (
            f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"password":"{PASSWORD}"',
            f'{{"jsonrpc":"2.0","id":2,"method":"tools/call","params":["{PASSWORD}"]}}',
            f'{{"jsonrpc":"1.0","id":3,"method":"x","params":{{"password":"{PASSWORD}"}}}}',
            PASSWORD,
        ):
            await server.send(line)
        assert await server.end() == 0
    texts |= everywhere(place, place.state / "local", place.workspace)
    assert leaks(texts, PASSWORD) == []
    await workshop.api.aclose()


async def test_confirmations_are_stored_and_written_down_nowhere(tmp_path: Path, era: str) -> None:
    """Only who was shown one may have it: not the log, not the audit, not the store, not a later answer."""
    workshop = await build_workshop(tmp_path)
    sync = await workshop.create_sync()
    place = place_of(workshop)
    async with started(place, "--log-level", "DEBUG") as server:
        async with server.tools(era) as tools:
            preview = await tools.update_bulk_sync(sync_id=sync, mode="snapshot")
            confirmation = preview.confirmation
            texts: dict[str, str] = {}
            for tool, given in (
                ("delete_bulk_sync", {"sync_id": sync, "confirmation": confirmation}),
                ("update_bulk_sync", {"sync_id": sync, "mode": "append", "confirmation": confirmation}),
                (
                    "update_bulk_sync",
                    {"sync_id": sync, "mode": "snapshot", "confirmation": confirmation, "confirmed": True},
                ),
                ("update_bulk_sync", {"sync_id": sync, "mode": "snapshot", "confirmation": confirmation}),
                ("update_bulk_sync", {"sync_id": sync, "mode": "snapshot", "confirmation": confirmation}),
                ("get_bulk_sync", {"sync_id": sync}),
            ):
                answer = await sent(tools, tool, given)
                texts[f"{len(texts)} {tool}"] = answer.text + str(answer.data)
        assert await server.end() == 0
    assert leaks(texts | everywhere(place), confirmation) == []
    await workshop.api.aclose()


def test_manifests_hold_no_secret_and_no_path_of_this_machine() -> None:
    texts = {path.name: path.read_text() for path in (ROOT / "tool_manifests").rglob("*.json")}
    assert texts
    assert leaks(texts, KEY, TOKEN, ENVIRONMENT, PASSWORD, OPERATOR, str(ROOT), str(Path.home()) + "/") == []
