"""Request targets: a template of the API's description, path values and a query become exact bytes."""

import re
from collections.abc import Mapping
from urllib.parse import quote

from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.ids import path_problem

_PLACE = re.compile(r"\{(\w+)\}")


def request_target(template: str, path: Mapping[str, str], query: Mapping[str, object] | None = None) -> bytes:
    """Path and query as they go on the wire, in ASCII, such as `b"/api/bulk/syncs/…/schemas/a%2Fb?limit=5"`.

    Path values are percent-encoded with no safe characters. In the query, None is left out, a boolean is
    `true` or `false`, a list repeats its key, and a mapping becomes `key[name]=value` (openapi.yaml,
    deepObject).

    Raises `Failure("invalid_arguments")` for a path value that could reach another resource (core/ids.py),
    and `ValueError` for a template that does not fit the names given, which is a fault of the caller.
    """
    names = _PLACE.findall(template)
    if sorted(names) != sorted(path):
        raise ValueError(f"{template} needs the path values {names}, not {list(path)}")
    for name, value in path.items():
        problem = path_problem(value)
        if problem is not None:
            raise Failure("invalid_arguments", f"`{name}` {problem}.", details={"argument": name})
    filled = _PLACE.sub(lambda match: quote(path[match[1]], safe=""), template)
    pairs = "&".join(f"{_encoded(key)}={_encoded(value)}" for key, value in _pairs(query or {}))
    return (f"{filled}?{pairs}" if pairs else filled).encode("ascii")


def _pairs(query: Mapping[str, object]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in query.items():
        if isinstance(value, Mapping):
            nested: Mapping[object, object] = value  # pyright: ignore[reportUnknownVariableType]
            pairs += _pairs({f"{key}[{name}]": item for name, item in nested.items()})
        elif isinstance(value, list | tuple):
            items: list[object] = list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            pairs += [(key, _scalar(key, item)) for item in items]
        elif value is not None:
            pairs.append((key, _scalar(key, value)))
    return pairs


def _scalar(key: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    raise ValueError(f"the query key {key} cannot hold a {type(value).__name__}")


def _encoded(text: str) -> str:
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        # Lone surrogates. The exception would carry the text; the words below say enough.
        problem = "A query value is not valid Unicode text."
    raise Failure("invalid_arguments", problem)
