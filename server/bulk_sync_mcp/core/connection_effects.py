"""Every kind of effect a call can have on a connection, whose credentials and settings all its syncs share."""

from dataclasses import dataclass

from bulk_sync_mcp.core.plan import Effect, observed
from bulk_sync_mcp.core.text import clean, quoted


@dataclass(frozen=True, kw_only=True)
class OnConnection(Effect):
    """An effect on one connection."""

    connection_id: str
    connection_name: str = observed("")


class DeletesConnection(OnConnection):
    """A connection goes, with its credentials."""

    severity = 95
    names_required = True

    def line(self) -> str:
        return f"DELETES the connection {quoted(self.connection_name)} with its credentials."


class ReplacesCredentials(OnConnection):
    """Stored credentials are overwritten and cannot be read back."""

    severity = 68

    def line(self) -> str:
        return f"REPLACES settings and credentials of the connection {quoted(self.connection_name)}."


class UsesCredentials(OnConnection):
    """Stored credentials are used against the service."""

    severity = 5

    def line(self) -> str:
        return f"Uses the stored credentials of {quoted(self.connection_name)} against its service."


class RefreshesSchemas(OnConnection):
    """The source is read for its tables and columns; policies may add what is found to syncs."""

    severity = 12

    def line(self) -> str:
        return f"Refreshes the known tables of {quoted(self.connection_name)}; new ones may join syncs by their policy."


class ExposesRecords(OnConnection):
    """Rows of the source are shown."""

    severity = 14

    def line(self) -> str:
        return f"Shows rows of {quoted(self.connection_name)} in this conversation."


@dataclass(frozen=True, kw_only=True)
class CreatesConnection(Effect):
    """Credentials are stored under a new connection."""

    severity = 8

    name: str
    type: str

    def line(self) -> str:
        return f"Creates the {clean(self.type)} connection {quoted(self.name)}."
