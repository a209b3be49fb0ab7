"""Creating and replacing syncs, their schemas and their schedules (api/README.md 4)."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest

from bulk_sync_local.config import LocalConfig
from local.service.harness import Api, sync_body

pytestmark = pytest.mark.anyio

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def sides(api: Api) -> tuple[str, str]:
    return await api.connection("sqlite", "shop.sqlite"), await api.connection("sqlite", "warehouse.sqlite")


async def _enabled(api: Api, sync_id: str) -> list[str]:
    return [entry["id"] for entry in await api.ok("GET", f"/api/bulk/syncs/{sync_id}/schemas?filters[enabled]=true")]


async def _schema(api: Api, sync_id: str, schema_id: str = "orders") -> dict:
    return await api.ok("GET", f"/api/bulk/syncs/{sync_id}/schemas/{schema_id}")


def _enabled_fields(schema: dict) -> set[str]:
    return {field["id"] for field in schema["fields"] if field["enabled"]}


async def test_a_new_sync_gets_the_safe_defaults(api: Api, sides: tuple[str, str]) -> None:
    made = await api.ok("POST", "/api/bulk/syncs", sync_body(*sides))
    expected = {
        "active": False,
        "mode": "replicate",
        "automatically_add_new_objects": "none",
        "automatically_add_new_fields": "all",
        "normalize_names": "enabled",
        "additional_schedules": [],
        "policies": [],
    }
    assert {key: made[key] for key in expected} == expected
    assert await api.ok("GET", f"/api/bulk/syncs/{made['id']}") == made
    assert await _enabled(api, made["id"]) == ["customers", "orders"]


async def test_schemas_and_fields_can_be_named_on_creation(api: Api, sides: tuple[str, str]) -> None:
    sync_id = await api.sync(
        *sides,
        schemas=[{"id": "orders", "fields": ["id", {"id": "email", "obfuscate": True}], "tracking_field": "id"}],
    )
    assert await _enabled(api, sync_id) == ["orders"]
    schema = await _schema(api, sync_id)
    assert _enabled_fields(schema) == {"id", "email"}
    assert {field["id"] for field in schema["fields"] if field["obfuscated"]} == {"email"}
    assert schema["tracking_field"] == "id"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source_connection_id": NOBODY}, "source_connection_id"),
        ({"mode": "merge"}, "'replicate'"),
        ({"schemas": []}, "empty"),
        ({"schemas": ["nope"]}, "'nope'"),
        ({"schemas": ["orders", "orders"]}, "twice"),
        ({"schemas": [{"id": "orders", "fields": ["nope"]}]}, "'nope'"),
        ({"schemas": [{"id": "orders", "tracking_field": "nope"}]}, "'nope'"),
        ({"schemas": [{"id": "orders", "history_enabled": True}]}, "history"),
        ({"schemas": [{"id": "orders", "partition_key": "id"}]}, "partition"),
        ({"schemas": [{"id": "orders", "fields": [{"id": "id", "enabled": False}]}]}, "none is enabled"),
        ({"schemas": [{"id": "orders", "user_output_name": "CUSTOMERS"}, "customers"]}, "both"),
        ({"schemas": [{"id": "orders", "filters": [{"field_id": "id", "function": "Near"}]}]}, "'Equality'"),
        ({"destination_configuration": {"color": "red"}}, "'color'"),
        ({"destination_configuration": {"advanced": {"color": "red"}}}, "'color'"),
        ({"destination_configuration": {"advanced": {"hard_deletes": "yes"}}}, "boolean"),
        ({"source_configuration": {"slot": "x"}}, "slot"),
        ({"automatically_add_new_objects": "onlyIncremental"}, "no tracking field yet"),
        ({"automatically_add_new_objects": "onlyNonIncremental"}, "must be 'all' or 'none'"),
        ({"automatically_add_new_objects": "some"}, "'all'"),
        ({"default_schedule": {"frequency": "monthly"}}, "'manual'"),
        ({"default_schedule": {"frequency": "daily", "hour": "24"}}, "hour"),
        ({"default_schedule": {"frequency": "daily", "hour": 4}}, "hour"),
        ({"default_schedule": {"frequency": "weekly", "day_of_week": "someday"}}, "monday"),
        ({"default_schedule": {"frequency": "manual", "id": NOBODY}}, "default_schedule.id"),
        ({"additional_schedules": [{"frequency": "daily", "id": NOBODY}]}, NOBODY),
        ({"additional_schedules": [{"frequency": "daily", "schemas": ["nope"]}]}, "'nope'"),
        ({"schedule": {"frequency": "manual"}}, "'schedule'"),
        ({"data_cutoff_timestamp": "yesterday"}, "data_cutoff_timestamp"),
        ({"policies": [NOBODY]}, "policies"),
        ({"concurrency_limit": 0}, "concurrency_limit"),
    ],
)
async def test_a_wrong_sync_is_refused_by_name_and_not_stored(
    api: Api, sides: tuple[str, str], changes: dict, words: str
) -> None:
    assert words in await api.refused(400, "POST", "/api/bulk/syncs", sync_body(*sides, **changes))
    assert await api.ok("GET", "/api/bulk/syncs") == []


async def test_source_and_destination_must_be_different_files(api: Api, sides: tuple[str, str]) -> None:
    twin = await api.connection("sqlite", "./shop.sqlite", name="the same file")
    assert "same file" in await api.refused(400, "POST", "/api/bulk/syncs", sync_body(sides[0], twin))
    assert "same file" in await api.refused(400, "POST", "/api/bulk/syncs", sync_body(sides[0], sides[0]))


async def test_an_append_sync_offers_no_refetch(api: Api, sides: tuple[str, str]) -> None:
    sync_id = await api.sync(*sides, mode="append")
    path = f"/api/bulk/syncs/{sync_id}/executions"
    assert "refetch" in await api.refused(400, "POST", path, {"resync_mode": "refetch"})


async def test_a_schema_that_is_not_enabled_cannot_be_run(api: Api, sides: tuple[str, str]) -> None:
    sync_id = await api.sync(*sides, schemas=["orders"])
    path = f"/api/bulk/syncs/{sync_id}/executions"
    assert "not enabled" in await api.refused(400, "POST", path, {"schemas": ["customers"]})
    await api.ok("PATCH", f"/api/bulk/syncs/{sync_id}/schemas", {"schemas": [{"id": "orders", "enabled": False}]})
    assert "nothing to run" in await api.refused(400, "POST", path, {})


async def test_an_update_resets_what_it_leaves_out_and_keeps_the_selection(api: Api, sides: tuple[str, str]) -> None:
    sync_id = await api.sync(
        *sides,
        mode="snapshot",
        active=True,
        schemas=["orders"],
        automatically_add_new_fields="none",
        destination_configuration={"advanced": {"table_prefix": "p_", "hard_deletes": True}},
        additional_schedules=[{"frequency": "daily", "hour": "3", "resync_mode": "rebuild"}],
    )
    await api.ok("PUT", f"/api/bulk/syncs/{sync_id}/error-handling", {"subscribers": ["a@example.com"]})
    updated = await api.ok("PUT", f"/api/bulk/syncs/{sync_id}", sync_body(*sides, name="renamed"))
    assert (updated["name"], updated["mode"], updated["active"]) == ("renamed", "replicate", False)
    assert (updated["automatically_add_new_fields"], updated["additional_schedules"]) == ("all", [])
    assert updated["destination_configuration"] == {}
    assert await _enabled(api, sync_id) == ["orders"]
    errors = await api.ok("GET", f"/api/bulk/syncs/{sync_id}/error-handling")
    assert errors["subscribers"] == ["a@example.com"]


async def test_an_update_that_names_schemas_disables_the_others(api: Api, sides: tuple[str, str]) -> None:
    sync_id = await api.sync(*sides)
    await api.ok("PUT", f"/api/bulk/syncs/{sync_id}", sync_body(*sides, schemas=["customers"]))
    assert await _enabled(api, sync_id) == ["customers"]


async def test_a_schema_named_by_id_alone_keeps_its_configuration(api: Api, sides: tuple[str, str]) -> None:
    sync_id = await api.sync(*sides, schemas=[{"id": "orders", "fields": ["id"], "user_output_name": "sales"}])
    await api.ok("PUT", f"/api/bulk/syncs/{sync_id}", sync_body(*sides, schemas=["orders"]))
    schema = await _schema(api, sync_id)
    assert (schema["output_name"], _enabled_fields(schema)) == ("sales", {"id"})


async def test_schedules_keep_their_ids_through_an_update_that_sends_them(api: Api, sides: tuple[str, str]) -> None:
    body = sync_body(*sides, additional_schedules=[{"frequency": "daily", "hour": "3"}])
    made = await api.ok("POST", "/api/bulk/syncs", body)
    kept = made["additional_schedules"][0]["id"]
    body["additional_schedules"] = [{"frequency": "weekly"}, {"frequency": "daily", "hour": "4", "id": kept}]
    body["default_schedule"] = {"frequency": "hourly", "minute": "5"}
    updated = await api.ok("PUT", f"/api/bulk/syncs/{made['id']}", body)
    assert updated["default_schedule"]["id"] == made["default_schedule"]["id"]
    assert updated["default_schedule"]["frequency"] == "hourly"
    first, second = updated["additional_schedules"]
    assert (second["id"], second["hour"]) == (kept, "4")
    assert first["id"] != kept


async def test_a_read_sync_can_be_sent_back_unchanged(api: Api, sides: tuple[str, str]) -> None:
    sync_id = await api.sync(
        *sides,
        data_cutoff_timestamp="2026-01-01T00:00:00Z",
        additional_schedules=[{"frequency": "daily", "resync_mode": "resync", "schemas": ["orders"]}],
    )
    before = await api.ok("GET", f"/api/bulk/syncs/{sync_id}")
    stamps = ("created_at", "created_by", "updated_at", "updated_by")
    body = {key: value for key, value in deepcopy(before).items() if key not in ("id", "organization_id", *stamps)}
    for schedule in [body["default_schedule"], *body["additional_schedules"]]:
        for key in stamps:
            schedule.pop(key)
    await api.ok("PUT", f"/api/bulk/syncs/{sync_id}", body)
    after = await api.ok("GET", f"/api/bulk/syncs/{sync_id}")
    assert {key for key in before if before[key] != after[key]} <= {"updated_at"}


async def test_moving_a_sync_to_a_source_without_its_tables_needs_a_selection(
    api: Api, sides: tuple[str, str], workspace: Path
) -> None:
    with closing(sqlite3.connect(workspace / "other.sqlite")) as connection, connection:
        connection.execute("CREATE TABLE things (id INTEGER PRIMARY KEY)")
    other = await api.connection("sqlite", "other.sqlite")
    sync_id = await api.sync(*sides)
    path = f"/api/bulk/syncs/{sync_id}"
    assert "'orders'" in await api.refused(400, "PUT", path, sync_body(other, sides[1]))
    await api.ok("PUT", path, sync_body(other, sides[1], schemas=["things"]))
    assert [entry["id"] for entry in await api.ok("GET", f"{path}/schemas")] == ["things"]


async def test_the_configuration_of_a_run_is_the_one_it_was_started_with(
    open_api: Callable[..., Api], config: LocalConfig, workspace: Path
) -> None:
    api = open_api(replace(config, batch_pause=0.5))
    sides = await api.connection("sqlite", "shop.sqlite"), await api.connection("sqlite", "warehouse.sqlite")
    sync_id = await api.sync(*sides)
    execution_id = await api.start(sync_id)
    await api.ok(
        "PUT",
        f"/api/bulk/syncs/{sync_id}",
        sync_body(*sides, destination_configuration={"advanced": {"table_prefix": "late_"}}),
    )
    done = await api.finished(sync_id, execution_id)
    assert {entry["output_name"] for entry in done["schemas"]} == {"customers", "orders"}


async def test_a_schema_put_replaces_everything_and_without_fields_enables_them_all(
    api: Api, sides: tuple[str, str]
) -> None:
    sync_id = await api.sync(
        *sides,
        schemas=[
            {
                "id": "orders",
                "fields": [{"id": "id"}, {"id": "email", "obfuscate": True, "user_output_name": "mail"}],
                "user_output_name": "sales",
                "tracking_field": "id",
                "filters": [{"field_id": "id", "function": "GreaterThan", "value": 1}],
            }
        ],
    )
    replaced = await api.ok("PUT", f"/api/bulk/syncs/{sync_id}/schemas/orders", {"enabled": True})
    assert _enabled_fields(replaced) == {"id", "total", "email"}
    assert (replaced["output_name"], replaced["tracking_field"], replaced["filters"]) == ("orders", None, [])
    email = next(field for field in replaced["fields"] if field["id"] == "email")
    assert (email["obfuscated"], email["output_name"]) == (True, "email")
    assert await _schema(api, sync_id) == replaced


async def test_a_patch_touches_the_named_schemas_and_enables_all_fields_when_none_are_sent(
    api: Api, sides: tuple[str, str]
) -> None:
    sync_id = await api.sync(
        *sides,
        schemas=[
            {"id": "orders", "fields": ["id"], "user_output_name": "sales", "tracking_field": "id"},
            {"id": "customers", "fields": ["id"]},
        ],
    )
    path = f"/api/bulk/syncs/{sync_id}/schemas"
    (patched,) = await api.ok("PATCH", path, {"schemas": [{"id": "orders", "enabled": True}]})
    assert _enabled_fields(patched) == {"id", "total", "email"}
    assert (patched["output_name"], patched["tracking_field"]) == ("sales", "id")
    assert _enabled_fields(await _schema(api, sync_id, "customers")) == {"id"}
    await api.ok("PATCH", path, {"schemas": [{"id": "orders", "tracking_field": "", "fields": [{"id": "id"}]}]})
    assert (await _schema(api, sync_id))["tracking_field"] is None
    assert "'nope'" in await api.refused(400, "PATCH", path, {"schemas": [{"id": "nope"}]})
    assert "at least one" in await api.refused(400, "PATCH", path, {"schemas": []})


async def test_a_read_schema_can_be_patched_back_unchanged(api: Api, sides: tuple[str, str]) -> None:
    sync_id = await api.sync(
        *sides, schemas=[{"id": "orders", "fields": [{"id": "email", "user_output_name": "mail"}, "id"]}]
    )
    before = await _schema(api, sync_id)
    await api.ok("PATCH", f"/api/bulk/syncs/{sync_id}/schemas", {"schemas": [before]})
    assert await _schema(api, sync_id) == before


async def test_a_table_whose_tracked_and_filtered_field_is_gone_can_still_be_changed(
    api: Api, sync_id: str, workspace: Path
) -> None:
    path = f"/api/bulk/syncs/{sync_id}/schemas"
    gone = {"tracking_field": "total", "filters": [{"field_id": "total", "function": "GreaterThan", "value": 1}]}
    await api.ok("PATCH", path, {"schemas": [{"id": "orders", **gone}]})
    with closing(sqlite3.connect(workspace / "shop.sqlite")) as db:
        db.execute("ALTER TABLE orders DROP COLUMN total")
    done = await api.run(sync_id)
    said = {one["schema"]: one["status_message"] for one in done["schemas"]}["orders"]
    assert "no longer has the selected field total" in said
    await api.ok("PATCH", path, {"schemas": [{"id": "orders", "enabled": False}]})
    read = await api.ok("GET", f"{path}/orders")
    await api.ok("PATCH", path, {"schemas": [{**read, "enabled": True}]})
    other = {"id": "orders", "filters": [{"field_id": "nope", "function": "IsNull"}]}
    assert "'nope'" in await api.refused(400, "PATCH", path, {"schemas": [other]})
    right = {"id": "orders", "fields": [{"id": "id"}, {"id": "email"}], "tracking_field": "", "filters": []}
    await api.ok("PATCH", path, {"schemas": [right]})
    assert {one["status"] for one in (await api.run(sync_id))["schemas"]} == {"completed"}


async def test_a_schema_id_with_odd_characters_is_found_by_its_encoded_form(
    api: Api, sides: tuple[str, str], workspace: Path
) -> None:
    with closing(sqlite3.connect(workspace / "odd.sqlite")) as connection, connection:
        connection.execute('CREATE TABLE "a/b c%2F.é" (id INTEGER PRIMARY KEY)')
    sync_id = await api.sync(await api.connection("sqlite", "odd.sqlite"), sides[1])
    schema = await _schema(api, sync_id, "a%2Fb%20c%252F.%C3%A9")
    assert schema["id"] == "a/b c%2F.é"


async def test_schedules_are_added_replaced_and_removed_through_their_own_endpoints(
    api: Api, sides: tuple[str, str]
) -> None:
    sync_id = await api.sync(
        *sides, additional_schedules=[{"frequency": "daily", "resync_mode": "rebuild", "schemas": ["orders"]}]
    )
    path = f"/api/bulk/syncs/{sync_id}/schedules"
    await api.ok("POST", path, {"schedule": {"frequency": "weekly", "dayOfWeek": "sunday", "hour": "3"}})
    default, armed, added = await api.ok("GET", path)
    assert (default["isDefault"], armed["syncMode"], added["dayOfWeek"]) == (True, "rebuild", "sunday")
    replaced = await api.ok("PUT", f"{path}/{armed['id']}", {"schedule": {"frequency": "hourly", "minute": "1"}})
    assert (replaced["frequency"], replaced["syncMode"], replaced["schemas"]) == ("hourly", "rebuild", ["orders"])
    assert await api.ok("GET", f"{path}/{armed['id']}") == replaced
    await api.ok("DELETE", f"{path}/{added['id']}")
    await api.refused(404, "GET", f"{path}/{added['id']}")
    assert "default" in await api.refused(400, "DELETE", f"{path}/{default['id']}")
    assert "syncMode" in await api.refused(
        400, "POST", path, {"schedule": {"frequency": "daily", "syncMode": "rebuild"}}
    )


async def test_error_handling_merges_although_it_is_put(api: Api, sync_id: str) -> None:
    path = f"/api/bulk/syncs/{sync_id}/error-handling"
    await api.ok("PUT", path, {"subscribers": ["a@example.com"], "ingestion_failure_threshold": 60})
    assert await api.ok("PUT", path, {"ingestion_failure_threshold": 0}) == {
        "subscribers": ["a@example.com"],
        "ingestion_failure_threshold": None,
    }
    assert (await api.ok("PUT", path, {"subscribers": []}))["subscribers"] == []
    assert "subscribers" in await api.refused(400, "PUT", path, {"subscribers": ["nobody"]})
