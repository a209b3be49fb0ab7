"""Identifiers: made here, and checked when they come in from outside."""

import re
import uuid

_CANONICAL = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def new_id() -> str:
    """A fresh random UUID in its canonical text form."""
    return str(uuid.uuid4())


def canonical_uuid(text: str) -> str | None:
    """The lower-case form of a UUID written with hyphens; None when `text` is anything else."""
    return text.lower() if _CANONICAL.fullmatch(text) else None
