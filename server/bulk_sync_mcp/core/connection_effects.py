"""Every kind of effect a call can have on a connection, whose credentials and settings all its syncs share."""

from dataclasses import dataclass

from bulk_sync_mcp.core.plan import Effect, observed, some
from bulk_sync_mcp.core.text import clean, plural, quoted


@dataclass(frozen=True, kw_only=True)
class OnConnection(Effect):
    """An effect on one connection."""

    connection_id: str
    connection_name: str = observed("")


@dataclass(frozen=True, kw_only=True)
class DeletesConnection(OnConnection):
    """A connection goes, with its credentials; with `force` everything that relies on it goes first."""

    severity = 95
    names_required = True

    force: bool = False

    def line(self) -> str:
        rest = (
            " Everything that relies on it is deleted first: the bulk syncs named here, and models, fieldsets and "
            "model syncs, which this server cannot list."
            if self.force
            else ""
        )
        return f"DELETES the connection {quoted(self.connection_name)} with its credentials.{rest}"


@dataclass(frozen=True, kw_only=True)
class ReplacesCredentials(OnConnection):
    """Stored settings and credentials are overwritten; the old secrets cannot be read back (api/README.md 2)."""

    severity = 68

    changes: tuple[str, ...] = ()
    """Settings that change, with both values where they are no secrets."""
    unseen: tuple[str, ...] = ()
    """Secret settings the type has, that are neither given nor shown by the backend."""
    syncs: int = observed(0)

    def line(self) -> str:
        lost = f" If one of {some(self.unseen)} is set, it is cleared." if self.unseen else ""
        return (
            f"REPLACES settings and credentials of the connection {quoted(self.connection_name)} for the next runs of "
            f"{plural(self.syncs, 'bulk sync')}: {some(self.changes)}. The old secrets cannot be read back.{lost}"
        )


@dataclass(frozen=True, kw_only=True)
class SendsCredentials(OnConnection):
    """Stored credentials are used with other settings than their own, so they may reach another machine."""

    severity = 66

    changes: tuple[str, ...]

    def line(self) -> str:
        return (
            f"SENDS the stored credentials of {quoted(self.connection_name)} to where these settings lead: "
            f"{some(self.changes)}."
        )


@dataclass(frozen=True, kw_only=True)
class UsesCredentials(OnConnection):
    """Credentials are used against the service: stored ones, or, without a connection, given ones."""

    severity = 5

    def line(self) -> str:
        if not self.connection_id:
            return f"Tries the settings given against the {clean(self.connection_name)} service; nothing is stored."
        return f"Uses the stored credentials of {quoted(self.connection_name)} against its service; nothing is stored."


@dataclass(frozen=True, kw_only=True)
class RefreshesSchemas(OnConnection):
    """The source is read for its tables and columns; policies may add what is found to syncs."""

    severity = 12

    sync_ids: tuple[str, ...] = ()
    """Syncs that take up new tables or columns by themselves."""
    syncs: tuple[str, ...] = observed(())

    def line(self) -> str:
        joins = (
            f" New ones join {plural(len(self.syncs), 'bulk sync')} by policy: {some(self.syncs)}."
            if self.syncs
            else " No bulk sync takes up new ones by itself."
        )
        return f"Reads the tables and columns of {quoted(self.connection_name)} again.{joins}"


@dataclass(frozen=True, kw_only=True)
class ExposesRecords(OnConnection):
    """Rows of the source are shown."""

    severity = 14

    table: str

    def line(self) -> str:
        return f"Shows rows of {quoted(self.table)} in {quoted(self.connection_name)} in this conversation."


@dataclass(frozen=True, kw_only=True)
class CreatesConnection(Effect):
    """Credentials are stored under a new connection."""

    severity = 8

    name: str
    type: str
    tried: bool = True

    def line(self) -> str:
        how = "with the settings given, tried at once" if self.tried else "with the settings given, untried"
        return f"Creates the {clean(self.type)} connection {quoted(self.name)} {how}."
