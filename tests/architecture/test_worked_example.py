"""The worked example of CONTRIBUTING.md, put in its place in a copy of the project and run there as it is printed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOL = "delete_connection_primary_keys"
FILES = {f"server/bulk_sync_mcp/operations/{TOOL}.py", f"tests/operations/test_{TOOL}.py"}
COPIED = (
    "server",
    "tool_manifests",
    "README.md",
    "CONTRIBUTING.md",
    "pyproject.toml",
    "tests/conftest.py",
    "tests/support.py",
    "tests/operations",
    "tests/architecture",
)
"""What the example and the checks of it need."""


def printed() -> dict[str, str]:
    """The files that CONTRIBUTING.md shows, by path."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^`([\w/]+\.py)`:\n\n```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))


def contents(directory: Path) -> dict[str, bytes]:
    """Every file below a directory, by path."""
    found = (path for path in directory.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in found}


def run(directory: Path, *words: str) -> str:
    """What a Python program prints that finds the copy before the project itself. It must end with status 0."""
    environment = {**os.environ, "PYTHONPATH": str(directory / "server"), "HOME": str(directory)}
    done = subprocess.run(
        [sys.executable, *words], cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_example_is_one_file_its_test_and_its_manifest_and_works_as_printed(tmp_path: Path) -> None:
    copy = tmp_path / "project"
    for name in COPIED:
        source, target = ROOT / name, copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, target, ignore=ignored) if source.is_dir() else shutil.copy(source, target)
    before = contents(copy)
    example = printed()
    assert set(example) == FILES
    for name, text in example.items():
        (copy / name).write_text(text, encoding="utf-8")

    run(copy, "-m", "bulk_sync_mcp", "manifests", "write", "--root", ".")
    after = contents(copy)
    added = {*FILES, f"tool_manifests/{TOOL}.json"}
    assert {name for name, content in after.items() if before.get(name) != content} == {*added, "README.md"}
    run(copy, "-m", "bulk_sync_mcp", "manifests", "check", "--root", ".")
    assert TOOL in run(copy, "-m", "bulk_sync_mcp", "tools", "--toolsets", "connections")

    own = f"tests/operations/test_{TOOL}.py"
    names = "tests/architecture/test_structure.py"
    told = run(copy, "-m", "pytest", "-q", own, names, "-k", f"{TOOL} or one_way or manifests_are")
    assert re.search(r"^1[0-9] passed", told, re.MULTILINE), told


def test_the_example_stays_an_example() -> None:
    assert not [name for name in FILES if (ROOT / name).exists()]
