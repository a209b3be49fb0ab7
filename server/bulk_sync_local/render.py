"""Stored things in the form the API shows them (api/README.md 2, Objects)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any  # JSON values

from bulk_sync_local import catalog, jobs, timing
from bulk_sync_local.clock import from_text
from bulk_sync_local.config import LocalConfig
from bulk_sync_local.connectors.base import SourceField, SourceTable
from bulk_sync_local.store_connections import StoredConnection
from bulk_sync_local.store_executions import SchemaExecution, StoredExecution
from bulk_sync_local.store_schedules import StoredSchedule
from bulk_sync_local.store_schemas import StoredSchema
from bulk_sync_local.store_syncs import StoredSync

Json = dict[str, Any]

SILENCE = timedelta(seconds=60)
"""A worker gives a sign of life every few seconds; one that lives and gives none is suspended or starved."""


@cache
def build_version() -> str:
    """The version of this package, as executions report it."""
    try:
        return version("bulk-sync-mcp")
    except PackageNotFoundError:
        return "unknown"


def actor(config: LocalConfig) -> Json:
    """Who made every change: there is one user."""
    return {"id": config.organization_id, "name": "local user", "type": "user"}


def stamps(config: LocalConfig, created_at: str, updated_at: str) -> Json:
    """When and by whom something was made and changed."""
    who = actor(config)
    return {"created_at": created_at, "created_by": who, "updated_at": updated_at, "updated_by": who}


def connection_type(type_id: str) -> Json:
    """The type of a connection, in brief."""
    entry = catalog.info(type_id)
    return {"id": type_id, "name": type_id if entry is None else entry.name}


def connection(config: LocalConfig, stored: StoredConnection) -> Json:
    """A connection, secrets masked."""
    return {
        "id": stored.id,
        "name": stored.name,
        "organization_id": config.organization_id,
        "type": connection_type(stored.type_id),
        "configuration": catalog.masked(stored.type_id, stored.configuration),
        "status": stored.status,
        "status_error": stored.status_error,
        "saved": True,
        "parent_connection_id": None,
        "policies": [],
        "healthcheck_interval": stored.healthcheck_interval,
        "api_calls_last_24_hours": None,
        "rate_limit": None,
        **stamps(config, stored.created_at, stored.updated_at),
    }


def source_field(field: SourceField) -> Json:
    """A column of a source table."""
    return {
        "id": field.id,
        "name": field.name,
        "type": field.type,
        "remote_type": field.remote_type,
        "is_primary_key": field.is_primary_key,
        "source_primary_key": field.is_primary_key,
        "user_managed": False,
    }


def source_table(table: SourceTable, *, include_fields: bool) -> Json:
    """A table of a source."""
    shown: Json = {"id": table.id, "name": table.name}
    if include_fields:
        shown["fields"] = [source_field(field) for field in table.fields]
    return shown


def note_on(schedules: Iterable[StoredSchedule]) -> str | None:
    """What is to be said of schedules that never fire here; None when there are none."""
    silent = sorted({one.settings.frequency for one in schedules if timing.stored_only(one.settings)})
    if not silent:
        return None
    return (
        f"Schedules of frequency {', '.join(silent)} are stored and never fire on the local service: the API does not "
        "publish what they go by."
    )


def embedded_schedule(config: LocalConfig, schedule: StoredSchedule) -> Json:
    """A schedule as part of a sync (snake_case)."""
    settings = schedule.settings
    shown: Json = {
        "id": schedule.id,
        "frequency": settings.frequency,
        "day_of_month": settings.day_of_month,
        "day_of_week": settings.day_of_week,
        "hour": settings.hour,
        "minute": settings.minute,
        "month": settings.month,
        **stamps(config, schedule.created_at, schedule.updated_at),
    }
    if not schedule.is_default:
        shown |= {
            "resync_mode": settings.resync_mode,
            "schemas": list(settings.schemas),
            "selective_mode": settings.selective_mode,
        }
    return shown


def own_schedule(config: LocalConfig, schedule: StoredSchedule) -> Json:
    """A schedule as its own endpoints show it (camelCase); `id` and `note` are outside the typed contract."""
    settings, note = schedule.settings, note_on([schedule])
    return {
        "id": schedule.id,
        "frequency": settings.frequency,
        "dayOfMonth": settings.day_of_month,
        "dayOfWeek": settings.day_of_week,
        "hour": settings.hour,
        "minute": settings.minute,
        "month": settings.month,
        "isDefault": schedule.is_default,
        "schemas": list(settings.schemas),
        "selectiveMode": settings.selective_mode,
        "syncMode": settings.resync_mode,
        "syncId": schedule.sync_id,
        "createdAt": schedule.created_at,
        "createdBy": config.organization_id,
        "updatedAt": schedule.updated_at,
        "updatedBy": config.organization_id,
        "deletedAt": None,
        "deletedBy": None,
        **({} if note is None else {"note": note}),
    }


def sync(config: LocalConfig, stored: StoredSync, schedules: list[StoredSchedule]) -> Json:
    """A bulk sync."""
    settings = stored.settings
    default = next((schedule for schedule in schedules if schedule.is_default), None)
    return {
        "id": stored.id,
        "organization_id": config.organization_id,
        "name": stored.name,
        "active": stored.active,
        "mode": stored.mode,
        "source_connection_id": stored.source_connection_id,
        "source_configuration": dict(settings.source_configuration),
        "destination_connection_id": stored.destination_connection_id,
        "destination_configuration": dict(settings.destination_configuration),
        "default_schedule": None if default is None else embedded_schedule(config, default),
        "additional_schedules": [
            embedded_schedule(config, schedule) for schedule in schedules if not schedule.is_default
        ],
        "automatically_add_new_objects": settings.automatically_add_new_objects,
        "automatically_add_new_fields": settings.automatically_add_new_fields,
        "normalize_names": settings.normalize_names,
        "data_cutoff_timestamp": settings.data_cutoff_timestamp,
        "disable_record_timestamps": settings.disable_record_timestamps,
        "concurrency_limit": settings.concurrency_limit,
        "resync_concurrency_limit": settings.resync_concurrency_limit,
        "policies": [],
        **stamps(config, stored.created_at, stored.updated_at),
    }


def schema_item(stored_sync: StoredSync, schema: StoredSchema) -> Json:
    """A schema of a sync as listed: no fields, no filters."""
    settings = schema.settings
    return {
        "id": schema.schema_id,
        "enabled": schema.enabled,
        "output_name": jobs.name_of_output(stored_sync, schema),
        "user_output_name": settings.user_output_name,
        "tracking_field": settings.tracking_field,
        "partition_key": None,
        "data_cutoff_timestamp": settings.data_cutoff_timestamp,
        "disable_data_cutoff": settings.disable_data_cutoff,
        "history_enabled": False,
        "destination_history_output_name": None,
    }


def schema(stored_sync: StoredSync, stored: StoredSchema) -> Json:
    """A schema of a sync in full."""
    return {
        **schema_item(stored_sync, stored),
        "fields": [
            {
                "id": choice.id,
                "enabled": choice.enabled,
                "obfuscated": choice.obfuscated,
                "output_name": jobs.name_of_column(stored_sync, choice),
                "user_output_name": choice.user_output_name,
            }
            for choice in stored.settings.fields
        ],
        "filters": [
            {"field_id": entry.field_id, "function": entry.function, "value": entry.value}
            for entry in stored.settings.filters
        ],
    }


def schema_execution(entry: SchemaExecution) -> Json:
    """One schema inside an execution."""
    return {
        "schema": entry.schema_id,
        "output_name": entry.output_name,
        "status": entry.status,
        "status_message": entry.status_message,
        "record_count": entry.record_count,
        "error_count": entry.error_count,
        "warning_count": entry.warning_count,
        "created_at": entry.created_at,
        "started_at": entry.started_at,
        "completed_at": entry.completed_at,
        "updated_at": entry.updated_at,
        "version": build_version(),
    }


def execution(stored: StoredExecution, now: datetime) -> Json:
    """An execution with its schemas; its counts are the sums of theirs."""
    return {
        "id": stored.id,
        "type": stored.type,
        "status": stored.status,
        "status_message": stored.status_message or _silence(stored, now),
        "is_test": stored.is_test,
        "is_resync": stored.resync_mode is not None,
        "is_partial": stored.is_partial,
        "fetch_mode": stored.fetch_mode,
        "output_disposition": stored.output_disposition,
        "record_count": sum(entry.record_count for entry in stored.schemas),
        "error_count": sum(entry.error_count for entry in stored.schemas),
        "warning_count": sum(entry.warning_count for entry in stored.schemas),
        "schemas": [schema_execution(entry) for entry in stored.schemas],
        "created_at": stored.created_at,
        "started_at": stored.started_at,
        "completed_at": stored.completed_at,
        "updated_at": stored.updated_at,
        "version": build_version(),
    }


def _silence(stored: StoredExecution, now: datetime) -> str | None:
    """Words for a run whose worker is alive, or it would have been found dead, and silent."""
    if stored.completed_at is not None or stored.heartbeat_at is None:
        return None
    if now - from_text(stored.heartbeat_at) < SILENCE:
        return None
    return f"the worker process has given no sign of life since {stored.heartbeat_at}; it may be suspended"
