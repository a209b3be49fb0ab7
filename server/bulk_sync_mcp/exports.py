"""The tools in the function-calling forms of other runtimes, from the same declarations, and the rules of each form.

Every export is checked against the rules its runtime documents before it is written. Where a form cannot say what a
declaration says, it says less, never something else: the server checks every call against the declaration itself.

    json        tools as MCP lists them
    openai      Chat Completions `tools`. Not in strict form: that wants every argument required and no free-form
                object, and here most arguments are optional, which means "leave as it is", another thing than null
    anthropic   Messages API `tools`
    gemini      one tool with `functionDeclarations`, whose `parameters` are a subset of OpenAPI 3.0 schemas
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from bulk_sync_mcp.core.operation import AnyOperation, Registry
from bulk_sync_mcp.present.hints import EVERY_TOOL_ON, Hints
from bulk_sync_mcp.server import tool_of

Json = dict[str, Any]

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}", re.ASCII)
"""Of functions at OpenAI ("a-z, A-Z, 0-9, or contain underscores and dashes, with a maximum length of 64") and of
tools at Anthropic (`^[a-zA-Z0-9_-]{1,64}$`)."""
GEMINI_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.-]{0,62}", re.ASCII)
"""FunctionDeclaration.name: begins with a letter or underscore; 63 at most in the older of its two references."""
GEMINI_ARGUMENT = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,63}", re.ASCII)
ANTHROPIC_ARGUMENT = re.compile(r"[a-zA-Z0-9_.-]{1,64}", re.ASCII)
OPENAI_MOST = 128
"""Functions in one request."""
GEMINI_KEYS = frozenset(
    {
        *("type", "format", "title", "description", "nullable", "enum", "default", "example", "anyOf"),
        *("items", "minItems", "maxItems", "minLength", "maxLength", "pattern", "minimum", "maximum"),
        *("properties", "required", "propertyOrdering", "minProperties", "maxProperties"),
    }
)
"""The fields of Gemini's `Schema`; another one refuses the whole request ("Unknown name ...: Cannot find field")."""
GEMINI_FORMATS = {
    "STRING": {"enum", "date-time"},
    "NUMBER": {"float", "double"},
    "INTEGER": {"int32", "int64"},
}
_GEMINI_TYPES = ("STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT")
_INT64 = ("minItems", "maxItems", "minProperties", "maxProperties", "minLength", "maxLength")
"""Of type int64, which JSON of Google's APIs spells as text."""
_ANY_SCALAR = ("STRING", "NUMBER", "BOOLEAN")
_UNIONS = ("oneOf", "anyOf", "allOf")
_TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})


@dataclass(frozen=True, slots=True)
class Form:
    """One form: how the tools are written in it, and what is wrong with a document in it."""

    write: Callable[[Sequence[AnyOperation]], Any]
    problems: Callable[[Any], list[str]]


def exported(tools: Registry, form: str, hints: Hints = EVERY_TOOL_ON) -> str:
    """The tools in a form, as the text of a JSON file. Raises `ValueError` naming every rule that is broken.

    `hints` knows the tools that are not exported, of which descriptions may speak.
    """
    chosen = FORMS[form]
    document = chosen.write([replace(one, description=hints.told(one.description)) for one in tools])
    problems = chosen.problems(document)
    if problems:
        raise ValueError("; ".join(problems))
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _json(tools: Sequence[AnyOperation]) -> list[Json]:
    return [tool_of(one).model_dump(mode="json", by_alias=True, exclude_none=True) for one in tools]


def _openai(tools: Sequence[AnyOperation]) -> list[Json]:
    return [
        {
            "type": "function",
            "function": {"name": one.name, "description": one.description, "parameters": one.input_schema},
        }
        for one in tools
    ]


def _anthropic(tools: Sequence[AnyOperation]) -> list[Json]:
    return [{"name": one.name, "description": one.description, "input_schema": one.input_schema} for one in tools]


def _gemini(tools: Sequence[AnyOperation]) -> list[Json]:
    declarations: list[Json] = []
    for one in tools:
        declared: Json = {"name": one.name, "description": one.description}
        # An object without properties is refused; a function without parameters leaves them out.
        if one.input_schema["properties"]:
            declared["parameters"] = gemini_schema(one.input_schema)
        declarations.append(declared)
    return [{"functionDeclarations": declarations}]


