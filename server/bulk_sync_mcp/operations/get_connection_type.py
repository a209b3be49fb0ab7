"""Show what settings a type of connection takes."""

from typing import Any

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.operation import Input, Operation, Result
from bulk_sync_mcp.core.text import MAX_MESSAGE, canonical_json, clean
from bulk_sync_mcp.models.connection_settings import TypeId, declared_secrets
from bulk_sync_mcp.models.merge import Json, as_object
from bulk_sync_mcp.operations._connections import TYPE

MOST = 100
WHOLE = 8_000
"""Characters of a schema that are passed on whole, where a table of settings does not say everything."""
_BEYOND = frozenset({"oneOf", "anyOf", "allOf", "if", "dependentSchemas", "dependentRequired", "$defs", "$ref"})


class Arguments(Input):
    type: TypeId


class Setting(Result):
    """One setting of a connection."""

    name: str = Field(description="With a dot below another one.")
    type: str | None = None
    required: bool | None = None
    secret: bool | None = None
    values: str | None = None
    about: str | None = None


class Type(Result):
    """The settings of connections of one type."""

    type: str
    settings: list[Setting]
    more_settings: int | None = Field(default=None, description="Settings beyond the first 100.")
    json_schema: dict[str, Any] | None = Field(
        default=None, description="The whole schema, where settings depend on each other."
    )


async def run(context: Context, arguments: Arguments, _plan: None) -> Type:
    schema = as_object((await context.api.get(TYPE, id=arguments.type)).body)
    settings = _settings(schema, declared_secrets(schema))
    whole = bool(_BEYOND & set(schema)) and len(canonical_json(schema)) <= WHOLE
    return Type(
        type=arguments.type,
        settings=settings[:MOST],
        more_settings=len(settings) - MOST if len(settings) > MOST else None,
        json_schema=schema if whole else None,
    )


def _settings(schema: Json, secret: set[str], path: str = "") -> list[Setting]:
    found: list[Setting] = []
    required = schema.get("required")
    needed: list[Any] = required if isinstance(required, list) else []  # pyright: ignore[reportUnknownVariableType]
    for name, raw in as_object(schema.get("properties")).items():
        setting, where = as_object(raw), f"{path}.{name}" if path else name
        kind = setting.get("type")
        values = setting.get("enum")
        about = setting.get("description") or setting.get("title")
        found.append(
            Setting(
                name=clean(where),
                type=clean(kind if isinstance(kind, str) else canonical_json(kind)) if kind else None,
                required=name in needed or None,
                secret=where in secret or None,
                values=clean(canonical_json(values), MAX_MESSAGE) if values else None,
                about=clean(about, MAX_MESSAGE) if about else None,
            )
        )
        found += _settings(setting, secret, where)
    return found


OPERATION = Operation(
    name="get_connection_type",
    title="Get a connection type",
    description="Settings that connections of a type take, and which are required or secret.",
    method="GET",
    path=TYPE,
    input=Arguments,
    result=Type,
    run=run,
    toolset="connections",
)
