"""The connectors as the service sees them: which types there are, and settings checked before they are stored.

A connector's own libraries are loaded only when `check` or `discover` is called.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast  # settings are JSON; cast narrows what isinstance cannot

from bulk_sync_local.config import LocalConfig
from bulk_sync_local.connectors.base import ConnectorError, ConnectorInfo, SourceTable
from bulk_sync_local.connectors.registry import connector, infos
from bulk_sync_local.engine.job import Endpoint
from bulk_sync_local.errors import bad_request

MASK = "********"
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "array": (list,),
}


def info(type_id: str) -> ConnectorInfo | None:
    """What is known of a connection type, or None when there is no such type."""
    return next((entry for entry in infos() if entry.type_id == type_id), None)


def require_info(type_id: str) -> ConnectorInfo:
    """What is known of a connection type; raises `ApiError` 400 naming the types there are."""
    found = info(type_id)
    if found is None:
        known = ", ".join(sorted(entry.type_id for entry in infos()))
        raise bad_request(f"type: {type_id!r} is not a connection type of the local service; choose one of {known}")
    return found


def validate_settings(config: LocalConfig, entry: ConnectorInfo, settings: Mapping[str, Any]) -> None:
    """Raises `ApiError` 400 for unknown, missing or mistyped settings, masked secrets and bad secret references."""
    schema = entry.configuration_schema
    properties: Mapping[str, Any] = schema.get("properties", {})
    for name, value in settings.items():
        if name not in properties:
            raise bad_request(
                f"configuration: unknown key {name!r} for type {entry.type_id}; it takes {', '.join(sorted(properties))}"
            )
        if value == MASK:
            raise bad_request(
                f"configuration.{name}: {MASK} is the mask shown in place of a secret, not the secret; "
                "send the secret itself, or a reference to it"
            )
        if isinstance(value, dict) and name in entry.secret_fields:
            _check_reference(config, entry, name, cast("Mapping[str, object]", value), settings)
        else:
            _check_value(f"configuration.{name}", properties[name], cast("object", value))
    for name in schema.get("required", ()):
        if name not in settings:
            raise bad_request(f"configuration: missing key {name!r} for type {entry.type_id}")


def validate_destination(entry: ConnectorInfo, settings: Mapping[str, Any]) -> None:
    """Raises `ApiError` 400 for destination settings the connector does not know."""
    _check_group("destination_configuration", destination_form(entry), settings)


def resolve(config: LocalConfig, type_id: str, settings: Mapping[str, Any]) -> Endpoint:
    """The connection with its secret references replaced by the secrets. Raises `ConnectorError`."""
    entry = info(type_id)
    if entry is None:
        raise ConnectorError(f"connection type {type_id!r} is not available here")
    resolved = dict(settings)
    for name in entry.secret_fields & settings.keys():
        if isinstance(settings[name], dict):
            variable = str(settings[name]["env"])
            value = os.environ.get(variable)
            if value is None:
                raise ConnectorError(f"{name}: the environment variable {variable} is not set")
            resolved[name] = value
    return Endpoint(type_id, resolved)


def check(config: LocalConfig, type_id: str, settings: Mapping[str, Any]) -> None:
    """Tries a connection for real. Slow; raises `ConnectorError`."""
    endpoint = resolve(config, type_id, settings)
    connector(type_id).check(endpoint.configuration, config.confinement)


def discover(config: LocalConfig, endpoint: Endpoint) -> tuple[SourceTable, ...]:
    """The tables of a source with their fields. Slow; raises `ConnectorError`."""
    found = connector(endpoint.type_id).discover(endpoint.configuration, config.confinement, include_fields=True)
    return tuple(found)


def masked(type_id: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they may be shown: secrets masked, references to secrets left readable."""
    entry = info(type_id)
    secret = frozenset[str]() if entry is None else entry.secret_fields
    return {name: MASK if name in secret and not isinstance(value, dict) else value for name, value in settings.items()}


def same_place(config: LocalConfig, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two file connections lead to the same file or directory."""
    first, second = _place(config, one), _place(config, other)
    return first is not None and first == second


def destination_form(entry: ConnectorInfo) -> dict[str, Any]:
    """The destination settings of a connector in the API's form: groups hold their settings under `items`.

    A connector names a setting of a group with a dot: `advanced.table_prefix`.
    """
    form: dict[str, Any] = {}
    for dotted, described in entry.destination_settings.items():
        *groups, last = dotted.split(".")
        level = form
        for group in groups:
            level = level.setdefault(group, {"items": {}})["items"]
        level[last] = {"default": False if described.get("type") == "boolean" else "", "required": False, **described}
    return form


def _place(config: LocalConfig, settings: Mapping[str, Any]) -> Path | None:
    path = settings.get("path")
    try:
        return (config.workspace / path).resolve() if isinstance(path, str) else None
    except (OSError, RuntimeError):
        return None  # a loop of links, which leads nowhere; a run says so


def _check_reference(
    config: LocalConfig,
    entry: ConnectorInfo,
    name: str,
    reference: Mapping[str, object],
    settings: Mapping[str, Any],
) -> None:
    variable = reference.get("env")
    if set(reference) != {"env"} or not isinstance(variable, str):
        raise bad_request(f'configuration.{name}: a reference has the form {{"env": "BULK_SYNC_SECRET_NAME"}}')
    binding = config.secrets.get(variable)
    if binding is None or binding.type_id != entry.type_id or binding.host != settings.get("host"):
        raise bad_request(
            f"configuration.{name}: {variable} is not a secret set up for connections of type {entry.type_id} "
            "to this host; secrets are bound to a type and a host in the service's settings"
        )


def _check_value(where: str, schema: Mapping[str, Any], value: object) -> None:
    expected = schema.get("type")
    names: list[str] = [expected] if isinstance(expected, str) else list(expected or ())
    if names and not any(_is(name, value) for name in names):
        raise bad_request(f"{where}: must be of type {' or '.join(names)}")
    if isinstance(value, str) and "\0" in value:
        raise bad_request(f"{where}: holds a NUL character")
    allowed: list[object] | None = schema.get("enum")
    if allowed is not None and value not in allowed:
        raise bad_request(f"{where}: must be one of {', '.join(map(str, allowed))}")


def _is(name: str, value: object) -> bool:
    if name == "null":
        return value is None
    if isinstance(value, bool) and name != "boolean":
        return False
    return isinstance(value, _JSON_TYPES[name])


def _check_group(where: str, known: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if name not in known:
            allowed = ", ".join(sorted(known)) or "no settings"
            raise bad_request(f"{where}: unknown key {name!r}; this destination takes {allowed}")
        described = known[name]
        if "items" in described:
            if not isinstance(value, dict):
                raise bad_request(f"{where}.{name}: must be an object")
            _check_group(f"{where}.{name}", described["items"], cast("Mapping[str, Any]", value))
            continue
        if value is not None:
            _check_value(f"{where}.{name}", described, value)
    for name, described in known.items():
        if described.get("required") is True and not given.get(name):
            raise bad_request(f"{where}: missing key {name!r}")
