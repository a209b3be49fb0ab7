"""Times that SQLite keeps as text, read the quick way: by Arrow, which takes the plain form and nothing else.

Plain is `YYYY-MM-DD hh:mm:ss` (or with a `T`) and up to six digits of a second; a date is `YYYY-MM-DD`. For such
texts Arrow and the cast of `sqlite_types` agree, and Arrow takes a third of the time. A column whose first rows hold
anything else goes the other way.
"""

from typing import Any

from bulk_sync_local.engine import libraries

# The lengths keep forms out that only Arrow knows, `hh` and `hhmmss`, and a seventh digit, which it would not round.
_LENGTHS = {"TIMESTAMP": (19, 26), "DATE": (10, 10)}


def arrow_type(kind: str) -> Any | None:
    """The Arrow type that texts of the carried type `kind` may be turned into; None when there is none."""
    arrow = libraries.pyarrow()
    return {"TIMESTAMP": arrow.timestamp("us"), "DATE": arrow.date32()}.get(kind)


def plain_times(texts: Any, kind: str) -> Any | None:
    """The Arrow array `texts` as times; None when one of them is not plain."""
    compute = libraries.pyarrow_compute()
    shortest, longest = _LENGTHS[kind]
    lengths = compute.min_max(compute.binary_length(texts)).as_py()
    if lengths["min"] is not None and not (shortest <= lengths["min"] and lengths["max"] <= longest):
        return None
    try:
        return texts.cast(arrow_type(kind))
    except libraries.pyarrow().ArrowInvalid:
        return None
