"""Every call a model may make, as moves: what to call with what, given the world as it is and two free choices."""

from collections.abc import Callable, Mapping
from typing import Any

from operations.connections_kit import RIGHT, WRONG
from safety.machine.stage import Stage

ABSENT = "00000000-0000-4000-8000-000000000000"
TABLES = ("customers", "events", "secrets")
Call = tuple[str, dict[str, Any]]
Move = Callable[[Stage, int, int], Call]


def _at(found: list[str], place: int) -> str:
    return found[place % len(found)] if found else ABSENT


def _sync(stage: Stage, place: int) -> str:
    return _at(stage.syncs(), place)


def _connection(stage: Stage, place: int) -> str:
    return _at(stage.connections(), place)


def _schedule(stage: Stage, sync: int, place: int) -> str:
    return _at(stage.parts(sync, "schedules"), place)


def _execution(stage: Stage, sync: int, place: int) -> str:
    return _at(stage.parts(sync, "executions")[::-1], place)


def _on_sync(operation: str, **arguments: Any) -> Move:
    return lambda stage, i, _j: (operation, {"sync_id": _sync(stage, i), **arguments})


def _update(**arguments: Any) -> Move:
    return _on_sync("update_bulk_sync", **arguments)


def _advanced(**settings: Any) -> Move:
    return _update(destination_configuration={"advanced": settings})


def _table(**settings: Any) -> Move:
    return lambda stage, i, j: (
        "patch_bulk_sync_schemas",
        {"sync_id": _sync(stage, i), "schemas": [{"id": TABLES[j % 3], **settings}]},
    )


def _customers(**settings: Any) -> Move:
    return lambda stage, i, _j: (
        "update_bulk_sync_schema",
        {"sync_id": _sync(stage, i), "schema_id": "customers", **settings},
    )


def _create(name: str, **settings: Any) -> Move:
    def move(stage: Stage, _i: int, j: int) -> Call:
        ends = {
            "source_connection_id": _connection(stage, 0),
            "destination_connection_id": _connection(stage, 1 + j % 2),
        }
        return "create_bulk_sync", {"name": name, **ends, "schemas": ["customers"], **settings}

    return move


def _on_connection(operation: str, **arguments: Any) -> Move:
    return lambda stage, i, _j: (operation, {"connection_id": _connection(stage, i), **arguments})


def _notes(operation: str, **arguments: Any) -> Move:
    return lambda stage, _i, _j: (operation, {"connection_id": _connection(stage, 3), **arguments})


def _on_schedule(operation: str, **arguments: Any) -> Move:
    return lambda stage, i, j: (
        operation,
        {"sync_id": _sync(stage, i), "schedule_id": _schedule(stage, i, j), **arguments},
    )


def _on_execution(operation: str, **arguments: Any) -> Move:
    return lambda stage, i, j: (
        operation,
        {"sync_id": _sync(stage, i), "execution_id": _execution(stage, i, j), **arguments},
    )


START = "start_bulk_sync_execution"
WEEKLY = {"frequency": "weekly", "day_of_week": "monday", "hour": "4"}

STARTS: Mapping[str, Move] = {
    "run": _on_sync(START),
    "run one table": lambda stage, i, j: (START, {"sync_id": _sync(stage, i), "schemas": [TABLES[j % 3]]}),
    "test run": _on_sync(START, test=True),
    "refetch": _on_sync(START, resync_mode="refetch"),
    "resync": _on_sync(START, resync_mode="resync"),
    "rebuild": _on_sync(START, resync_mode="rebuild"),
    "rebuild customers": _on_sync(START, resync_mode="rebuild", schemas=["customers"]),
}

