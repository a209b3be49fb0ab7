"""What a sync selects of its source: schemas and fields, from what a caller asked for and what was there before."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bulk_sync_local.connectors.base import SourceTable
from bulk_sync_local.engine.job import FieldChoice, RowFilter
from bulk_sync_local.errors import bad_request
from bulk_sync_local.jobs import all_fields
from bulk_sync_local.store_schemas import SchemaSettings, StoredSchema


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field as asked for. None means not said; `keep_name` says that the name it has stays."""

    id: str
    enabled: bool | None
    obfuscated: bool | None
    user_output_name: str | None
    keep_name: bool


@dataclass(frozen=True, slots=True)
class SchemaSpec:
    """A schema as asked for; `given` holds the keys that the caller wrote down."""

    schema_id: str
    enabled: bool | None
    fields: tuple[FieldSpec, ...]
    filters: tuple[RowFilter, ...]
    tracking_field: str | None
    partition_key: str | None
    data_cutoff_timestamp: str | None
    disable_data_cutoff: bool
    history_enabled: bool
    user_output_name: str | None
    given: frozenset[str]


def everything(tables: Iterable[SourceTable]) -> list[StoredSchema]:
    """Every table of the source with every field."""
    return [StoredSchema(table.id, True, SchemaSettings(fields=all_fields(table))) for table in tables]


def narrowed(
    tables: Sequence[SourceTable], before: Sequence[StoredSchema], wanted: Sequence[str | SchemaSpec]
) -> list[StoredSchema]:
    """The schemas named by `wanted`, enabled unless they say otherwise; every other one disabled.

    A schema named by its id alone keeps the configuration it has. Raises `ApiError` 400 for what does not exist.
    """
    by_id = {schema.schema_id: schema for schema in before}
    source = {table.id: table for table in tables}
    named: dict[str, StoredSchema] = {}
    for entry in wanted:
        schema_id = entry if isinstance(entry, str) else entry.schema_id
        if schema_id in named:
            raise bad_request(f"schemas: {schema_id!r} is named twice")
        if schema_id not in source and schema_id not in by_id:
            raise bad_request(f"schemas: the source has no {schema_id!r}; it has {_listed(source)}")
        old = by_id.get(schema_id) or _fresh(source[schema_id])
        if isinstance(entry, str):
            named[schema_id] = replace(old, enabled=True)
        else:
            new = configured(old, source.get(schema_id), entry, keep_output_name=True)
            named[schema_id] = replace(new, enabled=entry.enabled is not False)
    rest = [replace(schema, enabled=False) for schema in before if schema.schema_id not in named]
    rest += [
        replace(_fresh(table), enabled=False) for table in tables if table.id not in named and table.id not in by_id
    ]
    return in_source_order(tables, [*named.values(), *rest])


def in_source_order(tables: Sequence[SourceTable], schemas: Iterable[StoredSchema]) -> list[StoredSchema]:
    """The schemas in the order of the source; those it no longer has come last."""
    order = {table.id: position for position, table in enumerate(tables)}
    return sorted(schemas, key=lambda schema: (order.get(schema.schema_id, len(order)), schema.schema_id))


