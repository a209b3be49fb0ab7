"""JSON Schemas for models to read: as small as they can be, and plain enough for every model provider.

Some providers refuse a tool list in which an input schema has a top-level `anyOf` or `oneOf`, so there is none;
`$ref` is inlined and titles are dropped, since each costs context on every turn.
"""

from typing import Any, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

_DROPPED = frozenset({"title"})


def _compact(node: object, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_compact(item, definitions) for item in cast("list[object]", node)]
    if not isinstance(node, dict):
        return node
    schema = cast("dict[str, Any]", node)
    if "$ref" in schema:
        target: dict[str, Any] = definitions[str(schema["$ref"]).rsplit("/", 1)[-1]]
        # A class docstring tells a developer what a model is; the model reading it has the field's own text.
        bare = {key: value for key, value in target.items() if key != "description"}
        merged = {**bare, **{key: value for key, value in schema.items() if key != "$ref"}}
        return _compact(merged, definitions)
    if "anyOf" in schema:
        options = [option for option in schema["anyOf"] if option != {"type": "null"}]
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        if len(options) == 1:
            return _compact({**options[0], **rest}, definitions)
        schema = {**rest, "anyOf": options}
    compacted: dict[str, Any] = {}
    for key, value in cast("dict[str, object]", schema).items():
        if (key in _DROPPED and isinstance(value, str)) or (key == "additionalProperties" and value is True):
            continue
        if key == "default" and value is None:
            continue
        if key == "properties":
            members = cast("dict[str, object]", value).items()
            compacted[key] = {name: _compact(item, definitions) for name, item in members}
        elif key in ("description", "default", "enum", "const", "examples"):
            compacted[key] = value
        else:
            compacted[key] = _compact(value, definitions)
    return compacted


class _Generator(GenerateJsonSchema):
    """pydantic's own, which is slow with defaults: it makes an adapter for each, a third of its whole time."""

    def encode_default(self, dft: object) -> Any:
        return dft if dft is None or isinstance(dft, bool | int | str) else super().encode_default(dft)


def tool_schema(model: type[BaseModel]) -> dict[str, Any]:
    """JSON Schema of a tool's arguments or result.

    An optional key is left out rather than sent as null, in both directions, so null is not in the schema.
    """
    raw = model.model_json_schema(mode="validation", schema_generator=_Generator)
    definitions = raw.pop("$defs", {})
    schema = _compact(raw, definitions)
    schema.pop("description", None)
    schema.setdefault("properties", {})
    return schema
