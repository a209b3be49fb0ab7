"""From a stored sync to the job of one run, and how a sync takes up what its source newly offers."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from bulk_sync_local import catalog, store_connections, store_schemas
from bulk_sync_local.config import LocalConfig
from bulk_sync_local.connectors.base import SourceTable
from bulk_sync_local.engine.job import Endpoint, FieldChoice, NormalizeNames, ResyncMode, RunJob, TableJob
from bulk_sync_local.engine.outputs import field_output_name, output_name
from bulk_sync_local.errors import bad_request
from bulk_sync_local.store import Tx
from bulk_sync_local.store_connections import StoredConnection
from bulk_sync_local.store_schemas import SchemaSettings, StoredSchema
from bulk_sync_local.store_syncs import StoredSync


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a run is asked to be. `schemas` are ids in the order given; empty means all enabled ones. `unattended`: a
    schedule asks for it, and nobody looks."""

    schemas: tuple[str, ...] = ()
    resync_mode: ResyncMode | None = None
    test: bool = False
    unattended: bool = False


def build(
    execution_id: str,
    sync: StoredSync,
    source: StoredConnection,
    destination: StoredConnection,
    schemas: Sequence[StoredSchema],
    request: RunRequest,
) -> RunJob:
    """The job of a run over `schemas`; secret references are still references in it."""
    advanced = sync.advanced
    return RunJob(
        execution_id=execution_id,
        sync_id=sync.id,
        source=Endpoint(source.type_id, source.configuration),
        destination=Endpoint(destination.type_id, destination.configuration),
        tables=tuple(table_job(sync, schema) for schema in schemas),
        mode=sync.mode,
        resync_mode=request.resync_mode,
        test=request.test,
        adopt=not request.unattended,
        output_schema=sync.settings.destination_configuration.get("schema") or None,
        table_prefix=advanced.get("table_prefix") or "",
        normalize_names=sync.settings.normalize_names,
        hard_deletes=bool(advanced.get("hard_deletes")),
        truncate_existing=bool(advanced.get("truncate_existing")),
        record_timestamps=not sync.settings.disable_record_timestamps,
        at_once=_at_once(sync, request),
    )


def _at_once(sync: StoredSync, request: RunRequest) -> int | None:
    """How many tables the sync's limits let a run load side by side."""
    limits = sync.settings
    if request.resync_mode is not None and limits.resync_concurrency_limit is not None:
        return limits.resync_concurrency_limit
    return limits.concurrency_limit


def read_incrementally(sync: StoredSync, schema: StoredSchema) -> bool:
    """Whether runs of this table can read what changed, and with it every field of the table, without the rest."""
    return sync.mode != "snapshot" and schema.settings.tracking_field is not None


def takes_up_new_fields(sync: StoredSync, schema: StoredSchema) -> bool:
    """Whether a column that the source gains is selected in this table."""
    match sync.settings.automatically_add_new_fields:
        case "all":
            return True
        case "none":
            return False
        case "onlyIncremental":
            return read_incrementally(sync, schema)
        case "onlyNonIncremental":
            return not read_incrementally(sync, schema)


def table_job(sync: StoredSync, schema: StoredSchema) -> TableJob:
    """One table of a run."""
    settings = schema.settings
    cutoff = settings.data_cutoff_timestamp or sync.settings.data_cutoff_timestamp
    return TableJob(
        schema_id=schema.schema_id,
        fields=settings.fields,
        new_fields=takes_up_new_fields(sync, schema),
        filters=settings.filters,
        tracking_field=settings.tracking_field,
        data_cutoff=None if settings.disable_data_cutoff else cutoff,
        user_output_name=settings.user_output_name,
    )


@dataclass(frozen=True, slots=True)
class Naming:
    """The part of a sync that names its outputs."""

    table_prefix: str
    normalize_names: NormalizeNames


def naming(sync: StoredSync) -> Naming:
    """How the sync names its outputs."""
    return Naming(sync.advanced.get("table_prefix") or "", sync.settings.normalize_names)


def name_of_output(sync: StoredSync, schema: StoredSchema) -> str:
    """The destination table (or file) a schema of the sync is written to."""
    return output_name(naming(sync), table_job(sync, schema))


def name_of_column(sync: StoredSync, choice: FieldChoice) -> str:
    """The destination column a field is written to."""
    return field_output_name(naming(sync), choice.id, choice.user_output_name)


def output_names(sync: StoredSync, schemas: Iterable[StoredSchema]) -> list[tuple[str, str]]:
    """Schema id and output of each; raises `ApiError` 400 when two of them would write the same output."""
    names = [(schema.schema_id, name_of_output(sync, schema)) for schema in schemas]
    seen: dict[str, str] = {}
    for schema_id, name in names:
        # Destinations compare names without regard to case, so two that differ by case alone are one table.
        other = seen.setdefault(name.casefold(), schema_id)
        if other != schema_id:
            raise bad_request(
                f"schemas {other!r} and {schema_id!r} would both be written to {name!r}; give one of them "
                "another user_output_name, or disable it"
            )
    return names


def all_fields(table: SourceTable) -> tuple[FieldChoice, ...]:
    """Every column of the table, selected."""
    return tuple(FieldChoice(field.id) for field in table.fields)


def take_up_new_fields(sync: StoredSync, schema: StoredSchema, table: SourceTable) -> StoredSchema:
    """The schema with the columns it did not know added, selected or not by the sync's policy."""
    known = {choice.id for choice in schema.settings.fields}
    enabled = takes_up_new_fields(sync, schema)
    added = tuple(FieldChoice(field.id, enabled=enabled) for field in table.fields if field.id not in known)
    if not added:
        return schema
    return replace(schema, settings=replace(schema.settings, fields=schema.settings.fields + added))


def take_up_new_objects(
    tx: Tx, sync: StoredSync, tables: Sequence[SourceTable], ours: Collection[str], *, read_from: Endpoint, now: str
) -> list[StoredSchema]:
    """Brings the stored schemas of a sync up to date with its source; returns the schemas that were new. `ours` are
    tables that lie where the sync writes: known, and never enabled but by name.

    Does nothing when the source of the sync is not, or no longer, the one that was read.
    """
    source = store_connections.get(tx, sync.source_connection_id)
    if source is None or Endpoint(source.type_id, source.configuration) != read_from:
        return []
    store_connections.save(tx, replace(source, tables=tuple(tables), refresh_started=now, refresh_finished=now))
    by_id = {table.id: table for table in tables}
    schemas = [
        take_up_new_fields(sync, schema, by_id[schema.schema_id]) if schema.schema_id in by_id else schema
        for schema in store_schemas.every(tx, sync.id)
    ]
    known = {schema.schema_id for schema in schemas}
    enabled = sync.settings.automatically_add_new_objects == "all"
    new = [
        StoredSchema(table.id, enabled and table.id not in ours, SchemaSettings(fields=all_fields(table)))
        for table in tables
        if table.id not in known
    ]
    store_schemas.replace_all(tx, sync.id, schemas + new)
    return new


def read_source(config: LocalConfig, endpoint: Endpoint) -> tuple[SourceTable, ...]:
    """The tables of a source whose secret references are not resolved yet. Slow; raises `ConnectorError`."""
    return catalog.discover(config, catalog.resolve(config, endpoint.type_id, endpoint.configuration))
