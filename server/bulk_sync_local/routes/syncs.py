"""Bulk syncs: listed, created, read, replaced, deleted."""

from typing import Annotated, Any, Literal  # settings of a source or destination are JSON

from pydantic import Field

from bulk_sync_local import (
    catalog,
    jobs,
    paging,
    render,
    schedule,
    selection,
    store_schedules,
    store_schemas,
    store_syncs,
)
from bulk_sync_local.bodies import AdditionalScheduleBody, ScheduleBody, SchemaConfiguration, SchemaId
from bulk_sync_local.connectors.base import ConnectorInfo
from bulk_sync_local.dispatch import (
    Answer,
    Body,
    Call,
    Endpoint,
    Query,
    QueryBool,
    QueryCount,
    Time,
    Uuid,
    WholeNumber,
    data,
)
from bulk_sync_local.engine.job import Mode, NormalizeNames
from bulk_sync_local.errors import bad_request
from bulk_sync_local.ids import canonical_uuid, new_id
from bulk_sync_local.lookups import named_connection, sync_of
from bulk_sync_local.routes.removal import remove_sync
from bulk_sync_local.routes.sides import require_tables
from bulk_sync_local.store import Tx
from bulk_sync_local.store_connections import StoredConnection
from bulk_sync_local.store_schemas import StoredSchema
from bulk_sync_local.store_syncs import AddFields, AddObjects, StoredSync, SyncSettings

PAGE = 50
Limit = Annotated[WholeNumber, Field(ge=1)]


