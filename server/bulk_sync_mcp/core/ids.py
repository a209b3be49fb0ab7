"""Ids as constrained types: what may stand in an argument, and from there in a request path.

Threat: an id such as `../../connections/<id>` that makes a call reach another resource. Encoding alone does
not protect, since proxies and transports decode and resolve dot segments; so such values are refused here,
where arguments are validated, and again in `api/paths.py`, where paths are built.

Ids are UUIDs, except those of schemas, which are the source's own names, such as `public.users`
(api/README.md 1).
"""

import re
import unicodedata
from typing import Annotated
from urllib.parse import unquote

from pydantic import AfterValidator, Field, WithJsonSchema

MAX_SCHEMA_ID = 512
"""Characters. Longer than any table name of a known database; keeps a request line well below 8 KiB."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_UNSENDABLE = frozenset({"Cc", "Cs"})


def path_problem(value: str) -> str | None:
    """Why `value` may not stand in a request path, as words to follow the argument's name; None if it may.

    Looks at the value and at everything it turns into when percent-decoded again and again.
    """
    if not value:
        return "is empty"
    while True:
        if any(unicodedata.category(char) in _UNSENDABLE for char in value):
            return "contains a control character"
        # A `;` begins path parameters, which some servers cut off before they resolve dot segments.
        if any(part.partition(";")[0] in {".", ".."} for part in re.split(r"[/\\]", value)):
            return "contains a path segment `.` or `..`, also when percent-decoded"
        decoded = unquote(value)
        if decoded == value:
            return None
        value = decoded


def _canonical_uuid(value: str) -> str:
    if _UUID.fullmatch(value) is None:
        raise ValueError("not a UUID such as 3f8b2c6e-0d41-4b7a-9c55-1e2a7d904b11")
    return value.lower()


def _schema_id(value: str) -> str:
    problem = path_problem(value)
    if problem is not None:
        raise ValueError(f"the schema id {problem}")
    return value


_UUID_SCHEMA = WithJsonSchema({"type": "string", "format": "uuid"})

SyncId = Annotated[str, AfterValidator(_canonical_uuid), _UUID_SCHEMA]
"""Id of a bulk sync: a UUID in its hyphenated form, any case; becomes lower case."""
ExecutionId = Annotated[str, AfterValidator(_canonical_uuid), _UUID_SCHEMA]
"""Id of an execution: as `SyncId`."""
ConnectionId = Annotated[str, AfterValidator(_canonical_uuid), _UUID_SCHEMA]
"""Id of a connection: as `SyncId`."""
ScheduleId = Annotated[str, AfterValidator(_canonical_uuid), _UUID_SCHEMA]
"""Id of a schedule of a sync: as `SyncId`."""
SchemaId = Annotated[
    str,
    Field(min_length=1, max_length=MAX_SCHEMA_ID),
    AfterValidator(_schema_id),
    WithJsonSchema({"type": "string", "minLength": 1}),
]
"""Id of a schema, which is the source's name for a table or object, such as `public.users` or `Contact`."""
