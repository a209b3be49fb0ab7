"""Earlier revisions: every write of a configuration keeps what it replaces, and it can be put back, guarded."""

import stat
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from bulk_sync_mcp.composition import compose
from bulk_sync_mcp.core.pipeline import Recorded
from bulk_sync_mcp.core.plan import PreImage
from bulk_sync_mcp.revisions.store import PER_SYNC, RevisionStore
from bulk_sync_mcp.settings import Settings
from guiding.kit import data_of, operation_of, revision_of, revisions_of
from operations.every_tool import with_every_tool
from operations.kit import SCHEMA, SCHEMAS, SYNC, confirmed, read, tables_of
from support import Clock, Person, Tools, Workshop, build_workshop

pytestmark = pytest.mark.anyio
RUNS = {
    "create_bulk_sync",
    "start_bulk_sync_execution",
    "cancel_bulk_sync",
    "cancel_bulk_sync_execution",
    "cancel_bulk_sync_schema",
    "export_bulk_sync_execution_logs",
}
"""Tools that write and change the configuration of no sync there is."""
WEEKLY = {"frequency": "weekly", "day_of_week": "sunday", "hour": "3", "minute": "30"}


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncGenerator[Workshop]:
    """A workshop with every tool on."""
    made = with_every_tool(await build_workshop(tmp_path))
    yield made
    await made.api.aclose()


async def put_back(tools: Tools, calls: list[dict[str, Any]]) -> None:
    """Makes the calls that a revision names, confirming where that is asked for."""
    assert calls
    for one in calls:
        done = await tools.call(one["tool"], one["arguments"])
        if done.code == "confirmation_required":
            done = await tools.call(one["tool"], {**one["arguments"], "confirmation": done.confirmation})
        assert not done.error, done.text
        assert "not_taken" not in done.data


def bare(sync: dict[str, Any]) -> dict[str, Any]:
    """A sync without what changes by itself."""
    stamps = {"updated_at", "updated_by", "created_at", "created_by"}
    kept = {key: value for key, value in sync.items() if key not in stamps}
    for key in ("default_schedule", "additional_schedules"):
        one = kept.get(key)
        several = one if isinstance(one, list) else [one] if one else []
        kept[key] = [{name: value for name, value in each.items() if name not in stamps | {"id"}} for each in several]
    return kept


async def whole(workshop: Workshop, sync_id: str) -> dict[str, Any]:
    """The sync and its enabled tables as the API has them."""
    tables = {
        name: (await workshop.api.inner.get(SCHEMA, id=sync_id, schema_id=name)).data
        for name in await tables_of(workshop, sync_id)
    }
    for one in tables.values():
        for stamp in ("updated_at", "updated_by", "created_at", "created_by"):
            one.pop(stamp, None)
    return {**bare(await read(workshop, sync_id)), "tables": tables}


async def test_settings_are_put_back_through_the_guarded_update(shop: Workshop, era: str) -> None:
    sync_id = await shop.create_sync(
        default_schedule=WEEKLY, destination_configuration={"schema": "sales"}, concurrency_limit=4
    )
    before = await whole(shop, sync_id)
    async with shop.tools(era) as tools:
        _, changed = await confirmed(
            tools,
            "update_bulk_sync",
            sync_id=sync_id,
            name="Renamed",
            mode="snapshot",
            destination_configuration={"schema": "elsewhere", "advanced": {"hard_deletes": True}},
            default_schedule={"frequency": "hourly", "minute": "5"},
            concurrency_limit=9,
        )
        assert not changed.error, changed.text
        (listed,) = await revisions_of(tools, sync_id)
        assert (listed["revision"], listed["replaced_by"]) == (1, "update_bulk_sync")
        revision = await revision_of(tools, sync_id, 1)
        assert revision["configuration"]["name"] == "Shop"
        assert revision["configuration"]["destination_configuration"] == {"schema": "sales"}
        (call,) = revision["restore"]
        assert call == {
            "tool": "update_bulk_sync",
            "arguments": {
                "sync_id": sync_id,
                "name": "Shop",
                "mode": "replicate",
                "concurrency_limit": 4,
                "default_schedule": WEEKLY,
                "destination_configuration": {"schema": "sales", "advanced": None},
            },
        }
        assert "not_restored" not in revision
        asked = await tools.update_bulk_sync(**call["arguments"])
        assert asked.code == "confirmation_required"
        assert bare(await read(shop, sync_id))["name"] == "Renamed"
        done = await tools.update_bulk_sync(**call["arguments"], confirmation=asked.confirmation)
        assert not done.error, done.text
    assert await whole(shop, sync_id) == before
    async with shop.tools(era) as tools:
        assert [one["revision"] for one in await revisions_of(tools, sync_id)] == [2, 1]
        assert (await revision_of(tools, sync_id, 1))["restore"] == []
        assert (await revision_of(tools, sync_id, 2))["restore"][0]["arguments"]["name"] == "Renamed"


