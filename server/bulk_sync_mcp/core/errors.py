"""Every failure a call can end in, as data.

A `Failure` carries a stable code, what went wrong in words for a model, what has changed, and one exact
next step. The catalogue says what each code means; `server/docs/errors.md` is written from it.

    Failure
    ├── ApiFailure        the backend answered with an error, or could not be asked (raised by api/)
    └── (plain Failure)   everything refused or found on this side
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Changed = Literal["none", "unknown", "done"]
"""What the failed call did to the backend: nothing, perhaps something, or all that was asked."""


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One row of the catalogue: the code, what it means, and what usually helps."""

    code: str
    meaning: str
    remedy: str


_ROWS = (
    ErrorCode(
        "invalid_arguments",
        "An argument is missing, unknown or has a wrong value.",
        "Correct the named argument.",
    ),
    ErrorCode(
        "not_configured",
        "No backend can be used: no credential, and no local service.",
        "Set a key or install the extra `local`.",
    ),
    ErrorCode(
        "bad_request",
        "The backend refused the request as invalid (400, 422).",
        "Correct what its message names.",
    ),
    ErrorCode(
        "unauthorized",
        "The backend does not accept the credential (401).",
        "A person must set a valid key; `bulk-sync-mcp doctor` tries it.",
    ),
    ErrorCode("forbidden", "The credential may not do this (403).", "Use a credential that may."),
    ErrorCode(
        "not_found",
        "There is no such thing, or the credential cannot see it (404).",
        "List what exists and use an id from there.",
    ),
    ErrorCode("conflict", "The backend refused because of what is going on (409).", "Read the state, then decide."),
    ErrorCode(
        "already_running",
        "An execution of this bulk sync is running; only one runs at a time.",
        "Wait for it or cancel it.",
    ),
    ErrorCode("rate_limited", "The backend asks for fewer requests (429).", "Call again after the time named."),
    ErrorCode(
        "backend_error",
        "The backend failed to answer properly (5xx, or an answer that makes no sense).",
        "Read the state before trying again.",
    ),
    ErrorCode(
        "backend_unreachable",
        "No answer from the backend to a request that only reads.",
        "Check the address and the network.",
    ),
    ErrorCode(
        "outcome_unknown",
        "The connection was lost after the request was sent: it may or may not have been done.",
        "Read the state as the message says; do not repeat blindly.",
    ),
    ErrorCode(
        "unsupported_resync_mode",
        "The destination does not offer this resync mode.",
        "Choose one of the modes it offers.",
    ),
    ErrorCode(
        "unknown_state",
        "The configuration read from the backend has a value this server does not know, so the effect cannot be judged.",
        "Make the change where that value is understood.",
    ),
    ErrorCode(
        "denied",
        "Policy forbids this call; no confirmation can change that.",
        "An operator can change the policy.",
    ),
    ErrorCode(
        "confirmation_required",
        "Nothing has run: the call needs an explicit confirmation.",
        "Show the preview to the user; after a yes, repeat with the confirmation.",
    ),
    ErrorCode(
        "confirmation_declined",
        "The person asked said no, or closed the question.",
        "Do not ask again unless the user wishes it.",
    ),
    ErrorCode(
        "confirmation_invalid",
        "The confirmation is not one this server issued for exactly this call.",
        "Repeat the call without a confirmation for a new preview.",
    ),
    ErrorCode(
        "confirmation_used",
        "The confirmation has been used already; each works once.",
        "Repeat the call without a confirmation for a new preview.",
    ),
    ErrorCode(
        "confirmation_expired",
        "The confirmation is older than ten minutes.",
        "Repeat the call without a confirmation for a new preview.",
    ),
    ErrorCode(
        "plan_changed",
        "What the call would do has changed since it was confirmed; nothing has run.",
        "Repeat the call without a confirmation for a new preview.",
    ),
    ErrorCode(
        "approval_required",
        "Nothing has run: somebody has to approve the call outside this conversation first.",
        "Tell the user; repeat the same call once it has been approved.",
    ),
    ErrorCode("approval_denied", "Somebody looked at the call and denied it; nothing has run.", "Do not ask again."),
    ErrorCode(
        "budget_exceeded",
        "Too much was destroyed in too short a time; every call that writes is refused until an operator resets it.",
        "An operator runs `bulk-sync-mcp policy reset-budget`.",
    ),
    ErrorCode(
        "mismatch",
        "What the backend started is not what was planned.",
        "Tell the user at once; cancel it if it is not wanted.",
    ),
    ErrorCode("busy", "Another call that changes this bulk sync is being made right now.", "Call again in a moment."),
    ErrorCode(
        "audit_unavailable",
        "The audit log cannot be written, and nothing that writes is sent without a line in it.",
        "A person must make the log writable (a full disk, missing rights), then call again.",
    ),
    ErrorCode(
        "revision_unavailable",
        "The configuration as it is cannot be kept, and none is changed without an earlier revision to go back to.",
        "A person must make the state directory writable (a full disk, missing rights), then call again.",
    ),
    ErrorCode(
        "internal",
        "A fault in this server; details are in its log.",
        "Report it; read the state before trying again.",
    ),
)
CATALOGUE: Mapping[str, ErrorCode] = {row.code: row for row in _ROWS}


class Failure(Exception):
    """A call that did not succeed, told so that a model can act on it.

    `next` is the one exact next call or action. `details` is small structured context (ids, allowed values,
    field names) that repeats nothing secret. Raises `KeyError` for a code that is not in the catalogue.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        changed: Changed = "none",
        next: str | None = None,  # noqa: A002 - the word the model reads
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.row = CATALOGUE[code]
        self.code = code
        self.message = message
        self.changed: Changed = changed
        self.next = next or self.row.remedy
        self.details: dict[str, Any] = dict(details or {})


class ApiFailure(Failure):
    """An error answer, or no usable answer, from the backend.

    `status` is the HTTP status, None when there was no answer. `used_by` style metadata is in `details`.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        changed: Changed = "none",
        next: str | None = None,  # noqa: A002 - the word the model reads
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code, message, changed=changed, next=next, details=details)
        self.status = status