def gemini_schema(schema: Mapping[str, Any]) -> Json:
    """A JSON Schema in Gemini's subset. What the subset lacks goes, or into the description when a model needs it."""
    if "anyOf" in schema:
        options = [gemini_schema(cast("Json", one)) for one in cast("list[object]", schema["anyOf"])]
        return _described({"anyOf": options}, schema)
    if "type" not in schema:
        return _described({"anyOf": [{"type": one} for one in _ANY_SCALAR]}, schema)
    kind = str(schema["type"]).upper()
    result: Json = {"type": kind}
    if schema.get("format") in GEMINI_FORMATS.get(kind, set()):
        result["format"] = schema["format"]
    if "enum" in schema:
        result |= {"format": "enum", "enum": list(schema["enum"])}
    for key in ("pattern", "minimum", "maximum", *_INT64):
        if key in schema:
            result[key] = str(schema[key]) if key in _INT64 else schema[key]
    if "items" in schema:
        result["items"] = gemini_schema(schema["items"])
    if schema.get("properties"):
        result["properties"] = {name: gemini_schema(one) for name, one in schema["properties"].items()}
        result["propertyOrdering"] = list(schema["properties"])
    if schema.get("required"):
        result["required"] = list(schema["required"])
    return _described(result, schema)


def _described(result: Json, schema: Mapping[str, Any]) -> Json:
    """With the description, to which formats and defaults are added that the subset has no room for."""
    notes = [str(schema["description"])] if schema.get("description") else []
    if schema.get("format") == "uuid":
        notes.append("A UUID.")
    if schema.get("default") not in (None, [], {}):
        notes.append(f"Default: {json.dumps(schema['default'])}.")
    if not notes:
        return result
    if "anyOf" not in result:
        return {**result, "description": " ".join(notes)}
    # Beside a union nothing else may stand, so its first option tells.
    first, *others = cast("list[Json]", result["anyOf"])
    told = " ".join([*notes, first["description"]] if "description" in first else notes)
    return {"anyOf": [{**first, "description": told}, *others]}


# What is wrong


def _names(names: list[str], pattern: re.Pattern[str]) -> Iterator[str]:
    for name in names:
        if pattern.fullmatch(name) is None:
            yield f"{name}: not a name this form takes ({pattern.pattern})"
        if names.count(name) > 1:
            yield f"{name}: named twice"


