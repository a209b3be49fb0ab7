"""Recording a run, whoever starts it: the checks, the job, the execution. Its worker is started once that is kept."""

from bulk_sync_local import catalog, jobs, store_connections, store_executions, store_schemas
from bulk_sync_local.errors import bad_request, conflict
from bulk_sync_local.ids import new_id
from bulk_sync_local.jobs import RunRequest
from bulk_sync_local.store import Tx
from bulk_sync_local.store_connections import StoredConnection
from bulk_sync_local.store_executions import AlreadyRunningError, StoredExecution, Trigger
from bulk_sync_local.store_schedules import ScheduleSettings
from bulk_sync_local.store_schemas import StoredSchema
from bulk_sync_local.store_syncs import StoredSync


def record(tx: Tx, sync: StoredSync, request: RunRequest, trigger: Trigger, now: str) -> StoredExecution:
    """Records a run and returns it as just created. Raises `ApiError`: 400 when it cannot be run like that, 409 when
    one runs already; nothing is recorded then.
    """
    source = store_connections.get(tx, sync.source_connection_id)
    destination = store_connections.get(tx, sync.destination_connection_id)
    if source is None or destination is None:
        raise conflict("a connection of this sync is gone")
    _check_resync_mode(sync, destination, request)
    stored = store_schemas.every(tx, sync.id)
    chosen = _chosen(stored, request)
    job = jobs.build(new_id(), sync, source, destination, chosen, request)
    try:
        store_executions.create(
            tx,
            job,
            jobs.output_names(sync, chosen),
            trigger=trigger,
            is_partial=len(chosen) < sum(schema.enabled for schema in stored),
            add_new_objects=_takes_up_new_objects(sync, request),
            now=now,
        )
    except AlreadyRunningError:
        running = store_executions.unfinished(tx, sync.id)
        detail = "" if running is None else f" ({running.id}, {running.status})"
        raise conflict(
            f"an execution of this sync is already running{detail}; wait for it or cancel it",
            execution_id=None if running is None else running.id,
        ) from None
    created = store_executions.get(tx, sync.id, job.execution_id)
    if created is None:
        raise TypeError("an execution vanished inside the transaction that made it")
    return created


def scheduled_request(tx: Tx, sync: StoredSync, settings: ScheduleSettings) -> RunRequest:
    """What a schedule asks for when it fires: the tables it covers, of those that are enabled at that moment.

    Raises `ApiError` 400 when there are none, which must never become all of them.
    """
    resync_mode = None if settings.resync_mode == "normal" else settings.resync_mode
    if not settings.schemas and settings.selective_mode == "none":
        return RunRequest((), resync_mode, unattended=True)
    covered = [
        schema
        for schema in store_schemas.every(tx, sync.id)
        if schema.enabled
        and (not settings.schemas or schema.schema_id in settings.schemas)
        and (
            settings.selective_mode == "none"
            or jobs.read_incrementally(sync, schema) == (settings.selective_mode == "incrementalFields")
        )
    ]
    if not covered:
        raise bad_request("no table that this schedule covers is enabled in the sync, so there is nothing to run")
    return RunRequest(tuple(schema.schema_id for schema in covered), resync_mode, unattended=True)


def _takes_up_new_objects(sync: StoredSync, request: RunRequest) -> bool:
    # Schemas named are all the run is about: nothing that turned up since joins it. Nor does anything join a rerun
    # that nobody attends: whoever agreed to it cannot have known the table.
    rerun = request.unattended and request.resync_mode is not None
    return not request.schemas and not rerun and sync.settings.automatically_add_new_objects == "all"


def _check_resync_mode(sync: StoredSync, destination: StoredConnection, request: RunRequest) -> None:
    if request.resync_mode is None:
        return
    entry = catalog.require_info(destination.type_id)
    if request.resync_mode not in entry.resync_modes:
        offered = ", ".join(entry.resync_modes) or "none"
        raise bad_request(f"resync_mode: {entry.name} does not offer {request.resync_mode}; it offers {offered}")
    if sync.mode == "append" and request.resync_mode == "refetch":
        raise bad_request("resync_mode: a sync in append mode has no rows to overwrite; refetch is not offered")


def _chosen(stored: list[StoredSchema], request: RunRequest) -> list[StoredSchema]:
    by_id = {schema.schema_id: schema for schema in stored}
    if not request.schemas:
        enabled = [schema for schema in stored if schema.enabled]
        if not enabled:
            raise bad_request("no schema of this sync is enabled, so there is nothing to run")
        return enabled
    unknown = [schema_id for schema_id in request.schemas if schema_id not in by_id]
    if unknown:
        raise bad_request(f"schemas: this sync has no {', '.join(map(repr, unknown))}", unknown=unknown)
    disabled = [schema_id for schema_id in request.schemas if not by_id[schema_id].enabled]
    if disabled:
        raise bad_request(f"schemas: not enabled in this sync: {', '.join(map(repr, disabled))}", disabled=disabled)
    return [by_id[schema_id] for schema_id in request.schemas]
