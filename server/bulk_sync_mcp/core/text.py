"""Text that comes from the backend is untrusted: here it is made safe to show and visibly quoted.

Threat: a sync, table or message whose text contains instructions, markup, control or bidirectional
characters, shown to a person who is asked to confirm or to a model that reads a result.
"""

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

MAX_NAME = 80
MAX_MESSAGE = 300

_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: object, limit: int = MAX_NAME, *, ticks: bool = False) -> str:
    """`text` on one line without control, format, bidirectional or unassigned characters, at most `limit` long.

    Newlines and tabs become single spaces; what is cut off is marked by an ellipsis. `ticks` keeps backticks, in text
    that is our own.
    """
    kept = str(text)
    if not kept.isprintable():  # what is has nothing to drop, and no white space but blanks
        spaced = "".join(" " if char.isspace() else char for char in kept)
        kept = "".join(char for char in spaced if unicodedata.category(char) not in _DROPPED_CATEGORIES)
    # Backticks mark tools and arguments in our own words; text from outside must not look like those.
    flat = " ".join((kept if ticks else kept.replace("`", "'")).split())
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"


def quoted(text: object, limit: int = MAX_NAME) -> str:
    """`clean(text)` between typographic quotes, which are taken out of the text itself, so that it cannot end them."""
    return "“" + clean(text, limit).replace("“", "'").replace("”", "'") + "”"


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON of `value`, in hexadecimal."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def without_none(value: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `value` without the keys whose value is None."""
    return {key: item for key, item in value.items() if item is not None}


def plural(count: int, noun: str, many: str | None = None) -> str:
    """`1 table`, `3 tables`, `1,204 rows`."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC to the second, such as `2026-05-12T04:15:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def spell_duration(span: timedelta) -> str:
    """A length of time in its largest unit or two: `8 s`, `4 min 10 s`, `3 h 5 min`, `2 d 4 h`."""
    seconds = max(0, int(span.total_seconds()))
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, seconds = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if minutes:
        return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
    return f"{seconds} s"


def spell_age(moment: datetime, now: datetime) -> str:
    """How long ago `moment` was, or how soon it comes: `4 min ago`, `in 2 h`."""
    return f"in {spell_duration(moment - now)}" if moment > now else f"{spell_duration(now - moment)} ago"
