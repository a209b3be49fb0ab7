"""Progress of a run as bars, one for each table, from what the server tells the client while it waits."""

import re
from collections.abc import Callable, Mapping

_ENTRY = re.compile(r"(?P<table>.+) (?P<status>\w+) (?P<rows>[\d,]+)")
_WAITING = ("created", "scheduled")
_MOST = 12
_BAR = 30


class Bars:
    """On a terminal, bars that are drawn over themselves; elsewhere a line whenever something new is told."""

    def __init__(self, write: Callable[[str], None], totals: Mapping[str, int], *, live: bool, width: int) -> None:
        self._write = write
        self._totals = dict(totals)
        self._live = live
        self._width = width
        self._rows = dict.fromkeys(totals, 0)
        self._status = dict.fromkeys(totals, "waiting")
        self._drawn = 0
        self._said: set[str] = set()

    def told(self, message: str) -> None:
        """A progress message: `running for 2 s, 1 of 3 tables done, 900 rows: orders running 700; …`."""
        head, _, entries = message.partition(": ")
        for entry in entries.split("; "):
            found = _ENTRY.fullmatch(entry)
            if found is not None and found["table"] in self._totals:
                self._rows[found["table"]] = int(found["rows"].replace(",", ""))
                self._status[found["table"]] = "waiting" if found["status"] in _WAITING else found["status"]
        self._draw(head)

    def done(self, rows: Mapping[str, tuple[str, int]]) -> None:
        """The end: status and rows of each output."""
        for table, (status, count) in rows.items():
            if table in self._totals:
                self._status[table], self._rows[table] = status, count
        self._draw("")

    def _draw(self, head: str) -> None:
        lines = [self._line(table) for table in list(self._totals)[:_MOST]]
        if len(self._totals) > _MOST:
            lines.append(f"      … and {len(self._totals) - _MOST} more tables")
        if self._live:
            over = f"\x1b[{self._drawn}A" if self._drawn else ""
            self._write(over + "".join(f"\x1b[2K{line[: self._width]}\n" for line in lines))
            self._drawn = len(lines)
        else:
            moving = [table for table in self._totals if self._rows[table] or self._status[table] == "completed"]
            new = [text for text in (self._line(table) for table in moving) if text not in self._said]
            if new and head:
                self._write(f"    … {head}\n")
            self._said.update(new)
            self._write("".join(f"{line}\n" for line in new))

    def _line(self, table: str) -> str:
        total, rows = self._totals[table], self._rows[table]
        filled = _BAR if self._status[table] == "completed" else min(_BAR, _BAR * rows // max(total, 1))
        width = min(24, max(len(one) for one in self._totals))
        bar = "█" * filled + "░" * (_BAR - filled)
        return f"      {table[:width]:<{width}}  {bar}  {rows:>9,} of {total:,}  {self._status[table]}"
