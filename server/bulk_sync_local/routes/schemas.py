"""What a sync has selected: its schemas, listed, read, replaced, patched."""

from collections.abc import Sequence

from pydantic import Field

from bulk_sync_local import jobs, render, selection, store_connections, store_schemas, store_syncs
from bulk_sync_local.bodies import FieldPatch, FieldUpdate, SchemaBody, SchemaId
from bulk_sync_local.connectors.base import SourceTable
from bulk_sync_local.dispatch import Answer, Body, Call, Endpoint, Query, QueryBool, data
from bulk_sync_local.errors import bad_request
from bulk_sync_local.lookups import schema_of, sync_of
from bulk_sync_local.store import Tx
from bulk_sync_local.store_schemas import StoredSchema
from bulk_sync_local.store_syncs import StoredSync


class UpdateSchema(SchemaBody):
    fields: list[FieldUpdate] | None = None


class SchemaPatch(SchemaBody):
    """One schema of a patch, as a read gives it: the computed names are ignored when sent."""

    id: SchemaId
    fields: list[FieldPatch] | None = None
    output_name: str | None = None
    destination_history_output_name: str | None = None


class PatchSchemas(Body):
    schemas: list[SchemaPatch] | None = None


class ListSchemas(Query):
    enabled: QueryBool | None = Field(default=None, alias="filters[enabled]")


def list_bulk_sync_schemas(call: Call, tx: Tx) -> Answer:
    sync, wanted = sync_of(call, tx), call.query(ListSchemas).enabled
    found = store_schemas.every(tx, sync.id)
    return data([render.schema_item(sync, schema) for schema in found if wanted in (None, schema.enabled)])


def get_bulk_sync_schema(call: Call, tx: Tx) -> Answer:
    sync = sync_of(call, tx)
    return data(_shown(tx, sync, schema_of(call, tx, sync)))


def update_bulk_sync_schema(call: Call, tx: Tx) -> Answer:
    """Full replacement: what is left out is cleared, `enabled` included; without `fields` every field is enabled."""
    sync, body = sync_of(call, tx), call.body(UpdateSchema)
    old = schema_of(call, tx, sync)
    spec = body.spec(old.schema_id, [field.spec() for field in body.fields or ()])
    table = _source_tables(tx, sync).get(old.schema_id)
    configured = selection.configured(old, table, spec, keep_output_name=False)
    new = StoredSchema(old.schema_id, bool(body.enabled), configured.settings)
    _save(call, tx, sync, [new])
    return data(_shown(tx, sync, new))


def patch_bulk_sync_schemas(call: Call, tx: Tx) -> Answer:
    """Changes the schemas named and no others; one named without `fields` gets every field enabled."""
    sync, body = sync_of(call, tx), call.body(PatchSchemas)
    if not body.schemas:
        raise bad_request("schemas: name at least one")
    stored = {schema.schema_id: schema for schema in store_schemas.every(tx, sync.id)}
    tables = _source_tables(tx, sync)
    changed: dict[str, StoredSchema] = {}
    for patch in body.schemas:
        if patch.id in changed:
            raise bad_request(f"schemas: {patch.id!r} is named twice")
        if patch.id not in stored:
            raise bad_request(f"schemas: this sync has no {patch.id!r}")
        spec = patch.spec(patch.id, [field.spec() for field in patch.fields or ()])
        changed[patch.id] = selection.patched(stored[patch.id], tables.get(patch.id), spec)
    _save(call, tx, sync, list(changed.values()))
    return data([_shown(tx, sync, schema) for schema in changed.values()])


def _save(call: Call, tx: Tx, sync: StoredSync, changed: Sequence[StoredSchema]) -> None:
    for schema in changed:
        store_schemas.update(tx, sync.id, schema)
    jobs.output_names(sync, [schema for schema in store_schemas.every(tx, sync.id) if schema.enabled])
    store_syncs.touch(tx, sync.id, call.service.now())


def _shown(tx: Tx, sync: StoredSync, schema: StoredSchema) -> render.Json:
    table = _source_tables(tx, sync).get(schema.schema_id)
    return render.schema(sync, schema if table is None else jobs.take_up_new_fields(sync, schema, table))


def _source_tables(tx: Tx, sync: StoredSync) -> dict[str, SourceTable]:
    source = store_connections.get(tx, sync.source_connection_id)
    return {} if source is None else {table.id: table for table in source.tables or ()}


ENDPOINTS = [
    Endpoint("GET", "/api/bulk/syncs/{id}/schemas", list_bulk_sync_schemas, query=ListSchemas),
    Endpoint("PATCH", "/api/bulk/syncs/{id}/schemas", patch_bulk_sync_schemas, body=PatchSchemas),
    Endpoint("GET", "/api/bulk/syncs/{id}/schemas/{schema_id}", get_bulk_sync_schema),
    Endpoint("PUT", "/api/bulk/syncs/{id}/schemas/{schema_id}", update_bulk_sync_schema, body=UpdateSchema),
]
