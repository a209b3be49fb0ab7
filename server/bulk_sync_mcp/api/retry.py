"""When a request is sent again, and after what pause: the whole rule, free of I/O.

    safe    GET: after connection errors, 408, 425, 429 and 5xx
    keyed   POST with an idempotency key: the same key and bytes, only after a timeout or a dropped connection
    never   everything else, once sent

No answer to a mutation leads to a second request: the API records errors under the key too, so a repeat
brings the old answer back, and a repeat after "already running" may start a run (api/README.md 1).
"""

import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal, Protocol

import anyio

RetryClass = Literal["safe", "keyed", "never"]

RETRIED_STATUSES = frozenset({408, 425, 429, *range(500, 600)})
"""Answers to a GET that may be different in a moment."""

_KEY = re.compile(r"[A-Za-z0-9_-]{8,255}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one call. Times in seconds, size in bytes after decompression."""

    connect: float = 10.0
    """Longest wait for a connection, and for a free place in the pool."""
    read: float = 40.0
    """Longest silence while waiting for bytes; slow reads such as a source with its fields need some."""
    total: float = 60.0
    """The one deadline of a call, repeats and pauses included. Assistants' hosts commonly give up at 60 s."""
    safe_attempts: int = 4
    keyed_attempts: int = 3
    pause: float = 0.5
    """Upper bound of the first pause; doubles with each attempt."""
    longest_pause: float = 8.0
    answer_bytes: int = 16 * 1024 * 1024
    connections: int = 64

    def attempts(self, retry_class: RetryClass) -> int:
        """How often a request of this class is sent at most."""
        return {"safe": self.safe_attempts, "keyed": self.keyed_attempts, "never": 1}[retry_class]


class Clock(Protocol):
    """Time as the client sees it, so that tests need not wait."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""
        ...

    def now(self) -> datetime:
        """The present moment in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Pause; may be cancelled."""
        ...


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


def retry_class(method: str, idempotency_key: str | None) -> RetryClass:
    """The class of a request. Raises `ValueError` for a key the API would refuse or a method it is not for:
    letters, digits, `-` and `_`, 8 to 255 characters, on POST (api/README.md 1)."""
    if idempotency_key is not None:
        if method != "POST" or _KEY.fullmatch(idempotency_key) is None:
            raise ValueError("an idempotency key belongs on POST and has 8 to 255 letters, digits, `-` or `_`")
        return "keyed"
    return "safe" if method == "GET" else "never"


def backoff(attempt: int, limits: Limits, rng: random.Random) -> float:
    """Seconds to wait after attempt number `attempt` (from 1) by full jitter: anything from nothing to a
    bound that doubles each time, so that clients that failed together do not come back together."""
    return rng.uniform(0.0, min(limits.longest_pause, limits.pause * 2 ** (attempt - 1)))


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds the backend asks to wait, from `Retry-After` as a number or an HTTP date; None if it says
    nothing that can be read. A moment in the past is 0. `headers` has lower-case names."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]+", text, re.ASCII):
        return float(text[:12])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
