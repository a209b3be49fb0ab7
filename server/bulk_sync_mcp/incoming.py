"""What comes in over a transport, looked at before the SDK reads it.

Threat: a message that reads one way to a client, a proxy or a person, and another way to the SDK, which lets the last
of two equal keys win, mends broken text, and says nothing at all to what it cannot read on standard input.
"""

import re
from dataclasses import dataclass
from typing import Any, cast

import mcp_types as types
from pydantic import ValidationError

from bulk_sync_mcp.core.strict_json import RepeatedKey, read_strictly
from bulk_sync_mcp.core.text import clean

LARGEST = 4 * 1024 * 1024
"""Bytes of one message, as the SDK has it for HTTP."""
DEEPEST = 64
"""Levels of objects and lists in one message; tools take six."""
# A string that never ends is one too: where every match succeeds, the time taken grows with the length alone.
_STRINGS = re.compile(rb'"(?:[^"\\]+|\\.)*"?', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")
_OPENING = b"[{"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message is not taken, as a JSON-RPC error. `id` is None where it cannot be told, or is not the sender's."""

    code: int
    message: str
    id: str | int | None = None

    def answer(self) -> types.JSONRPCError:
        """What the sender is told."""
        error = types.ErrorData(code=self.code, message=self.message)
        return types.JSONRPCError(jsonrpc="2.0", id=self.id, error=error)


def refused(raw: bytes) -> Refusal | None:
    """Why one message may not reach the SDK; None when it may."""
    if len(raw) > LARGEST:
        return Refusal(types.INVALID_REQUEST, f"The message is larger than {LARGEST:,} bytes.")
    if _depth(raw) > DEEPEST:
        return Refusal(types.INVALID_REQUEST, f"The message is nested deeper than {DEEPEST} levels.")
    try:
        message = read_strictly(raw.decode("utf-8"))
    except RepeatedKey as error:
        return Refusal(types.INVALID_REQUEST, f"The key {clean(error.key, 40)!r} is given twice.", _id(error.outermost))
    except UnicodeDecodeError:
        return Refusal(types.PARSE_ERROR, "The message is not UTF-8.")
    except ValueError:
        return Refusal(types.PARSE_ERROR, "The message cannot be read as JSON.")
    if not isinstance(message, dict):
        return Refusal(types.INVALID_REQUEST, "A message is one JSON object; batches are not taken.")
    return _wrong(raw, cast("dict[str, Any]", message))


def _wrong(raw: bytes, message: dict[str, Any]) -> Refusal | None:
    """What is wrong with the envelope. The SDK would take a request with a null for its id as a notification."""
    if "method" in message and "id" in message and _id(message) is None:
        return Refusal(types.INVALID_REQUEST, "The id of a request is a text or a whole number.")
    if len(message.keys() & {"method", "result", "error"}) != 1:
        text = "A message has exactly one of `method`, `result` and `error`."
        return Refusal(types.INVALID_REQUEST, text, _id(message))
    try:
        # As the SDK reads it on standard input, so that nothing passes here which it would drop without a word.
        types.jsonrpc_message_adapter.validate_json(raw, by_name=False)
    except ValidationError:
        return Refusal(types.INVALID_REQUEST, "The message is not a JSON-RPC 2.0 message.", _id(message))
    return None


def _id(message: dict[str, Any]) -> str | int | None:
    """The id of a request; that of a response is ours, and would name another call of the sender's."""
    found = message.get("id")
    return found if "method" in message and isinstance(found, str | int) and not isinstance(found, bool) else None


def _depth(raw: bytes) -> int:
    """How deep the message is nested. The brackets are counted first, since nearly all messages have few."""
    if raw.count(b"[") + raw.count(b"{") <= DEEPEST:
        return 0
    depth = deepest = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b"", raw)):
        depth += 1 if bracket in _OPENING else -1
        deepest = max(deepest, depth)
    return deepest
