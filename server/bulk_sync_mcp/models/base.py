"""How answers of the backend are read: open models, since the server may be ahead of this description.

Unknown keys and unknown enum values are kept; a key may be missing or null (api/README.md 1).
"""

from datetime import UTC, datetime
from typing import Self, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from bulk_sync_mcp.core.errors import ApiFailure
from bulk_sync_mcp.core.text import iso, spell_age


class ApiModel(BaseModel):
    """One object of an answer."""

    # Numbers where the API promises text (an hour, say) must not make a whole sync unreadable.
    model_config = ConfigDict(extra="allow", frozen=True, coerce_numbers_to_str=True, defer_build=True)

    @classmethod
    def read(cls, data: object) -> Self:
        """The object in `data`. Raises `ApiFailure` `backend_error` when it cannot be one."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            fields = ", ".join(sorted({".".join(map(str, one["loc"])) or "data" for one in error.errors()}))
            raise ApiFailure(
                "backend_error", f"The backend's answer is not a valid {cls.__name__} (wrong: {fields})."
            ) from None

    @classmethod
    def read_all(cls, data: object) -> list[Self]:
        """The objects in a list; null reads as none."""
        if data is None:
            return []
        if not isinstance(data, list):
            raise ApiFailure("backend_error", f"The backend's answer is not a list of {cls.__name__}.")
        return [cls.read(item) for item in cast("list[object]", data)]


def aged(time: str | datetime | None, now: datetime) -> str | None:
    """A time of the API as results tell it: in UTC to the second, and how long ago or how soon. None for none."""
    at = time if isinstance(time, datetime) else moment(time)
    return f"{iso(at)} ({spell_age(at, now)})" if at else None


def moment(text: str | None) -> datetime | None:
    """An RFC 3339 time of the API; a time without a zone is UTC (api/README.md 1). None for none or nonsense."""
    if not text:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