async def test_only_what_differs_from_now_is_put_back(shop: Workshop) -> None:
    sync_id = await shop.create_sync(concurrency_limit=4)
    async with shop.tools() as tools:
        await tools.update_bulk_sync(sync_id=sync_id, concurrency_limit=5, name="Mine")
        await tools.update_bulk_sync(sync_id=sync_id, concurrency_limit=4)
        (call,) = (await revision_of(tools, sync_id, 1))["restore"]
    assert call["arguments"] == {"sync_id": sync_id, "name": "Shop"}


async def test_the_selection_of_tables_columns_and_filters_comes_back(shop: Workshop, era: str) -> None:
    fields = [
        {"id": "id", "enabled": True},
        {"id": "name", "enabled": True, "obfuscate": True},
        {"id": "city", "enabled": False},
    ]
    customers = {"id": "customers", "enabled": True, "user_output_name": "people", "fields": fields}
    sync_id = await shop.create_sync(schemas=[customers, "events"])
    before = await whole(shop, sync_id)
    shown = {"id": "customers", "user_output_name": None}
    shown["fields"] = [{"id": "name", "obfuscate": False}, {"id": "city", "enabled": True}]
    async with shop.tools(era) as tools:
        _, done = await confirmed(tools, "update_bulk_sync", sync_id=sync_id, schemas=[shown, "secrets"])
        assert not done.error, done.text
        assert await tables_of(shop, sync_id) == ["customers", "secrets"]
        revision = await revision_of(tools, sync_id, 1)
        assert revision["enabled_tables"] == ["customers", "events"]
        assert next(one for one in revision["tables"] if one["id"] == "customers")["columns"] == "2 of 3, 1 obfuscated"
        await put_back(tools, revision["restore"])
    assert await whole(shop, sync_id) == before


async def test_one_table_comes_back_whichever_tool_changed_it(shop: Workshop) -> None:
    sync_id = await shop.create_sync(schemas=["customers", "events"])
    before = await whole(shop, sync_id)
    async with shop.tools() as tools:
        cutoff = {"data_cutoff_timestamp": "2026-01-01T00:00:00Z"}
        first = {"sync_id": sync_id, "schema_id": "customers", "user_output_name": "people", **cutoff}
        done = await tools.update_bulk_sync_schema(**first)
        if done.code == "confirmation_required":
            done = await tools.update_bulk_sync_schema(**first, confirmation=done.confirmation)
        assert not done.error, done.text
        _, patched = await confirmed(
            tools, "patch_bulk_sync_schemas", sync_id=sync_id, schemas=[{"id": "events", "enabled": False}]
        )
        assert not patched.error, patched.text
        assert await tables_of(shop, sync_id) == ["customers"]
        await put_back(tools, (await revision_of(tools, sync_id, 2))["restore"])
        calls = (await revision_of(tools, sync_id, 1))["restore"]
        assert [one["tool"] for one in calls] == ["update_bulk_sync", "update_bulk_sync_schema"]
        await put_back(tools, calls)
    assert await whole(shop, sync_id) == before


async def test_a_deleted_schedule_comes_back_as_it_was(shop: Workshop) -> None:
    sync_id = await shop.create_sync(schemas=["customers", "events"])
    further = {**WEEKLY, "resync_mode": "rebuild", "schemas": ["customers"]}
    async with shop.tools() as tools:
        await confirmed(tools, "create_bulk_sync_schedule", sync_id=sync_id, **further)
        before = await whole(shop, sync_id)
        schedule_id = (await tools.get_bulk_sync(sync_id=sync_id)).data["schedule_ids"][1]
        _, gone = await confirmed(tools, "delete_bulk_sync_schedule", sync_id=sync_id, schedule_id=schedule_id)
        assert not gone.error
        (call,) = (await revision_of(tools, sync_id, 2))["restore"]
        assert call["arguments"]["additional_schedules"] == [{**further, "selective_mode": "none"}]
        asked = await tools.update_bulk_sync(**call["arguments"])
        assert asked.code == "confirmation_required"
        await put_back(tools, [call])
    assert await whole(shop, sync_id) == before


