"""What every request has to get right, and what the answer says when it does not."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from bulk_sync_local.app import MAX_BODY_BYTES
from bulk_sync_local.config import LocalConfig
from bulk_sync_local.routes import endpoints
from local.service.harness import Api, sync_body

pytestmark = pytest.mark.anyio

NOBODY = "00000000-0000-4000-8000-000000000000"


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


async def test_the_key_is_taken_as_bearer_and_as_basic_with_the_organization(api: Api) -> None:
    organization = api.config.organization_id
    for header in ("Bearer local-key-1", "bearer local-key-1", _basic(organization, "local-key-1")):
        assert (await api.ok("GET", "/api/me", headers={"Authorization": header}, checked=False))[
            "organization_id"
        ] == organization


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer wrong",
        "Bearer local-key-12",
        "local-key-1",
        "Digest local-key-1",
        "Basic !!",
        "Basic /////w==",
        _basic("other", "local-key-1"),
        _basic(NOBODY, "wrong"),
    ],
)
async def test_any_other_credential_is_refused(api: Api, header: str | None) -> None:
    assert "credential" in await api.refused(401, "GET", "/api/me", headers={"Authorization": header})


async def test_without_a_configured_key_nobody_is_asked(open_api: Callable[..., Api], config: LocalConfig) -> None:
    from dataclasses import replace

    api = open_api(replace(config, api_key=None))
    identity = await api.ok("GET", "/api/me", headers={"Authorization": None}, checked=False)
    assert identity["credential"]["method"] == "none"


@pytest.mark.parametrize("version", [None, "2024-02-08", ""])
async def test_another_api_version_is_refused_by_name(api: Api, version: str | None) -> None:
    message = await api.refused(400, "GET", "/api/me", headers={"X-Polytomic-Version": version})
    assert "2025-09-18" in message


@pytest.mark.parametrize("path", ["/", "/api", "/api/bulk", "/api/bulk/syncs/a/b/c", "/api/bulk/syncs/"])
async def test_an_unknown_path_is_not_found(api: Api, path: str) -> None:
    await api.refused(404, "GET", path)


async def test_a_wrong_method_names_the_right_ones(api: Api) -> None:
    assert "GET" in await api.refused(405, "DELETE", "/api/me")


async def test_a_body_that_is_too_large_is_refused(api: Api) -> None:
    body = {"name": "x" * (MAX_BODY_BYTES + 1), "type": "sqlite", "configuration": {}}
    await api.refused(413, "POST", "/api/connections", body)


@pytest.mark.parametrize("identifier", ["1", "not-a-uuid", "%2e%2e", NOBODY.replace("-", ""), NOBODY])
@pytest.mark.parametrize("path", ["/api/bulk/syncs/{}", "/api/connections/{}", "/api/bulk/syncs/{}/status"])
async def test_an_id_that_is_no_uuid_or_names_nothing_is_not_found(api: Api, path: str, identifier: str) -> None:
    await api.refused(404, "GET", path.format(identifier))


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b'"x"', b'{"active": true, "active": false}', b'{"active": NaN}', b'{"active": 1e999}', b"\xff"],
)
async def test_a_body_that_is_no_plain_json_object_is_refused(api: Api, sync_id: str, raw: bytes) -> None:
    await api.refused(400, "POST", f"/api/bulk/syncs/{sync_id}/activate", content=raw)


@pytest.mark.parametrize("number", ["1e999", "-1e999", '[{"deep": 1e999}]', '"\\ud800"', "1" + "0" * 5000])
async def test_what_could_not_be_written_down_again_is_refused(api: Api, sync_id: str, number: str) -> None:
    path = f"/api/bulk/syncs/{sync_id}/schemas/orders"
    raw = f'{{"enabled": true, "filters": [{{"field_id": "id", "function": "Equality", "value": {number}}}]}}'
    await api.refused(400, "PUT", path, content=raw.encode())
    assert (await api.ok("GET", path))["filters"] == []


async def test_statuses_of_syncs_that_are_none_are_not_given(api: Api, sync_id: str) -> None:
    path = f"/api/bulk/syncs/status?sync_id={sync_id}&sync_id="
    assert NOBODY in await api.refused(404, "GET", path + NOBODY)
    assert "sync_id" in await api.refused(400, "GET", path + "somebody&all=true")


async def test_times_far_from_now_are_kept_or_refused_in_words(api: Api, sync_id: str) -> None:
    path = f"/api/bulk/syncs/{sync_id}/schemas/orders"
    kept = await api.ok("PUT", path, {"enabled": True, "data_cutoff_timestamp": "0162-04-06T09:58:56+01:00"})
    assert kept["data_cutoff_timestamp"] == "0162-04-06T08:58:56.000000Z"
    for wrong in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00", "", "2026-01-01", "yesterday"):
        message = await api.refused(400, "PUT", path, {"enabled": True, "data_cutoff_timestamp": wrong})
        assert "data_cutoff_timestamp" in message


async def test_whole_numbers_are_taken_in_either_form_and_within_bounds(api: Api, sync_id: str) -> None:
    path = f"/api/bulk/syncs/{sync_id}/error-handling"
    told = await api.ok("PUT", path, {"ingestion_failure_threshold": 338.0})
    assert told["ingestion_failure_threshold"] == 338
    for wrong in (338.5, -1, 10**20, True, "5"):
        body = {"ingestion_failure_threshold": wrong}
        assert "ingestion_failure_threshold" in await api.refused(400, "PUT", path, body)


async def test_a_body_where_none_belongs_is_refused(api: Api, sync_id: str) -> None:
    assert "no body" in await api.refused(400, "POST", f"/api/bulk/syncs/{sync_id}/cancel", {"force": True})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"resync": True}, "resync_mode"),
        ({"test": True, "resync_mode": "rebuild"}, "exclude"),
        ({"resync_mode": "everything"}, "'refetch', 'resync' or 'rebuild'"),
        ({"schemas": ["orders", "nope", "neither"]}, "'nope', 'neither'"),
        ({"schemas": "orders"}, "schemas"),
        ({"schemas": [""]}, "schemas"),
        ({"fetch_mode": "full"}, "Salesforce"),
        ({"fetch_mode": "odd"}, "none, incremental, full"),
        ({"test": "true"}, "test"),
        ({"force": True}, "'force'"),
    ],
)
async def test_a_start_with_a_wrong_key_or_value_names_it(api: Api, sync_id: str, body: dict, words: str) -> None:
    assert words in await api.refused(400, "POST", f"/api/bulk/syncs/{sync_id}/executions", body)
    assert await api.ok("GET", f"/api/bulk/syncs/{sync_id}/executions") == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("active=1", "active"),
        ("offset=3", "'offset'"),
        ("active=true&active=false", "more than once"),
    ],
)
async def test_a_wrong_query_parameter_is_named(api: Api, query: str, words: str) -> None:
    assert words in await api.refused(400, "GET", f"/api/bulk/syncs?{query}")


async def test_an_unexpected_failure_is_an_error_body_without_a_trace(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from bulk_sync_local import store_connections

    def broken(tx: object) -> list[object]:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(store_connections, "every", broken)
    assert "secret" not in await api.refused(500, "GET", "/api/connections")
    assert "the secret inside" in caplog.text


async def test_a_recorded_failure_is_repeated_under_its_key(
    api: Api, sync_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bulk_sync_local import store_executions

    path, key = f"/api/bulk/syncs/{sync_id}/executions", "key-0123456789"
    with monkeypatch.context() as broken:
        broken.setattr(store_executions, "create", lambda *_, **__: 1 / 0)
        await api.refused(500, "POST", path, {}, key=key)
    await api.refused(500, "POST", path, {}, key=key)
    assert await api.ok("GET", path) == []


def test_every_operation_of_the_api_has_an_endpoint() -> None:
    contract = Path(__file__).parents[2] / "contract" / "openapi.yaml"
    paths = yaml.load(contract.read_text(), Loader=yaml.CSafeLoader)["paths"]
    described = {
        (method.upper(), path)
        for path, operations in paths.items()
        for method in operations
        if method in ("get", "post", "put", "patch", "delete")
    }
    assert {(endpoint.method, endpoint.path) for endpoint in endpoints()} == described


async def test_listed_syncs_are_paged_by_last_change(api: Api) -> None:
    source, destination = (
        await api.connection("sqlite", "shop.sqlite"),
        await api.connection("sqlite", "warehouse.sqlite"),
    )
    ids = [await api.sync(source, destination, name=f"sync {number}") for number in range(5)]
    await api.ok("POST", f"/api/bulk/syncs/{ids[0]}/activate", {"active": True})
    expected = [ids[0], *ids[:0:-1]]
    seen: list[str] = []
    token = ""
    while True:
        body = (await api.send("GET", f"/api/bulk/syncs?limit=2{token}")).json()
        seen += [entry["id"] for entry in body["data"]]
        if body["pagination"]["next_page_token"] is None:
            break
        token = f"&page_token={body['pagination']['next_page_token']}"
    assert seen == expected
    assert [entry["id"] for entry in await api.ok("GET", "/api/bulk/syncs?active=true")] == ids[:1]
    for more_than_there_are in ("500", "9" * 40):
        assert len(await api.ok("GET", f"/api/bulk/syncs?active=false&limit={more_than_there_are}")) == 4


async def test_validation_errors_are_listed_together(api: Api) -> None:
    body = sync_body(NOBODY, "x", mode="merge", extra=1)
    del body["name"]
    message = await api.refused(400, "POST", "/api/bulk/syncs", body)
    for words in ("'name'", "destination_connection_id: must be a UUID", "'replicate'", "'extra'"):
        assert words in message
