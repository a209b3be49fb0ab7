"""Resources: the policy in force, the audit trail, resync modes, one sync; what is not there, and who may see what."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from bulk_sync_mcp.composition import compose
from bulk_sync_mcp.guard.policy import DEFAULTS
from bulk_sync_mcp.settings import Settings
from guiding.kit import data_of, text_of
from operations.kit import ABSENT, HOSTILE, SYNC, WRONG_IDS
from support import LEGACY, MODERN, Workshop, build_workshop

pytestmark = pytest.mark.anyio
HELD = "bulk-sync://policy", "bulk-sync://audit", "bulk-sync://resync-modes"
POLICY = """
[effects]
DeletesSync = "deny"
[tools]
update_bulk_sync = "human"
[[rules]]
sync = "prod-*"
evidence = "deny"
[[protected]]
sync = "Ledger"
[budget]
destructive_per_hour = 5
"""


async def test_what_is_listed_can_be_read_and_listing_asks_nobody(workshop: Workshop, era: str) -> None:
    async with workshop.tools(era) as tools:
        listed = (await tools.client.list_resources()).resources
        templates = (await tools.client.list_resource_templates()).resource_templates
        assert workshop.api.calls == []
        assert tuple(one.uri for one in listed) == HELD
        for one in listed:
            (content,) = (await tools.client.read_resource(one.uri)).contents
            assert (content.uri, content.mime_type) == (one.uri, one.mime_type)
            assert content.text
    assert [one.uri_template for one in templates] == [
        "bulk-sync://syncs/{id}",
        "bulk-sync://syncs/{id}/revisions",
        "bulk-sync://syncs/{id}/revisions/{revision}",
    ]
    assert workshop.api.calls == []


async def test_only_what_never_changes_may_be_kept_by_a_client(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    async with workshop.tools(MODERN) as tools:
        modes = await tools.client.read_resource("bulk-sync://resync-modes")
        sync = await tools.client.read_resource(f"bulk-sync://syncs/{sync_id}")
        listed = await tools.client.list_resources()
    assert (modes.ttl_ms, sync.ttl_ms, listed.ttl_ms) == (86_400_000, 0, 86_400_000)
    assert {modes.cache_scope, sync.cache_scope, listed.cache_scope} == {"private"}


async def test_the_policy_tells_every_effect_with_its_default(workshop: Workshop, era: str) -> None:
    async with workshop.tools(era) as tools:
        text = await text_of(tools, "bulk-sync://policy")
    for effect, evidence in DEFAULTS.items():
        assert f"{effect} | {evidence.name} | {evidence.name}" in text
    assert "access: full" in text
    assert "budget: no limit" in text


async def test_the_policy_tells_what_was_tightened_protected_and_used_up(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    made = await build_workshop(tmp_path / "shop", policy=path)
    gate = made.application.gate
    gate.budget.charge("delete_bulk_sync", 5)
    async with made.tools() as tools:
        before = await text_of(tools, "bulk-sync://policy")
        gate.budget.trip("too much at once")
        after = await text_of(tools, "bulk-sync://policy")
    assert "DeletesSync | confirm | deny" in before
    for told in (
        "update_bulk_sync: at least human",
        "sync prod-*: deny",
        "- sync Ledger",
        "1 counted within the last hour",
    ):
        assert told in before
    assert "USED UP" not in before
    assert "USED UP" in after
    assert "too much at once" in after
    assert str(tmp_path) not in after
    await made.api.aclose()


async def test_the_audit_trail_shows_the_latest_lines_first(workshop: Workshop, era: str) -> None:
    sync_id = await workshop.create_sync()
    async with workshop.tools(era) as tools:
        assert "no audit log" in await text_of(tools, "bulk-sync://audit")
        await tools.update_bulk_sync(sync_id=sync_id, concurrency_limit=3)
        refused = await tools.delete_bulk_sync(sync_id=sync_id)
        assert refused.code == "confirmation_required"
        text = await text_of(tools, "bulk-sync://audit")
    rows = [line for line in text.splitlines() if " | " in line]
    assert [row.split(" | ")[2:4] for row in rows] == [
        ["event", "operation"],
        ["refusal", "delete_bulk_sync"],
        ["outcome", "update_bulk_sync"],
        ["intent", "update_bulk_sync"],
    ]
    assert refused.confirmation not in text


async def test_the_audit_trail_shows_no_more_than_fifty_lines(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    async with workshop.tools() as tools:
        for limit in range(1, 30):
            assert not (await tools.update_bulk_sync(sync_id=sync_id, concurrency_limit=limit)).error
        text = await text_of(tools, "bulk-sync://audit")
    assert len([line for line in text.splitlines() if "update_bulk_sync" in line]) == 50


async def test_the_modes_say_what_each_does_and_how_sure_that_is(workshop: Workshop) -> None:
    async with workshop.tools() as tools:
        text = await text_of(tools, "bulk-sync://resync-modes")
    rows = {line.split(" | ")[0].strip("| "): line for line in text.splitlines() if line.startswith("| ")}
    assert "EMPTIED" in rows["resync"]
    assert "DROPPED" in rows["rebuild"]
    assert "strong" in rows["rebuild"]
    for mode in ("refetch", "resync"):
        assert "inferred" in rows[mode]


async def test_a_sync_is_shown_with_its_tables(workshop: Workshop, era: str) -> None:
    sync_id = await workshop.create_sync(schemas=["customers", "events"])
    async with workshop.tools(era) as tools:
        data = await data_of(tools, f"bulk-sync://syncs/{sync_id}")
        whole = await tools.get_bulk_sync(sync_id=sync_id)
    tables = {one["id"]: one["enabled"] for one in data.pop("tables")}
    assert tables == {"customers": True, "events": True, "secrets": False}
    assert data == whole.data


async def test_text_of_the_backend_is_cleaned_in_every_resource(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync(name=HOSTILE)
    async with workshop.tools() as tools:
        await tools.update_bulk_sync(sync_id=sync_id, concurrency_limit=3)
        for uri in ("", "/revisions", "/revisions/1"):
            text = await text_of(tools, f"bulk-sync://syncs/{sync_id}{uri}")
            assert not set("\u202e\u0007\u200b") & set(text), uri
            assert "\\u202e" not in text
            assert "A" * 100 not in text


@pytest.mark.parametrize(("era", "code"), [(LEGACY, -32002), (MODERN, -32602)])
async def test_what_is_not_there_is_told_in_the_code_of_its_revision(workshop: Workshop, era: str, code: int) -> None:
    wrong = [
        "bulk-sync://nothing",
        "bulk-sync://policy/",
        "file:///etc/passwd",
        f"bulk-sync://syncs/{ABSENT}",
        f"bulk-sync://syncs/{ABSENT}/revisions",
        f"bulk-sync://syncs/{ABSENT}/revisions/1",
        f"bulk-sync://syncs/{ABSENT}/revisions/0",
        f"bulk-sync://syncs/{ABSENT}/cancel",
        *(f"bulk-sync://syncs/{one}" for one in WRONG_IDS if isinstance(one, str)),
    ]
    async with workshop.tools(era) as tools:
        for uri in wrong:
            with pytest.raises(MCPError) as refused:
                await tools.client.read_resource(uri)
            assert refused.value.error.code == code, uri
            assert refused.value.error.data == {"uri": uri}
    assert {template for _, template, _ in workshop.api.calls} <= {SYNC}


async def test_a_sync_is_not_shown_where_the_tool_that_shows_it_is_off(tmp_path: Path) -> None:
    made = await build_workshop(tmp_path, exclude_tools=("get_bulk_sync",))
    sync_id = await made.create_sync()
    async with made.tools() as tools:
        assert (await tools.client.list_resource_templates()).resource_templates == []
        with pytest.raises(MCPError):
            await tools.client.read_resource(f"bulk-sync://syncs/{sync_id}")
    assert made.api.calls == []
    await made.api.aclose()


async def test_a_backend_that_fails_is_told_in_words(workshop: Workshop, era: str) -> None:
    sync_id = await workshop.create_sync()

    async def fail() -> None:
        from bulk_sync_mcp.core.errors import ApiFailure

        raise ApiFailure("backend_unreachable", "No answer from the backend.")

    workshop.api.before[("GET", SYNC)] = fail
    async with workshop.tools(era) as tools:
        with pytest.raises(MCPError) as refused:
            await tools.client.read_resource(f"bulk-sync://syncs/{sync_id}")
    assert refused.value.error.code == -32603
    assert refused.value.error.message.startswith("backend_unreachable: No answer from the backend.")
    assert "next: " in refused.value.error.message


async def test_unreadable_files_of_the_guard_are_told_without_their_place(workshop: Workshop, tmp_path: Path) -> None:
    sync_id = await workshop.create_sync()
    blocked = workshop.application.settings.guard_dir / "revisions.sqlite"
    blocked.mkdir(parents=True)
    async with workshop.tools() as tools:
        with pytest.raises(MCPError) as refused:
            await tools.client.read_resource(f"bulk-sync://syncs/{sync_id}/revisions")
    assert refused.value.error.code == -32603


async def test_starting_and_listing_touches_no_file(tmp_path: Path, era: str) -> None:
    application = compose(Settings(workspace=tmp_path / "work", state_dir=tmp_path / "state"))
    workshop = Workshop(application, _Nothing(), tmp_path, _Nothing())  # type: ignore[arg-type]
    async with workshop.tools(era) as tools:
        await tools.client.list_tools()
        await tools.client.list_prompts()
        await tools.client.list_resources()
        await tools.client.list_resource_templates()
        await tools.client.read_resource("bulk-sync://policy")
        await tools.client.read_resource("bulk-sync://audit")
        await tools.client.read_resource("bulk-sync://resync-modes")
        await tools.client.get_prompt("set_up_sync", {})
    assert list(tmp_path.iterdir()) == []
    await replace(application).aclose()


class _Nothing:
    """Stands where a workshop has a backend; nothing may be asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)
