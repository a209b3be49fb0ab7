"""What a connector is: one kind of source or destination, in one file beside this one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from bulk_sync_local.engine.job import Mode, ResyncMode

FieldType = Literal["unknown", "string", "number", "boolean", "datetime", "array", "object", "binary"]
"""The API's field types (`UtilFieldType` in openapi.yaml)."""


class ConnectorError(Exception):
    """Something about a connection is wrong; the text says what and how to mend it, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """What connections may touch: file paths, symbolic links resolved, inside `roots`; hosts by list.

    `root_for_relative` is what a relative path in a connection is relative to (the workspace).
    """

    roots: tuple[Path, ...]
    root_for_relative: Path
    hosts: frozenset[str] = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class SourceField:
    """One column of a source table."""

    id: str
    name: str
    type: FieldType
    remote_type: str
    is_primary_key: bool = False


@dataclass(frozen=True, slots=True)
class SourceTable:
    """One table, view or file group of a source. `id` is what the API calls the schema id."""

    id: str
    name: str
    fields: tuple[SourceField, ...] = ()


@dataclass(frozen=True, slots=True)
class ConnectorInfo:
    """What the API tells about a connection type; plain data, so that it can be listed without imports."""

    type_id: str
    name: str
    configuration_schema: Mapping[str, Any]
    is_source: bool
    is_destination: bool
    supports_namespaces: bool = False
    supports_tracking_fields: bool = True
    secret_fields: frozenset[str] = frozenset()
    modes: Sequence[Mode] = ()
    resync_modes: Sequence[ResyncMode] = ()
    destination_settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    longest_name: int | None = None  # of a table or column at the destination, in bytes of UTF-8


class Connector(Protocol):
    """What the service asks of every connector; the engine's own needs are in `engine/`."""

    info: ConnectorInfo

    def check(self, configuration: Mapping[str, Any], confinement: Confinement) -> None:
        """Tries the settings for real. Raises `ConnectorError` with a remedy."""
        ...

    def discover(
        self, configuration: Mapping[str, Any], confinement: Confinement, *, include_fields: bool
    ) -> list[SourceTable]:
        """The tables a source offers, in name order. Raises `ConnectorError`."""
        ...
