"""create_bulk_sync: idle unless asked otherwise, everything sent explicitly."""

from typing import Any

import pytest

from operations.kit import (
    ABSENT,
    HOSTILE,
    SCHEMA,
    SYNCS,
    TARGET,
    WRONG_IDS,
    asked_of,
    confirmed,
    finished,
    proved,
    read,
    refuses,
    tables_of,
)
from support import Workshop

pytestmark = pytest.mark.anyio
TOOL = "create_bulk_sync"
DAILY = {"frequency": "daily", "hour": "3"}
REBUILD = {"frequency": "weekly", "day_of_week": "sunday", "resync_mode": "rebuild"}


def ends(workshop: Workshop, **more: Any) -> dict[str, Any]:
    """Arguments that create a sync."""
    given = {"source_connection_id": workshop.source_id, "destination_connection_id": workshop.destination_id}
    return {"name": "Made", **given, **more}


async def count(workshop: Workshop) -> int:
    return len((await workshop.api.inner.get(SYNCS)).data)


async def test_a_sync_is_made_idle_with_its_defaults_sent(workshop: Workshop, era: str) -> None:
    async with workshop.tools(era) as tools:
        data = proved(workshop, TOOL, await tools.create_bulk_sync(**ends(workshop, schemas=["customers"])))
    assert workshop.api.mutations == [
        (
            "POST",
            SYNCS,
            {
                **ends(workshop),
                "mode": "replicate",
                "schemas": ["customers"],
                "destination_configuration": {},
                "active": False,
                "default_schedule": {"frequency": "manual"},
            },
        )
    ]
    assert "Nothing runs until it is started" in data["effects"][0]
    made = await read(workshop, data["id"])
    assert (made["name"], made["active"], made["mode"]) == ("Made", False, "replicate")
    assert await tables_of(workshop, data["id"]) == ["customers"]


async def test_a_made_sync_runs(workshop: Workshop) -> None:
    settings = {"destination_configuration": {"advanced": {"table_prefix": "shop_"}}, "schemas": ["secrets"]}
    async with workshop.tools() as tools:
        data = proved(workshop, TOOL, await tools.create_bulk_sync(**ends(workshop, **settings)))
        await tools.start_bulk_sync_execution(sync_id=data["id"])
        await finished(tools, data["id"])
    assert workshop.rows("SELECT value FROM shop_secrets") == [("x",)]


async def test_without_tables_it_says_that_it_takes_every_one(workshop: Workshop) -> None:
    async with workshop.tools() as tools:
        data = proved(workshop, TOOL, await tools.create_bulk_sync(**ends(workshop)))
    assert "every table of the source" in data["effects"][0]
    assert "schemas" not in workshop.api.mutations[0][2]
    assert await tables_of(workshop, data["id"]) == ["customers", "events", "secrets"]


async def test_naming_one_column_leaves_the_others_synced(workshop: Workshop) -> None:
    """A list of columns means these and no others, so it is completed from the source."""
    table = {"id": "customers", "fields": [{"id": "name", "obfuscate": True}, {"id": "city", "enabled": False}]}
    async with workshop.tools() as tools:
        data = proved(workshop, TOOL, await tools.create_bulk_sync(**ends(workshop, schemas=[table, "events"])))
        unknown = await tools.create_bulk_sync(
            **ends(workshop, schemas=[{"id": "customers", "fields": [{"id": "nonsense"}]}])
        )
    fields = (await workshop.api.inner.get(SCHEMA, id=data["id"], schema_id="customers")).data["fields"]
    assert {one["id"]: (one["enabled"], one["obfuscated"]) for one in fields} == {
        "id": (True, False),
        "name": (True, True),
        "city": (False, False),
    }
    assert unknown.code == "invalid_arguments"
    assert "“nonsense”" in unknown.text
    assert len(workshop.api.mutations) == 1


async def test_a_firing_schedule_asks_first_and_is_made_after_a_yes(workshop: Workshop) -> None:
    firing = ends(workshop, active=True, default_schedule=DAILY, mode="snapshot", schemas=["customers"])
    async with workshop.tools() as tools:
        preview, answer = await confirmed(tools, TOOL, **firing)
    data = proved(workshop, TOOL, answer)
    assert "starts runs unattended" in preview.text
    assert "snapshot" in preview.text
    assert "“customers”" in preview.text
    assert (data["active"], data["schedules"]) == (True, ["daily, 03:00 UTC"])
    assert len(workshop.api.mutations) == 1


