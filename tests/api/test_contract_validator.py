"""The contract check itself: it must accept the description's own examples and refuse what strays from them."""

import json

import httpx
import pytest

from bulk_sync_mcp.api.client import ApiClient, Backend, bearer
from bulk_sync_mcp.core.errors import ApiFailure
from contract.validator import Contract, ContractTransport, ContractViolation

ID = "3f8b2c6e-0d41-4b7a-9c55-1e2a7d904b11"
JSON = {"content-type": "application/json"}
SENT = {"authorization": "Bearer x", "x-polytomic-version": "2025-09-18"}


@pytest.fixture(scope="module")
def contract():
    return Contract.load()


def request(contract, method, path, query="", *, headers=None, body=None, drop=()):
    content = None if body is None else json.dumps(body).encode()
    sent = {**SENT, **(JSON if content else {}), **(headers or {})}
    kept = {name: value for name, value in sent.items() if name not in drop}
    return contract.check_request(method, path, query, kept, content).operation_id


def test_every_operation_of_the_description_is_known(contract):
    assert len(contract.operations) == 47


def test_every_example_of_the_description_passes(contract):
    checked = 0
    for operation in contract.operations.values():
        path = operation.template
        for (place, name), (parameter, _) in operation.parameters.items():
            if place == "path":
                kind = parameter["schema"]
                value = ID if kind.get("format") == "uuid" else "exportlogs" if name == "type" else "a%2Fb"
                path = path.replace(f"{{{name}}}", value)
        content = operation.described.get("requestBody", {}).get("content", {})
        for example in content.get("application/json", {}).get("examples", {}).values():
            found = request(contract, operation.method, path, body=example["value"])
            assert found == operation.operation_id
            checked += 1
        for status, response in operation.described["responses"].items():
            resolved, _ = contract._resolved(response, "")
            examples = resolved.get("content", {}).get("application/json", {}).get("examples", {})
            for example in examples.values():
                number = 503 if status == "default" else int(status.replace("XX", "00"))
                content = json.dumps(example["value"]).encode()
                contract.check_response(operation.operation_id, number, JSON, content)
                checked += 1
    assert checked > 150


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/bulk/syncs/status", "listBulkSyncStatuses"),
        ("GET", f"/api/bulk/syncs/{ID}", "getBulkSync"),
        ("GET", f"/api/bulk/syncs/{ID}/schemas/public.users", "getBulkSyncSchema"),
        ("GET", f"/api/bulk/syncs/{ID}/schemas/a%2Fb", "getBulkSyncSchema"),
        ("GET", f"/api/connections/{ID}", "getConnection"),
        ("DELETE", f"/api/bulk/syncs/{ID}", "deleteBulkSync"),
    ],
)
def test_a_path_finds_its_operation(contract, method, path, expected):
    assert request(contract, method, path) == expected


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/bulk/sync"),
        ("PUT", "/api/bulk/syncs"),
        ("GET", f"/api/bulk/syncs/{ID}/"),
        ("GET", f"/api/bulk/syncs/{ID}/schemas/a/b"),
        ("GET", f"/api/bulk/syncs/{ID}/schemas/"),
        ("GET", "/api/bulk/syncs/not-a-uuid"),
        ("GET", f"/api/jobs/nosuchjob/{ID}"),
    ],
)
def test_a_path_outside_the_description_is_refused(contract, method, path):
    with pytest.raises(ContractViolation):
        request(contract, method, path)


@pytest.mark.parametrize(
    "query",
    [
        "active=true",
        "limit=50&page_token=abc%3D",
        [("active", "false")],
    ],
)
def test_a_described_query_passes(contract, query):
    assert request(contract, "GET", "/api/bulk/syncs", query) == "listBulkSyncs"


@pytest.mark.parametrize("query", ["active=True", "limit=many", "limit=0", "pagetoken=x", "active=true&active=false"])
def test_a_query_that_strays_is_refused(contract, query):
    with pytest.raises(ContractViolation):
        request(contract, "GET", "/api/bulk/syncs", query)


def test_repeated_and_nested_query_keys_are_understood(contract):
    assert request(contract, "GET", "/api/bulk/syncs/status", f"sync_id={ID}&sync_id={ID}&all=false")
    assert request(contract, "GET", f"/api/bulk/syncs/{ID}/schemas", "filters%5Benabled%5D=true")
    with pytest.raises(ContractViolation):
        request(contract, "GET", "/api/bulk/syncs/status", "sync_id=x")
    with pytest.raises(ContractViolation):
        request(contract, "GET", f"/api/bulk/syncs/{ID}/schemas", "filters%5Benabled%5D=maybe")
    with pytest.raises(ContractViolation):
        request(contract, "GET", f"/api/bulk/syncs/{ID}/schemas", "filters=true")


