"""What the demo prints: steps, calls, answers, forms, proof. Colour and moving bars only on a terminal."""

import json
import os
import re
import shutil
import textwrap
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TextIO

from bulk_sync_mcp.demo.bars import Bars
from bulk_sync_mcp.demo.proof import Mismatch

_UUID = re.compile(r"\b([0-9a-f]{8})-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b")
_INDENT = "      "
_PLAIN_WIDTH = 110
_STYLES = {"step": "1;36", "call": "1", "proof": "32", "fault": "1;31", "form": "33", "quiet": "2"}


class Screen:
    """Lines to a stream. `live` is true on a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.live = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._coloured = self.live and not os.environ.get("NO_COLOR")
        columns = shutil.get_terminal_size((_PLAIN_WIDTH, 24)).columns if self.live else _PLAIN_WIDTH
        self._width = max(60, min(columns, 140))
        self._steps = 0
        self.closed = False
        """Whether nobody reads any more, such as `| head`."""

    def title(self, text: str) -> None:
        """The first line."""
        self._line(self._styled(text, "step"))

    def say(self, text: str) -> None:
        """A remark that wraps."""
        for line in textwrap.wrap(text, self._width - 2, break_long_words=False, break_on_hyphens=False):
            self._line(f"  {line}")

    def plain(self, text: str) -> None:
        """A line to be copied: never wrapped."""
        self._line(f"    {text}")

    def gap(self) -> None:
        """An empty line."""
        self._line("")

    def step(self, title: str) -> None:
        """The heading of a step, numbered."""
        self._steps += 1
        self._line("")
        self._line(self._styled(f"{self._steps:>2}  {title}", "step"))

    @property
    def steps(self) -> int:
        """Steps begun so far."""
        return self._steps

    def call(self, who: str, tool: str, arguments: Mapping[str, Any]) -> None:
        """A tool call as it is sent."""
        sent = json.dumps(arguments, ensure_ascii=False)
        self._block(f"  {who} → ", f"{tool} {sent}", 6, "call")

    def answer(self, text: str, most: int, left_out: Collection[str] = ()) -> None:
        """What came back, at most `most` lines of it, without lines that begin with a word of `left_out`."""
        lines = [line for line in text.splitlines() if line.partition(":")[0] not in left_out]
        self._block("    ← ", "\n".join(lines), most)

    def form(self, message: str, reply: str) -> None:
        """A form the server had shown, and what the user did."""
        self._block("    ? ", message, 14, "form")
        self._line(self._styled(f"{_INDENT}The user {reply}.", "form"))

    def proof(self, text: str) -> None:
        """Something found as it should be."""
        self._block("    ✓ ", text, 6, "proof")

    def left_out(self, text: str) -> None:
        """Something that could not be shown, and why."""
        self._block("    – ", f"left out: {text}", 6)

    def fault(self, mismatch: Mismatch) -> None:
        """Something found as it should not be."""
        self._block("    ✗ ", f"MISMATCH in {mismatch.what}", 4, "fault")
        self._block("      expected ", mismatch.expected, 12, "fault")
        self._block("      found    ", mismatch.found, 12, "fault")

    def bars(self, totals: Mapping[str, int]) -> Bars:
        """Progress of a run. `totals` is how many rows each output will have."""
        return Bars(self._write, totals, live=self.live, width=self._width)

    def _block(self, mark: str, text: str, most: int, style: str = "") -> None:
        room = self._width - len(mark)
        text = _UUID.sub(r"\1…", text)
        lines: list[str] = []
        for line in text.splitlines() or [""]:
            lines += textwrap.wrap(line, room, break_on_hyphens=False) or [""]
        if len(lines) > most:
            lines = [*lines[: most - 1], f"… {len(lines) - most + 1} more lines"]
        for number, line in enumerate(lines):
            self._line(self._styled((mark if number == 0 else " " * len(mark)) + line, style))

    def _styled(self, text: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if style and self._coloured else text

    def _line(self, text: str) -> None:
        self._write(f"{text.rstrip()}\n")

    def _write(self, text: str) -> None:
        if self.closed:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            self.closed = True
            # What is still buffered would fail once more when Python ends.
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())
