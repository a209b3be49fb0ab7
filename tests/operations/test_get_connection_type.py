"""get_connection_type: what settings a type takes."""

from dataclasses import dataclass
from typing import Any

import pytest

from operations.connections_kit import with_vault
from operations.kit import ScriptedApi, proved, refuses, scripted
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "get_connection_type"
TYPE = "/api/connection_types/{id}"


async def test_it_tells_which_settings_are_required_and_which_are_secret(
    all_on: Workshop, era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_vault(monkeypatch)
    async with all_on.tools(era) as tools:
        data = proved(all_on, TOOL, await tools.get_connection_type(type="vault"))
    assert data["settings"] == [
        {"name": "host", "type": "string", "required": True, "about": "Where it listens."},
        {"name": "user", "type": "string"},
        {"name": "password", "type": "string", "required": True, "secret": True},
        {"name": "token", "type": "string", "secret": True},
        {"name": "mode", "type": "string", "values": '["fast","safe"]'},
        {"name": "tls", "type": "object"},
        {"name": "tls.verify", "type": "boolean"},
    ]


@dataclass(frozen=True)
class Bare:
    """An answer without an envelope."""

    body: Any
    data: Any = None
    next_page_token: str | None = None


async def test_settings_that_depend_on_each_other_come_with_the_whole_schema(all_on: Workshop) -> None:
    schema = {
        "properties": {"auth": {"type": ["string", "null"], "title": "How"}},
        "oneOf": [{"properties": {"key": {"type": "string", "format": "password"}}, "required": ["key"]}],
    }
    workshop = scripted(all_on, {})
    assert isinstance(workshop.api, ScriptedApi)

    async def get(template: str, **arguments: Any) -> Any:
        return Bare(schema if template == TYPE else {})

    workshop.api.get = get  # type: ignore[method-assign]
    async with workshop.tools() as tools:
        data = (await tools.get_connection_type(type="newer")).data
    assert data["settings"] == [{"name": "auth", "type": '["string","null"]', "about": "How"}]
    assert data["json_schema"] == schema


async def test_unknown_types_are_not_found_and_paths_are_refused(all_on: Workshop) -> None:
    async with all_on.tools() as tools:
        answer = await tools.get_connection_type(type="oracle")
    assert answer.code == "not_found"
    for wrong in ("", "..", "../connections", "%2e%2e", "a/b", 5, None):
        await refuses(all_on, TOOL, {"type": wrong}, "`type`")
