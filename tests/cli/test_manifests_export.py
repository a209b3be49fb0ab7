"""`manifests export`: the tools in the forms of other runtimes, and the rules of each form."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bulk_sync_mcp import operations
from bulk_sync_mcp.cli import main
from bulk_sync_mcp.commands.manifests import FORMATS
from bulk_sync_mcp.core.operation import Registry, discover
from bulk_sync_mcp.exports import FORMS, exported, gemini_schema

EVERY = discover(operations)
Out = pytest.CaptureFixture[str]


def document(form: str) -> Any:
    return json.loads(exported(EVERY, form))


def names(form: str, whole: Any) -> list[str]:
    if form == "gemini":
        return [one["name"] for tool in whole for one in tool["functionDeclarations"]]
    return [one["function"]["name"] if form == "openai" else one["name"] for one in whole]


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Flags of a place of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return ["--state-dir", str(tmp_path / "state"), "--workspace", str(tmp_path / "work")]


@pytest.mark.parametrize("form", FORMATS)
def test_every_tool_is_exported_and_keeps_the_rules_of_the_form(form: str) -> None:
    whole = document(form)
    assert names(form, whole) == [one.name for one in EVERY]
    assert FORMS[form].problems(whole) == []


def test_the_forms_offered_are_those_that_can_be_written() -> None:
    assert set(FORMATS) == set(FORMS)


@pytest.mark.parametrize("form", ["openai", "anthropic", "json"])
def test_arguments_are_the_declared_schema_word_for_word(form: str) -> None:
    key = {"openai": "parameters", "anthropic": "input_schema", "json": "inputSchema"}[form]
    for tool, declared in zip(document(form), EVERY, strict=True):
        schema = (tool["function"] if form == "openai" else tool)[key]
        Draft202012Validator.check_schema(schema)
        assert schema == declared.input_schema


def test_gemini_gets_every_argument_with_its_meaning() -> None:
    declarations = document("gemini")[0]["functionDeclarations"]
    for told, declared in zip(declarations, EVERY, strict=True):
        properties = declared.input_schema["properties"]
        if not properties:
            assert "parameters" not in told
            continue
        assert list(told["parameters"]["properties"]) == list(properties)
        assert told["parameters"].get("required", []) == declared.input_schema.get("required", [])
        for name, schema in properties.items():
            assert schema.get("description", "") in json.dumps(
                told["parameters"]["properties"][name], ensure_ascii=False
            ).replace('\\"', '"')


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"type": "string", "format": "uuid"}, {"type": "STRING", "description": "A UUID."}),
        ({"type": "string", "format": "date-time"}, {"type": "STRING", "format": "date-time"}),
        (
            {"type": "string", "enum": ["a", "b"], "default": "a", "description": "Which."},
            {"type": "STRING", "format": "enum", "enum": ["a", "b"], "description": 'Which. Default: "a".'},
        ),
        ({"type": "boolean", "default": False}, {"type": "BOOLEAN", "description": "Default: false."}),
        ({"type": "integer", "minimum": 1, "maximum": 9}, {"type": "INTEGER", "minimum": 1, "maximum": 9}),
        ({"type": "object", "additionalProperties": True}, {"type": "OBJECT"}),
        (
            {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 4},
            {"type": "ARRAY", "maxItems": "4", "items": {"type": "STRING", "minLength": "1"}},
        ),
        (
            {"description": "Anything."},
            {"anyOf": [{"type": "STRING", "description": "Anything."}, {"type": "NUMBER"}, {"type": "BOOLEAN"}]},
        ),
        (
            {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"id": {"type": "string"}}}]},
            {
                "anyOf": [
                    {"type": "STRING"},
                    {"type": "OBJECT", "properties": {"id": {"type": "STRING"}}, "propertyOrdering": ["id"]},
                ]
            },
        ),
    ],
)
def test_a_schema_becomes_what_the_subset_has_for_it(given: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert gemini_schema(given) == wanted


Change = Callable[[Any], None]


def function(whole: Any) -> Any:
    return whole[0]["function"]


def declared(whole: Any, name: str) -> Any:
    return next(one for one in whole[0]["functionDeclarations"] if one["name"] == name)


def properties(whole: Any) -> Any:
    return declared(whole, "list_bulk_syncs")["parameters"]["properties"]


VIOLATIONS: list[tuple[str, str, Change]] = [
    ("openai", "not a name", lambda d: function(d).update(name="get bulk sync")),
    ("openai", "not a name", lambda d: function(d).update(name="x" * 65)),
    ("openai", "not a name", lambda d: function(d).update(name="get.sync")),
    ("openai", "named twice", lambda d: d.append(copy.deepcopy(d[0]))),
    ("openai", "`type` is not function", lambda d: d[0].update(type="tool")),
    ("openai", "no description", lambda d: function(d).update(description=" ")),
    ("openai", "not of type object", lambda d: function(d).update(parameters={"type": "string"})),
    ("openai", "`anyOf` at the top", lambda d: function(d)["parameters"].update(anyOf=[])),
    ("openai", "`$ref`", lambda d: function(d)["parameters"]["properties"].update(x={"$ref": "#/$defs/x"})),
    ("openai", "`outputSchema` is not part", lambda d: function(d).update(outputSchema={})),
    (
        "openai",
        "129 functions",
        lambda d: d.extend({**d[0], "function": {**function(d), "name": f"n{n}"}} for n in range(129 - len(d))),
    ),
    ("openai", "an array without items", lambda d: function(d)["parameters"]["properties"].update(x={"type": "array"})),
    ("openai", "unknown type text", lambda d: function(d)["parameters"]["properties"].update(x={"type": "text"})),
    ("openai", "requires nothing", lambda d: function(d)["parameters"].update(required=["nothing"])),
    (
        "openai",
        "not every property is required",
        lambda d: next(one["function"] for one in d if one["function"]["name"] == "list_bulk_syncs").update(
            strict=True
        ),
    ),
    ("anthropic", "not a name", lambda d: d[0].update(name="get sync")),
    ("anthropic", "`oneOf` at the top", lambda d: d[0]["input_schema"].update(oneOf=[])),
    ("anthropic", "`allOf` at the top", lambda d: d[0]["input_schema"].update(allOf=[])),
    ("anthropic", "not of type object", lambda d: d[0].pop("input_schema")),
    ("anthropic", "`inputSchema` is not part", lambda d: d[0].update(inputSchema={})),
    (
        "anthropic",
        "argument sync id",
        lambda d: d[0]["input_schema"]["properties"].update({"sync id": {"type": "string"}}),
    ),
    ("gemini", "not a name", lambda d: declared(d, "get_identity").update(name="9lives")),
    ("gemini", "not a name", lambda d: declared(d, "get_identity").update(name="x" * 64)),
    ("gemini", "no description", lambda d: declared(d, "get_identity").pop("description")),
    (
        "gemini",
        "a function without any leaves them out",
        lambda d: declared(d, "get_identity").update(parameters={"type": "OBJECT", "properties": {}}),
    ),
    (
        "gemini",
        "`additionalProperties` is not part",
        lambda d: properties(d)["name"].update(additionalProperties=False),
    ),
    ("gemini", "`const` is not part", lambda d: properties(d)["name"].update(const="x")),
    ("gemini", "`oneOf` is not part", lambda d: properties(d)["name"].update(oneOf=[])),
    ("gemini", "beside `anyOf`", lambda d: properties(d).update(x={"anyOf": [{"type": "STRING"}], "type": "STRING"})),
    ("gemini", "format uuid is not one of STRING", lambda d: properties(d)["name"].update(format="uuid")),
    ("gemini", "type string is none of", lambda d: properties(d)["name"].update(type="string")),
    ("gemini", "an enum has texts", lambda d: properties(d)["limit"].update(enum=[1, 2])),
    ("gemini", "an enum has texts", lambda d: properties(d)["name"].update(enum=[""])),
    ("gemini", "an ARRAY without items", lambda d: properties(d).update(x={"type": "ARRAY"})),
    (
        "gemini",
        "a free-form object leaves them out",
        lambda d: properties(d).update(x={"type": "OBJECT", "properties": {}}),
    ),
    ("gemini", "not a number spelled as text", lambda d: properties(d)["name"].update(maxLength=5)),
    ("gemini", "a-b is not a name", lambda d: properties(d).update({"a-b": {"type": "STRING"}})),
    (
        "gemini",
        "`required` names gone",
        lambda d: declared(d, "list_bulk_syncs")["parameters"].update(required=["gone"]),
    ),
    ("json", "no description", lambda d: d[0].update(description="")),
    ("json", "`anyOf` at the top", lambda d: d[0]["inputSchema"].update(anyOf=[])),
]


@pytest.mark.parametrize(("form", "told", "change"), VIOLATIONS, ids=[f"{one[0]}: {one[1]}" for one in VIOLATIONS])
def test_a_broken_rule_is_found_and_named(form: str, told: str, change: Change) -> None:
    whole = document(form)
    change(whole)
    assert any(told in problem for problem in FORMS[form].problems(whole)), FORMS[form].problems(whole)


def test_an_export_that_breaks_a_rule_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    broken = Registry([replace(next(iter(EVERY)), description="")])
    with pytest.raises(ValueError, match="no description"):
        exported(broken, "openai")


@pytest.mark.parametrize("form", FORMATS)
def test_the_command_writes_the_tools_that_are_on(form: str, alone: list[str], capsys: Out, tmp_path: Path) -> None:
    assert main(["manifests", "export", "--format", form, *alone]) == 0
    found = names(form, json.loads(capsys.readouterr().out))
    assert "create_bulk_sync" in found
    assert "get_job" not in found
    path = tmp_path / "tools.json"
    more = ["--toolsets", "default,executions", "--output", str(path)]
    assert main(["manifests", "export", "--format", form, *alone, *more]) == 0
    assert capsys.readouterr().out == ""
    assert "get_job" in names(form, json.loads(path.read_text()))
    assert main(["manifests", "export", "--format", form, *alone, "--access", "read-only", "--output", "-"]) == 0
    assert "create_bulk_sync" not in names(form, json.loads(capsys.readouterr().out))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["tools.json"]


def test_descriptions_say_which_tools_they_name_are_off(alone: list[str], capsys: Out) -> None:
    words = ["--tools", "export_bulk_sync_execution_logs"]
    assert main(["manifests", "export", "--format", "anthropic", *alone, *words]) == 0
    (tool,) = json.loads(capsys.readouterr().out)
    assert "`get_job` is switched off on this server" in tool["description"]


def test_an_export_is_the_same_every_time() -> None:
    assert all(exported(EVERY, form) == exported(discover(operations), form) for form in FORMATS)


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["export"], 2, "needs --format: openai, anthropic, gemini, json"),
        (["check", "--format", "openai"], 2, "--format and --output go with"),
        (["write", "--output", "x"], 2, "--format and --output go with"),
        (["export", "--format", "openai", "--output", "no/such/place.json"], 1, "cannot write no/such/place.json"),
    ],
)
def test_mistakes_are_named(alone: list[str], capsys: Out, words: list[str], status: int, told: str) -> None:
    assert main(["manifests", *words, *alone]) == status
    assert told in capsys.readouterr().err


def test_an_unknown_form_is_refused(capsys: Out) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["manifests", "export", "--format", "cohere"])
    assert ended.value.code == 2
    assert "cohere" in capsys.readouterr().err
