"""patch_bulk_sync_schemas: what is named changes, and nothing is switched on by being left out."""

from typing import Any

import pytest

from operations.kit import SCHEMA, SCHEMAS, asked_of, confirmed, finished, proved, refuses, refuses_wrong_ids
from operations.tables_kit import NARROWED, columns_of, narrowed, table_of
from support import Person, Workshop

pytestmark = pytest.mark.anyio
TOOL = "patch_bulk_sync_schemas"


async def test_a_patch_without_columns_leaves_every_column_as_it_was(all_on: Workshop) -> None:
    """The bare API would switch all of them on (api/README.md 4)."""
    sync_id = await narrowed(all_on, "events")
    change = [{"id": "customers", "data_cutoff_timestamp": "2026-01-01T00:00:00Z"}]
    async with all_on.tools() as tools:
        data = proved(all_on, TOOL, await tools.patch_bulk_sync_schemas(sync_id=sync_id, schemas=change))
    table = await table_of(all_on, sync_id)
    assert columns_of(table) == NARROWED
    assert table["filters"] == [{"field_id": "id", "function": "GreaterThan", "value": 1}]
    assert table["data_cutoff_timestamp"].startswith("2026-01-01")
    assert data["effects"] == ["Changes customers data cutoff: “(not set)” → “2026-01-01T00:00:00Z”."]
    assert "not_taken" not in data
    assert [row["id"] for row in data["schemas"]] == ["customers"]


async def test_tables_stop_and_change_after_an_accepted_form(all_on: Workshop, era: str) -> None:
    sync_id = await narrowed(all_on, "events")
    person = Person("accept")
    change = [{"id": "customers", "fields": [{"id": "city", "enabled": True}]}, {"id": "events", "enabled": False}]
    async with all_on.tools(era, person) as tools:
        data = proved(all_on, TOOL, await tools.patch_bulk_sync_schemas(sync_id=sync_id, schemas=change))
    assert "WIDENS what is copied: “column customers.city”" in person.asked[0]
    assert "STOPS syncing 1 table: “events”" in person.asked[0]
    assert columns_of(await table_of(all_on, sync_id)) == {**NARROWED, "city": (True, False)}
    assert (await table_of(all_on, sync_id, "events"))["enabled"] is False
    assert len(data["schemas"]) == 2


async def test_what_is_widened_arrives_only_once_it_was_confirmed(all_on: Workshop) -> None:
    sync_id = await narrowed(all_on)
    await all_on.run_once(sync_id)
    assert all_on.rows("SELECT * EXCLUDE (_polytomic_created_at, _polytomic_updated_at) FROM customers LIMIT 0") == []
    all_on.api.calls.clear()
    change = [{"id": "customers", "filters": [], "fields": [{"id": "name", "obfuscate": False}]}]
    async with all_on.tools() as tools:
        preview, answer = await confirmed(tools, TOOL, sync_id=sync_id, schemas=change)
        assert [row[0] for row in all_on.rows("SELECT id FROM customers ORDER BY id")] == [2, 3]
        started = await tools.start_bulk_sync_execution(sync_id=sync_id, resync_mode="refetch")
        confirmation = started.confirmation
        await tools.start_bulk_sync_execution(sync_id=sync_id, resync_mode="refetch", confirmation=confirmation)
        await finished(tools, sync_id)
    proved(all_on, TOOL, answer)
    assert "REMOVES OBFUSCATION: copied in the clear from now on: “customers.name”" in preview.text
    assert "row filters of customers" in preview.text
    assert all_on.rows("SELECT id, name FROM customers ORDER BY id") == [(1, "Ada"), (2, "Grace"), (3, "Đorđe")]


