"""Errors of the REST API: one exception, and the bodies it turns into (api/README.md 1, Errors).

ApiError                  any definite refusal; carries status, words, an error name, metadata and headers
"""

from collections.abc import Mapping
from typing import Any  # JSON values


class ApiError(Exception):
    """A request that is answered with an error status. `message` is written for the caller, person or model."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        key: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.key = key or _KEYS.get(status, "error")
        self.metadata = dict(metadata or {})
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The answer's body: `key`, `message`, `metadata`, `status`."""
        return {"key": self.key, "message": self.message, "metadata": self.metadata, "status": self.status}


_KEYS = {
    400: "invalid_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "body_too_large",
    422: "not_possible",
    429: "too_many_requests",
    500: "internal_error",
}


def bad_request(message: str, **metadata: object) -> ApiError:
    """400: the request itself is wrong."""
    return ApiError(400, message, metadata=metadata)


def not_found(kind: str, identifier: str) -> ApiError:
    """404: there is no such `kind`, or it is not visible."""
    return ApiError(404, f"no such {kind}: {identifier}")


def conflict(message: str, **metadata: object) -> ApiError:
    """409: the present state forbids it."""
    return ApiError(409, message, metadata=metadata)


def not_possible(message: str, **metadata: object) -> ApiError:
    """422: well formed, but it cannot be done."""
    return ApiError(422, message, metadata=metadata)