@pytest.mark.parametrize(
    ("more", "asks"),
    [
        ({"active": True}, False),
        ({"default_schedule": DAILY}, False),
        ({"additional_schedules": [DAILY]}, False),
        ({"active": True, "additional_schedules": [DAILY]}, True),
        ({"additional_schedules": [REBUILD]}, True),
        ({"additional_schedules": [{**REBUILD, "frequency": "manual"}]}, False),
    ],
)
async def test_only_what_fires_or_is_armed_asks(workshop: Workshop, more: dict[str, Any], asks: bool) -> None:
    async with workshop.tools() as tools:
        answer = await tools.create_bulk_sync(**ends(workshop, **more))
    assert (answer.code == "confirmation_required") is asks, answer.text
    assert await count(workshop) == (0 if asks else 1)


async def test_an_armed_schedule_is_shown_with_what_it_will_do(workshop: Workshop) -> None:
    question = await asked_of(workshop, TOOL, **ends(workshop, name=HOSTILE, additional_schedules=[REBUILD]))
    assert "ARMS a schedule (weekly, sunday, resync_mode rebuild) that repeats “rebuild” on all enabled" in question
    assert "\u202e" not in question
    assert "\n\nSYSTEM" not in question


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"schemas": ["customers", "nonsense"]}, ("“nonsense”", "get_bulk_source")),
        ({"schemas": [{"id": "nonsense"}]}, ("“nonsense”",)),
    ],
)
async def test_tables_the_source_lacks_are_named(
    workshop: Workshop, more: dict[str, Any], words: tuple[str, ...]
) -> None:
    async with workshop.tools() as tools:
        refused = await tools.create_bulk_sync(**ends(workshop, **more))
    assert refused.code == "invalid_arguments"
    for word in words:
        assert word in refused.text
    assert "“customers”" not in refused.text
    assert workshop.api.mutations == []


async def test_a_mode_the_destination_lacks_is_refused_with_those_it_has(workshop: Workshop) -> None:
    workshop.api.rewrites["GET", TARGET] = lambda data: {**data, "modes": [{"id": "replicate"}, {"id": "mirror"}]}
    async with workshop.tools() as tools:
        refused = await tools.create_bulk_sync(**ends(workshop, mode="append"))
    assert refused.code == "invalid_arguments"
    assert "replicate, mirror" in refused.text
    assert workshop.api.mutations == []


@pytest.mark.parametrize("end", ["source_connection_id", "destination_connection_id"])
async def test_connections_that_are_none_are_refused_and_absent_ones_not_found(workshop: Workshop, end: str) -> None:
    for wrong in WRONG_IDS:
        await refuses(workshop, TOOL, ends(workshop, **{end: wrong}), f"`{end}`")
    async with workshop.tools() as tools:
        missing = await tools.create_bulk_sync(**ends(workshop, **{end: ABSENT}))
    assert missing.code == "not_found"
    assert workshop.api.mutations == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"schedule": {"frequency": "daily"}}, ("`schedule` was retired", "`default_schedule`")),
        ({"schedules": []}, ("`schedules` was retired", "`additional_schedules`")),
        ({"discover": True}, ("`discover` was retired", "`automatically_add_new_fields`")),
        ({"dest_connection_id": "x"}, ("`dest_connection_id`", "`destination_connection_id`")),
        ({"dest_configuration": {}}, ("`dest_configuration`", "`destination_configuration`")),
        ({"organization_id": ABSENT}, ("`organization_id`",)),
        ({"mode": "mirror"}, ("`mode` must be one of",)),
        ({"name": ""}, ("`name`",)),
        ({"schemas": []}, ("`schemas` is empty",)),
        ({"schemas": [{"id": "..%2f"}]}, ("`schemas.0",)),
        ({"schemas": [7]}, ("`schemas.0",)),
        ({"default_schedule": {}}, ("`default_schedule.frequency` is required",)),
        ({"default_schedule": {"frequency": "daily", "hour": 3}}, ("`default_schedule.hour`",)),
        ({"active": 1}, ("`active`",)),
    ],
)
async def test_wrong_and_retired_arguments_are_named_and_reach_nothing(
    workshop: Workshop, arguments: dict[str, Any], words: tuple[str, ...]
) -> None:
    await refuses(workshop, TOOL, ends(workshop, **arguments), *words)


async def test_what_is_missing_is_named(workshop: Workshop) -> None:
    required = ("`name` is required", "`source_connection_id` is required", "`destination_connection_id` is required")
    await refuses(workshop, TOOL, {}, *required)


async def test_what_the_backend_refuses_is_told_in_its_words(workshop: Workshop) -> None:
    async with workshop.tools() as tools:
        refused = await tools.create_bulk_sync(**ends(workshop, default_schedule={"frequency": "daily", "hour": "99"}))
    assert refused.code == "bad_request"
    assert "hour" in refused.text
    assert await count(workshop) == 0
