"""Results and failures as a model reads them: the same facts as text and as structured content, both lean."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.pipeline import Done
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.present.budget import within
from bulk_sync_mcp.present.fence import LONGEST, fenced
from bulk_sync_mcp.present.hints import EVERY_TOOL_ON, Hints
from bulk_sync_mcp.present.table import cell, table

LINE = 100
"""Characters from which a list is told one item a line, as is one whose items hold commas themselves."""


def structured(done: Done) -> dict[str, Any]:
    """The result as plain data, nulls left out, backend text cleaned, and within the character budget.

    A call that wrote tells its effects first.
    """
    content = fenced(done.result.model_dump(mode="json", exclude_none=True))
    _own_words(done.result, content)
    return within(content if done.plan is None else {"effects": done.plan.lines(), **content})


def _own_words(result: BaseModel, content: dict[str, Any]) -> None:
    """Gives the next steps of a result and its parts their backticks back, which mark our own words.

    Only where the result itself declares one: a key `next` in settings of the backend is the backend's.
    """
    for name in type(result).model_fields:
        value = getattr(result, name)
        if isinstance(value, BaseModel):
            _own_words(value, content[name])
        elif name == "next" and isinstance(value, str):
            content[name] = clean(value, LONGEST, ticks=True)


def text(content: Mapping[str, Any]) -> str:
    """The same in words, never none: some clients show nothing but these."""
    return "\n".join(_lines(content)) or "The backend told nothing."


def _lines(content: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for key, value in content.items():
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):  # pyright: ignore[reportUnknownVariableType]
            lines += [f"{key}:", table(value)]  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(value, list) and _one_a_line(value):  # pyright: ignore[reportUnknownArgumentType]
            lines += [f"{key}:", *(f"- {cell(item)}" for item in value)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        elif isinstance(value, list):
            lines.append(f"{key}: {', '.join(cell(item) for item in value) or 'none'}")  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        elif isinstance(value, dict) and any(isinstance(item, dict | list) for item in value.values()):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType, reportUnknownMemberType]
            lines += [f"{key}:", *(f"  {line}" for part in _lines(value) for line in part.split("\n"))]  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(value, dict):
            lines.append(f"{key}: {', '.join(f'{name} {cell(item)}' for name, item in value.items())}")  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType, reportUnknownMemberType]
        else:
            lines.append(f"{key}: {cell(value)}")
    return lines


def _one_a_line(items: list[object]) -> bool:
    texts = [str(item) for item in items]
    return sum(map(len, texts)) > LINE or any(", " in text for text in texts)


def failure_text(failure: Failure, hints: Hints = EVERY_TOOL_ON) -> str:
    """A failure as a model reads it: code, words, what has changed, the next step."""
    parts = [f"{failure.code}: {failure.message}", f"changed: {failure.changed}", f"next: {hints.told(failure.next)}"]
    used_by = failure.details.get("used_by")
    if used_by:
        parts.insert(1, f"used_by: {json.dumps(fenced(used_by), ensure_ascii=False)}")
    return "\n".join(parts)


def failure_data(failure: Failure, hints: Hints = EVERY_TOOL_ON) -> dict[str, Any]:
    """A failure as plain data, for callers that are programs."""
    return {
        "code": failure.code,
        "message": failure.message,
        "changed": failure.changed,
        "next": hints.told(failure.next),
        "details": fenced(failure.details),
    }
