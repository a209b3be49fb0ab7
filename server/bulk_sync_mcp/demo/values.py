"""Values in one form on both sides, so that equal rows have equal digests whatever wrote them.

A source in SQLite says `12.5` and `'2024-03-01 10:00:00'` where DuckDB says `DECIMAL 12.50` and a timestamp. The
declared type of the *output* column says what a value has to be. A value that is something else at the source
(SQLite lets any value into any column) is `Surprising`: its column is left out of the comparison, and named.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any
from uuid import UUID

Convert = Callable[[Any], Any]
_MASK = (1 << 128) - 1
_DECIMAL = re.compile(r"(?:DECIMAL|NUMERIC)\(\d+,\s*(\d+)\)")
_TEXTS = ("VARCHAR", "TEXT")
_INTEGERS = (
    "INTEGER",
    "INT",
    "BIGINT",
    "SMALLINT",
    "TINYINT",
    "HUGEINT",
    "UBIGINT",
    "UINTEGER",
    "USMALLINT",
    "UTINYINT",
)


class Surprising(Exception):
    """A value that is not of its column's type."""


def converter(declared: str, *, thorough: bool) -> Convert | None:
    """How values of an output column of this type are made comparable; None when they are as they are.

    Integers, texts and bytes look the same on both sides: they are only checked, and only if `thorough`.
    """
    found = _DECIMAL.match(declared)
    if found:
        return _decimal(int(found[1]))
    if declared.startswith("TIMESTAMP"):
        return _moment
    if not thorough and (declared in _INTEGERS or declared in _TEXTS or declared == "BLOB"):
        return None
    if declared in _INTEGERS:
        return _integer
    plain: dict[str, Convert] = {
        "BOOLEAN": _boolean,
        "DATE": _date,
        "TIME": str,
        "REAL": _real,
        "FLOAT": _real,
        "DOUBLE": _real,
        "BLOB": _bytes,
        "VARCHAR": _text,
        "TEXT": _text,
    }
    return plain.get(declared)


def _decimal(scale: int) -> Convert:
    def convert(value: Any) -> str:
        if isinstance(value, float | int):
            shown = f"{value:.{scale}f}"
            if float(shown) != value:
                raise Surprising
            return shown
        if isinstance(value, Decimal):
            return f"{value:.{scale}f}"
        raise Surprising

    return convert


def _integer(value: Any) -> int:
    if isinstance(value, int):
        return int(value)
    raise Surprising


def _real(value: Any) -> float:
    if isinstance(value, float | int | Decimal):
        return float(value)
    raise Surprising


def _boolean(value: Any) -> bool:
    if value in (0, 1):
        return bool(value)
    raise Surprising


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    raise Surprising


def _text(value: Any) -> str:
    if isinstance(value, str):
        if "\ufffd" in value:
            raise Surprising  # perhaps bytes that are no UTF-8
        return value
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, UUID):
        return str(value)
    raise Surprising


def _moment(value: Any) -> str:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise Surprising from None
    if not isinstance(value, datetime):
        raise Surprising
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return value.isoformat(sep=" ")


def _date(value: Any) -> str:
    if isinstance(value, str) and len(value) == len("2024-03-01"):
        return value
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    raise Surprising


class Digest:
    """The digest of rows in any order: equal for equal multisets of rows, and as good as never otherwise."""

    def __init__(self, converters: list[Convert | None]) -> None:
        self._steps = [(index, convert) for index, convert in enumerate(converters) if convert is not None]
        self._sum = 0
        self.rows = 0
        self.surprising: set[int] = set()

    def canonical(self, row: tuple[Any, ...]) -> str:
        """One row in comparable form."""
        values = list(row)
        for index, convert in self._steps:
            value = values[index]
            if value is not None:
                try:
                    values[index] = convert(value)
                except Surprising:
                    self.surprising.add(index)
        return repr(values)

    def add(self, row: tuple[Any, ...]) -> None:
        """Takes a row in."""
        hashed = blake2b(self.canonical(row).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        self._sum = (self._sum + int.from_bytes(hashed)) & _MASK
        self.rows += 1

    @property
    def hex(self) -> str:
        """The digest as text."""
        return f"{self._sum:032x}"
