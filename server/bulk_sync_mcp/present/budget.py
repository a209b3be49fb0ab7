"""The character budget of an answer: what does not fit is left out, and the answer says so and how to get it."""

import json
from typing import Any, cast

ANSWER = 24_000
"""Characters of compact JSON; the text of an answer is about as long."""


def within(content: dict[str, Any], limit: int = ANSWER) -> dict[str, Any]:
    """`content` if it fits, else with its longest lists shortened from the end, and `left_out` telling it.

    Lists are shortened, never values: a row that is shown is whole.
    """
    if size(content) <= limit:
        return content
    cut = cast("dict[str, Any]", json.loads(json.dumps(content)))
    before = {path: len(items) for path, items in _lists(cut)}
    while size(cut) > limit:
        longest = max((items for _, items in _lists(cut)), key=size, default=None)
        if not longest or len(longest) <= 1:
            break
        # Towards the limit in a few steps rather than one row at a time.
        over = size(cut) - limit
        each = max(1, size(longest) // len(longest))
        del longest[max(1, len(longest) - max(1, over // each)) :]
    parts = [
        f"{before[path] - len(items)} of {before[path]} {path}"
        for path, items in _lists(cut)
        if len(items) < before[path]
    ]
    if parts:
        cut["left_out"] = (
            f"{', '.join(parts)}, since the answer would be too long; narrow the call, or ask for fewer at a time"
        )
    return cut


def size(value: object) -> int:
    """Characters of the value as compact JSON."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _lists(value: object, path: str = "") -> list[tuple[str, list[Any]]]:
    """Every list that is not inside another list, with its dotted path."""
    if isinstance(value, list):
        return [(path, cast("list[Any]", value))]
    if isinstance(value, dict):
        members = cast("dict[str, object]", value).items()
        return [found for key, item in members for found in _lists(item, f"{path}.{key}" if path else key)]
    return []