async def test_declined_and_unconfirmed_changes_send_nothing(all_on: Workshop) -> None:
    sync_id = await narrowed(all_on)
    change = [{"id": "customers", "user_output_name": "clients"}]
    assert "REDIRECTS output" in await asked_of(all_on, TOOL, sync_id=sync_id, schemas=change)
    async with all_on.tools() as tools:
        preview = await tools.patch_bulk_sync_schemas(sync_id=sync_id, schemas=change)
    assert preview.code == "confirmation_required"
    assert all_on.api.mutations == []
    assert (await table_of(all_on, sync_id))["user_output_name"] in (None, "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tracking_field": "id"}, "Reads everything again"),
        ({"partition_key": "city"}, "CHANGES HOW ROWS ARE WRITTEN: customers partition_key"),
        ({"history_enabled": True}, "CHANGES HOW ROWS ARE WRITTEN: customers history_enabled"),
        ({"fields": [{"id": "id", "obfuscate": True}]}, "CHANGES HOW ROWS ARE WRITTEN: column customers.id"),
        ({"fields": [{"id": "id", "user_output_name": "key"}]}, "REDIRECTS output: customers.id user_output_name"),
        ({"filters": [{"field_id": "id", "function": "LessThan", "value": 9}]}, "WIDENS what is copied: “row filters"),
    ],
)
async def test_each_door_asks(all_on: Workshop, change: dict[str, Any], said: str) -> None:
    sync_id = await narrowed(all_on)
    assert said in await asked_of(all_on, TOOL, sync_id=sync_id, schemas=[{"id": "customers", **change}])
    assert all_on.api.mutations == []


@pytest.mark.parametrize(
    ("sync_wide", "before", "after", "asks"),
    [
        (None, {"data_cutoff_timestamp": "2025-01-01T00:00:00Z"}, {"data_cutoff_timestamp": None}, True),
        (
            None,
            {"data_cutoff_timestamp": "2025-01-01T00:00:00Z"},
            {"data_cutoff_timestamp": "2024-01-01T00:00:00Z"},
            True,
        ),
        (None, {"data_cutoff_timestamp": "2025-01-01T00:00:00Z"}, {"disable_data_cutoff": True}, True),
        (
            None,
            {"data_cutoff_timestamp": "2025-01-01T00:00:00Z"},
            {"data_cutoff_timestamp": "2026-01-01T00:00:00Z"},
            False,
        ),
        ("2025-06-01T00:00:00Z", {}, {"data_cutoff_timestamp": "2024-01-01T00:00:00Z"}, True),
        ("2025-06-01T00:00:00Z", {}, {"disable_data_cutoff": True}, True),
        ("2025-06-01T00:00:00Z", {}, {"data_cutoff_timestamp": "2026-01-01T00:00:00Z"}, False),
        ("2025-06-01T00:00:00Z", {"disable_data_cutoff": True}, {"disable_data_cutoff": False}, False),
    ],
)
async def test_an_earlier_effective_cutoff_asks_and_a_later_one_does_not(
    all_on: Workshop, sync_wide: str | None, before: dict[str, Any], after: dict[str, Any], asks: bool
) -> None:
    more = {"data_cutoff_timestamp": sync_wide} if sync_wide else {}
    sync_id = await all_on.create_sync(schemas=[{"id": "customers", **before}], **more)
    async with all_on.tools() as tools:
        answer = await tools.patch_bulk_sync_schemas(sync_id=sync_id, schemas=[{"id": "customers", **after}])
    assert (answer.code == "confirmation_required") is asks, answer.text
    assert ("WIDENS what is copied: “rows of customers by data cutoff" in answer.text) is asks


async def test_unknown_settings_of_the_backend_are_sent_back_as_they_were(all_on: Workshop) -> None:
    sync_id = await narrowed(all_on)
    all_on.api.rewrites["GET", SCHEMA] = lambda data: {
        **data,
        "sampling": {"rate": 0.5},
        "history_enabled": False,
        "fields": [{**one, "masking": "keep"} for one in data["fields"]],
    }
    async with all_on.tools() as tools:
        refused = await tools.patch_bulk_sync_schemas(
            sync_id=sync_id, schemas=[{"id": "customers", "data_cutoff_timestamp": "2026-01-01T00:00:00Z"}]
        )
    assert refused.code == "bad_request", "the local service takes no unknown keys"
    (_, _, body) = all_on.api.mutations[-1]
    (sent,) = body["schemas"]
    assert sent["sampling"] == {"rate": 0.5}
    assert [one["masking"] for one in sent["fields"]] == ["keep"] * 3
    assert "history_enabled" not in sent
    assert "output_name" not in sent


