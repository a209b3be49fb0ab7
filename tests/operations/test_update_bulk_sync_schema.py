"""update_bulk_sync_schema: a full replacement from which nothing is left out."""

import pytest

from operations.kit import SCHEMA, confirmed, proved, refuses, refuses_wrong_ids
from operations.tables_kit import NARROWED, columns_of, narrowed, table_of
from support import Person, Workshop

pytestmark = pytest.mark.anyio
TOOL = "update_bulk_sync_schema"


async def test_what_is_not_named_is_sent_back_as_it_was(all_on: Workshop) -> None:
    sync_id = await narrowed(all_on)
    before = await table_of(all_on, sync_id)
    call = {"sync_id": sync_id, "schema_id": "customers", "data_cutoff_timestamp": "2026-01-01T00:00:00Z"}
    async with all_on.tools() as tools:
        data = proved(all_on, TOOL, await tools.update_bulk_sync_schema(**call))
    after = await table_of(all_on, sync_id)
    assert columns_of(after) == NARROWED
    assert {**after, "data_cutoff_timestamp": None} == before
    assert data["columns"] == "2 of 3, 1 obfuscated"
    assert "not_taken" not in data


async def test_exposing_a_column_asks_and_changes_only_that(all_on: Workshop, era: str) -> None:
    sync_id = await narrowed(all_on)
    person = Person("accept")
    call = {"sync_id": sync_id, "schema_id": "customers", "fields": [{"id": "name", "obfuscate": False}]}
    async with all_on.tools(era, person) as tools:
        proved(all_on, TOOL, await tools.update_bulk_sync_schema(**call))
    assert "REMOVES OBFUSCATION" in person.asked[0]
    assert columns_of(await table_of(all_on, sync_id)) == {**NARROWED, "name": (True, False)}


async def test_disabling_in_two_steps_keeps_the_configuration_for_later(all_on: Workshop) -> None:
    sync_id = await narrowed(all_on, "events")
    async with all_on.tools() as tools:
        preview, answer = await confirmed(tools, TOOL, sync_id=sync_id, schema_id="customers", enabled=False)
    proved(all_on, TOOL, answer)
    assert "STOPS syncing 1 table" in preview.text
    table = await table_of(all_on, sync_id)
    assert (table["enabled"], columns_of(table)) == (False, NARROWED)


async def test_null_clears_a_setting(all_on: Workshop) -> None:
    schemas = [{"id": "customers", "tracking_field": "id", "user_output_name": "clients"}]
    sync_id = await all_on.create_sync(schemas=schemas)
    call = {"sync_id": sync_id, "schema_id": "customers", "tracking_field": None, "user_output_name": None}
    async with all_on.tools() as tools:
        preview, answer = await confirmed(tools, TOOL, **call)
    proved(all_on, TOOL, answer)
    assert "REDIRECTS output: customers user_output_name “clients” → “(not set)”" in preview.text
    assert "Reads everything again" in preview.text
    table = await table_of(all_on, sync_id)
    assert (table["tracking_field"], table["user_output_name"], table["output_name"]) == (None, None, "customers")


async def test_a_loss_of_the_answer_is_told_as_unknown(all_on: Workshop) -> None:
    from operations.kit import lost

    sync_id = await narrowed(all_on)
    all_on.api.after["PUT", SCHEMA] = lost()
    async with all_on.tools() as tools:
        answer = await tools.update_bulk_sync_schema(
            sync_id=sync_id, schema_id="customers", data_cutoff_timestamp="2026-01-01T00:00:00Z"
        )
    assert answer.code == "outcome_unknown"
    assert [line["event"] for line in all_on.audit()] == ["intent", "outcome"]


async def test_wrong_arguments_are_refused_and_reach_nothing(all_on: Workshop) -> None:
    sync_id = await narrowed(all_on)
    given = {"sync_id": sync_id, "schema_id": "customers"}
    await refuses(all_on, TOOL, {**given, "fields": [{"id": "id", "obfuscated": True}]}, "obfuscated")
    await refuses(all_on, TOOL, {**given, "schema_id": "../x"}, "`schema_id`")
    await refuses(all_on, TOOL, {**given, "filters": {}}, "`filters`")
    async with all_on.tools() as tools:
        assert (await tools.update_bulk_sync_schema(**given)).code == "invalid_arguments"
    assert all_on.api.mutations == []
    await refuses_wrong_ids(all_on, TOOL, "sync_id", schema_id="customers", enabled=False)
