"""How the names of outputs are made from the names at the source."""

import hashlib
import re
import unicodedata

from bulk_sync_local.engine.job import NormalizeNames

STATE_TABLE = "_bulk_sync_state"
STAGE_PREFIX = "__stage_"
CREATED_AT = "_polytomic_created_at"
UPDATED_AT = "_polytomic_updated_at"
DELETED_AT = "_polytomic_deleted_at"
STAMPS: tuple[str, ...] = (CREATED_AT, UPDATED_AT, DELETED_AT)

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_]+")
_NOT_PLAIN_ONE = re.compile(r"[^A-Za-z0-9_]")


def normalized(name: str, rule: NormalizeNames) -> str:
    """`name` as the output is called.

    `enabled`: lower-case snake in ASCII. Accents are dropped, `OrderItems` becomes `order_items`, a run of
    anything else becomes one `_`, and a leading digit gets a `_` before it. `legacy`: each character that is
    not an ASCII letter, digit or `_` becomes `_`; case is kept. `disabled`: as it is.
    """
    if rule == "disabled":
        return name
    if rule == "legacy":
        return _NOT_PLAIN_ONE.sub("_", name)
    decomposed = unicodedata.normalize("NFKD", name.replace("ß", "ss"))
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    snake = _NOT_PLAIN.sub("_", _WORD_START.sub("_", plain)).lower()
    return f"_{snake}" if not snake or snake[0].isdigit() else snake


def folded(name: str, *, any_case: bool) -> str:
    """`name`, so that two are equal which a destination takes for one."""
    return name.casefold() if any_case else name


def is_reserved(name: str) -> bool:
    """Whether the engine keeps `name` for itself."""
    folded = name.casefold()
    return folded == STATE_TABLE or folded.startswith(STAGE_PREFIX)


def stage_table(sync_id: str, lane: int = 0) -> str:
    """The name of a sync's stage, or of the one of a further lane: always the same, so that what a killed run left is
    found by the next. Those of all lanes begin with that of the first."""
    stage = STAGE_PREFIX + hashlib.sha256(sync_id.encode()).hexdigest()[:10]
    return f"{stage}_{lane}" if lane else stage
