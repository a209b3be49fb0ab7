"""Arguments that do not fit, told so that a model can correct them: which argument, what is wrong, what is allowed."""

import difflib
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
    lines = [_line(one, allowed) for one in error.errors(include_url=False, include_context=True)]
    return Failure(
        "invalid_arguments",
        " ".join(dict.fromkeys(lines)) + " Nothing has run.",
        next=f"Correct this and call `{operation.name}` again.",
        details={"arguments": sorted({str(one["loc"][0]) for one in error.errors() if one["loc"]})},
    )


def _line(one: ErrorDetails, allowed: list[str]) -> str:
    name = ".".join(str(part) for part in one["loc"]) or "arguments"
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
    given = "" if isinstance(one["input"], dict | list) else f", not {quoted(one['input'], 60)}"
    if kind in ("literal_error", "enum"):
        return f"`{shown}` must be one of {one.get('ctx', {}).get('expected')}{given}."
    text = one["msg"].removeprefix("Value error, ").rstrip(".")
    return f"`{shown}`: {text}{given if kind != 'value_error' else ''}."