async def test_a_schedule_that_was_made_destructive_becomes_harmless_again(shop: Workshop) -> None:
    sync_id = await shop.create_sync()
    async with shop.tools() as tools:
        await tools.create_bulk_sync_schedule(sync_id=sync_id, **WEEKLY)
        schedule_id = (await tools.get_bulk_sync(sync_id=sync_id)).data["schedule_ids"][1]
        before = await whole(shop, sync_id)
        where = {"sync_id": sync_id, "schedule_id": schedule_id}
        _, armed = await confirmed(
            tools, "update_bulk_sync_schedule", **where, resync_mode="rebuild", schemas=["customers"]
        )
        assert not armed.error, armed.text
        await put_back(tools, (await revision_of(tools, sync_id, 2))["restore"])
        now = await tools.get_bulk_sync(sync_id=sync_id)
    assert "rebuild" not in now.text
    assert now.data["schedules"][1] == "weekly, sunday, 03:30 UTC"
    assert now.data["schedule_ids"][1] == schedule_id
    assert (await whole(shop, sync_id))["tables"] == before["tables"]


async def test_alerts_and_activation_come_back(shop: Workshop) -> None:
    sync_id = await shop.create_sync(default_schedule=WEEKLY)
    async with shop.tools() as tools:
        await tools.activate_bulk_sync(sync_id=sync_id, active=True)
        await tools.update_bulk_sync_error_handling(
            sync_id=sync_id, subscribers=["ada@example.com"], ingestion_failure_threshold=60
        )
        where = {"sync_id": sync_id, "subscribers": [], "ingestion_failure_threshold": 0}
        await confirmed(tools, "update_bulk_sync_error_handling", **where)
        await put_back(tools, (await revision_of(tools, sync_id, 3))["restore"])
        told = await tools.get_bulk_sync_error_handling(sync_id=sync_id)
        assert told.data == {"subscribers": ["ada@example.com"], "ingestion_failure_threshold": 60}
        (call,) = (await revision_of(tools, sync_id, 1))["restore"]
        assert call["arguments"] == {"sync_id": sync_id, "active": False}
        await put_back(tools, [call])
    assert (await read(shop, sync_id))["active"] is False


async def test_a_deleted_sync_can_be_created_anew_inactive_with_its_hidden_columns(shop: Workshop, era: str) -> None:
    fields = [
        {"id": "id", "enabled": True},
        {"id": "name", "enabled": True, "obfuscate": True},
        {"id": "city", "enabled": False},
    ]
    sync_id = await shop.create_sync(
        schemas=[{"id": "customers", "enabled": True, "fields": fields}], default_schedule=WEEKLY, active=True
    )
    before = await whole(shop, sync_id)
    async with shop.tools(era) as tools:
        _, gone = await confirmed(tools, "delete_bulk_sync", sync_id=sync_id)
        assert not gone.error
        listed = await data_of(tools, f"bulk-sync://syncs/{sync_id}/revisions")
        assert (listed["now"], len(listed["revisions"])) == ("gone", 1)
        (call,) = (await revision_of(tools, sync_id, 1))["restore"]
        assert call["tool"] == "create_bulk_sync"
        made = await tools.create_bulk_sync(**call["arguments"])
        assert not made.error, made.text
    after = await whole(shop, made.data["id"])
    assert after["tables"] == before["tables"]
    assert after.pop("id") != before.pop("id")
    assert after == {**before, "active": False}


async def test_a_sync_deleted_with_its_connection_leaves_a_revision_too(shop: Workshop) -> None:
    sync_id = await shop.create_sync()
    async with shop.tools() as tools:
        _, gone = await confirmed(tools, "delete_connection", connection_id=shop.destination_id, force=True)
        assert not gone.error, gone.text
        revision = await revision_of(tools, sync_id, 1)
    assert revision["replaced_by"] == "delete_connection"
    assert revision["configuration"]["name"] == "Shop"
    assert revision["restore"] == []
    assert any(one.startswith("schemas:") for one in revision["not_restored"])