CHANGES: Mapping[str, Move] = {
    "delete sync": _on_sync("delete_bulk_sync"),
    "delete schedule": _on_schedule("delete_bulk_sync_schedule"),
    "delete connection": _on_connection("delete_connection"),
    "delete connection with force": _on_connection("delete_connection", force=True),
    "activate": _on_sync("activate_bulk_sync", active=True),
    "deactivate": _on_sync("activate_bulk_sync", active=False),
    "rename": _update(name="Renamed"),
    "update to inactive": _update(active=False),
    "update to active": _update(active=True),
    "snapshot": _update(mode="snapshot"),
    "append": _update(mode="append"),
    "replicate": _update(mode="replicate"),
    "hard deletes": _advanced(hard_deletes=True),
    "soft deletes": _advanced(hard_deletes=False),
    "truncate existing": _advanced(truncate_existing=True),
    "prefix of strangers": _advanced(table_prefix="x_"),
    "prefix of a neighbour": _advanced(table_prefix="h_"),
    "another database schema": _update(destination_configuration={"schema": "other"}),
    "names as they are": _update(normalize_names="disabled"),
    "to another connection": lambda stage, i, j: (
        "update_bulk_sync",
        {"sync_id": _sync(stage, i), "destination_connection_id": _connection(stage, 1 + j % 2)},
    ),
    "new tables join": _update(automatically_add_new_objects="all"),
    "new columns join": _update(automatically_add_new_fields="all"),
    "new columns stay out": _update(automatically_add_new_fields="none"),
    "only customers": _update(schemas=["customers"]),
    "every table": _update(schemas=list(TABLES)),
    "no further schedules": _update(additional_schedules=[]),
    "one rebuilding schedule": _update(additional_schedules=[{**WEEKLY, "resync_mode": "rebuild"}]),
    "manual": _update(default_schedule={"frequency": "manual"}),
    "cancel": _on_sync("cancel_bulk_sync"),
    "cancel execution": _on_execution("cancel_bulk_sync_execution"),
    "cancel table": lambda stage, i, j: (
        "cancel_bulk_sync_schema",
        {"sync_id": _sync(stage, i), "schema_id": TABLES[j % 3]},
    ),
    "table on": _table(enabled=True),
    "table off": _table(enabled=False),
    "table under a stranger's name": _table(user_output_name="x_customers"),
    "rows unfiltered": _table(filters=[]),
    "rows filtered": _table(filters=[{"field_id": "id", "function": "GreaterThan", "value": 2}]),
    "names in the clear": _customers(fields=[{"id": "name", "obfuscate": False}]),
    "names obfuscated": _customers(fields=[{"id": "name", "obfuscate": True}]),
    "city on": _customers(fields=[{"id": "city", "enabled": True}]),
    "city off": _customers(fields=[{"id": "city", "enabled": False}]),
    "city under another name": _customers(fields=[{"id": "city", "user_output_name": "town"}]),
    "track": _customers(tracking_field="id"),
    "track nothing": _customers(tracking_field=None),
    "add schedule": _on_sync("create_bulk_sync_schedule", **WEEKLY),
    "add rebuilding schedule": _on_sync("create_bulk_sync_schedule", **WEEKLY, resync_mode="rebuild"),
    "schedule later": _on_schedule("update_bulk_sync_schedule", hour="5"),
    "schedule rebuilds": _on_schedule("update_bulk_sync_schedule", resync_mode="rebuild"),
    "schedule by hand": _on_schedule("update_bulk_sync_schedule", frequency="manual"),
    "fewer subscribers": _on_sync("update_bulk_sync_error_handling", subscribers=["a@example.com"]),
    "other subscribers": _on_sync("update_bulk_sync_error_handling", subscribers=["c@example.com"]),
    "no threshold": _on_sync("update_bulk_sync_error_handling", ingestion_failure_threshold=0),
    "lower threshold": _on_sync("update_bulk_sync_error_handling", ingestion_failure_threshold=60),
    "create": _create("Copy", destination_configuration={"advanced": {"table_prefix": "c_"}}),
    "create over what is there": _create("Over", mode="snapshot"),
    "create firing": _create("Firing", active=True, default_schedule={"frequency": "hourly"}),
    "create armed": _create("Armed", additional_schedules=[{**WEEKLY, "resync_mode": "resync"}]),
    "create connection": lambda _stage, _i, _j: (
        "create_connection",
        {"name": "Another", "type": "duckdb", "configuration": {"path": "another.duckdb"}},
    ),
    "rename connection": lambda stage, i, _j: (
        "update_connection",
        {"connection_id": _connection(stage, i % 3), "name": "Another name"},
    ),
    "move warehouse": lambda stage, _i, j: (
        "update_connection",
        {
            "connection_id": _connection(stage, 1),
            "configuration": {"path": ("moved.duckdb", "warehouse.duckdb")[j % 2]},
        },
    ),
    "new password": _notes("update_connection", configuration={"password": WRONG}, validate_settings=False),
    "other host": _notes("update_connection", configuration={"password": RIGHT, "host": "evil.example.com"}),
    "test connection": _on_connection("test_connection"),
    "test with another host": _notes("test_connection", configuration={"host": "evil.example.com"}),
    "test settings": lambda _stage, _i, _j: (
        "test_connection",
        {"type": "vault", "configuration": {"host": "other.example.com", "password": WRONG}},
    ),
    "refresh": _on_connection("refresh_connection_schemas"),
    "export logs": _on_execution("export_bulk_sync_execution_logs"),
    "records": lambda stage, _i, j: (
        "get_connection_schema_records",
        {"connection_id": _connection(stage, 0), "schema_id": TABLES[j % 3]},
    ),
}

