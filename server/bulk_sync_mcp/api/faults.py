"""What went wrong at the backend, as `ApiFailure`: the table from HTTP status to code, and the words.

Threat: words of the backend are untrusted, and may echo a credential. They are redacted, cleaned, capped and
quoted; the body itself, the `Location` of a redirect and exception texts never get here.

What a failure says of changes: a read changes nothing. An error answer to a mutation is definite for 4xx
("none"), but a 5xx or 408 may come after the work was done ("unknown"), and so may a lost connection.
"""

from collections.abc import Mapping
from typing import Any, Literal, cast

from bulk_sync_mcp.api.backend import Backend
from bulk_sync_mcp.core.errors import ApiFailure, Changed
from bulk_sync_mcp.core.text import MAX_MESSAGE, MAX_NAME, clean, quoted

Lapse = Literal["timeout", "dropped", "unconnected", "deadline", "unexpected"]
"""How a request ended without an answer: silence for too long; a connection lost, or bytes that are not HTTP;
no connection at all; the deadline of the whole call; a fault below the HTTP library."""

STATUS_CODES: Mapping[int, str] = {
    400: "bad_request",
    401: "unauthorized",
    402: "forbidden",
    403: "forbidden",
    404: "not_found",
    408: "backend_error",
    409: "conflict",
    410: "not_found",
    425: "backend_error",
    429: "rate_limited",
}
"""The rest goes by its class: 4xx as 400 (RFC 9110 section 15), everything else `backend_error`."""

_SAME_UNDER_THE_KEY = frozenset({400, 404, 422})
"""Error answers to a repeat that prove the first request was refused: the API returns the recorded outcome
(api/README.md 1). Any other may have been given before the key was looked at, and 409 may mean that the first
is still in progress."""

_MAX_USERS = 20
AGAIN_IN = "Call again in "
LOOK_FIRST = "Read the present state before anything else; do not simply repeat the call."
_LAPSES: Mapping[Lapse, str] = {
    "timeout": "did not answer in time",
    "dropped": "dropped the connection, or sent something that is not HTTP",
    "unconnected": "could not be connected to",
    "deadline": "did not give an answer before the deadline of the call",
    "unexpected": "could not be talked to, because of a fault below HTTP",
}


def status_code(status: int) -> str:
    """The code in the catalogue for an HTTP status that is not a success."""
    return STATUS_CODES.get(status) or ("bad_request" if 400 <= status < 500 else "backend_error")


def refused(
    backend: Backend,
    *,
    status: int,
    body: object,
    mutation: bool,
    wait: float | None = None,
    after_lapse: bool = False,
) -> ApiFailure:
    """The failure for an answer other than 2xx.

    `body` is the parsed body or None; only its `message` and `metadata.used_by` are shown (api/README.md 1).
    `wait` is what `Retry-After` asks for, in seconds. `after_lapse` says that an earlier request under the
    same idempotency key was lost, so that what became of that one is still open.
    """
    details: dict[str, Any] = {"status": status}
    fields = _mapping(body)
    used_by = _used_by(backend, _mapping(fields.get("metadata")).get("used_by"))
    if used_by:
        details["used_by"] = used_by
    words = f"The backend answered HTTP {status}{_said(backend, fields.get('message'))}."
    if 300 <= status < 400:
        words = f"The backend answered HTTP {status}, a redirect. Redirects are not followed: check its address."
    if wait is not None:
        details["retry_after_seconds"] = wait
    if after_lapse and status not in _SAME_UNDER_THE_KEY:
        words += " That was the answer to a repeat: the first request was lost on the way and may have been done."
        return ApiFailure("outcome_unknown", words, status=status, changed="unknown", next=LOOK_FIRST, details=details)
    changed: Changed = "none"
    code = status_code(status)
    after: str | None = None
    if mutation and (status == 408 or not 400 <= status < 500):
        changed = "unknown"
        after = LOOK_FIRST
        words += " The change may have been made all the same."
    elif wait is not None:
        after = f"{AGAIN_IN}{_seconds(wait)}."
        words += f" It asks to wait {_seconds(wait)}."
    return ApiFailure(code, words, status=status, changed=changed, next=after, details=details)


def must_wait(failure: ApiFailure, wait: float) -> ApiFailure:
    """The failure when `Retry-After` lies beyond the deadline of the call, so that waiting here is no use.

    `failure` is the one for the answer itself; its status and details are kept.
    """
    return ApiFailure(
        "rate_limited",
        failure.message,
        status=failure.status,
        next=f"{AGAIN_IN}{_seconds(wait)}.",
        details=failure.details,
    )


def unanswered(lapse: Lapse, *, mutation: bool, idempotency_key: str | None, attempts: int) -> ApiFailure:
    """The failure when no answer came.

    A mutation counts as unknown whatever the exception was: not every transport can be trusted to tell "never
    sent" from "lost afterwards". The key is in `details`, for a caller that looks for what it started.
    """
    times = "" if attempts == 1 else f", asked {attempts} times"
    if not mutation:
        return ApiFailure("backend_unreachable", f"The backend {_LAPSES[lapse]}{times}. Nothing was changed.")
    details = {} if idempotency_key is None else {"idempotency_key": idempotency_key}
    return ApiFailure(
        "outcome_unknown",
        f"The backend {_LAPSES[lapse]}{times}. The change may or may not have been made.",
        changed="unknown",
        next=LOOK_FIRST,
        details=details,
    )


def unreadable(status: int, why: str, *, mutation: bool, cut: bool = False) -> ApiFailure:
    """The failure for a 2xx answer that makes no sense; `why` finishes the sentence "its answer ...".

    A mutation was accepted then, but what came of it is not known. `cut` means that the connection was lost
    within the answer: for a mutation that is `outcome_unknown`, as if it had been lost before.
    """
    if not mutation:
        code = "backend_unreachable" if cut else "backend_error"
        return ApiFailure(
            code,
            f"The backend answered HTTP {status}, but its answer {why}.",
            status=status,
            details={"status": status},
        )
    return ApiFailure(
        "outcome_unknown" if cut else "backend_error",
        f"The backend accepted the request with HTTP {status}, but its answer {why}.",
        status=status,
        changed="unknown",
        next=LOOK_FIRST,
        details={"status": status},
    )


def _said(backend: Backend, message: object) -> str:
    if not isinstance(message, str) or not message.strip():
        return ""
    return " and says " + quoted(_safe(backend, message), MAX_MESSAGE)


def _safe(backend: Backend, text: str) -> str:
    # Redacted after cleaning, which could otherwise put a secret together, and before capping, which could
    # otherwise leave half of one.
    return backend.redacted(clean(text, len(text) + 1))


def _used_by(backend: Backend, value: object) -> list[dict[str, str]]:
    if not isinstance(value, list):
        return []
    users = [_mapping(item) for item in cast(list[object], value)[:_MAX_USERS]]
    shown = [
        {
            key: clean(_safe(backend, text), MAX_NAME)
            for key in ("type", "name", "id")
            if isinstance(text := user.get(key), str)
        }
        for user in users
    ]
    return [user for user in shown if user]


def _mapping(value: object) -> Mapping[str, object]:
    # JSON objects have text keys; anything else the backend may send in their place is treated as empty.
    return cast(Mapping[str, object], value) if isinstance(value, dict) else {}


def _seconds(wait: float) -> str:
    return f"{max(1, round(wait)):,} s"
