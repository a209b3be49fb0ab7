"""What holds for every tool: how it is declared, how small the list is, and what no tool accepts."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import mcp_types as types
import pytest
from jsonschema import Draft202012Validator
from mcp.shared.exceptions import MCPError

from bulk_sync_mcp import operations
from bulk_sync_mcp.core.operation import AnyOperation, discover
from bulk_sync_mcp.guard.policy import required
from bulk_sync_mcp.server import tool_of
from operations.kit import ABSENT
from support import Workshop

pytestmark = pytest.mark.anyio
OPERATIONS = list(discover(operations))
NAMES = [operation.name for operation in OPERATIONS]
ALWAYS = {
    "list_bulk_syncs",
    "create_bulk_sync",
    "get_bulk_sync",
    "update_bulk_sync",
    "delete_bulk_sync",
    "activate_bulk_sync",
    "cancel_bulk_sync",
    "start_bulk_sync_execution",
    "get_bulk_sync_status",
    "get_bulk_source",
    "get_bulk_destination",
}
WITH_THEM = {
    "list_bulk_sync_executions",
    "get_bulk_sync_execution",
    "wait_for_bulk_sync_execution",
    "list_bulk_sync_schemas",
    "list_connections",
}
WRITING = {
    "activate_bulk_sync",
    "cancel_bulk_sync",
    "create_bulk_sync",
    "delete_bulk_sync",
    "start_bulk_sync_execution",
    "update_bulk_sync",
}
"""Each of them can lose or overwrite something, a new sync too: by a schedule that rewrites tables."""

NAMES_OF_DEFAULT = ALWAYS | WITH_THEM

of_each = pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)


def size(operation: AnyOperation) -> int:
    """Bytes that a tool costs in every conversation, as compact JSON."""
    shown = {
        "name": operation.name,
        "title": operation.title,
        "description": operation.description,
        "inputSchema": operation.input_schema,
    }
    return len(json.dumps(shown, separators=(",", ":"), ensure_ascii=False).encode())


def objects(schema: dict[str, Any], depth: int = 1) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every object with properties in a schema, with its depth."""
    if "properties" in schema:
        yield depth, schema
        depth += 1
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from objects(schema[key], depth)
    for option in schema.get("anyOf", []):
        yield from objects(option, depth)
    for member in schema.get("properties", {}).values():
        yield from objects(member, depth)


def sample(schema: dict[str, Any]) -> Any:
    """A value that fits a schema, as far as a tool can tell before it asks."""
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if "anyOf" in schema:
        return sample(schema["anyOf"][0])
    match schema.get("type"):
        case "string":
            return ABSENT if schema.get("format") == "uuid" else "Made of letters"
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "array":
            return [sample(schema["items"])] if schema.get("minItems") else []
        case _:
            return {name: sample(schema["properties"][name]) for name in schema.get("required", [])}


def arguments_of(operation: AnyOperation) -> dict[str, Any]:
    """The arguments a tool cannot do without."""
    return dict(sample(operation.input_schema))


@pytest.fixture
def everything(workshop: Workshop) -> Workshop:
    """The workshop with every toolset switched on."""
    return replace(workshop, application=replace(workshop.application, registry=discover(operations)))


def test_the_default_tools_are_these() -> None:
    default = {operation.name for operation in OPERATIONS if operation.toolset == "default"}
    assert default == NAMES_OF_DEFAULT
    assert len(default) == 16


async def test_clients_see_every_tool_in_one_order_with_a_read_only_one_first(workshop: Workshop, era: str) -> None:
    async with workshop.tools(era) as tools:
        first, second = await tools.client.list_tools(), await tools.client.list_tools()
    names = [tool.name for tool in first.tools]
    assert names == [tool.name for tool in second.tools] == [one.name for one in workshop.application.registry]
    assert first.tools[0].annotations is not None
    assert first.tools[0].annotations.read_only_hint is True
    assert workshop.api.calls == []


@of_each
def test_it_has_name_title_description_and_every_annotation(operation: AnyOperation) -> None:
    tool = tool_of(operation)
    assert tool.name.replace("_", "").isalpha()
    assert tool.name.islower()
    assert tool.title
    assert 20 <= len(tool.description or "") <= 400
    hints = tool.annotations
    assert hints is not None
    assert hints.title == tool.title
    assert hints.read_only_hint is operation.read_only
    assert operation.read_only <= (operation.method == "GET")
    if operation.name in NAMES_OF_DEFAULT:
        assert hints.destructive_hint is (operation.name in WRITING)
    assert isinstance(hints.idempotent_hint, bool)
    assert hints.open_world_hint is True


