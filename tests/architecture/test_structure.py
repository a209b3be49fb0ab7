"""The shape of the code: which way imports go, how long files are, and that names agree."""

import ast
import inspect
import subprocess
import sys
import textwrap
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from bulk_sync_mcp import operations
from bulk_sync_mcp.core.operation import discover

ROOT = Path(__file__).resolve().parents[2]
SERVER = ROOT / "server"
MODULES = sorted(SERVER.rglob("*.py"))
TOOLS = [operation.name for operation in discover(operations)]

MAY_IMPORT = {
    "core": {"core"},
    "guard": {"core", "guard"},
    "models": {"core", "models"},
    "api": {"core", "models", "api"},
    "operations": {"core", "models", "api", "operations"},
    "present": {"core", "models", "present"},
    "observe": {"core", "observe"},
    "revisions": {"core", "models", "operations", "present", "revisions"},
}


def imports(path: Path) -> set[str]:
    """Every module a file imports anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def package_of(path: Path) -> str:
    return path.relative_to(SERVER).parts[0]


@pytest.mark.parametrize("part", sorted(MAY_IMPORT))
def test_imports_go_one_way(part: str) -> None:
    for path in (SERVER / "bulk_sync_mcp" / part).rglob("*.py"):
        for name in imports(path):
            if name.startswith("bulk_sync_mcp."):
                assert name.split(".")[1] in MAY_IMPORT[part], f"{path.name} imports {name}"


def test_the_local_service_imports_nothing_of_the_mcp_server() -> None:
    for path in MODULES:
        if package_of(path) == "bulk_sync_local":
            assert not [name for name in imports(path) if name.startswith("bulk_sync_mcp")], path.name


def test_only_the_composition_and_the_demo_import_the_local_service() -> None:
    for path in MODULES:
        if package_of(path) == "bulk_sync_mcp" and path.name != "composition.py" and path.parent.name != "demo":
            assert not [name for name in imports(path) if name.startswith("bulk_sync_local")], path.name


def test_only_the_api_part_speaks_http_and_it_knows_nothing_of_mcp() -> None:
    for path in MODULES:
        if package_of(path) != "bulk_sync_mcp":
            continue
        part = path.relative_to(SERVER).parts[1]
        if part in ("core", "guard", "models", "operations", "present", "observe"):
            assert not [
                name for name in imports(path) if name.split(".")[0] in ("httpx", "aiohttp", "mcp", "mcp_types")
            ], path
        if part == "api":
            assert not [name for name in imports(path) if name.split(".")[0] in ("mcp", "mcp_types")], path


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SERVER)))
def test_no_module_is_longer_than_400_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_is_one_file_one_manifest_and_one_test(tool: str) -> None:
    assert (SERVER / "bulk_sync_mcp" / "operations" / f"{tool}.py").exists()
    assert (ROOT / "tool_manifests" / f"{tool}.json").exists()
    assert (ROOT / "tests" / "operations" / f"test_{tool}.py").exists()


def test_the_manifests_are_what_the_code_says() -> None:
    from bulk_sync_mcp.manifests import differences

    assert differences(discover(operations), ROOT / "tool_manifests") == []


def test_starting_the_server_loads_neither_the_local_service_nor_an_http_client() -> None:
    program = """
import sys
from bulk_sync_mcp.composition import compose
from bulk_sync_mcp.settings import Settings
import bulk_sync_mcp.transports
compose(Settings())
heavy = {"duckdb", "pyarrow", "adbc_driver_sqlite", "bulk_sync_local", "httpx", "aiohttp", "jsonschema"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_any_module_writes_nothing_and_prints_nothing(tmp_path: Path) -> None:
    names = [
        ".".join(path.relative_to(SERVER).with_suffix("").parts).removesuffix(".__init__")
        for path in MODULES
        if path.name != "__main__.py"
    ]
    program = f"import importlib\nfor name in {names!r}: importlib.import_module(name)"
    environment = {"HOME": str(tmp_path), "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_fields_of_tool_models_have_no_docstrings_which_would_not_reach_the_schema() -> None:
    """Reading them takes pydantic a third of the start; `Field(description=...)` costs nothing."""
    for operation in discover(operations):
        for model in _with_nested(operation.input) | _with_nested(operation.result):
            tree = ast.parse(textwrap.dedent(inspect.getsource(model)))
            body = next(node for node in tree.body if isinstance(node, ast.ClassDef)).body
            for field, text in pairwise(body):
                told = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
                assert not (isinstance(field, ast.AnnAssign) and told), f"{model.__name__}: {ast.unparse(field)}"


def _with_nested(model: type[BaseModel]) -> set[type[BaseModel]]:
    """A model with every model within it, and those it is derived from."""
    found: set[type[BaseModel]] = set()
    left = [model]
    while left:
        one = left.pop()
        if one.__module__.startswith("bulk_sync_mcp.") and one not in found:
            found.add(one)
            left += [base for base in one.__bases__ if issubclass(base, BaseModel)]
            left += [part for field in one.model_fields.values() for part in _models(field.annotation)]
    return found


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
