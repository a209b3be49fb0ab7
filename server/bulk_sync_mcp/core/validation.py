"""Arguments that do not fit, told so that a model can correct them: which argument, what is wrong, what is allowed."""

import difflib
import json
import re
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.text import clean, quoted

RETIRED = {
    "resync": (
        "resync_mode",
        "`resync` was retired by API version 2025-09-18; use `resync_mode` with refetch, resync or rebuild "
        "(`resync: true` of older versions meant rebuild).",
    ),
    "schedule": ("default_schedule", "`schedule` was retired; use `default_schedule`."),
    "schedules": (
        "additional_schedules",
        "`schedules` was retired; use `default_schedule` and `additional_schedules`.",
    ),
    "discover": (
        "automatically_add_new_objects",
        "`discover` was retired; use `automatically_add_new_objects` and `automatically_add_new_fields`.",
    ),
}
"""Names of earlier API versions that models still know, and what took their place (api/README.md 7)."""


def explain(operation: Any, error: ValidationError) -> Failure:
    """The failure that tells every wrong argument of a call, and what the tool takes."""
    allowed = list(operation.input.model_fields)
    lines = [_line(one, allowed) for one in _telling(error.errors(include_url=False, include_context=True))]
    return Failure(
        "invalid_arguments",
        " ".join(_first(list(dict.fromkeys(lines)))) + " Nothing has run.",
        next=f"Correct this and call `{operation.name}` again.",
        details={"arguments": sorted({clean(one["loc"][0]) for one in error.errors() if one["loc"]})[:MOST_TOLD]},
    )


MOST_TOLD = 8
"""Wrong arguments told in one failure; a call with more of them has one cause, which the first few show."""


def _first(lines: list[str]) -> list[str]:
    more = len(lines) - MOST_TOLD
    return lines if more <= 0 else [*lines[:MOST_TOLD], f"And {more} more arguments are wrong."]


_PART = re.compile(r"[a-z][a-z0-9_]*")
_KINDS = frozenset({"str", "int", "float", "bool", "list", "dict"})
_NOT_THIS_KIND = frozenset({"string_type", "model_type", "model_attributes_type", "dict_type"})


def _path(one: ErrorDetails) -> tuple[str, ...]:
    """Where the wrong value stands, in names the caller used: without the validator's own names of alternatives."""
    last = len(one["loc"]) - 1
    return tuple(
        str(part)
        for index, part in enumerate(one["loc"])
        if isinstance(part, int)
        or (one["type"] == "extra_forbidden" and index == last)
        or (_PART.fullmatch(part) is not None and part not in _KINDS)
    )


def _telling(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """The errors that say something: where a value may be of two kinds, not that it is not of the other one."""

    def told_better(one: ErrorDetails) -> bool:
        return one["type"] in _NOT_THIS_KIND and any(
            other["type"] not in _NOT_THIS_KIND and _path(other)[: len(_path(one))] == _path(one) for other in errors
        )

    return [one for one in errors if not told_better(one)]


def _line(one: ErrorDetails, allowed: list[str]) -> str:
    name = ".".join(_path(one)) or "arguments"
    shown = clean(name)
    kind = one["type"]
    if kind == "extra_forbidden":
        last = str(one["loc"][-1])
        successor, words = RETIRED.get(last, ("", ""))
        if successor in allowed:
            return words
        close = difflib.get_close_matches(last, allowed, n=1)
        hint = (
            f"; did you mean `{close[0]}`?" if close else f"; this tool takes {', '.join(allowed) or 'no arguments'}."
        )
        return f"Unknown argument `{shown}`{hint}"
    if kind == "missing":
        return f"`{shown}` is required."
    if kind == "too_short" and isinstance(one["input"], list):
        return f"`{shown}` is empty. Leave it out if you mean all of them."
    given = "" if isinstance(one["input"], dict | list) else f", not {_json(one['input'])}"
    if kind in ("literal_error", "enum"):
        return f"`{shown}` must be one of {one.get('ctx', {}).get('expected')}{given}."
    text = one["msg"].removeprefix("Value error, ").rstrip(".")
    if not one["loc"] and kind == "value_error":
        return f"{text}."
    return f"`{shown}`: {text}{given if kind != 'value_error' else ''}."


def _json(value: object) -> str:
    """A scalar as the caller wrote it: text quoted, everything else as JSON has it."""
    return quoted(value, 60) if isinstance(value, str) else clean(json.dumps(value, default=str), 60)
