"""Settings of a connection: which of them are secrets, which were masked, and how much of them may be shown.

The backend masks secrets when it tells them (api/README.md 2), and an update replaces all settings. So a mask that is
read and written back would overwrite the secret, and one that is left out would clear it: both are found here.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, cast

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.ids import path_problem
from bulk_sync_mcp.core.text import canonical_json, clean
from bulk_sync_mcp.models.merge import Json, as_object, as_objects

HIDDEN = "(secret)"
_MASK = re.compile(r"[*•●]{3,}.{0,8}|<redacted>|\[redacted\]", re.IGNORECASE | re.DOTALL)
_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)?\b|pwd|secret|token|credential|private|api_?key|access_?key|_key\b|\bkey\b|\bauth\b|service_account"
    r"|connection_?string|dsn|cert|signature",
    re.IGNORECASE,
)


def _settings(value: object) -> object:
    """Said here without the value, which may hold secrets; the usual words would quote it."""
    if not isinstance(value, dict):
        raise ValueError("must be an object of settings")  # noqa: TRY004 - pydantic takes only this one
    return cast("object", value)


Settings = Annotated[dict[str, Any], BeforeValidator(_settings)]
"""Settings of a connection as a caller gives them."""


def _type_id(value: str) -> str:
    problem = path_problem(value)
    if problem is not None or "/" in value:
        raise ValueError(f"the type {problem or 'contains a slash'}")
    return value


TypeId = Annotated[
    str, Field(min_length=1, max_length=100), AfterValidator(_type_id), WithJsonSchema({"type": "string"})
]
"""Id of a connection type, such as `snowflake`."""


def is_mask(value: object) -> bool:
    """Whether a value is what the backend shows in place of a secret."""
    return isinstance(value, str) and _MASK.fullmatch(value) is not None


def leaves(value: object, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in settings that is no object or list, with its dotted path. A reference `{"env": …}` is one value."""
    if isinstance(value, dict) and not is_reference(cast("object", value)):
        for key, item in cast("dict[str, object]", value).items():
            yield from leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[object]", value)):
            yield from leaves(item, f"{path}.{index}")
    else:
        yield path, value


def is_reference(value: object) -> bool:
    """Whether a value names an environment variable of the local service in place of a secret."""
    members = as_object(value)
    return set(members) == {"env"} and isinstance(members["env"], str)


def masked(settings: Mapping[str, Any]) -> list[str]:
    """Paths of the values that are masks."""
    return [path for path, value in leaves(dict(settings)) if is_mask(value)]


def declared_secrets(schema: Json, path: str = "") -> set[str]:
    """Dotted paths of the settings that the schema of a type declares as secret."""
    found: set[str] = set()
    for part in (schema, *(one for key in ("oneOf", "anyOf", "allOf") for one in as_objects(schema.get(key)))):
        for name, raw in as_object(part.get("properties")).items():
            setting, where = as_object(raw), f"{path}.{name}" if path else name
            if setting.get("format") == "password" or setting.get("writeOnly") is True:
                found.add(where)
            found |= declared_secrets(setting, where)
    return found


def declared(schema: Json, path: str = "") -> set[str]:
    """Dotted paths of every setting the schema of a type declares."""
    found: set[str] = set()
    for part in (schema, *(one for key in ("oneOf", "anyOf", "allOf") for one in as_objects(schema.get(key)))):
        for name, raw in as_object(part.get("properties")).items():
            where = f"{path}.{name}" if path else name
            found |= {where} | declared(as_object(raw), where)
    return found


def closed(schema: Json) -> bool:
    """Whether the schema of a type takes no setting that it does not declare, in either way of saying so."""
    return schema.get("additionalProperties") in (False, {"not": {}})


def sounds_secret(path: str) -> bool:
    """Whether the name of a setting, or of what it is part of, promises a secret."""
    return _SECRET_NAME.search(path.replace(".", " ")) is not None


def showable(path: str, schema: Json) -> bool:
    """Whether the value of a setting may be shown: the type declares it, and neither that nor its name says secret."""
    return path in declared(schema) and path not in declared_secrets(schema) and not sounds_secret(path)


def spelled(path: str, value: object, schema: Json) -> str:
    """A value in a preview, or that there is a secret one."""
    if value is None:
        return "(not set)"
    if is_mask(value) or isinstance(value, dict | list) or not showable(path, schema):
        return HIDDEN
    return clean(value if isinstance(value, str) else canonical_json(value), 120)


def secrets_in(settings: Mapping[str, Any], schema: Json) -> tuple[str, ...]:
    """The texts in settings that must not be seen anywhere, longest first."""
    texts = {
        value
        for path, value in leaves(dict(settings))
        if isinstance(value, str) and len(value) >= 3 and not showable(path, schema)
    }
    return tuple(sorted(texts, key=len, reverse=True))


def without(text: str, secrets: tuple[str, ...]) -> str:
    """`text` without the secrets, also where one was cleaned, or cut off at the end of a message."""
    for secret in secrets:
        for form in {secret, clean(secret, len(secret) + 1)} - {""}:
            text = text.replace(form, HIDDEN)
            for length in range(len(form) - 1, 3, -1):
                text = text.replace(f"{form[:length]}…", f"{HIDDEN}…")
    return text


def redacted(failure: Failure, secrets: tuple[str, ...]) -> Failure:
    """The failure with secrets taken out of the backend's words: a service may quote the password it refuses."""
    failure.message = without(failure.message, secrets)
    failure.next = without(failure.next, secrets)
    failure.args = (failure.message,)
    failure.details = {key: _scrubbed(value, secrets) for key, value in failure.details.items()}
    return failure


def _scrubbed(value: object, secrets: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        return without(value, secrets)
    if isinstance(value, list):
        return [_scrubbed(item, secrets) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        return {key: _scrubbed(item, secrets) for key, item in cast("dict[str, object]", value).items()}
    return value


def shown(settings: Mapping[str, Any]) -> Json:
    """Settings the backend told, masked once more by name: one that it does not mask must not be passed on."""
    return {key: _veiled(key, value) for key, value in settings.items() if value is not None}


def _veiled(name: str, value: object) -> Any:
    if isinstance(value, dict) and not is_reference(cast("object", value)):
        return {key: _veiled(key, item) for key, item in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [_veiled(name, item) for item in cast("list[object]", value)]
    if isinstance(value, str) and value and (_SECRET_NAME.search(name) is not None or is_mask(value)):
        return HIDDEN
    return cast("Any", value)  # whatever JSON it is