async def test_a_sync_whose_tables_cannot_be_read_can_be_deleted_all_the_same(shop: Workshop) -> None:
    sync_id = await shop.create_sync()

    async def fail() -> None:
        from bulk_sync_mcp.core.errors import ApiFailure

        raise ApiFailure("backend_error", "The source is gone.")

    shop.api.before[("GET", SCHEMAS)] = fail
    async with shop.tools() as tools:
        _, gone = await confirmed(tools, "delete_bulk_sync", sync_id=sync_id)
        assert not gone.error, gone.text
        assert (await revision_of(tools, sync_id, 1))["restore"] == []


def test_every_tool_that_changes_a_configuration_is_known_here(tmp_path: Path) -> None:
    """What the next test walks is every tool that writes to a sync, runs apart."""
    every = compose(Settings(workspace=tmp_path, state_dir=tmp_path, toolsets=("all",))).registry
    writing = {one.name for one in every if not one.read_only and one.path.startswith("/api/bulk/syncs")}
    assert writing - RUNS == {name for name, _ in WRITES} - {"delete_connection"}


WRITES: list[tuple[str, dict[str, Any]]] = [
    ("update_bulk_sync", {"name": "Other"}),
    ("activate_bulk_sync", {"active": True}),
    ("update_bulk_sync_schema", {"schema_id": "customers", "user_output_name": "people"}),
    ("patch_bulk_sync_schemas", {"schemas": [{"id": "customers", "enabled": False}]}),
    ("create_bulk_sync_schedule", WEEKLY),
    ("update_bulk_sync_schedule", {"frequency": "daily", "hour": "4", "minute": "0"}),
    ("delete_bulk_sync_schedule", {}),
    ("update_bulk_sync_error_handling", {"subscribers": ["ada@example.com"]}),
    ("delete_bulk_sync", {}),
]


@pytest.mark.parametrize(("tool", "arguments"), WRITES, ids=lambda one: one if isinstance(one, str) else "")
async def test_every_write_keeps_what_it_replaces_before_it_is_sent(
    shop: Workshop, tool: str, arguments: dict[str, Any]
) -> None:
    sync_id = await shop.create_sync(schemas=["customers"], additional_schedules=[{**WEEKLY, "resync_mode": "normal"}])
    raw = await read(shop, sync_id)
    given = {"sync_id": sync_id, **arguments}
    if tool in ("update_bulk_sync_schedule", "delete_bulk_sync_schedule"):
        given["schedule_id"] = raw["additional_schedules"][0]["id"]
    store, kept = shop.application.revisions, []

    async def look() -> None:
        kept.extend(store.of(sync_id))

    declared = operation_of(shop, tool)
    paths = {
        declared.path,
        declared.path.replace("{sync_id}", "{id}"),
        SYNC,
        declared.path.replace("{id}", "{sync_id}"),
    }
    for path in paths:
        shop.api.before[(declared.method, path)] = look
        shop.api.before[("PUT", SYNC)] = look
    person = Person("accept")
    async with shop.tools(person=person) as tools:
        done = await tools.call(tool, given)
        assert not done.error, done.text
    (revision,) = kept
    assert (revision.number, revision.operation) == (1, tool)
    assert bare(dict(revision.image.sync)) == bare(raw)
    calls = {line["call"] for line in shop.audit() if line["operation"] == tool}
    assert calls == {revision.call}


async def test_what_is_refused_or_declined_keeps_nothing(shop: Workshop) -> None:
    sync_id = await shop.create_sync()
    async with shop.tools(person=Person("decline")) as tools:
        assert (await tools.delete_bulk_sync(sync_id=sync_id)).code == "confirmation_declined"
    assert shop.application.revisions.of(sync_id) == []
    assert not (shop.application.settings.guard_dir / "revisions.sqlite").exists()


async def test_nothing_is_sent_when_the_configuration_cannot_be_kept(shop: Workshop) -> None:
    sync_id = await shop.create_sync()
    (shop.application.settings.guard_dir / "revisions.sqlite").mkdir(parents=True)
    async with shop.tools() as tools:
        preview, refused = await confirmed(tools, "delete_bulk_sync", sync_id=sync_id)
        assert refused.code == "revision_unavailable"
        assert "changed: none" in refused.text
        assert "A confirmation given for it is spent." in refused.text
        again = await tools.delete_bulk_sync(sync_id=sync_id, confirmation=preview.confirmation)
        assert again.code == "confirmation_used"
    assert shop.api.mutations == []
    assert [(line["event"], line.get("outcome")) for line in shop.audit() if line["event"] != "refusal"] == [
        ("intent", None),
        ("outcome", "revision_unavailable"),
    ]
    assert (await read(shop, sync_id))["name"] == "Shop"


