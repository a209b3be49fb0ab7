"""Who the configured credential is."""

import pytest

from operations.kit import HOSTILE, proved, refuses, scripted
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "get_identity"


async def test_the_local_user_is_told(all_on: Workshop, era: str) -> None:
    async with all_on.tools(era) as tools:
        data = proved(all_on, TOOL, await tools.call(TOOL, {}))
    assert data["kinds"] == ["user"]
    assert data["organization_name"] == "Local workspace data"
    assert data["method"] == "api_key"


async def test_a_restricted_key_is_told_as_such(all_on: Workshop) -> None:
    profile = {"name": HOSTILE, "kind": "query", "capabilities": None}
    me = {
        "email": None,
        "is_organization": True,
        "credential": {"method": "api_key", "mode": "read_only", "api_key_profile": profile},
    }
    made = scripted(all_on, {("GET", "/api/me"): lambda: me})
    async with made.tools() as tools:
        data = proved(made, TOOL, await tools.call(TOOL, {}))
    assert data["kinds"] == ["organization"]
    assert data["restricted"] == "read_only"
    assert "\n" not in data["profile"]
    assert len(data["profile"]) <= 80


async def test_an_empty_answer_is_told_as_nothing_known(all_on: Workshop) -> None:
    made = scripted(all_on, {("GET", "/api/me"): lambda: None})
    async with made.tools() as tools:
        assert proved(made, TOOL, await tools.call(TOOL, {})) == {"kinds": []}


async def test_it_takes_no_arguments(all_on: Workshop) -> None:
    await refuses(all_on, TOOL, {"id": "x"}, "this tool takes no arguments")
