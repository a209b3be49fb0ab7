"""The REST client: one call in, one definite answer or one `ApiFailure` out.

    ApiClient.get/post/put/patch/delete
        api/paths.py    template and values → exact bytes of the request target
        api/wire.py     one request over httpx → Received | Lost
        api/reads.py    one read over aiohttp → Received | Lost
        api/retry.py    send again or not
        api/faults.py   what failed, in words

Knows the API's envelope and headers (api/README.md 1), nothing of single operations and nothing of MCP.
"""

import json
import logging
import random
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import anyio

from bulk_sync_mcp.api import faults
from bulk_sync_mcp.api.answers import Lost, Received
from bulk_sync_mcp.api.backend import Backend, basic, bearer
from bulk_sync_mcp.api.paths import request_target
from bulk_sync_mcp.api.retry import (
    RETRIED_STATUSES,
    Clock,
    Limits,
    RetryClass,
    SystemClock,
    backoff,
    retry_after,
    retry_class,
)
from bulk_sync_mcp.core.errors import ApiFailure, Failure
from bulk_sync_mcp.core.text import quoted

if TYPE_CHECKING:
    import httpx

    from bulk_sync_mcp.api.reads import Reads

__all__ = [
    "API_VERSION",
    "Answer",
    "ApiClient",
    "Backend",
    "Clock",
    "Limits",
    "SystemClock",
    "basic",
    "bearer",
]

API_VERSION = "2025-09-18"
"""Always sent: without it a request is served as 2021-05-23, whose field names differ (api/README.md 1)."""

