"""Switching a sync's schedules on and off."""

from dataclasses import replace

from bulk_sync_local import store_executions, store_progress, store_schedules, store_syncs
from bulk_sync_local.dispatch import Answer, Body, Call, Endpoint, data
from bulk_sync_local.lookups import sync_of
from bulk_sync_local.store import Tx


class ActivateBulkSync(Body):
    active: bool


def activate_bulk_sync(call: Call, tx: Tx) -> Answer:
    """False also asks a running execution to stop (api/README.md 2). Schedules reckon from the activation on."""
    sync, now = sync_of(call, tx), call.service.now()
    active = call.body(ActivateBulkSync).active
    if sync.active != active:
        store_syncs.update(tx, replace(sync, active=active, updated_at=now))
        store_schedules.reckon_all(tx, sync.id, now)
    running = None if active else store_executions.unfinished(tx, sync.id)
    if running is not None:
        store_progress.request_cancel(tx, running.id, now)
    return data({"id": sync.id, "active": active})


ENDPOINTS = [Endpoint("POST", "/api/bulk/syncs/{id}/activate", activate_bulk_sync, body=ActivateBulkSync, sweep=True)]