async def test_the_file_is_for_its_owner_alone(shop: Workshop) -> None:
    sync_id = await shop.create_sync()
    async with shop.tools() as tools:
        await tools.update_bulk_sync(sync_id=sync_id, concurrency_limit=3)
    path = shop.application.settings.guard_dir / "revisions.sqlite"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_what_the_tools_cannot_say_is_told_and_not_left_out_in_silence(shop: Workshop) -> None:
    sync_id = await shop.create_sync(concurrency_limit=3)
    newer = {"mode": "merge_v2", "retention": {"days": 3}, "name": "Tab\tname", "concurrency_limit": None}
    shop.application.revisions.keep(call(), [PreImage(sync_id, {**await read(shop, sync_id), **newer})])
    async with shop.tools() as tools:
        revision = await revision_of(tools, sync_id, 1)
    told = dict(one.split(": ", 1) for one in revision["not_restored"])
    assert sorted(told) == ["concurrency_limit", "mode", "name", "retention"]
    assert told["concurrency_limit"] == "it was not set, and the tool cannot clear it"
    assert revision["restore"] == []


async def test_next_steps_say_so_where_the_tool_that_puts_back_is_off(tmp_path: Path) -> None:
    made = await build_workshop(tmp_path)
    sync_id = await made.create_sync(concurrency_limit=2)
    async with made.tools() as tools:
        await tools.update_bulk_sync(sync_id=sync_id, concurrency_limit=3)
    reading = compose(made.application.settings.model_copy(update={"access": "read-only"}))
    await made.application.aclose()
    async with Workshop(reading, made.api, made.workspace, made.clock).tools() as tools:
        note = (await revision_of(tools, sync_id, 1))["note"]
    assert "`update_bulk_sync` is switched off on this server: access is read-only." in note
    await reading.aclose()


def image(sync_id: str, **sync: Any) -> PreImage:
    return PreImage(sync_id, sync)


def call(name: str = "update_bulk_sync", call_id: str = "c1") -> Recorded:
    return Recorded(call_id, name, "test", {})


def test_the_latest_revisions_of_each_sync_are_kept_and_numbers_never_come_again(tmp_path: Path) -> None:
    clock = Clock()
    store = RevisionStore(tmp_path / "guard" / "revisions.sqlite", "https://one", "me", clock)
    store.keep(call(), [image("b", name="other")])
    for number in range(PER_SYNC + 5):
        store.keep(call(), [image("a", name=str(number))])
    numbers = [one.number for one in store.of("a")]
    assert numbers == list(range(PER_SYNC + 5, 5, -1))
    assert len(store.of("b")) == 1


def test_a_repeated_write_pushes_nothing_out(tmp_path: Path) -> None:
    store = RevisionStore(tmp_path / "guard" / "revisions.sqlite", "https://one", "me", Clock())
    for attempt in ("c1", "c2", "c3"):
        store.keep(call(call_id=attempt), [image("a", name="x")])
    (one,) = store.of("a")
    assert (one.number, one.call) == (1, "c3")
    store.keep(call(), [image("a", name="y")])
    store.keep(call(), [image("a", name="x")])
    assert [one.number for one in store.of("a")] == [3, 2, 1]


def test_another_backend_has_other_revisions(tmp_path: Path) -> None:
    path = tmp_path / "guard" / "revisions.sqlite"
    RevisionStore(path, "https://one", "me", Clock()).keep(call(), [image("a", name="x")])
    assert RevisionStore(path, "https://two", "me", Clock()).of("a") == []
    assert len(RevisionStore(path, "https://one", "somebody else", Clock()).of("a")) == 1


def test_keeping_nothing_makes_no_file(tmp_path: Path) -> None:
    store = RevisionStore(tmp_path / "guard" / "revisions.sqlite", "https://one", "me", Clock())
    store.keep(call(), [])
    assert store.of("a") == []
    assert list(tmp_path.iterdir()) == []


async def test_revisions_of_a_deleted_sync_are_for_the_credential_that_kept_them(shop: Workshop) -> None:
    sync_id = await shop.create_sync()
    async with shop.tools() as tools:
        await confirmed(tools, "delete_bulk_sync", sync_id=sync_id)
        assert len(await revisions_of(tools, sync_id)) == 1
        shop.application.revisions.credential = "another"
        with pytest.raises(MCPError):
            await revisions_of(tools, sync_id)
        with pytest.raises(MCPError):
            await revision_of(tools, sync_id, 1)
