"""The organization the configured credential stands for."""

import pytest

from operations.kit import HOSTILE, proved, refuses, scripted
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "get_current_organization"


async def test_the_local_organization_is_told(all_on: Workshop, era: str) -> None:
    async with all_on.tools(era) as tools:
        data = proved(all_on, TOOL, await tools.call(TOOL, {}))
        me = await tools.get_identity()
    assert data == {"id": me.data["organization_id"], "name": "Local workspace data"}


async def test_names_are_cleaned(all_on: Workshop) -> None:
    found = {"id": "o", "name": HOSTILE, "issuer": None, "sso_domain": "acme.example", "sso_org_id": None}
    made = scripted(all_on, {("GET", "/api/organization"): lambda: found})
    async with made.tools() as tools:
        data = proved(made, TOOL, await tools.call(TOOL, {}))
    assert data["sso_domain"] == "acme.example"
    assert "\n" not in data["name"]


async def test_it_takes_no_arguments(all_on: Workshop) -> None:
    await refuses(all_on, TOOL, {"id": "x"}, "this tool takes no arguments")
