"""What rules of the policy are matched against, from what operations read."""

from bulk_sync_mcp.core.plan import Subject
from bulk_sync_mcp.models.connection import Connection
from bulk_sync_mcp.operations._reading import SyncRead


def subject_of(read: SyncRead, destination: Connection) -> Subject:
    """The sync and its destination."""
    return Subject(
        sync_id=read.sync.id or "",
        sync_name=read.name,
        connection_id=read.sync.destination_connection_id or "",
        connection_name=destination.name or "",
    )


def on_sync(read: SyncRead, destination: Connection) -> tuple[Subject, ...]:
    """The one subject of a call on a sync."""
    return (subject_of(read, destination),)