def _described_well(tool: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(tool.get("description"), str) or not tool["description"].strip():
        yield f"{tool.get('name')}: no description"


def _only(where: str, given: Mapping[str, Any], known: frozenset[str]) -> Iterator[str]:
    for key in sorted(set(given) - known):
        yield f"{where}: `{key}` is not part of this form"


def _root(name: str, schema: Any) -> Iterator[str]:
    """What every runtime that takes JSON Schema wants of the arguments."""
    if not isinstance(schema, dict) or cast("Json", schema).get("type") != "object":
        yield f"{name}: the schema of arguments is not of type object"
        return
    root = cast("Json", schema)
    for key in (*_UNIONS, "enum", "not", "$ref"):
        if key in root:
            yield f"{name}: `{key}` at the top of the schema"
    if not isinstance(root.get("properties"), dict):
        yield f"{name}: no properties"
    for where, one in _schemas(root, name):
        for key in ("$ref", "$defs", "definitions"):
            if key in one:
                yield f"{where}: `{key}`, which not every runtime follows"
        types = one.get("type", [])
        for kind in cast("list[object]", types) if isinstance(types, list) else [types]:
            if kind not in _TYPES:
                yield f"{where}: unknown type {kind}"
        if one.get("type") == "array" and "items" not in one:
            yield f"{where}: an array without items"
        for needed in set(one.get("required", [])) - set(one.get("properties", {})):
            yield f"{where}: requires {needed}, which it does not have"


def _schemas(schema: Json, where: str) -> Iterator[tuple[str, Json]]:
    """A schema and every one in it, with where it stands."""
    yield where, schema
    for name, one in cast("Json", schema.get("properties") or {}).items():
        yield from _schemas(one, f"{where}.{name}")
    if isinstance(schema.get("items"), dict):
        yield from _schemas(schema["items"], f"{where}[]")
    for key in _UNIONS:
        for number, one in enumerate(schema.get(key, [])):
            yield from _schemas(one, f"{where}|{number}")


def _of_json(document: Any) -> Iterator[str]:
    yield from _names([one["name"] for one in document], NAME)
    for one in document:
        yield from _described_well(one)
        yield from _root(one["name"], one.get("inputSchema"))


def _of_openai(document: Any) -> Iterator[str]:
    if len(document) > OPENAI_MOST:
        yield f"{len(document)} functions; one request takes {OPENAI_MOST}"
    functions = [one.get("function", {}) for one in document]
    yield from _names([one.get("name", "") for one in functions], NAME)
    for tool, one in zip(document, functions, strict=True):
        name = one.get("name", "")
        yield from _only(name, tool, frozenset({"type", "function"}))
        yield from _only(name, one, frozenset({"name", "description", "parameters", "strict"}))
        if tool.get("type") != "function":
            yield f"{name}: `type` is not function"
        yield from _described_well(one)
        yield from _root(name, one.get("parameters"))
        if one.get("strict"):
            yield from _strict(name, one["parameters"])


def _strict(name: str, parameters: Json) -> Iterator[str]:
    """The strict form: every property required, no other allowed, every schema typed."""
    for where, one in _schemas(parameters, name):
        if one.get("type") == "object":
            if one.get("additionalProperties") is not False:
                yield f"{where}: strict, but additionalProperties is not false"
            if set(one.get("properties", {})) != set(one.get("required", [])):
                yield f"{where}: strict, but not every property is required"
        elif "type" not in one and "anyOf" not in one:
            yield f"{where}: strict, but of no type"


def _of_anthropic(document: Any) -> Iterator[str]:
    yield from _names([one.get("name", "") for one in document], NAME)
    for one in document:
        name = one.get("name", "")
        yield from _only(name, one, frozenset({"name", "description", "input_schema", "type", "cache_control"}))
        yield from _described_well(one)
        yield from _root(name, one.get("input_schema"))
        for argument in cast("Json", cast("Json", one.get("input_schema") or {}).get("properties", {})):
            if ANTHROPIC_ARGUMENT.fullmatch(argument) is None:
                yield f"{name}: argument {argument} is not a name this form takes"


def _of_gemini(document: Any) -> Iterator[str]:
    declarations: list[Json] = [one for tool in document for one in tool.get("functionDeclarations", [])]
    yield from _names([one.get("name", "") for one in declarations], GEMINI_NAME)
    for tool in document:
        yield from _only("tool", tool, frozenset({"functionDeclarations"}))
    for one in declarations:
        name = one.get("name", "")
        yield from _only(name, one, frozenset({"name", "description", "parameters", "response"}))
        yield from _described_well(one)
        parameters = one.get("parameters")
        if parameters is None:
            continue
        if parameters.get("type") != "OBJECT" or not parameters.get("properties"):
            yield f"{name}: parameters are not an OBJECT with properties; a function without any leaves them out"
        for where, schema in _schemas(parameters, name):
            yield from _gemini_schema(where, schema)


def _gemini_schema(where: str, schema: Json) -> Iterator[str]:
    yield from _only(where, schema, GEMINI_KEYS)
    if "anyOf" in schema:
        if set(schema) != {"anyOf"}:
            yield f"{where}: beside `anyOf` nothing else may stand"
        return
    kind = schema.get("type")
    if kind not in _GEMINI_TYPES:
        yield f"{where}: type {kind} is none of {', '.join(_GEMINI_TYPES)}"
        return
    if "format" in schema and schema["format"] not in GEMINI_FORMATS.get(kind, set()):
        yield f"{where}: format {schema['format']} is not one of {kind}"
    values = schema.get("enum")
    if values is not None and (
        kind != "STRING" or not values or not all(isinstance(one, str) and one for one in values)
    ):
        yield f"{where}: an enum has texts, and is of type STRING"
    if kind == "ARRAY" and "items" not in schema:
        yield f"{where}: an ARRAY without items"
    if kind == "OBJECT" and "properties" in schema and not schema["properties"]:
        yield f"{where}: properties are empty; a free-form object leaves them out"
    for name in schema.get("properties", {}):
        if GEMINI_ARGUMENT.fullmatch(name) is None:
            yield f"{where}: {name} is not a name this form takes"
    for key in ("required", "propertyOrdering"):
        for needed in set(schema.get(key, [])) - set(schema.get("properties", {})):
            yield f"{where}: `{key}` names {needed}, which it does not have"
    for key in _INT64:
        if key in schema and not (isinstance(schema[key], str) and schema[key].isdecimal()):
            yield f"{where}: {key} is not a number spelled as text"


FORMS: Mapping[str, Form] = {
    "openai": Form(_openai, lambda document: list(dict.fromkeys(_of_openai(document)))),
    "anthropic": Form(_anthropic, lambda document: list(dict.fromkeys(_of_anthropic(document)))),
    "gemini": Form(_gemini, lambda document: list(dict.fromkeys(_of_gemini(document)))),
    "json": Form(_json, lambda document: list(dict.fromkeys(_of_json(document)))),
}
