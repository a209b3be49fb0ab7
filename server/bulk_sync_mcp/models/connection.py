"""Connections, and what they offer as source or destination (api/README.md 2)."""

from typing import Any

from bulk_sync_mcp.core.text import quoted
from bulk_sync_mcp.models.base import ApiModel


class ConnectionType(ApiModel):
    """The kind of a connection."""

    id: str | None = None
    name: str | None = None


class Connection(ApiModel):
    """A connection, its secrets masked."""

    id: str | None = None
    name: str | None = None
    type: ConnectionType | None = None
    status: str | None = None
    status_error: str | None = None
    updated_at: str | None = None

    def spelled(self, schema: str | None = None) -> str:
        """`“Warehouse” (snowflake), schema “SALES”`."""
        kind = f" ({self.type.id or self.type.name})" if self.type else ""
        return f"{quoted(self.name or self.id or '?')}{kind}{f', schema {quoted(schema)}' if schema else ''}"


class SourceField(ApiModel):
    """One column of a source table."""

    id: str = ""
    name: str | None = None
    type: str | None = None
    remote_type: str | None = None
    is_primary_key: bool | None = None


class SourceTable(ApiModel):
    """One table of a source."""

    id: str = ""
    name: str | None = None
    fields: list[SourceField] | None = None

    @property
    def keyed(self) -> bool:
        """Whether it has a primary key, user overrides included (api/README.md 3)."""
        return any(field.is_primary_key for field in self.fields or [])


class BulkSource(ApiModel):
    """What a connection offers as a source."""

    capabilities: dict[str, Any] | None = None
    configuration: dict[str, Any] | None = None
    schemas: list[SourceTable] | None = None


class DestinationMode(ApiModel):
    """One write mode of a destination."""

    id: str | None = None
    label: str | None = None
    description: str | None = None


class BulkDestination(ApiModel):
    """What a connection accepts as a destination."""

    configuration: dict[str, Any] | None = None
    modes: list[DestinationMode] | None = None
    supported_resync_modes: list[str] | None = None
    supports_history_mode: bool | None = None
