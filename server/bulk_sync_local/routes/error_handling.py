"""Who is to be told of failures: stored, and nobody is mailed by the local service."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from bulk_sync_local import store_syncs
from bulk_sync_local.dispatch import Answer, Body, Call, Endpoint, WholeNumber, data
from bulk_sync_local.lookups import sync_of
from bulk_sync_local.store import Tx
from bulk_sync_local.store_syncs import StoredSync

Address = Annotated[str, Field(max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")]


class UpdateErrorHandling(Body):
    subscribers: list[Address] | None = None
    ingestion_failure_threshold: Annotated[WholeNumber, Field(ge=0)] | None = None


def get_bulk_sync_error_handling(call: Call, tx: Tx) -> Answer:
    return _shown(sync_of(call, tx))


def update_bulk_sync_error_handling(call: Call, tx: Tx) -> Answer:
    """Merges, although it is a PUT: what is left out stays, and a threshold of 0 clears it (api/README.md 4)."""
    sync, body = sync_of(call, tx), call.body(UpdateErrorHandling)
    if body.subscribers is not None:
        sync = replace(sync, subscribers=tuple(body.subscribers))
    if body.ingestion_failure_threshold is not None:
        sync = replace(sync, ingestion_failure_threshold=body.ingestion_failure_threshold or None)
    store_syncs.update(tx, replace(sync, updated_at=call.service.now()))
    return _shown(sync)


def _shown(sync: StoredSync) -> Answer:
    return data(
        {
            "subscribers": list(sync.subscribers),
            "ingestion_failure_threshold": sync.ingestion_failure_threshold,
        }
    )


_PATH = "/api/bulk/syncs/{id}/error-handling"

ENDPOINTS = [
    Endpoint("GET", _PATH, get_bulk_sync_error_handling),
    Endpoint("PUT", _PATH, update_bulk_sync_error_handling, body=UpdateErrorHandling),
]