class SyncBody(Body):
    """The body of create and of update, which is a full replacement (api/README.md 4)."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    source_connection_id: Uuid
    destination_connection_id: Uuid
    destination_configuration: dict[str, Any]
    default_schedule: ScheduleBody
    additional_schedules: list[AdditionalScheduleBody] | None = None
    source_configuration: dict[str, Any] | None = None
    mode: Mode | None = None
    active: bool | None = None
    schemas: list[SchemaId | SchemaConfiguration] | None = None
    automatically_add_new_objects: AddObjects | Literal["onlyIncremental", "onlyNonIncremental"] | None = None
    automatically_add_new_fields: AddFields | None = None
    normalize_names: NormalizeNames | None = None
    data_cutoff_timestamp: Time | None = None
    disable_record_timestamps: bool | None = None
    concurrency_limit: Limit | None = None
    resync_concurrency_limit: Limit | None = None
    policies: list[Uuid] | None = None
    organization_id: Uuid | None = None

    def sync_settings(self) -> SyncSettings:
        """What is stored of it beside the columns of their own; the defaults are those of api/README.md 4."""
        return SyncSettings(
            source_configuration=self.source_configuration or {},
            destination_configuration=self.destination_configuration,
            automatically_add_new_objects=self.new_objects(),
            automatically_add_new_fields=self.automatically_add_new_fields or "all",
            normalize_names=self.normalize_names or "enabled",
            data_cutoff_timestamp=self.data_cutoff_timestamp,
            disable_record_timestamps=bool(self.disable_record_timestamps),
            concurrency_limit=self.concurrency_limit,
            resync_concurrency_limit=self.resync_concurrency_limit,
        )

    def new_objects(self) -> AddObjects:
        """The policy for tables the source gains. Raises `ApiError` 400 for one that has no meaning here."""
        given = self.automatically_add_new_objects or "none"
        if given == "all" or given == "none":
            return given
        raise bad_request(
            f"automatically_add_new_objects: {given} tells tables apart by how they are read, and a table that has just "
            "turned up has no tracking field yet, by which it could be read incrementally; must be 'all' or 'none'"
        )

    def wanted(self) -> list[str | selection.SchemaSpec]:
        """The schemas named."""
        return [entry if isinstance(entry, str) else entry.whole() for entry in self.schemas or ()]


class ListBulkSyncs(Query):
    active: QueryBool | None = None
    page_token: str | None = None
    limit: QueryCount = PAGE


class OneBulkSync(Query):
    """`refresh_schemas` is unexplained (api/README.md 10); it is accepted and changes nothing."""

    refresh_schemas: QueryBool = False


def list_bulk_syncs(call: Call, tx: Tx) -> Answer:
    query = call.query(ListBulkSyncs)
    of, limit = f"syncs active={query.active}", min(query.limit, PAGE)
    found = store_syncs.page(tx, active=query.active, after=paging.position(of, query.page_token), limit=limit + 1)
    shown, more = found[:limit], len(found) > limit
    token = paging.token(of, shown[-1].updated_at, shown[-1].id) if more else None
    return data([_shown(call, tx, sync) for sync in shown], pagination={"next_page_token": token})


def get_bulk_sync(call: Call, tx: Tx) -> Answer:
    return data(_shown(call, tx, sync_of(call, tx)))


def create_bulk_sync(call: Call, tx: Tx) -> Answer:
    body, now = call.body(SyncBody), call.service.now()
    source, destination = _sides(call, tx, body)
    require_tables(source)
    tables = source.tables or ()
    if body.schemas is not None and not body.schemas:
        raise bad_request("schemas: an empty list selects nothing; leave it out for every schema, or name some")
    schemas = selection.everything(tables) if body.schemas is None else selection.narrowed(tables, [], body.wanted())
    sync = StoredSync(
        id=new_id(),
        name=body.name,
        active=bool(body.active),
        mode=body.mode or "replicate",
        source_connection_id=source.id,
        destination_connection_id=destination.id,
        settings=body.sync_settings(),
        created_at=now,
        updated_at=now,
    )
    store_syncs.insert(tx, sync)
    _store_parts(tx, body, sync, destination, schemas, now)
    return data(_shown(call, tx, sync))


def update_bulk_sync(call: Call, tx: Tx) -> Answer:
    body, now = call.body(SyncBody), call.service.now()
    old = sync_of(call, tx)
    source, destination = _sides(call, tx, body)
    before = store_schemas.every(tx, old.id)
    if source.id != old.source_connection_id:
        before = _moved(before, source, selection_given=bool(body.schemas))
    tables = source.tables or ()
    schemas = selection.narrowed(tables, before, body.wanted()) if body.schemas else before
    sync = StoredSync(
        id=old.id,
        name=body.name,
        active=bool(body.active),
        mode=body.mode or "replicate",
        source_connection_id=source.id,
        destination_connection_id=destination.id,
        settings=body.sync_settings(),
        subscribers=old.subscribers,
        ingestion_failure_threshold=old.ingestion_failure_threshold,
        created_at=old.created_at,
        updated_at=now,
    )
    store_syncs.update(tx, sync)
    _store_parts(tx, body, sync, destination, schemas, now)
    if sync.active and not old.active:
        store_schedules.reckon_all(tx, sync.id, now)
    return data(_shown(call, tx, sync))


def delete_bulk_sync(call: Call, tx: Tx) -> Answer:
    remove_sync(tx, sync_of(call, tx).id, call.service.now())
    return Answer(status=204, after=call.service.supervisor.purge)


def _sides(call: Call, tx: Tx, body: SyncBody) -> tuple[StoredConnection, StoredConnection]:
    """The two connections, after every check that needs both of them and the body. Raises `ApiError` 400."""
    config = call.service.config
    if body.organization_id not in (None, canonical_uuid(config.organization_id)):
        raise bad_request("organization_id: the local service has one organization; leave it out")
    if body.policies:
        raise bad_request("policies: the local service has no permission policies; leave them out")
    if body.source_configuration:
        raise bad_request(
            f"source_configuration: no local source takes settings here: {', '.join(body.source_configuration)}"
        )
    source = named_connection(tx, "source_connection_id", body.source_connection_id)
    destination = named_connection(tx, "destination_connection_id", body.destination_connection_id)
    if not catalog.require_info(source.type_id).is_source:
        raise bad_request(f"source_connection_id: connections of type {source.type_id} cannot be read from")
    entry = catalog.require_info(destination.type_id)
    if not entry.is_destination:
        raise bad_request(f"destination_connection_id: connections of type {destination.type_id} cannot be written to")
    if source.id == destination.id or catalog.same_place(config, source.configuration, destination.configuration):
        raise bad_request("source and destination are the same file or directory")
    catalog.validate_destination(entry, body.destination_configuration)
    mode = body.mode or "replicate"
    if mode not in entry.modes:
        raise bad_request(f"mode: {entry.name} does not offer {mode}; it offers {', '.join(entry.modes)}")
    return source, destination


def _moved(before: list[StoredSchema], source: StoredConnection, *, selection_given: bool) -> list[StoredSchema]:
    """The schemas of a sync whose source was changed: those the new one has."""
    require_tables(source)
    missing = [schema.schema_id for schema in before if schema.enabled and source.table(schema.schema_id) is None]
    if missing and not selection_given:
        raise bad_request(
            f"source_connection_id: the new source has no {', '.join(map(repr, missing))}, which this sync has "
            "enabled; say in schemas what to sync from it"
        )
    return [schema for schema in before if source.table(schema.schema_id) is not None]


def _store_parts(
    tx: Tx, body: SyncBody, sync: StoredSync, destination: StoredConnection, schemas: list[StoredSchema], now: str
) -> None:
    entry: ConnectorInfo = catalog.require_info(destination.type_id)
    schedules = schedule.replaced(
        sync.id,
        store_schedules.every(tx, sync.id),
        body.default_schedule,
        body.additional_schedules or [],
        now,
    )
    known = frozenset(schema.schema_id for schema in schemas)
    schedule.check_against_sync(schedules, entry, sync.mode, known)
    jobs.output_names(sync, [schema for schema in schemas if schema.enabled])
    store_schemas.replace_all(tx, sync.id, schemas)
    store_schedules.replace_all(tx, sync.id, schedules)


def _shown(call: Call, tx: Tx, sync: StoredSync) -> dict[str, Any]:
    return render.sync(call.service.config, sync, store_schedules.every(tx, sync.id))


ENDPOINTS = [
    Endpoint("GET", "/api/bulk/syncs", list_bulk_syncs, query=ListBulkSyncs),
    Endpoint("POST", "/api/bulk/syncs", create_bulk_sync, body=SyncBody),
    Endpoint("GET", "/api/bulk/syncs/{id}", get_bulk_sync, query=OneBulkSync),
    Endpoint("PUT", "/api/bulk/syncs/{id}", update_bulk_sync, body=SyncBody),
    Endpoint("DELETE", "/api/bulk/syncs/{id}", delete_bulk_sync, query=OneBulkSync),
]