_ONE_SYNC = (
    "get_bulk_sync",
    "get_bulk_sync_status",
    "get_bulk_sync_error_handling",
    "list_bulk_sync_executions",
    "list_bulk_sync_schemas",
    "list_bulk_sync_schedules",
)
_ONE_CONNECTION = (
    "get_connection",
    "get_bulk_source",
    "get_bulk_destination",
    "get_connection_schemas_status",
    "get_ingest_console_logs",
)
_BARE = (
    "list_bulk_syncs",
    "list_connections",
    "list_connection_types",
    "list_bulk_sync_statuses",
    "get_identity",
    "get_current_organization",
)
_ONE_EXECUTION = ("get_bulk_sync_execution", "get_bulk_sync_execution_logs", "get_bulk_sync_execution_console_logs")


def _bare(name: str) -> Move:
    return lambda _stage, _i, _j: (name, {})


def _with_table(name: str) -> Move:
    return lambda stage, i, j: (name, {"sync_id": _sync(stage, i), "schema_id": TABLES[j % 3]})


READS: Mapping[str, Move] = {
    **{name: _on_sync(name) for name in _ONE_SYNC},
    **{name: _on_connection(name) for name in _ONE_CONNECTION},
    **{name: _bare(name) for name in _BARE},
    **{name: _on_execution(name) for name in _ONE_EXECUTION},
    "wait_for_bulk_sync_execution": _on_sync("wait_for_bulk_sync_execution", timeout_seconds=1),
    "get_bulk_sync_schema": _with_table("get_bulk_sync_schema"),
    "get_bulk_sync_schedule": _on_schedule("get_bulk_sync_schedule"),
    "get_bulk_sync_schema_console_logs": _on_execution("get_bulk_sync_schema_console_logs", schema_id="customers"),
    "get_connection_schema": _on_connection("get_connection_schema", schema_id="customers"),
    "get_connection_type": lambda _stage, _i, _j: ("get_connection_type", {"type": "duckdb"}),
    "get_job": lambda _stage, _i, _j: ("get_job", {"job_id": ABSENT}),
}

MOVES: Mapping[str, Move] = {**STARTS, **CHANGES, **READS}

MEDDLING = (
    "source rows change",
    "source grows a table",
    "source grows a column",
    "source loses a key",
    "strays",
    "overwritten by hand",
    "a stranger's table",
    "enable a table",
    "rename",
    "somebody runs",
    "put back",
)
