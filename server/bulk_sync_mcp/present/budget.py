"""The character budget of an answer: what does not fit is left out, and the answer says so and how to get it."""

import json
from collections.abc import Iterator
from typing import Any, cast

ANSWER = 24_000
"""Characters of compact JSON; the text of an answer is about as long."""

Json = dict[str, Any]


def within(content: Json, limit: int = ANSWER) -> Json:
    """`content` if it fits, else with its longest lists shortened from the end, and `left_out` telling it.

    A row that is shown is whole, unless it alone is too long: then lists inside it are shortened. Settings that are
    too long even so are left out by name. A page that was shortened still leads on to its first row that is missing.
    """
    if size(content) <= limit:
        return content
    cut = cast("Json", json.loads(json.dumps(content)))
    dropped = _shorten(cut, limit, inner=False)
    for path, count in _shorten(cut, limit, inner=True).items():
        dropped[path] = dropped.get(path, 0) + count
    parts = [f"{count} of {path}" for path, count in dropped.items()]
    parts += [f"{key} ({length:,} characters)" for key, length in _without_settings(cut, limit)]
    if parts:
        cut["left_out"] = f"{', '.join(parts)}, since the answer would be too long; {_way_on(cut, dropped)}"
    return cut


def size(value: object) -> int:
    """Characters of the value as compact JSON."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _shorten(cut: Json, limit: int, *, inner: bool) -> dict[str, int]:
    """Takes the end off the longest lists until all fits or nothing can go. Returns how much went, by dotted path."""
    before = {path: len(items) for path, items in _lists(cut, inner=False)}
    gone: dict[str, int] = {}
    while size(cut) > limit:
        sizes = [(size(items), path, items) for path, items in _lists(cut, inner=inner) if len(items) > 1]
        if not sizes:
            break
        length, path, longest = max(sizes, key=lambda one: one[0])
        # Towards the limit in a few steps rather than one row at a time.
        keep = max(1, len(longest) - max(1, (size(cut) - limit) // max(1, length // len(longest))))
        gone[path] = gone.get(path, 0) + len(longest) - keep
        del longest[keep:]
    return {f"{before[path]} {path}" if path in before else path: count for path, count in gone.items()}


def _without_settings(cut: Json, limit: int) -> Iterator[tuple[str, int]]:
    """Takes out the longest objects of settings while the whole is too long; yields each name and length."""
    while size(cut) > limit:
        objects = [(size(cast("object", value)), key) for key, value in cut.items() if isinstance(value, dict)]
        if not objects:
            return
        length, key = max(objects)
        del cut[key]
        yield key, length


def _way_on(cut: Json, dropped: dict[str, int]) -> str:
    """How to get what was left out. The list a page is of is the last one before its total or cursor."""
    paged = _paged(cut)
    missing = sum(count for path, count in dropped.items() if paged is not None and path.endswith(f" {paged}"))
    if paged is None or not missing:
        return "narrow the call, or ask for fewer at a time"
    if "total" in cut:
        # The last page has no next offset: it ends at the total.
        cut["next_offset"] = cut.get("next_offset", cut["total"]) - missing
        return "next_offset goes on there"
    # A cursor of the backend would go on behind the rows that are missing.
    cut.pop("next_cursor", None)
    return f"make the same call with limit {len(cut[paged])} and go on from there"


def _paged(cut: Json) -> str | None:
    """The top-level list that `total` or `next_cursor` tells of; None for a result that is no page."""
    last: str | None = None
    for key, value in cut.items():
        if key in ("total", "looked_at", "next_cursor"):
            return last
        last = key if isinstance(value, list) else last
    return None


def _lists(value: object, path: str = "", *, inner: bool) -> Iterator[tuple[str, list[Any]]]:
    """Every list with its dotted path; with `inner` also those inside lists."""
    if isinstance(value, list):
        items = cast("list[Any]", value)
        yield path, items
        for item in items if inner else ():
            if isinstance(item, dict | list):
                yield from _lists(item, path, inner=True)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, dict):
        for key, item in cast("dict[str, object]", value).items():
            yield from _lists(item, f"{path}.{key}" if path else key, inner=inner)
