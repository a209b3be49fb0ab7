"""The last look at everything a model reads: text from the backend loses what could disguise it.

Names and messages in results are data, whatever they say. Control, format and bidirectional characters go, and
very long strings are cut, in every string of a result, wherever it came from.
"""

import re
from typing import Any, cast

from bulk_sync_mcp.core.text import clean

LONGEST = 1_000
LONGEST_ADDRESS = 4_096
_ADDRESS = re.compile(r"https?://[\x21-\x7e]+")


def fenced(value: object) -> Any:
    """`value` with every string in it cleaned and at most `LONGEST` characters long; null members left out.

    A web address may be longer: signed ones are, and one that was cut works no more.
    """
    if isinstance(value, str):
        return clean(value, LONGEST_ADDRESS if _ADDRESS.fullmatch(value) else LONGEST)
    if isinstance(value, list):
        return [fenced(item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        members = cast("dict[object, object]", value).items()
        return {clean(key, LONGEST): fenced(item) for key, item in members if item is not None}
    return value
