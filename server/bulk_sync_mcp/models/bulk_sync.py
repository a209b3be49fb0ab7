"""Bulk syncs: how the API tells them (api/README.md 2) and how tools do."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from bulk_sync_mcp.core.ids import SchemaId
from bulk_sync_mcp.core.operation import Input, Result
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.models.base import ApiModel, aged

Mode = Literal["snapshot", "replicate", "append"]
Discover = Literal["all", "none", "onlyIncremental", "onlyNonIncremental"]
NormalizeNames = Literal["enabled", "disabled", "legacy"]
MODES = frozenset({"snapshot", "replicate", "append"})
FIRING = frozenset({"continuous", "hourly", "daily", "weekly", "custom", "builder", "runafter", "multi", "dbtcloud"})
"""Frequencies that start runs unattended: all but `manual`; unknown ones count as firing too."""


class Schedule(ApiModel):
    """A schedule embedded in a sync."""

    id: str | None = None
    frequency: str | None = None
    day_of_month: str | None = None
    day_of_week: str | None = None
    hour: str | None = None
    minute: str | None = None
    month: str | None = None
    resync_mode: str | None = None
    schemas: list[str] | None = None
    selective_mode: str | None = None

    @property
    def fires(self) -> bool:
        """Whether it starts runs by itself; one that does not say when counts as one that does."""
        return self.frequency != "manual"

    @property
    def destructive(self) -> bool:
        """Whether its runs are full reruns; an unknown mode counts as one."""
        return self.resync_mode not in (None, "", "normal")

    def spelled(self) -> str:
        """`weekly, sunday, 03:00 UTC, resync_mode rebuild`."""
        parts = [self.frequency or "frequency not told"]
        parts += [part for part in (self.day_of_week, self.day_of_month and f"day {self.day_of_month}") if part]
        if self.hour is not None:
            parts.append(f"{self.hour.zfill(2)}:{(self.minute or '0').zfill(2)} UTC")
        elif self.minute is not None:
            parts.append(f"at minute {self.minute}")
        if self.destructive:
            parts.append(f"resync_mode {self.resync_mode}")
        if self.schemas:
            parts.append(f"tables {', '.join(self.schemas[:5])}{'…' if len(self.schemas) > 5 else ''}")
        return clean(", ".join(parts), 160)


class BulkSync(ApiModel):
    """The configuration of a bulk sync."""

    id: str | None = None
    name: str | None = None
    active: bool | None = None
    mode: str | None = None
    source_connection_id: str | None = None
    source_configuration: dict[str, Any] | None = None
    destination_connection_id: str | None = None
    destination_configuration: dict[str, Any] | None = None
    default_schedule: Schedule | None = None
    additional_schedules: list[Schedule] | None = None
    updated_at: str | None = None

    def schedules(self) -> list[Schedule]:
        """The default schedule and the additional ones."""
        return [
            *([self.default_schedule] if self.default_schedule else []),
            *(self.additional_schedules or []),
        ]

    def advanced(self, key: str) -> bool:
        """A switch among the destination's `advanced` settings (api/README.md 4); a string `false` is off."""
        advanced = (self.destination_configuration or {}).get("advanced")
        value = advanced.get(key) if isinstance(advanced, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return value not in (None, False, "", "false", 0)

    @property
    def output_schema(self) -> str | None:
        """The schema of the destination that output goes to."""
        value = (self.destination_configuration or {}).get("schema")
        return str(value) if value else None


class SyncSchema(ApiModel):
    """One table of a sync."""

    id: str = ""
    enabled: bool | None = None
    output_name: str | None = None
    user_output_name: str | None = None
    tracking_field: str | None = None

    @property
    def output(self) -> str:
        """The destination table: the name in use, else the source's."""
        return self.output_name or self.user_output_name or self.id


class ScheduleInput(Input):
    """When runs start by themselves."""

    frequency: Literal[
        "manual",
        "continuous",
        "hourly",
        "daily",
        "weekly",
        "custom",
        "builder",
        "runafter",
        "multi",
        "dbtcloud",
    ]
    id: str | None = Field(default=None, description="Keep when changing an existing schedule.")
    day_of_month: str | None = None
    day_of_week: str | None = Field(default=None, description="Such as monday.")
    hour: str | None = Field(default=None, description="0-23, UTC.")
    minute: str | None = None
    month: str | None = None


class AdditionalScheduleInput(ScheduleInput):
    """A further schedule."""

    resync_mode: Literal["normal", "refetch", "resync", "rebuild"] | None = Field(
        default=None, description="Anything but normal rewrites tables at every firing."
    )
    schemas: list[SchemaId] | None = Field(default=None, min_length=1)
    selective_mode: Literal["none", "incrementalFields", "nonincrementalFields"] | None = None


class FieldInput(Input):
    """One column."""

    id: str
    enabled: bool | None = None
    obfuscate: bool | None = None
    user_output_name: str | None = None


class FilterInput(Input):
    """One row filter."""

    field_id: str
    function: str = Field(description="Such as Equality, IsNotNull, GreaterThan.")
    value: Any = None


class SchemaInput(Input):
    """One table and how it is synced."""

    id: SchemaId
    enabled: bool | None = None
    fields: list[FieldInput] | None = Field(
        default=None, description="Columns not named stay as they are; at first all are synced."
    )
    filters: list[FilterInput] | None = None
    tracking_field: str | None = Field(default=None, description="Column that makes reading incremental.")
    user_output_name: str | None = None


_DEFAULTS = (("disable_record_timestamps", False),)
"""Settings that are as they are without being set, and say nothing."""


class BulkSyncDetails(Result):
    """A bulk sync. Settings the backend knows and this list does not are under `other`."""

    id: str
    name: str
    active: bool | None = None
    mode: str | None = None
    source_connection_id: str | None = None
    destination_connection_id: str | None = None
    source_configuration: dict[str, Any] | None = None
    destination_configuration: dict[str, Any] | None = None
    schedules: list[str] = Field(default_factory=list[str], description="Default one first, spelled out.")
    schedule_ids: list[str] = Field(default_factory=list[str], description="In the order of `schedules`.")
    automatically_add_new_objects: str | None = None
    automatically_add_new_fields: str | None = None
    normalize_names: str | None = None
    updated: str | None = None
    other: dict[str, Any] | None = None

    @classmethod
    def of(cls, raw: dict[str, Any], now: datetime) -> "BulkSyncDetails":
        """The details in an answer's `data`."""
        sync = BulkSync.read(raw)
        same = ("automatically_add_new_objects", "automatically_add_new_fields", "normalize_names")
        shown = {"id", "name", "active", "mode", "source_connection_id", "destination_connection_id", *same}
        shown |= {
            "source_configuration",
            "destination_configuration",
            "default_schedule",
            "additional_schedules",
        }
        hidden = {"organization_id", "created_at", "created_by", "updated_at", "updated_by"}
        other = {
            key: value
            for key, value in raw.items()
            if key not in shown | hidden and value not in (None, [], {}) and (key, value) not in _DEFAULTS
        }
        return cls(
            id=sync.id or "",
            name=clean(sync.name or ""),
            active=sync.active,
            mode=clean(sync.mode) if sync.mode else None,
            source_connection_id=sync.source_connection_id,
            destination_connection_id=sync.destination_connection_id,
            source_configuration=sync.source_configuration or None,
            destination_configuration=sync.destination_configuration or None,
            schedules=[schedule.spelled() for schedule in sync.schedules()],
            schedule_ids=[schedule.id or "" for schedule in sync.schedules()],
            **{key: clean(raw[key]) for key in same if raw.get(key)},
            updated=aged(sync.updated_at, now),
            other=other or None,
        )
