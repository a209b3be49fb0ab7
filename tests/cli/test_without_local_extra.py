"""A machine without the local service's libraries: everything starts, and says what to install."""

from pathlib import Path
from typing import Any

import pytest

from support import LEGACY
from transports.kit import KEY, Place, empty_place, error_body, fake_polytomic, ran, started

pytestmark = pytest.mark.anyio
REMEDY = "Set POLYTOMIC_API_KEY for this server, or install the extra: pip install 'bulk-sync-mcp[local]'."
ID = "3f1c9a4e-0001-4000-8000-000000000001"
MORE: dict[str, dict[str, Any]] = {"activate_bulk_sync": {"active": True}, "update_bulk_sync": {"name": "x"}}
HIDE = """
import importlib.machinery
import sys

HIDDEN = {"duckdb", "_duckdb", "pyarrow", "adbc_driver_sqlite", "adbc_driver_manager", "pytz"}
found = importlib.machinery.PathFinder.find_spec


def find_spec(name, path=None, target=None):
    return None if name.partition(".")[0] in HIDDEN else found(name, path, target)


importlib.machinery.PathFinder.find_spec = find_spec
"""


@pytest.fixture
def hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place whose processes cannot import the libraries."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(HIDE)
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=":")
    return empty_place(tmp_path)


async def test_the_server_starts_lists_and_answers_every_call_with_the_remedy(hidden: Place) -> None:
    async with started(hidden) as server:
        async with server.tools(LEGACY) as tools:
            listed = (await tools.client.list_tools()).tools
            for tool in listed:
                given = dict.fromkeys(tool.input_schema.get("required", []), ID)
                answer = await tools.call(tool.name, {**given, **MORE.get(tool.name, {})})
                assert answer.code == "not_configured", f"{tool.name}: {answer.text}"
                assert "missing: duckdb, pyarrow, adbc_driver_sqlite" in answer.text
                assert f"changed: none\nnext: {REMEDY}" in answer.text
        assert await server.end() == 0
    assert len(listed) >= 16
    assert "Traceback" not in server.errors
    assert not (hidden.state / "local").exists()


async def test_commands_say_the_same(hidden: Place) -> None:
    told = await ran(hidden, "doctor", *hidden.flags)
    assert told.status == 1
    assert "local extra  missing: duckdb, pyarrow, adbc_driver_sqlite" in told.out
    assert f"remedy       {REMEDY}" in told.out
    called = await ran(hidden, "call", "list_bulk_syncs", *hidden.flags)
    assert (called.status, called.out) == (1, "")
    assert REMEDY in called.err
    served = await ran(hidden, "local", "--port", "0", *hidden.flags)
    assert served.status == 2
    assert "pip install 'bulk-sync-mcp[local]'" in served.err
    assert not hidden.workspace.exists()


async def test_polytomic_needs_none_of_it(hidden: Place) -> None:
    routes = {("GET", "/api/connections"): (200, {"data": []}), ("GET", "/api/me"): (401, error_body(401, "no"))}
    async with fake_polytomic(routes) as fake:
        called = await ran(hidden, "call", "list_connections", *hidden.flags, environment=fake.environment)
    assert called.status == 0, called
    assert fake.requests[0][2]["authorization"] == f"Bearer {KEY}"
