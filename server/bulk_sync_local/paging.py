"""Cursors: opaque to the caller, and good only for the list they came from (api/README.md 1, Pagination)."""

import base64
import binascii
import json
from typing import cast  # a decoded token is JSON

from bulk_sync_local.errors import bad_request


def token(of: str, time: str, identifier: str) -> str:
    """The cursor behind the entry with this sort time and id, in the list that `of` describes."""
    return base64.urlsafe_b64encode(json.dumps([of, time, identifier]).encode()).decode().rstrip("=")


def position(of: str, text: str | None) -> tuple[str, str] | None:
    """The sort time and id in a cursor, None without one; raises `ApiError` 400 for a cursor of another list."""
    if not text:
        return None
    try:
        padded = text + "=" * (-len(text) % 4)
        parts: object = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        parts = None
    if isinstance(parts, list):
        entries = cast("list[object]", parts)
        match entries:
            case [str(kind), str(time), str(identifier)] if kind == of:
                return time, identifier
            case _:
                pass
    raise bad_request("page_token: not a next_page_token of this list with these filters; start from the first page")
