"""Carrying a call out, once per idempotency key (api/README.md 1, Idempotency keys).

The outcome recorded for a key is committed together with the effect it stands for, so that after a crash a key is
either unused or answers with what was done. A call with a slow part reserves its key first; a reservation whose
owner went away lapses, because without a recorded outcome nothing was done.
"""

import hashlib
import json
import logging
import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from bulk_sync_local import store_idempotency
from bulk_sync_local.clock import from_text, to_text
from bulk_sync_local.dispatch import Answer, Call, Endpoint, Service, refusal
from bulk_sync_local.errors import ApiError, bad_request, conflict
from bulk_sync_local.ids import new_id
from bulk_sync_local.store import Tx
from bulk_sync_local.store_idempotency import Outcome

log = logging.getLogger(__name__)

KEPT = timedelta(hours=24)
RESERVED = timedelta(minutes=5)
_KEY = re.compile(r"[A-Za-z0-9_-]{8,255}")
_INTERNAL = ApiError(500, "the local service failed on this request; its log has the details")


@dataclass(frozen=True, slots=True)
class Key:
    """A checked idempotency key and a digest of the request it came with."""

    text: str
    fingerprint: str


def checked_key(text: str, method: str, target: str, body: bytes) -> Key:
    """The key of a request; raises `ApiError` 400 when it is malformed or the method takes none."""
    if method in ("GET", "DELETE"):
        raise bad_request(f"Idempotency-Key is not used on {method}; leave it out")
    if not _KEY.fullmatch(text):
        raise bad_request("Idempotency-Key: 8 to 255 letters, digits, '-' or '_'")
    digest = hashlib.sha256(b"\0".join([method.encode(), target.encode(), body])).hexdigest()
    return Key(text, digest)


def outcome_of(answer: Answer) -> Outcome:
    """The answer as it is sent and recorded."""
    text = "" if answer.body is None else json.dumps(answer.body, ensure_ascii=False, separators=(",", ":"))
    return Outcome(answer.status, dict(answer.headers), text)


def carry_out(endpoint: Endpoint, make_call: Callable[[], Call], service: Service, key: Key | None) -> Outcome:
    """Runs one call and returns what to send. Errors are outcomes too; an unexpected one is logged and is a 500."""
    try:
        if endpoint.sweep:
            service.supervisor.sweep()
        if key is None:
            return _without_key(endpoint, make_call, service)
        if endpoint.prepare is None:
            return _in_one_transaction(endpoint, make_call, service, key)
        return _with_reservation(endpoint, make_call, service, key)
    except ApiError as error:
        return outcome_of(refusal(error))
    except Exception:
        log.exception("%s %s failed", endpoint.method, endpoint.path)
        return outcome_of(refusal(_INTERNAL))


def _without_key(endpoint: Endpoint, make_call: Callable[[], Call], service: Service) -> Outcome:
    call = _prepared(endpoint, make_call())
    with service.store.read() if endpoint.method == "GET" else service.store.write() as tx:
        answer = endpoint.handle(call, tx)
    return _sent(answer)


def _in_one_transaction(endpoint: Endpoint, make_call: Callable[[], Call], service: Service, key: Key) -> Outcome:
    with service.store.write() as tx:
        recorded = _recorded(tx, service, key)
        if recorded is not None:
            return recorded
        answer = _attempt(endpoint, make_call, tx)
        store_idempotency.record(tx, key.text, key.fingerprint, outcome_of(answer), service.now())
    return _sent(answer)


def _with_reservation(endpoint: Endpoint, make_call: Callable[[], Call], service: Service, key: Key) -> Outcome:
    reservation = new_id()
    with service.store.write() as tx:
        recorded = _recorded(tx, service, key)
        if recorded is not None:
            return recorded
        store_idempotency.reserve(tx, key.text, key.fingerprint, reservation, service.now())
    refused: Answer | None = None
    call: Call | None = None
    try:
        call = _prepared(endpoint, make_call())
    except ApiError as error:
        refused = refusal(error)
    except Exception:
        log.exception("%s %s failed", endpoint.method, endpoint.path)
        refused = refusal(_INTERNAL)
    with service.store.write() as tx:
        record = store_idempotency.get(tx, key.text)
        if record is None or record.reservation != reservation:
            raise conflict("this call took so long that a repeat of it under the same Idempotency-Key took its place")
        answer = refused
        if call is not None:
            prepared = call
            answer = _attempt(endpoint, lambda: prepared, tx)
        if answer is None:
            raise TypeError("a call is either prepared or refused")
        store_idempotency.record(tx, key.text, key.fingerprint, outcome_of(answer), service.now())
    return _sent(answer)


def _recorded(tx: Tx, service: Service, key: Key) -> Outcome | None:
    """The outcome to repeat, or None when the key is free. Raises `ApiError` for a key in use."""
    now = service.clock()
    store_idempotency.forget_before(tx, to_text(now - KEPT))
    record = store_idempotency.get(tx, key.text)
    if record is None:
        return None
    if record.fingerprint != key.fingerprint:
        raise ApiError(
            400,
            "this Idempotency-Key was used for another request within the last 24 hours; use a new key",
            key="idempotency_key_reused",
        )
    if record.outcome is not None:
        return record.outcome
    if record.reserved_at is not None and now - from_text(record.reserved_at) < RESERVED:
        raise ApiError(
            409,
            "a call with this Idempotency-Key is still in progress; wait and repeat it with the same key",
            key="idempotency_key_in_progress",
        )
    return None


def _attempt(endpoint: Endpoint, make_call: Callable[[], Call], tx: Tx) -> Answer:
    """The answer, with its effects in `tx`; for an error, the error's answer and no effects."""
    tx.execute("SAVEPOINT attempt")
    try:
        answer = endpoint.handle(make_call(), tx)
    except ApiError as error:
        _undo(tx)
        return refusal(error)
    except sqlite3.Error:
        raise
    except Exception:
        log.exception("%s %s failed", endpoint.method, endpoint.path)
        _undo(tx)
        return refusal(_INTERNAL)
    tx.execute("RELEASE attempt")
    return answer


def _undo(tx: Tx) -> None:
    tx.execute("ROLLBACK TO attempt")
    tx.execute("RELEASE attempt")


def _prepared(endpoint: Endpoint, call: Call) -> Call:
    return call if endpoint.prepare is None else replace(call, prepared=endpoint.prepare(call))


def _sent(answer: Answer) -> Outcome:
    if answer.after is not None:
        answer.after()
    return outcome_of(answer)
