"""Finding what a path names, or the error that says it is not there."""

from bulk_sync_local import store_connections, store_executions, store_schemas, store_syncs
from bulk_sync_local.dispatch import Call
from bulk_sync_local.errors import bad_request, not_found
from bulk_sync_local.store import Tx
from bulk_sync_local.store_connections import StoredConnection
from bulk_sync_local.store_executions import StoredExecution
from bulk_sync_local.store_schemas import StoredSchema
from bulk_sync_local.store_syncs import StoredSync


def sync_of(call: Call, tx: Tx, name: str = "id") -> StoredSync:
    """The sync that the path parameter `name` names; raises `ApiError` 404."""
    sync_id = call.uuid(name, "bulk sync")
    found = store_syncs.get(tx, sync_id)
    if found is None:
        raise not_found("bulk sync", sync_id)
    return found


def execution_of(call: Call, tx: Tx, sync: StoredSync, name: str = "exec_id") -> StoredExecution:
    """The execution of the sync that the path names; raises `ApiError` 404."""
    execution_id = call.uuid(name, "execution")
    found = store_executions.get(tx, sync.id, execution_id)
    if found is None:
        raise not_found("execution", execution_id)
    return found


def schema_of(call: Call, tx: Tx, sync: StoredSync) -> StoredSchema:
    """The schema of the sync that the path names; raises `ApiError` 404."""
    found = store_schemas.get(tx, sync.id, call.path["schema_id"])
    if found is None:
        raise not_found("schema of this bulk sync", call.path["schema_id"])
    return found


def connection_of(call: Call, tx: Tx, name: str = "id") -> StoredConnection:
    """The connection that the path names; raises `ApiError` 404."""
    connection_id = call.uuid(name, "connection")
    found = store_connections.get(tx, connection_id)
    if found is None:
        raise not_found("connection", connection_id)
    return found


def named_connection(tx: Tx, key: str, connection_id: str) -> StoredConnection:
    """The connection that a body names under `key`; raises `ApiError` 400."""
    found = store_connections.get(tx, connection_id)
    if found is None:
        raise bad_request(f"{key}: no such connection: {connection_id}")
    return found
