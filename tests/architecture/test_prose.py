"""Every tool and every argument that is named anywhere in prose exists: a model would call it, a reader would try it.

Prose is what a model or a reader is given: instructions, titles, descriptions, the error catalogue, every text in the
code of the server, prompts and resources among them, and the pages of documentation.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bulk_sync_mcp import operations
from bulk_sync_mcp.composition import compose
from bulk_sync_mcp.core.errors import CATALOGUE
from bulk_sync_mcp.core.operation import AnyOperation, discover
from bulk_sync_mcp.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "server" / "bulk_sync_mcp"
TOOLS = {one.name: one for one in discover(operations)}
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "server" / "docs").glob("*.md")])
SILENT = ("demo",)
"""Parts whose texts are a story told to a person at a terminal."""

HOLE = "\ufffc"
"""Stands for what a text is filled with."""
_WORD = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")
_TICKED = re.compile(r"`([a-z][a-z0-9]*(?:_[a-z0-9]+)*)`")
_SHOWN = re.compile(r"^`server/bulk_sync_mcp/operations/(\w+)\.py`:\n\n```python$", re.MULTILINE)
_CALL = re.compile(r"`([a-z_]+)` (?:again )?with ([^.;`]*(?:`[^`]*`[^.;`]*)*)")
_LIKE_A_TOOL = re.compile(
    r"(?:list|get|create|update|delete|activate|cancel|start|wait_for|patch|export|refresh|test)_"
    r"(?:bulk|ingest|job|identity|current|connection)[a-z_]*"
)


def members(schema: Any) -> Iterator[str]:
    """Every name of an argument in a schema, however deep, and every value it lists."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        yield from (value for value in schema.get("enum", []) if isinstance(value, str))
        for value in schema.values():
            yield from members(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from members(item)


def arguments(tool: AnyOperation) -> set[str]:
    return set(members(tool.input_schema))


def results(tool: AnyOperation) -> set[str]:
    return set(members(tool.output_schema))


ARGUMENTS = {name for tool in TOOLS.values() for name in arguments(tool)}
RESULTS = {name for tool in TOOLS.values() for name in results(tool)}
SETTINGS = set(Settings.model_fields)


def texts(path: Path) -> list[tuple[int, str]]:
    """Every text in a module with its line, docstrings apart. What it is filled with becomes a hole."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[int] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else []:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                skipped.add(id(statement.value))
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else HOLE for part in node.values]
            found.append((node.lineno, "".join(str(part) for part in parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            found.append((node.lineno, node.value))
    return found


def spoken() -> Iterator[tuple[str, str, AnyOperation | None]]:
    """Where, what, and of which tool: every text that a model may read."""
    for tool in TOOLS.values():
        for text in (tool.title, tool.description, *descriptions(tool.input_schema), *descriptions(tool.output_schema)):
            yield tool.name, text, tool
    for settings in ({}, {"toolsets": ["all"]}, {"access": "read-only"}):
        yield f"instructions {settings}", compose(Settings(**settings)).instructions, None
    for row in CATALOGUE.values():
        yield f"error {row.code}", f"{row.meaning} {row.remedy}", None
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] not in SILENT:
            for line, text in texts(path):
                yield f"{path.relative_to(PACKAGE)}:{line}", text, TOOLS.get(path.stem)


def descriptions(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("description"), str):
            yield schema["description"]
        for value in schema.values():
            yield from descriptions(value)


SPOKEN = list(spoken())


def test_every_tool_named_in_prose_exists() -> None:
    wrong = [
        f"{where}: {name}"
        for where, text, _ in SPOKEN
        for name in _LIKE_A_TOOL.findall(text)
        if name not in TOOLS and name not in ARGUMENTS | RESULTS
    ]
    assert wrong == []


def test_every_argument_a_next_step_names_is_one_of_that_tool() -> None:
    wrong: list[str] = []
    for where, text, _ in SPOKEN:
        for name, rest in _CALL.findall(text):
            tool = TOOLS.get(name)
            if tool is not None:
                given = [word for word in _WORD.findall(rest) if word not in TOOLS]
                wrong += [f"{where}: {name} has no {word}" for word in given if word not in arguments(tool)]
    assert wrong == []


def test_every_argument_a_description_names_is_one_of_its_tool() -> None:
    """Or of its results, or a tool."""
    wrong = [
        f"{tool.name}: {word}"
        for tool in TOOLS.values()
        for text in (tool.description, *descriptions(tool.input_schema))
        for word in _WORD.findall(text)
        if word not in TOOLS and word not in arguments(tool) | RESULTS
    ]
    assert wrong == []


def test_every_name_in_backticks_that_an_operation_says_is_known() -> None:
    """An argument of the tool itself, or of any where helpers speak; a tool; a result; a setting."""
    known = set(TOOLS) | RESULTS | SETTINGS | set(CATALOGUE) | {"code", "next", "changed", "confirmation"}
    wrong = [
        f"{where}: `{name}`"
        for where, text, tool in SPOKEN
        if where.startswith("operations/")
        for name in _TICKED.findall(text)
        if name not in known and name not in (arguments(tool) if tool else ARGUMENTS)
    ]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_tool_and_argument_named_on_a_page_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    shown = set(_SHOWN.findall(text))  # tools that the page itself shows the code of
    known = set(TOOLS) | ARGUMENTS | RESULTS | shown
    assert [name for name in _LIKE_A_TOOL.findall(text) if name not in known] == []
    for name, rest in _CALL.findall(text):
        if name in TOOLS:
            assert [word for word in _WORD.findall(rest) if word not in arguments(TOOLS[name]) | set(TOOLS)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_flag_variable_and_command_named_on_a_page_exists(page: Path) -> None:
    from bulk_sync_mcp.cli import COMMANDS, parser
    from bulk_sync_mcp.settings import PREFIX, Settings

    text = page.read_text(encoding="utf-8")
    variables = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert [name for name in re.findall(rf"{PREFIX}[A-Z_]+", text) if name != PREFIX and name not in variables] == []
    named = re.findall(r"`bulk-sync-mcp ([a-z]+)\b", text)
    assert [name for name in named if name not in COMMANDS] == []
    flags = {flag for command in COMMANDS for flag in _flags(parser(), command)}
    for line in re.findall(r"bulk-sync-mcp [^`\n]*--[^`\n]*", text):
        assert [flag for flag in re.findall(r"(?<![\w-])--[a-z-]+", line) if flag not in flags] == [], line


def _flags(top: Any, command: str) -> set[str]:
    commands = next(action for action in top._actions if hasattr(action, "choices") and action.dest == "command")
    return {flag for action in commands.choices[command]._actions for flag in action.option_strings}


def test_the_check_finds_what_is_wrong(tmp_path: Path) -> None:
    """The check of the check: a tool, an argument and a name that do not exist are found in a filled text."""
    module = tmp_path / "module.py"
    module.write_text(
        '"""get_bulk_nothing"""\nx = f"Call `get_bulk_sync` with execution_id {x}, or `list_bulk_things`."\n'
    )
    ((_, text),) = texts(module)
    assert [name for name in _LIKE_A_TOOL.findall(text) if name not in TOOLS] == ["list_bulk_things"]
    ((name, rest),) = _CALL.findall(text)
    assert [word for word in _WORD.findall(rest) if word not in arguments(TOOLS[name])] == [
        "execution_id",
        "list_bulk_things",
    ]
