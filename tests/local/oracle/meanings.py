"""What a value means, whatever database holds it: plain Python where Python can say it, else one of these.

Python's dates end with the year 9999 and know no infinity, its floats are not equal to themselves: hence own classes,
and `frozen` for comparing.
"""

import json
import math
import re
import struct
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

DAY = 86_400_000_000
INFINITE = ("infinity", "-infinity")


@dataclass(frozen=True)
class Day:
    """Days since 1970, or an infinity."""

    days: int | str


@dataclass(frozen=True)
class Clock:
    microseconds: int


@dataclass(frozen=True)
class ZonedClock:
    microseconds: int
    offset: int


@dataclass(frozen=True)
class Moment:
    """Nanoseconds since 1970 without a zone, or an infinity."""

    nanoseconds: int | str


@dataclass(frozen=True)
class ZonedMoment:
    """Microseconds since 1970 in UTC, or an infinity."""

    microseconds: int | str


@dataclass(frozen=True)
class Span:
    months: int
    days: int
    microseconds: int


@dataclass(frozen=True)
class Uuid:
    text: str


@dataclass(frozen=True)
class Json:
    text: str


def frozen(value: Any) -> Any:
    """`value` so that two are equal when they are the same, bit for bit and type for type."""
    if isinstance(value, bool) or value is None:
        return (type(value).__name__, value)
    if isinstance(value, float):
        return ("float", "nan" if math.isnan(value) else struct.pack(">d", value))
    if isinstance(value, int | str | bytes):
        return (type(value).__name__, value)
    if isinstance(value, Decimal):
        return ("Decimal", value.as_tuple() if value.is_finite() else str(value))
    if isinstance(value, Json):
        return ("Json", frozen(json.loads(value.text, parse_int=_number, parse_float=_number, parse_constant=str)))
    if isinstance(value, list | tuple):
        return ("list", tuple(frozen(one) for one in value))
    if isinstance(value, dict):
        return ("dict", tuple(sorted((key, frozen(one)) for key, one in value.items())))
    return (type(value).__name__, value)


def _number(text: str) -> Decimal:
    """Of a JSON text, in which 1.0 and 1e0 are one number."""
    return Decimal(text).normalize() + 0


# -- the calendar ------------------------------------------------------------------------------------------------------


def days_of(year: int, month: int, day: int) -> int:
    """Days since 1970 of a date of the Gregorian calendar; the year 0 is 1 BC."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def date_of(days: int) -> tuple[int, int, int]:
    era, of_era = divmod(days + 719_468, 146_097)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month += 3 if month < 10 else -9
    return year + era * 400 + (month <= 2), month, day


def date_text(days: int | str, before_christ: str) -> str:
    if isinstance(days, str):
        return days
    year, month, day = date_of(days)
    era = "" if year > 0 else before_christ
    return f"{year if year > 0 else 1 - year:04d}-{month:02d}-{day:02d}{era}"


def clock_text(microseconds: int, more: str = "") -> str:
    """As the databases print it, without zeros at the end; `more` are digits past the microsecond."""
    seconds, fraction = divmod(microseconds, 1_000_000)
    digits = f"{fraction:06d}{more}".rstrip("0")
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{'.' + digits if digits else ''}"


def moment_text(nanoseconds: int | str, before_christ: str) -> str:
    if isinstance(nanoseconds, str):
        return nanoseconds
    days, rest = divmod(nanoseconds, DAY * 1000)
    return f"{date_text(days, before_christ)} {clock_text(rest // 1000, f'{rest % 1000:03d}')}"


def offset_text(seconds: int) -> str:
    sign, rest = "-" if seconds < 0 else "+", abs(seconds)
    parts = [rest // 3600, rest // 60 % 60, rest % 60]
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return sign + ":".join(f"{part:02d}" for part in parts)


_CLOCK = r"(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?"
_DATE = r"(\d{4,7})-(\d\d)-(\d\d)( \(?BC\)?)?"
_OFFSET = r"(Z|[+-]\d\d(?::\d\d(?::\d\d)?)?)?"


def _nanoseconds(hour: str, minute: str, second: str, fraction: str | None) -> int:
    whole = int(hour) * 3600 + int(minute) * 60 + int(second)
    return whole * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))


def _seconds(offset: str | None) -> int:
    if offset in (None, "", "Z"):
        return 0
    parts = [int(part) for part in offset[1:].split(":")] + [0, 0]
    return (-1 if offset[0] == "-" else 1) * (parts[0] * 3600 + parts[1] * 60 + parts[2])


def parse_date(text: str) -> int | str | None:
    """Days since 1970, None when `text` is no date."""
    if text in INFINITE:
        return text
    found = re.fullmatch(_DATE, text)
    if found is None:
        return None
    year, month, day = int(found[1]), int(found[2]), int(found[3])
    days = days_of(1 - year if found[4] else year, month, day)
    return days if date_of(days)[1:] == (month, day) else None


def parse_clock(text: str) -> int | None:
    """Microseconds, None when `text` is no time of day."""
    found = re.fullmatch(_CLOCK, text)
    if found is None or int(found[1]) > 24 or int(found[2]) > 59 or int(found[3]) > 59:
        return None
    return _nanoseconds(found[1], found[2], found[3], found[4]) // 1000


def parse_zoned_clock(text: str) -> ZonedClock | None:
    found = re.fullmatch(_CLOCK + _OFFSET, text)
    if found is None:
        return None
    return ZonedClock(_nanoseconds(found[1], found[2], found[3], found[4]) // 1000, _seconds(found[5]))


def parse_moment(text: str) -> int | str | None:
    """Nanoseconds since 1970 in UTC, None when `text` is no date with time. A date alone is its midnight."""
    if text in INFINITE:
        return text
    era = ""
    if found := re.search(r" \(?BC\)?", text):
        era, text = found[0], text.replace(found[0], "")
    found = re.fullmatch(rf"(.{{10,13}}?)(?:[ T]{_CLOCK}{_OFFSET})?", text)
    if found is None or not isinstance(days := parse_date(found[1] + era), int):
        return None
    if found[2] is None:
        return days * DAY * 1000
    if int(found[2]) > 23 or int(found[3]) > 59 or int(found[4]) > 59:
        return None
    time = _nanoseconds(found[2], found[3], found[4], found[5])
    return days * DAY * 1000 + time - _seconds(found[6]) * 1_000_000_000
