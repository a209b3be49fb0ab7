"""The OpenAPI description that the service serves, and the answers that come before any operation."""

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import pytest
from openapi_spec_validator import validate

from bulk_sync_local import app, description
from bulk_sync_local.routes import endpoints
from contract.packaged import PACKAGED, packaged
from local.service.harness import Api

pytestmark = pytest.mark.anyio
BARE: dict[str, str | None] = {"Authorization": None, "X-Polytomic-Version": None}


def test_the_packaged_description_is_the_one_the_contract_is_checked_with() -> None:
    remedy = "run .venv/bin/python tests/contract/packaged.py"
    assert PACKAGED.read_text(encoding="utf-8") == packaged(), remedy


async def test_the_description_is_served_to_anybody_and_is_valid(api: Api) -> None:
    answer = await api.send("GET", "/openapi.json", checked=False, headers=BARE)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    document = answer.json()
    validate(document)
    described = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    assert described == {(endpoint.method, endpoint.path) for endpoint in endpoints()}
    assert str(api.config.workspace) not in answer.text
    refused = await api.send("POST", "/openapi.json", checked=False, headers=BARE)
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")


async def test_it_lists_the_statuses_of_this_service_and_no_open_end() -> None:
    document: dict[str, Any] = json.loads(description.served())
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            statuses = set(operation["responses"])
            assert {"400", "401", "405", "413", "429", "500"} <= statuses, path
            assert ("404" in statuses) or "{" not in path
            assert ("409" in statuses) or method in ("get", "delete")
            assert not statuses & {"default", "4XX", "5XX", "403"}


async def test_it_says_what_a_connection_of_each_type_takes() -> None:
    made = json.loads(description.served())["components"]["schemas"]["CreateConnectionRequest"]
    settings = {one["properties"]["type"]["enum"][0]: one["properties"]["configuration"] for one in made["anyOf"]}
    assert settings["sqlite"]["required"] == ["path"]
    assert {"type": "string"} in settings["postgresql"]["properties"]["password"]["anyOf"]


async def test_a_wrong_method_is_told_the_right_ones(api: Api) -> None:
    answer = await api.send("PATCH", "/api/connections", checked=False)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")
    # No sync can be called `status`, but a table may be called `refresh`.
    status = await api.send("PUT", "/api/bulk/syncs/status", {}, checked=False)
    assert (status.status_code, status.headers["Allow"]) == (405, "GET")
    source = await api.connection("sqlite", "shop.sqlite")
    assert "refresh" in await api.refused(404, "GET", f"/api/connections/{source}/schemas/refresh")


async def test_a_path_with_a_line_break_is_answered_like_any_other(api: Api) -> None:
    assert "no such bulk sync" in await api.refused(404, "GET", "/api/bulk/syncs/a%0Ab")


async def test_requests_beyond_the_limit_are_asked_to_come_back(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "MAX_UNDER_WAY", 3)
    finish, arrived = anyio.Event(), 0

    async def unfinished() -> AsyncIterator[bytes]:
        nonlocal arrived
        arrived += 1
        await finish.wait()
        yield b"{}"

    answers: list[httpx.Response] = []

    async def ask() -> None:
        answers.append(await api.send("POST", "/api/connections", checked=False, content=unfinished()))

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(ask)
        with anyio.fail_after(30):
            while arrived < 3:
                await anyio.lowlevel.checkpoint()
        refused = await api.send("GET", "/api/me", checked=False)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        assert (await api.send("GET", "/api/me", checked=False, headers=BARE)).status_code == 401
        finish.set()
    assert [answer.status_code for answer in answers] == [400, 400, 400]
    assert (await api.send("GET", "/api/me")).status_code == 200
