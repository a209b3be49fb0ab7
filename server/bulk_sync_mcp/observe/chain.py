"""One line of the audit log: how it is written, and how it is known to be ours and in its place.

A line is a JSON object that ends in its seal, an HMAC over every byte before it. The line's number and the seal of
the line before are inside, so that no line can be changed, removed, moved or repeated unnoticed.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START = "0" * 64
"""What the first line has for the seal of the line before."""
CURRENT = "audit.jsonl"

_SEALED = re.compile(rb'(\{.+),"mac":"([0-9a-f]{64})"\}', re.DOTALL)
_ROTATED = re.compile(r"audit\.([1-9][0-9]{0,8})\.jsonl")


@dataclass(frozen=True, slots=True)
class Line:
    """A line whose seal fits: its number, what it says, its own seal and the one before."""

    number: int
    record: Mapping[str, Any]
    mac: str
    previous: str


def sealed(key: bytes, number: int, record: Mapping[str, Any], previous: str) -> tuple[bytes, str]:
    """The bytes of a line, its line break included, and its seal."""
    text = json.dumps({"number": number, **record, "previous": previous}, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate, from a user's name say, becomes the JSON escape it would have been.
    body = text[:-1].encode("utf-8", "backslashreplace")
    mac = _mac(key, body)
    return body + b',"mac":"' + mac.encode() + b'"}\n', mac


def unsealed(key: bytes, raw: bytes) -> Line | None:
    """The line in `raw`, which has no line break; None when its seal does not fit."""
    found = _SEALED.fullmatch(raw)
    if found is None or not hmac.compare_digest(_mac(key, found.group(1)).encode(), found.group(2)):
        return None
    record: dict[str, Any] = json.loads(raw)
    number, previous, mac = record.pop("number"), record.pop("previous"), record.pop("mac")
    return Line(number, record, mac, previous)


def readable(raw: bytes) -> dict[str, Any] | None:
    """What a line says, whether or not its seal fits; None when it is no JSON object."""
    try:
        value = json.loads(raw)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType] - any JSON object


def _mac(key: bytes, body: bytes) -> str:
    return hmac.new(key, body, hashlib.sha256).hexdigest()


def files(directory: Path) -> list[Path]:
    """The files of the log, oldest first; those that are full are numbered, `audit.jsonl` is being written to."""
    numbered = [(int(found.group(1)), path) for path, found in _matches(directory)]
    current = directory / CURRENT
    return [path for _, path in sorted(numbered)] + ([current] if current.exists() else [])


def next_rotated(directory: Path) -> Path:
    """Where `audit.jsonl` goes when it is full."""
    highest = max((int(found.group(1)) for _, found in _matches(directory)), default=0)
    return directory / f"audit.{highest + 1}.jsonl"


def _matches(directory: Path) -> Generator[tuple[Path, "re.Match[str]"]]:
    if directory.is_dir():
        for path in directory.iterdir():
            found = _ROTATED.fullmatch(path.name)
            if found is not None:
                yield path, found