def configured(
    old: StoredSchema, table: SourceTable | None, spec: SchemaSpec, *, keep_output_name: bool
) -> StoredSchema:
    """The schema with its configuration replaced by `spec`; what `spec` does not say is cleared.

    With `keep_output_name` a name that is left out stays. Obfuscation of a field stays until it is said to end.
    `enabled` is left to the caller. Raises `ApiError` 400.
    """
    if spec.history_enabled:
        raise bad_request(f"schema {old.schema_id!r}: history_enabled: the local service keeps no history tables")
    if spec.partition_key is not None:
        raise bad_request(f"schema {old.schema_id!r}: partition_key: no local destination has partitions")
    known = [field.id for field in table.fields] if table else [choice.id for choice in old.settings.fields]
    # What the schema has may name a field that is gone: sent back or kept, it must not stand in the way of a change.
    filtered = {entry.field_id for entry in old.settings.filters}
    for what, field_id, had in [
        *(("filters", entry.field_id, entry.field_id in filtered) for entry in spec.filters),
        ("tracking_field", spec.tracking_field, spec.tracking_field == old.settings.tracking_field),
    ]:
        if field_id and field_id not in known and not had:
            raise bad_request(f"schema {old.schema_id!r}: {what}: no field {field_id!r}; it has {_listed(known)}")
    keeps_name = keep_output_name and "user_output_name" not in spec.given
    return replace(
        old,
        settings=SchemaSettings(
            fields=_fields(old, known, spec.fields, keep_names=keep_output_name),
            filters=spec.filters,
            tracking_field=spec.tracking_field,
            data_cutoff_timestamp=spec.data_cutoff_timestamp,
            disable_data_cutoff=spec.disable_data_cutoff,
            user_output_name=old.settings.user_output_name if keeps_name else spec.user_output_name,
        ),
    )


def patched(old: StoredSchema, table: SourceTable | None, spec: SchemaSpec) -> StoredSchema:
    """The schema with the keys that `spec` gives changed, and the others kept, except that without `fields` every
    field is enabled (api/README.md 4). Raises `ApiError` 400.
    """
    settings, given = old.settings, spec.given
    filled = replace(
        spec,
        filters=spec.filters if "filters" in given else settings.filters,
        tracking_field=spec.tracking_field if "tracking_field" in given else settings.tracking_field,
        data_cutoff_timestamp=(
            spec.data_cutoff_timestamp if "data_cutoff_timestamp" in given else settings.data_cutoff_timestamp
        ),
        disable_data_cutoff=(
            spec.disable_data_cutoff if "disable_data_cutoff" in given else settings.disable_data_cutoff
        ),
    )
    new = configured(old, table, filled, keep_output_name=True)
    return new if spec.enabled is None else replace(new, enabled=spec.enabled)


def _fields(
    old: StoredSchema, known: Sequence[str], specs: Sequence[FieldSpec], *, keep_names: bool
) -> tuple[FieldChoice, ...]:
    before = {choice.id: choice for choice in old.settings.fields}
    if not specs:
        every = [before.get(field_id, FieldChoice(field_id)) for field_id in known]
        return tuple(
            replace(choice, enabled=True, user_output_name=choice.user_output_name if keep_names else None)
            for choice in every
        )
    wanted: dict[str, FieldSpec] = {}
    for spec in specs:
        if spec.id in wanted:
            raise bad_request(f"schema {old.schema_id!r}: fields: {spec.id!r} is named twice")
        if spec.id not in known and spec.id not in before:
            raise bad_request(f"schema {old.schema_id!r}: fields: no field {spec.id!r}; it has {_listed(known)}")
        wanted[spec.id] = spec
    chosen: list[FieldChoice] = []
    for field_id in dict.fromkeys([*known, *wanted]):
        choice, spec = before.get(field_id, FieldChoice(field_id)), wanted.get(field_id)
        if spec is None:
            chosen.append(replace(choice, enabled=False))
            continue
        chosen.append(
            FieldChoice(
                id=field_id,
                enabled=spec.enabled is not False,
                obfuscated=choice.obfuscated if spec.obfuscated is None else spec.obfuscated,
                user_output_name=choice.user_output_name if spec.keep_name else spec.user_output_name,
            )
        )
    if not any(choice.enabled for choice in chosen):
        raise bad_request(f"schema {old.schema_id!r}: fields: none is enabled; disable the schema instead")
    return tuple(chosen)


def _fresh(table: SourceTable) -> StoredSchema:
    return StoredSchema(table.id, True, SchemaSettings(fields=all_fields(table)))


def _listed(names: Iterable[str]) -> str:
    listed = sorted(names)
    shown = ", ".join(listed[:30]) or "none"
    return shown if len(listed) <= 30 else f"{shown} and {len(listed) - 30} more"