async def test_a_table_whose_columns_the_backend_does_not_tell_counts_as_widened(all_on: Workshop) -> None:
    sync_id = await narrowed(all_on)
    all_on.api.rewrites["GET", SCHEMA] = lambda data: {**data, "fields": None}
    change = [{"id": "customers", "data_cutoff_timestamp": "2026-01-01T00:00:00Z"}]
    assert "every column of customers" in await asked_of(all_on, TOOL, sync_id=sync_id, schemas=change)


async def test_settings_the_backend_did_not_take_are_told(all_on: Workshop) -> None:
    sync_id = await narrowed(all_on)
    all_on.api.rewrites["PATCH", SCHEMAS] = lambda rows: [
        {**rows[0], "data_cutoff_timestamp": None, "fields": [{**rows[0]["fields"][2], "enabled": True}]}
    ]
    change = [{"id": "customers", "data_cutoff_timestamp": "2026-01-01T00:00:00Z"}]
    async with all_on.tools() as tools:
        data = proved(all_on, TOOL, await tools.patch_bulk_sync_schemas(sync_id=sync_id, schemas=change))
    assert data["not_taken"] == ["customers: data_cutoff_timestamp", "customers: column city enabled"]


async def test_a_change_made_meanwhile_voids_the_confirmation(all_on: Workshop) -> None:
    sync_id = await narrowed(all_on)

    async def widen() -> None:
        body = {"schemas": [{"id": "customers", "filters": []}]}
        await all_on.api.inner.patch(SCHEMAS, body=body, id=sync_id)

    change = [{"id": "customers", "fields": [{"id": "name", "obfuscate": False}], "filters": []}]
    async with all_on.tools(person=Person("accept", while_asked=widen)) as tools:
        refused = await tools.patch_bulk_sync_schemas(sync_id=sync_id, schemas=change)
    assert refused.code == "plan_changed"
    assert all_on.api.mutations == []


@pytest.mark.parametrize(
    ("schemas", "words"),
    [
        ([], ("`schemas`", "empty")),
        ([{"id": "customers"}, {"id": "customers"}], ("`schemas`", "twice")),
        ([{"enabled": True}], ("`schemas.0.id`",)),
        ([{"id": ".."}], ("`schemas.0.id`",)),
        ([{"id": "customers", "obfuscate": True}], ("obfuscate",)),
        ([{"id": "customers", "fields": []}], ("fields",)),
        ([{"id": "customers", "enabled": "true"}], ("enabled",)),
    ],
)
async def test_wrong_arguments_are_named_and_reach_nothing(
    all_on: Workshop, schemas: list[Any], words: tuple[str, ...]
) -> None:
    sync_id = await narrowed(all_on)
    await refuses(all_on, TOOL, {"sync_id": sync_id, "schemas": schemas}, *words)


async def test_unknown_columns_and_changes_that_are_none_are_refused(all_on: Workshop) -> None:
    sync_id = await narrowed(all_on)
    async with all_on.tools() as tools:
        for change, word in (
            ({"id": "customers", "fields": [{"id": "no_such"}]}, "no_such"),
            ({"id": "customers", "fields": [{"id": "city"}, {"id": "city", "enabled": True}]}, "twice"),
            ({"id": "customers", "enabled": True}, "already so"),
            ({"id": "customers"}, "already so"),
        ):
            refused = await tools.patch_bulk_sync_schemas(sync_id=sync_id, schemas=[change])
            assert refused.code == "invalid_arguments", refused.text
            assert word in refused.text
        missing = await tools.patch_bulk_sync_schemas(sync_id=sync_id, schemas=[{"id": "nothing", "enabled": True}])
    assert missing.code == "not_found"
    assert all_on.api.mutations == []
    await refuses_wrong_ids(all_on, TOOL, "sync_id", schemas=[{"id": "customers", "enabled": False}])