_HEADERS = {"X-Polytomic-Version": API_VERSION, "Accept": "application/json", "User-Agent": "bulk-sync-mcp"}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer.

    `body` is the parsed JSON object, or None where the API sends no body (never so for a GET). `headers` have
    lower-case names. `mutation` says whether the request could change something.
    """

    status: int
    body: Any = field(repr=False)  # Any: what it holds is for the models to check
    headers: Mapping[str, str] = field(repr=False)
    mutation: bool = False

    @property
    def data(self) -> Any:
        """The content of the envelope (api/README.md 1). Raises `ApiFailure` if there is no envelope."""
        fields = _fields(self.body)
        if "data" not in fields:
            raise faults.unreadable(self.status, "has no `data`", mutation=self.mutation)
        return fields["data"]

    @property
    def next_page_token(self) -> str | None:
        """The cursor of the next page; None on the last. Opaque (api/README.md 1, Pagination)."""
        token: object = _fields(_fields(self.body).get("pagination")).get("next_page_token")
        return token if isinstance(token, str) and token else None


class ApiClient:
    """Calls one backend with one credential, over connections kept for the life of the process.

    Every method returns an `Answer`, or raises `ApiFailure` (answered with an error, or not at all) or
    `Failure("invalid_arguments")` (a value that cannot be sent; nothing was). `template` is a path of
    openapi.yaml, such as `/api/bulk/syncs/{id}`, whose names are given as keywords. Cancellation passes
    through; a cancelled mutation may have been done.

    `transport` replaces the network: an ASGI application in this process, or a test's. `verify` is a TLS
    context with further authorities (`wire.tls_context`); `ValueError` for one that does not verify.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        transport: "httpx.AsyncBaseTransport | None" = None,
        verify: ssl.SSLContext | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        limits: Limits | None = None,
    ) -> None:
        if verify is not None and not (verify.verify_mode == ssl.CERT_REQUIRED and verify.check_hostname):
            raise ValueError("the TLS context does not verify certificates and host names")
        self.backend = backend
        self._transport = transport
        self._verify = verify
        self._clock = clock or SystemClock()
        self._rng = rng or random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._limits = limits or Limits()
        self._http: httpx.AsyncClient | None = None
        self._reads: Reads | None = None
        self._direct: bool | None = None
        self._closed = False
        self._version_told = False

    async def get(self, template: str, *, query: Mapping[str, object] | None = None, **path: str) -> Answer:
        """Read; sent again on passing errors until the deadline."""
        return await self._call("GET", template, path, query)

    async def post(
        self,
        template: str,
        *,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        query: Mapping[str, object] | None = None,
        **path: str,
    ) -> Answer:
        """Send once; with a key, again under the same key when no answer came."""
        return await self._call("POST", template, path, query, body, idempotency_key)

    async def put(
        self,
        template: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, object] | None = None,
        **path: str,
    ) -> Answer:
        """Send once. Most PUTs replace everything (api/README.md 2)."""
        return await self._call("PUT", template, path, query, body)

    async def patch(
        self,
        template: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, object] | None = None,
        **path: str,
    ) -> Answer:
        """Send once."""
        return await self._call("PATCH", template, path, query, body)

    async def delete(self, template: str, *, query: Mapping[str, object] | None = None, **path: str) -> Answer:
        """Send once."""
        return await self._call("DELETE", template, path, query)

    async def aclose(self) -> None:
        """Close the connections; the client cannot be used afterwards. May be called twice."""
        self._closed = True
        if self._http is not None:
            await self._http.aclose()
        if self._reads is not None:
            await self._reads.aclose()

    async def _call(
        self,
        method: str,
        template: str,
        path: Mapping[str, str],
        query: Mapping[str, object] | None,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Answer:
        call = _Call(
            method=method,
            template=template,
            target=request_target(template, path, query),
            content=_encoded(body),
            idempotency_key=idempotency_key,
            retry=retry_class(method, idempotency_key),
        )
        outcome: Answer | ApiFailure | None = None
        with anyio.move_on_after(self._limits.total):
            outcome = await self._attempts(call)
        if outcome is None:
            outcome = faults.unanswered("deadline", mutation=call.mutation, idempotency_key=idempotency_key, attempts=1)
        # Raised here and not where the trouble was met, so that no exception of httpx hangs on it as context.
        if isinstance(outcome, ApiFailure):
            raise outcome
        return outcome

    async def _attempts(self, call: "_Call") -> Answer | ApiFailure:
        started = self._clock.monotonic()
        attempt, lapsed = 0, False
        while True:
            attempt += 1
            outcome = await self._exchange(call)
            asked: float | None = None
            if isinstance(outcome, Lost):
                again = call.retry != "never" and outcome.lapse != "unexpected"
                lapsed = True
                failure = faults.unanswered(
                    outcome.lapse,
                    mutation=call.mutation,
                    idempotency_key=call.idempotency_key,
                    attempts=attempt,
                )
            else:
                asked = retry_after(outcome.headers, self._clock.now())
                judged = self._judged(call, outcome, asked, lapsed and call.mutation)
                if isinstance(judged, Answer):
                    return judged
                failure = judged
                again = call.retry == "safe" and (
                    outcome.status in RETRIED_STATUSES or (outcome.flaw == "cut" and outcome.status < 300)
                )
            if not again:
                return failure
            left = started + self._limits.total - self._clock.monotonic()
            if asked is not None and asked >= left:
                return faults.must_wait(failure, asked)
            pause = (asked or 0.0) + backoff(attempt, self._limits, self._rng)
            if attempt >= self._limits.attempts(call.retry) or pause >= left:
                return failure
            logger.info(
                "%s %s: %s; attempt %d follows in %.1f s",
                call.method,
                call.template,
                failure.code,
                attempt + 1,
                pause,
            )
            await self._clock.sleep(pause)

    def _judged(self, call: "_Call", received: Received, wait: float | None, after_lapse: bool) -> Answer | ApiFailure:
        self._compare_version(received.headers)
        parsed, problem = _parsed(received.content)
        if not 200 <= received.status < 300:
            return faults.refused(
                self.backend,
                status=received.status,
                body=parsed,
                mutation=call.mutation,
                wait=wait,
                after_lapse=after_lapse,
            )
        if received.flaw is not None:
            problem = {
                "cut": "broke off",
                "too_large": f"is larger than {self._limits.answer_bytes:,} bytes",
                "garbled": "could not be decompressed",
            }[received.flaw]
        elif problem is None and not (isinstance(parsed, dict) or (parsed is None and call.mutation)):
            problem = "is empty" if parsed is None else "is not a JSON object"
        if problem is not None:
            return faults.unreadable(received.status, problem, mutation=call.mutation, cut=received.flaw == "cut")
        return Answer(received.status, parsed, MappingProxyType(received.headers), call.mutation)

    def _compare_version(self, headers: Mapping[str, str]) -> None:
        served = headers.get("x-polytomic-version", API_VERSION)
        if served != API_VERSION and not self._version_told:
            self._version_told = True
            logger.warning("the backend serves API version %s, not %s", quoted(served), API_VERSION)

    async def _exchange(self, call: "_Call") -> Received | Lost:
        """Sends one request once: a read the fast way where there is one, all else over httpx."""
        if self._closed:
            raise RuntimeError("the client is closed")
        if call.method == "GET" and self._transport is None:
            from bulk_sync_mcp.api.reads import proxied

            if self._direct is None:
                self._direct = not proxied(self.backend)
            if self._direct:
                return await self._reading().exchange(call.target)
        from bulk_sync_mcp.api import wire

        if self._http is None:
            self._http = wire.connect(self.backend, _HEADERS, self._limits, self._transport, self._context())
        return await wire.exchange(
            self._http, self.backend.origin, call.method, call.target, call.headers(), call.content, self._limits
        )

    def _reading(self) -> "Reads":
        if self._reads is None:
            from bulk_sync_mcp.api.reads import Reads

            self._reads = Reads(self.backend, _HEADERS, self._limits, self._context())
        return self._reads

    def _context(self) -> ssl.SSLContext:
        """The TLS context of all connections."""
        if self._verify is None:
            from bulk_sync_mcp.api import wire

            # Without any authority: for loopback over plain http, where loading them would be for nothing.
            plain = self._transport is not None or self.backend.origin.startswith("http:")
            self._verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else wire.tls_context()
        return self._verify


@dataclass(frozen=True, slots=True)
class _Call:
    """One call, the same bytes for each of its attempts."""

    method: str
    template: str
    target: bytes
    content: bytes | None
    idempotency_key: str | None
    retry: RetryClass

    @property
    def mutation(self) -> bool:
        return self.method != "GET"

    def headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        if self.content is not None:
            headers["Content-Type"] = "application/json"
        if self.idempotency_key is not None:
            headers["Idempotency-Key"] = self.idempotency_key
        return headers


def _fields(value: object) -> dict[str, Any]:
    # JSON objects have text keys.
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def _encoded(body: Mapping[str, Any] | None) -> bytes | None:
    if body is None:
        return None
    try:
        return json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")
    except (ValueError, RecursionError):
        # The exception's text may quote the value, and a value may be a secret.
        problem = "The request contains a number JSON cannot hold (NaN, infinity), or is nested too deeply."
    raise Failure("invalid_arguments", problem)


def _parsed(content: bytes) -> tuple[object, str | None]:
    """The JSON in `content` (None if empty), and what is wrong with it."""
    if not content.strip():
        return None, None
    try:
        return json.loads(content), None
    except (ValueError, RecursionError):
        return None, "is not JSON"
