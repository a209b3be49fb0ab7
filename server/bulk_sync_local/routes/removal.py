"""Removing a sync: asked for directly, or because a connection it needs goes."""

from bulk_sync_local import store_executions, store_progress, store_syncs
from bulk_sync_local.store import Tx


def remove_sync(tx: Tx, sync_id: str, now: str) -> None:
    """Asks what runs to stop and makes the sync, its schedules, schemas and history invisible at once.

    They are erased when nothing of the sync runs any more. What a run that goes on commits until it notices stays
    at the destination; tables there are never touched by a deletion.
    """
    running = store_executions.unfinished(tx, sync_id)
    if running is not None:
        store_progress.request_cancel(tx, running.id, now)
    store_syncs.mark_deleted(tx, sync_id, now)
