"""The OpenAPI description of this service, served at `/openapi.json`.

`openapi.json` beside this file describes the API of Polytomic, in which every status may come (`default`). What is
served says what this service answers: its own statuses and no others, every error in full, a version on every answer;
and which connections it makes. Examples are left out, since they are of systems that this service does not reach.
"""

import json
from functools import cache
from importlib import resources
from typing import Any  # JSON values

from bulk_sync_local.connectors.base import ConnectorInfo
from bulk_sync_local.connectors.registry import infos

PATH = "/openapi.json"
_METHODS = ("get", "post", "put", "patch", "delete")
_NEVER = ("403", "408", "default")
"""Statuses of the API that this service does not give: its one key may do everything, and its log store is a file."""
_ALWAYS = ("400", "401", "405", "413", "429", "500")
_NAMES = {
    "400": "BadRequest",
    "401": "Unauthorized",
    "404": "NotFound",
    "405": "MethodNotAllowed",
    "409": "Conflict",
    "413": "ContentTooLarge",
    "422": "UnprocessableEntity",
    "429": "TooManyRequests",
    "500": "InternalServerError",
}
_WORDS = {
    "BadRequest": "The request is wrong; the message names what, and every problem found in it.",
    "Unauthorized": "The credential is missing or wrong.",
    "MethodNotAllowed": "Another method than those of this path; `Allow` lists them.",
    "ContentTooLarge": "The body is larger than the service takes.",
    "TooManyRequests": "Too many requests are being answered; repeat this one after `Retry-After` seconds.",
    "InternalServerError": "The service failed; its log has the details.",
}
_NARROWER: dict[str, dict[str, Any]] = {
    "name": {"minLength": 1, "maxLength": 255},
    "policies": {"maxItems": 0},
    "source_configuration": {"maxProperties": 0},
    "concurrency_limit": {"minimum": 1, "maximum": 2**31 - 1},
    "resync_concurrency_limit": {"minimum": 1, "maximum": 2**31 - 1},
    "ingestion_failure_threshold": {"minimum": 0, "maximum": 2**31 - 1},
}
"""What requests may hold here, by key: there are no permission policies, and no source takes settings of a sync."""
_NAMING = {
    "BulkField": "id",
    "BulkFilter": "field_id",
    "BulkSchemaPatch": "id",
    "FieldConfiguration": "id",
    "SchemaConfiguration": "id",
    "UpdateBulkField": "id",
}
"""Parts of requests, and the key by which each names a table or a column; the API's types leave it open."""
_HEADERS = {"MethodNotAllowed": "Allow", "TooManyRequests": "Retry-After"}


@cache
def served() -> bytes:
    """The description as JSON."""
    document: dict[str, Any] = json.loads(resources.files("bulk_sync_local").joinpath("openapi.json").read_bytes())
    return json.dumps(_of_this_service(document), ensure_ascii=False, separators=(",", ":")).encode()


def _of_this_service(document: dict[str, Any]) -> dict[str, Any]:
    components: dict[str, Any] = document["components"]
    components["responses"] = {name: _error(name) for name in _NAMES.values()}
    components["schemas"]["ApiError"]["required"] = ["key", "message", "metadata", "status"]
    components["headers"]["PolytomicVersion"]["required"] = True
    _narrow_requests(components["schemas"])
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                _narrow(operations[method], method, path)
    return {
        **document,
        "info": {
            "title": "Local service of bulk-sync-mcp",
            "version": document["info"]["version"],
            "description": "The bulk sync part of the Polytomic REST API on this machine, as its local service answers.",
        },
        "servers": [{"url": "/"}],
    }


def _narrow_requests(schemas: dict[str, Any]) -> None:
    for name in ("CreateConnectionRequest", "TestConnectionRequest", "UpdateConnectionRequest"):
        schemas[name]["anyOf"] = [_connection(entry, name) for entry in infos()]
    for name in [name for name in schemas if name.endswith("Request")]:
        properties = schemas[name]["properties"]
        for key in _NARROWER.keys() & properties.keys():
            properties[key] |= _NARROWER[key]
    for name, key in _NAMING.items():
        schemas[name]["properties"][key] |= {"type": "string", "minLength": 1}
        schemas[name]["required"] = sorted({key, *schemas[name].get("required", ())})
    schemas["BulkFilter"]["properties"]["function"] = {"$ref": "#/components/schemas/FilterFunction"}
    schemas["PatchBulkSyncSchemasRequest"]["required"] = ["schemas"]
    schemas["PatchBulkSyncSchemasRequest"]["properties"]["schemas"] |= {"type": "array", "minItems": 1}


def _connection(entry: ConnectorInfo, request: str) -> dict[str, Any]:
    settings = dict(entry.configuration_schema)
    settings["properties"] = {
        name: _secret(described) if name in entry.secret_fields else described
        for name, described in settings["properties"].items()
    }
    if request == "TestConnectionRequest":
        del settings["required"]  # what is left out may come from the stored connection
    types = [entry.type_id, None] if request == "UpdateConnectionRequest" else [entry.type_id]
    return {"title": entry.name, "properties": {"type": {"enum": types}, "configuration": settings}}


def _secret(described: dict[str, Any]) -> dict[str, Any]:
    reference = {
        "type": "object",
        "properties": {"env": {"type": "string"}},
        "required": ["env"],
        "additionalProperties": False,
    }
    return {"description": described.get("description", ""), "anyOf": [{"type": "string"}, reference]}


def _error(name: str) -> dict[str, Any]:
    headers: dict[str, Any] = {"X-Polytomic-Version": {"$ref": "#/components/headers/PolytomicVersion"}}
    if name in _HEADERS:
        headers[_HEADERS[name]] = {"required": True, "schema": {"type": "string"}}
    return {
        "description": _WORDS.get(name, "See the message."),
        "headers": headers,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ApiError"}}},
    }


def _narrow(operation: dict[str, Any], method: str, path: str) -> None:
    responses: dict[str, Any] = operation["responses"]
    statuses = {status for status in responses if status.startswith(("4", "5"))} | set(_ALWAYS)
    if "{" in path:
        statuses.add("404")
    if method in ("post", "put", "patch"):
        statuses.add("409")  # an idempotency key whose first call is still in progress
    kept = {status: answer for status, answer in responses.items() if status.startswith("2")}
    for described in (operation.get("requestBody", {}), *kept.values()):
        for content in described.get("content", {}).values():
            content.pop("examples", None)
    for parameter in operation.get("parameters", ()):
        if parameter.get("style") == "deepObject":
            parameter["schema"]["additionalProperties"] = False
    errors = {
        status: {"$ref": f"#/components/responses/{_NAMES[status]}"} for status in sorted(statuses.difference(_NEVER))
    }
    operation["responses"] = {**kept, **errors}
    if method == "delete":
        operation["parameters"] = [entry for entry in operation["parameters"] if "IdempotencyKey" not in str(entry)]
