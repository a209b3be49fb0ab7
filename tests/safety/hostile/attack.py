"""One hostile input, and how its placeholders become ids."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

REFUSED = ("invalid_arguments",)
PREVIEW = ("confirmation_required",)
ABSENT = ("not_found", "invalid_arguments", "bad_request")
PROTOCOL = "protocol"
"""Stands for a JSON-RPC error in place of a tool result."""
READ = ""
"""Stands for a result that is no error; only tools that read may give it."""

_PLACE = re.compile(r"<(\w+)(?::(\w+))?>")
_SHAPES = {
    "upper": str.upper,
    "bare": lambda text: text.replace("-", ""),
    "wide": lambda text: "".join(chr(ord(one) + 0xFEE0) if one.isdigit() else one for one in text),
    "percent": lambda text: "".join(f"%{ord(one):02x}" for one in text),
    "half": lambda text: text[: len(text) // 2],
    "hyphens": lambda text: text.replace("-", "\u2010"),
    "cyrillic": lambda text: (
        "".join({"a": "\u0430", "c": "\u0441", "e": "\u0435"}.get(one, one) for one in text) + "\u0430"
    ),
    "spaced": " ".join,
    "json": lambda text: f'"{text}"',
}


@dataclass(frozen=True)
class Attack:
    """A call that must neither run nor crash, and the codes its answer may have.

    `names` is the argument the answer must name, `says` what a preview must tell whoever is asked.
    """

    family: str
    intention: str
    tool: str
    arguments: Mapping[str, Any]
    codes: tuple[str, ...] = REFUSED
    names: str = ""
    says: str = ""


def filled(value: Any, ids: Mapping[str, str]) -> Any:
    """The value with `<sync>`, `<source:upper>` and the like replaced, however deep, keys included."""
    if isinstance(value, str):
        return _PLACE.sub(lambda found: _shaped(found, ids), value)
    if isinstance(value, Mapping):
        return {filled(key, ids): filled(item, ids) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [filled(item, ids) for item in value]
    return value


def _shaped(found: "re.Match[str]", ids: Mapping[str, str]) -> str:
    name, shape = found.groups()
    if name not in ids:
        return found.group()
    return str(_SHAPES[shape](ids[name])) if shape else ids[name]