@pytest.mark.parametrize(
    "body",
    [
        {"resync": True},
        {"resync_mode": "everything"},
        {"test": True, "resync_mode": "rebuild"},
        {"schemas": "public.users"},
        {"shemas": ["public.users"]},
        [],
    ],
)
def test_a_wrong_body_is_refused(contract, body):
    with pytest.raises(ContractViolation, match="body"):
        request(contract, "POST", f"/api/bulk/syncs/{ID}/executions", body=body)


def test_a_missing_an_unwanted_and_an_unreadable_body_are_refused(contract):
    with pytest.raises(ContractViolation, match="missing"):
        request(contract, "POST", f"/api/bulk/syncs/{ID}/executions")
    with pytest.raises(ContractViolation, match="none is described"):
        request(contract, "POST", f"/api/bulk/syncs/{ID}/cancel", body={})
    with pytest.raises(ContractViolation, match="not JSON"):
        contract.check_request("POST", f"/api/bulk/syncs/{ID}/executions", "", {**SENT, **JSON}, b"{")
    with pytest.raises(ContractViolation, match="Content-Type"):
        contract.check_request("POST", f"/api/bulk/syncs/{ID}/executions", "", SENT, b"{}")


@pytest.mark.parametrize("name", ["authorization", "x-polytomic-version"])
def test_a_missing_header_is_refused(contract, name):
    with pytest.raises(ContractViolation):
        request(contract, "GET", "/api/me", drop=[name])


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/api/me", {"x-polytomic-version": "2024-02-08"}),
        ("GET", "/api/me", {"x-polytomic-acess-mode": "read-only"}),
        ("GET", "/api/me", {"idempotency-key": "12345678"}),
        ("POST", f"/api/bulk/syncs/{ID}/cancel", {"idempotency-key": "short"}),
        ("DELETE", f"/api/bulk/syncs/{ID}", {"idempotency-key": "12345678"}),
    ],
)
def test_a_header_that_strays_is_refused(contract, method, path, headers):
    with pytest.raises(ContractViolation):
        request(contract, method, path, headers=headers)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b'{"data": {"id": 5}}'),
        (200, b'{"data": []}'),
        (200, b"[]"),
        (200, b"not json"),
        (200, b""),
        (404, b'{"message": 5}'),
    ],
)
def test_a_wrong_answer_is_refused(contract, status, body):
    with pytest.raises(ContractViolation):
        contract.check_response("getBulkSync", status, JSON, body)


def test_a_body_on_an_answer_without_one_is_refused(contract):
    contract.check_response("deleteBulkSync", 204, {}, b"")
    with pytest.raises(ContractViolation):
        contract.check_response("deleteBulkSync", 200, JSON, b"{}")


@pytest.mark.anyio
async def test_the_transport_passes_and_records_good_traffic():
    inner = httpx.MockTransport(lambda _: httpx.Response(200, json={"data": {"id": ID, "name": "x"}}))
    transport = ContractTransport(inner)
    client = ApiClient(Backend("https://app.polytomic.com", bearer("key")), transport=transport)
    assert (await client.get("/api/bulk/syncs/{id}", id=ID)).data["name"] == "x"
    transport.verify()
    assert transport.operations == ["getBulkSync"]
    assert transport.exchanges[0].raw_path == f"/api/bulk/syncs/{ID}"
    await client.aclose()


@pytest.mark.anyio
async def test_the_transport_stops_a_bad_request_and_remembers_it_though_the_client_reports_its_own_failure():
    reached = []
    inner = httpx.MockTransport(lambda request: reached.append(request) or httpx.Response(200, json={"data": {}}))
    transport = ContractTransport(inner)
    client = ApiClient(Backend("https://app.polytomic.com", bearer("key")), transport=transport)
    with pytest.raises(ApiFailure) as caught:
        await client.post("/api/bulk/syncs/{id}/executions", body={"resync": True}, id=ID)
    assert (caught.value.code, caught.value.changed) == ("outcome_unknown", "unknown")
    assert reached == []
    with pytest.raises(ContractViolation, match="resync"):
        transport.verify()
    with pytest.raises(ContractViolation):
        await client.get("/api/nowhere")
    await client.aclose()


@pytest.mark.anyio
async def test_the_transport_notices_a_bad_answer():
    inner = httpx.MockTransport(lambda _: httpx.Response(200, json={"data": {"id": 5}}))
    transport = ContractTransport(inner)
    client = ApiClient(Backend("https://app.polytomic.com", bearer("key")), transport=transport)
    with pytest.raises(ContractViolation, match="answer 200 of getBulkSync"):
        await client.get("/api/bulk/syncs/{id}", id=ID)
    await client.aclose()
