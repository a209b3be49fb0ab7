"""Request bodies that several endpoints share, as the caller writes them (openapi.yaml, components)."""

from typing import Annotated, Any, Literal  # Any: the operand of a filter is JSON

from pydantic import Field

from bulk_sync_local.dispatch import Body, Time
from bulk_sync_local.engine.job import RowFilter
from bulk_sync_local.selection import FieldSpec, SchemaSpec
from bulk_sync_local.store_schedules import Frequency, ScheduleResyncMode, ScheduleSettings, SelectiveMode

SchemaId = Annotated[str, Field(min_length=1)]

FilterFunction = Literal[
    "Equality",
    "Inequality",
    "IsNull",
    "IsNotNull",
    "True",
    "False",
    "OnOrAfter",
    "OnOrBefore",
    "GreaterThan",
    "GreaterThanEqual",
    "LessThan",
    "LessThanEqual",
    "StringContains",
    "StringStartsWith",
    "StringEndsWith",
    "StringDoesNotContain",
    "StringDoesNotStartWith",
    "StringDoesNotEndWith",
    "StringOneOf",
    "StringNotOneOf",
    "Between",
    "ArrayContains",
    "ArrayDoesNotContain",
    "InTheLast",
    "RelativeOnOrBefore",
    "RelativeOnOrAfter",
    "StringLike",
    "StringNotLike",
    "StringMatchesTrimmed",
]


class FilterBody(Body):
    field_id: SchemaId
    function: FilterFunction
    value: Any = None

    def row_filter(self) -> RowFilter:
        """The filter as it is stored."""
        return RowFilter(self.field_id, self.function, self.value)


class FieldConfiguration(Body):
    """A field in a sync's create or update: `obfuscate`, where the schema endpoints say `obfuscated`."""

    id: SchemaId
    enabled: bool | None = None
    obfuscate: bool | None = None
    user_output_name: str | None = None

    def spec(self) -> FieldSpec:
        """A name that is left out stays as it is (api/README.md 4)."""
        keep = self.user_output_name is None
        return FieldSpec(self.id, self.enabled, self.obfuscate, self.user_output_name or None, keep_name=keep)


class FieldUpdate(Body):
    """A field in a schema's replacement: a name that is left out is cleared."""

    id: SchemaId
    enabled: bool | None = None
    obfuscated: bool | None = None
    user_output_name: str | None = None

    def spec(self) -> FieldSpec:
        return FieldSpec(self.id, self.enabled, self.obfuscated, self.user_output_name or None, keep_name=False)


class FieldPatch(FieldUpdate):
    """A field in a patched schema, as a read gives it: `output_name` is computed, and ignored when sent."""

    output_name: str | None = None

    def spec(self) -> FieldSpec:
        keep = "user_output_name" not in self.model_fields_set
        return FieldSpec(self.id, self.enabled, self.obfuscated, self.user_output_name or None, keep_name=keep)


class SchemaBody(Body):
    """What every way of configuring a schema has in common."""

    enabled: bool | None = None
    filters: list[FilterBody] | None = None
    tracking_field: str | None = None
    partition_key: str | None = None
    data_cutoff_timestamp: Time | None = None
    disable_data_cutoff: bool | None = None
    history_enabled: bool | None = None
    user_output_name: str | None = None

    def spec(self, schema_id: str, fields: list[FieldSpec]) -> SchemaSpec:
        """The configuration with the `fields` that this kind of body has."""
        return SchemaSpec(
            schema_id=schema_id,
            enabled=self.enabled,
            fields=tuple(fields),
            filters=tuple(entry.row_filter() for entry in self.filters or ()),
            tracking_field=self.tracking_field or None,
            partition_key=self.partition_key or None,
            data_cutoff_timestamp=self.data_cutoff_timestamp,
            disable_data_cutoff=bool(self.disable_data_cutoff),
            history_enabled=bool(self.history_enabled),
            user_output_name=self.user_output_name or None,
            given=frozenset(self.model_fields_set),
        )


class SchemaConfiguration(SchemaBody):
    """A schema in a sync's create or update."""

    id: SchemaId
    fields: list[SchemaId | FieldConfiguration] | None = None

    def whole(self) -> SchemaSpec:
        """The complete configuration."""
        fields = [
            FieldSpec(entry, True, None, None, keep_name=True) if isinstance(entry, str) else entry.spec()
            for entry in self.fields or ()
        ]
        return self.spec(self.id, fields)


class ScheduleBody(Body):
    """The default schedule of a sync."""

    frequency: Frequency
    id: str | None = None
    day_of_month: str | None = None
    day_of_week: str | None = None
    hour: str | None = None
    minute: str | None = None
    month: str | None = None

    def settings(self) -> ScheduleSettings:
        """What is stored of it."""
        return ScheduleSettings(
            frequency=self.frequency,
            day_of_month=self.day_of_month or None,
            day_of_week=self.day_of_week or None,
            hour=self.hour or None,
            minute=self.minute or None,
            month=self.month or None,
        )


class AdditionalScheduleBody(ScheduleBody):
    """A further schedule of a sync."""

    resync_mode: ScheduleResyncMode | None = None
    schemas: list[SchemaId] | None = None
    selective_mode: SelectiveMode | None = None

    def settings(self) -> ScheduleSettings:
        return ScheduleSettings(
            frequency=self.frequency,
            day_of_month=self.day_of_month or None,
            day_of_week=self.day_of_week or None,
            hour=self.hour or None,
            minute=self.minute or None,
            month=self.month or None,
            resync_mode=self.resync_mode or "normal",
            schemas=tuple(self.schemas or ()),
            selective_mode=self.selective_mode or "none",
        )
