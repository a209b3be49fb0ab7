"""Idempotency keys in the store: what a key was used for and what came of it (api/README.md 1)."""

import json
from dataclasses import dataclass

from bulk_sync_local.store import Tx


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer as it was given: status, headers of its own, and the body's text (empty for none)."""

    status: int
    headers: dict[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is known of a key. `outcome` None: the first call is in progress, reserved at `reserved_at`."""

    fingerprint: str
    reservation: str | None
    reserved_at: str | None
    outcome: Outcome | None


def forget_before(tx: Tx, moment: str) -> None:
    """Drops keys first used before `moment`."""
    tx.execute("DELETE FROM idempotency_keys WHERE created_at < ?", (moment,))


def get(tx: Tx, key: str) -> KeyRecord | None:
    """The record of a key, or None when it is new."""
    row = tx.execute("SELECT * FROM idempotency_keys WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    outcome = None if row["status"] is None else Outcome(row["status"], json.loads(row["headers"]), row["body"])
    return KeyRecord(row["fingerprint"], row["reservation"], row["reserved_at"], outcome)


def reserve(tx: Tx, key: str, fingerprint: str, reservation: str, now: str) -> None:
    """Claims the key for a call in progress, in place of any claim before."""
    tx.execute(
        "INSERT OR REPLACE INTO idempotency_keys (key, fingerprint, reservation, reserved_at, created_at)"
        " VALUES (?, ?, ?, ?, ?)",
        (key, fingerprint, reservation, now, now),
    )


def record(tx: Tx, key: str, fingerprint: str, outcome: Outcome, now: str) -> None:
    """Stores the outcome of the key's first call, in the transaction that holds its effect."""
    tx.execute(
        "INSERT OR REPLACE INTO idempotency_keys (key, fingerprint, status, headers, body, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (key, fingerprint, outcome.status, json.dumps(outcome.headers), outcome.body, now),
    )
