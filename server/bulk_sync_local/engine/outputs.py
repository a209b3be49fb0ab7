"""What the tables of a sync are called at the destination."""

from typing import Protocol

from bulk_sync_local.engine.job import NormalizeNames
from bulk_sync_local.engine.names import normalized


class NameSettings(Protocol):
    """The part of a sync that names outputs; a `RunJob` is one."""

    @property
    def table_prefix(self) -> str: ...
    @property
    def normalize_names(self) -> NormalizeNames: ...


class NamedTable(Protocol):
    """The part of a table's settings that names its output; a `TableJob` is one."""

    @property
    def schema_id(self) -> str: ...
    @property
    def user_output_name(self) -> str | None: ...


def output_name(settings: NameSettings, table: NamedTable) -> str:
    """The name of the table's output: the user's own name as it is, else prefix and normalised source name."""
    if table.user_output_name:
        return table.user_output_name
    return settings.table_prefix + normalized(table.schema_id, settings.normalize_names)


def field_output_name(settings: NameSettings, field_id: str, user_output_name: str | None) -> str:
    """The name of a column at the destination; the table prefix does not apply."""
    return user_output_name or normalized(field_id, settings.normalize_names)
