"""A connection seen as a bulk source, and as a bulk destination."""

from bulk_sync_local import catalog, render
from bulk_sync_local.dispatch import Answer, Call, Endpoint, Query, QueryBool, data
from bulk_sync_local.engine.job import Mode
from bulk_sync_local.errors import bad_request
from bulk_sync_local.lookups import connection_of
from bulk_sync_local.store import Tx
from bulk_sync_local.store_connections import StoredConnection

_MODES: dict[Mode, tuple[str, str]] = {
    "replicate": ("Replicate", "Keep the destination in step with the source"),
    "snapshot": ("Replace", "Replace all records"),
    "append": ("Append", "Add records, change none"),
}


class GetBulkSyncSource(Query):
    include_fields: QueryBool = False


def require_tables(stored: StoredConnection) -> None:
    """Raises `ApiError` 400 when the source's tables are not known (api/README.md 1, Errors)."""
    if not stored.tables:
        reason = f": {stored.status_error}" if stored.status_error else ""
        raise bad_request(
            f"connection {stored.id} did not provide any schemas{reason}; mend the source if need be and refresh "
            "the connection's schemas"
        )


def get_bulk_sync_source(call: Call, tx: Tx) -> Answer:
    stored = connection_of(call, tx)
    entry = catalog.require_info(stored.type_id)
    if not entry.is_source:
        raise bad_request(f"connections of type {stored.type_id} cannot be a bulk source")
    require_tables(stored)
    include_fields = call.query(GetBulkSyncSource).include_fields
    return data(
        {
            "capabilities": {
                "supports_tracking_fields": entry.supports_tracking_fields,
                "supports_namespaces": entry.supports_namespaces,
            },
            "configuration": {},
            "schemas": [render.source_table(table, include_fields=include_fields) for table in stored.tables or ()],
        }
    )


def get_bulk_sync_destination(call: Call, tx: Tx) -> Answer:
    stored = connection_of(call, tx)
    entry = catalog.require_info(stored.type_id)
    if not entry.is_destination:
        raise bad_request(f"connections of type {stored.type_id} cannot be a bulk destination")
    return data(
        {
            "configuration": catalog.destination_form(entry),
            "modes": [
                {
                    "id": mode,
                    "label": _MODES[mode][0],
                    "description": _MODES[mode][1],
                    "requires_identity": False,
                    "supports_field_sync_mode": False,
                    "supports_target_filters": False,
                }
                for mode in entry.modes
            ],
            "supported_resync_modes": list(entry.resync_modes),
            "supports_history_mode": False,
        }
    )


ENDPOINTS = [
    Endpoint("GET", "/api/connections/{id}/bulksync/source", get_bulk_sync_source, query=GetBulkSyncSource),
    Endpoint("GET", "/api/connections/{id}/bulksync/target", get_bulk_sync_destination),
]