@of_each
def test_only_tools_with_effects_take_a_confirmation_and_tell_their_effects(operation: AnyOperation) -> None:
    writes = not operation.read_only
    assert ("confirmation" in operation.input_schema["properties"]) is writes
    assert (next(iter(operation.output_schema["properties"])) == "effects") is writes
    assert all(required(rule) for kind in operation.plans for rule in kind.all_rules())


def test_the_default_tools_cost_less_than_sixteen_kibibytes() -> None:
    costs = {operation.name: size(operation) for operation in OPERATIONS if operation.toolset == "default"}
    assert sum(costs.values()) < 16_384, costs


def test_all_tools_cost_less_than_forty_kibibytes() -> None:
    assert sum(size(operation) for operation in OPERATIONS) < 40_960


@of_each
def test_its_input_schema_is_plain(operation: AnyOperation) -> None:
    schema = operation.input_schema
    Draft202012Validator.check_schema(schema)
    Draft202012Validator.check_schema(operation.output_schema)
    assert schema["type"] == operation.output_schema["type"] == "object"
    assert not {"anyOf", "oneOf", "allOf", "not", "$defs", "$ref"} & set(schema)
    for part in (schema, operation.output_schema):
        assert "$ref" not in json.dumps(part)
        assert '"type":"null"' not in json.dumps(part, separators=(",", ":"))
    for depth, one in objects(schema):
        assert depth <= 3
        assert one["additionalProperties"] is False
        for name, member in one["properties"].items():
            typed = member.get("type") or all(option.get("type") for option in member.get("anyOf", [{}]))
            # The operand of a row filter is whatever its function takes.
            assert typed or name == "value", (name, member)


async def test_an_unknown_argument_is_refused_and_what_the_tool_takes_is_told(everything: Workshop) -> None:
    async with everything.tools() as tools:
        for operation in OPERATIONS:
            answer = await tools.call(operation.name, {**arguments_of(operation), "zzz": 1})
            assert answer.code == "invalid_arguments", (operation.name, answer.text)
            assert "`zzz`" in answer.text
            assert all(name in answer.text for name in operation.input_schema["properties"])
            assert f"`{operation.name}`" in answer.text
    assert everything.api.calls == []


async def test_text_is_no_number_and_no_truth_value(everything: Workshop) -> None:
    wrong = {"integer": ("5", 5.5, True), "boolean": ("true", 1, "yes"), "string": (5, True, ["x"], {})}
    async with everything.tools() as tools:
        for operation in OPERATIONS:
            for name, member in operation.input_schema["properties"].items():
                for value in wrong.get(member.get("type", ""), ()):
                    answer = await tools.call(operation.name, {**arguments_of(operation), name: value})
                    assert answer.code == "invalid_arguments", (operation.name, name, value, answer.text)
                    assert f"`{name}`" in answer.text
    assert everything.api.calls == []


async def test_characters_that_are_none_break_nothing(everything: Workshop) -> None:
    async with everything.tools() as tools:
        for operation in OPERATIONS:
            for name, member in operation.input_schema["properties"].items():
                if member.get("type") == "string":
                    given = {**arguments_of(operation), name: "\x00\ufdd0" * 20}
                    answer = await tools.call(operation.name, given)
                    assert answer.code != "internal", (operation.name, name, answer.text)
    assert everything.api.mutations == []


async def test_a_tool_that_does_not_exist_is_a_protocol_error(everything: Workshop, era: str) -> None:
    async with everything.tools(era) as tools:
        for name in ("no_such_tool", "", "get_bulk_sync ", "GET_BULK_SYNC", "../get_bulk_sync"):
            with pytest.raises(MCPError) as caught:
                await tools.client.session.call_tool(name, {})
            assert caught.value.error.code == types.INVALID_PARAMS == -32602
    assert everything.api.calls == []


async def test_no_arguments_at_all_are_refused_by_name_where_some_are_required(everything: Workshop, era: str) -> None:
    async with everything.tools(era) as tools:
        for operation in OPERATIONS:
            for name in operation.input_schema.get("required", []):
                answer = await tools.call(operation.name, {})
                assert f"`{name}` is required" in answer.text
    assert everything.api.calls == []
