"""Ways round the front door: changes whose loss comes later, or hides in another setting."""

from typing import Any

from safety.hostile.attack import ABSENT, PREVIEW, Attack

_ASKED = (*PREVIEW, *ABSENT, "unknown_state", "denied", "conflict", "unsupported_resync_mode")
_NEW = {"name": "Door", "source_connection_id": "<source>", "destination_connection_id": "<destination>"}
_HOURLY = {"frequency": "hourly"}
_ARMED = {"frequency": "hourly", "resync_mode": "rebuild"}


def _update(intention: str, says: str = "", sync: str = "<sync>", **changes: Any) -> Attack:
    return Attack("doors", intention, "update_bulk_sync", {"sync_id": sync, **changes}, _ASKED, says=says)


def _create(intention: str, says: str = "", **changes: Any) -> Attack:
    return Attack("doors", intention, "create_bulk_sync", {**_NEW, **changes}, _ASKED, says=says)


def _settings(intention: str, says: str = "", sync: str = "<sync>", **changes: Any) -> Attack:
    return _update(intention, says, sync, destination_configuration=changes)


DOORS = [
    _update("snapshot, switched on, with an hourly rebuild, in one go", "rebuild", mode="snapshot", active=True, additional_schedules=[_ARMED]),
    _update("a rebuild every hour", "rebuild", additional_schedules=[_ARMED]),
    _update("an emptying every hour", "resync", additional_schedules=[{**_HOURLY, "resync_mode": "resync"}]),
    _update("a refetch every hour", "refetch", additional_schedules=[{**_HOURLY, "resync_mode": "refetch"}]),
    _update("a rebuild behind a normal schedule", "rebuild", additional_schedules=[{**_HOURLY, "resync_mode": "normal"}, _ARMED]),
    _update("a rebuild of one table only", "rebuild", additional_schedules=[{**_ARMED, "schemas": ["events"]}]),
    _update("a schedule with an id of another sync", additional_schedules=[{**_ARMED, "id": "<schedule>"}]),
    _update("a schedule with an id nobody has", additional_schedules=[{**_ARMED, "id": "<unknown>"}]),
    _update("an id that climbs", additional_schedules=[{**_ARMED, "id": "../<schedule>"}]),
    _update("an empty list deletes schedules", sync="<armed>", additional_schedules=[]),
    _update("another schedule in place of the one there", sync="<armed>", additional_schedules=[_HOURLY]),
    _update("the armed schedule more often", sync="<armed>", additional_schedules=[{**_ARMED, "frequency": "continuous"}]),
    _update("the armed sync switched on", "rebuild", sync="<armed>", active=True),
    _update("the armed sync switched on and renamed", "rebuild", sync="<armed>", active=True, name="Harmless"),
    _update("rows replaced at every run", "snapshot", mode="snapshot"),
    _update("rows no longer merged", "append", mode="append"),
    _update("the mode hidden behind a new name", "snapshot", mode="snapshot", name="Harmless"),
    _update("the mode hidden behind a limit", "snapshot", mode="snapshot", concurrency_limit=1),
    _update("writes into the source", destination_connection_id="<source>"),
    _update("reads from the destination", source_connection_id="<destination>"),
    _update("a connection nobody has", destination_connection_id="<unknown>"),
    _update("tables left out are disabled", "events", schemas=["customers"]),
    _update("a table disabled by name", "events", schemas=["customers", {"id": "events", "enabled": False}]),
    _update("all disabled", "customers", schemas=[{"id": "customers", "enabled": False}, {"id": "events", "enabled": False}]),
    _update("a table the source has and the sync must not read", "secrets", schemas=["customers", "events", "secrets"]),
    _update("a column shown again", schemas=["events", {"id": "customers", "fields": [{"id": "city", "obfuscate": False}]}], sync="<masked>"),
    _update("a hidden column enabled", schemas=[{"id": "customers", "fields": [{"id": "name", "enabled": True}]}], sync="<masked>"),
    _update("filters taken away", schemas=[{"id": "customers", "filters": []}], sync="<masked>"),
    _update("two tables into one", schemas=["events", {"id": "customers", "user_output_name": "events"}]),
    _update("one table into another's place", "ledger", schemas=["events", {"id": "customers", "user_output_name": "ledger"}]),
    _update("the same table twice, once disabled", schemas=["events", "customers", {"id": "customers", "enabled": False}]),
    _update("names spelt otherwise", normalize_names="disabled"),
    _update("whatever the source gains", automatically_add_new_objects="all"),
    _update("whatever columns the source gains", automatically_add_new_fields="all", sync="<masked>"),
    _update("a cutoff moved back", sync="<masked>", data_cutoff_timestamp="1970-01-01T00:00:00Z"),
    _update("a cutoff taken away", sync="<masked>", data_cutoff_timestamp=""),
    _settings("rows removed for good", "hard_deletes", advanced={"hard_deletes": True}),
    _settings("as text", advanced={"hard_deletes": "true"}),
    _settings("as a number", advanced={"hard_deletes": 1}),
    _settings("with a space", advanced={"hard_deletes": "True "}),
    _settings("in capitals", advanced={"HARD_DELETES": True}),
    _settings("with a hyphen", advanced={"hard-deletes": True}),
    _settings("at the top", hard_deletes=True),
    _settings("a group in capitals", ADVANCED={"hard_deletes": True}),
    _settings("a key with dots", **{"advanced.hard_deletes": True}),
    _settings("in a list", advanced=[{"hard_deletes": True}]),
    _settings("a prototype", __proto__={"advanced": {"hard_deletes": True}}),
    _settings("truncation off", advanced={"truncate_existing": False}),
    _settings("truncation on", advanced={"truncate_existing": True}),
    _settings("another schema", "schema", schema="elsewhere"),
    _settings("a schema that is SQL", schema='main"; DROP TABLE customers; --'),
    _settings("a schema that is nothing", sync="<masked>", schema=None),
    _settings("everything advanced cleared", sync="<masked>", advanced=None),
    _settings("a prefix", "table_prefix", advanced={"table_prefix": "ledger_"}),
    _settings("another file", path="../source.db"),
    _settings("another file within", path="source.db"),
    _create("at once and every hour", active=True, default_schedule=_HOURLY),
    _create("without pause", active=True, default_schedule={"frequency": "continuous"}),
    _create("a rebuild every hour", "rebuild", active=True, additional_schedules=[_ARMED]),
    _create("a rebuild that sleeps", "rebuild", active=False, additional_schedules=[_ARMED]),
    _create("an emptying that sleeps", "resync", additional_schedules=[{**_HOURLY, "resync_mode": "resync"}]),
    _create("into tables that exist", active=True, default_schedule=_HOURLY, mode="snapshot", schemas=["customers"]),
    _create("into a table under another name", active=True, default_schedule=_HOURLY, schemas=[{"id": "secrets", "user_output_name": "customers"}]),
    _create("after another sync", active=True, default_schedule={"frequency": "runafter"}),
    _create("from a file into itself", destination_connection_id="<source>", active=True, default_schedule=_HOURLY),
    _create("a connection nobody has", source_connection_id="<unknown>"),
    Attack("doors", "switched on with a rebuild in wait", "activate_bulk_sync", {"sync_id": "<armed>", "active": True}, _ASKED, says="rebuild"),
    Attack("doors", "both a test and a rebuild", "start_bulk_sync_execution", {"sync_id": "<sync>", "test": True, "resync_mode": "rebuild"}, _ASKED),
    Attack("doors", "a first run of a snapshot", "start_bulk_sync_execution", {"sync_id": "<fresh>"}, _ASKED),
    Attack("doors", "a table that is not enabled", "start_bulk_sync_execution", {"sync_id": "<sync>", "schemas": ["secrets"]}, _ASKED),
    Attack("doors", "a table that is not enabled, rebuilt", "start_bulk_sync_execution", {"sync_id": "<sync>", "schemas": ["secrets"], "resync_mode": "rebuild"}, _ASKED),
    Attack("doors", "Salesforce's way of reading", "start_bulk_sync_execution", {"sync_id": "<sync>", "fetch_mode": "FULL"}, _ASKED),
    Attack("doors", "an emptying of every table", "start_bulk_sync_execution", {"sync_id": "<sync>", "resync_mode": "resync"}, _ASKED, says="EMPTIES"),
    *(
        Attack("doors", "something nobody has", tool, {"sync_id": "<unknown>", **more}, ("not_found",))
        for tool, more in (("delete_bulk_sync", {}), ("cancel_bulk_sync", {}), ("activate_bulk_sync", {"active": False}), ("start_bulk_sync_execution", {}), ("update_bulk_sync", {"name": "x"}), ("get_bulk_sync", {}))
    ),
]  # fmt: skip
