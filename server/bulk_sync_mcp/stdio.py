"""Standard input and output for the SDK's stdio transport, with one thread each.

The SDK's own files take a turn in a pool of threads for every line read, every line written and every flush; with
many calls in flight that is a sixth of what a call costs. Here one thread reads whatever has come, so that a busy
event loop is woken once for many lines. Answers are written at once where that needs no waiting, else by the other.
"""

import asyncio
import os
import queue
import select
import threading
from collections import deque
from collections.abc import Generator, Iterable
from contextlib import contextmanager

CHUNK = 64 * 1024
MOST_UNWRITTEN = 4 * 1024 * 1024
"""Bytes of answers that may wait for a client that does not read; more, and calls wait too."""
LAST = 1.0
"""Seconds that a client has to take the last answers when serving ends."""


class Input:
    """The lines of standard input, without their ends.

    The thread that reads is left behind when serving ends: the SDK's reader waits for its own, so that a signal
    would not end the server until input does. To be made in a running event loop.
    """

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._lines: deque[bytes] = deque()
        self._come = asyncio.Event()
        self._ended = False
        threading.Thread(target=self._read, name="standard input", daemon=True).start()

    def __aiter__(self) -> "Input":
        return self

    async def __anext__(self) -> bytes:
        while not self._lines:
            if self._ended:
                raise StopAsyncIteration
            self._come.clear()
            await self._come.wait()
        return self._lines.popleft()

    def _take(self, lines: Iterable[bytes], ended: bool) -> None:
        self._lines += lines
        self._ended = ended
        self._come.set()

    def _tell(self, lines: Iterable[bytes], *, ended: bool = False) -> bool:
        try:
            self._loop.call_soon_threadsafe(self._take, lines, ended)
        except RuntimeError:
            return False  # serving has ended
        return True

    def _read(self) -> None:
        begun = bytearray()
        while chunk := self._chunk():
            first, *more = chunk.split(b"\n")
            begun += first
            if more:
                lines = [bytes(begun), *more[:-1]]
                begun = bytearray(more[-1])
                if not self._tell(lines):
                    return
        self._tell([bytes(begun)] if begun else [], ended=True)

    def _chunk(self) -> bytes:
        try:
            return os.read(self._descriptor, CHUNK)
        except OSError:
            return b""  # nothing can be read any more, which is the end of input


class Output:
    """Writes to a descriptor. To be made in a running event loop; after a write that failed, `flush` raises its `OSError`."""

    def __init__(self, descriptor: int) -> None:
        self._wire = descriptor
        self._loop = asyncio.get_running_loop()
        self._waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        # Each is changed by one thread only.
        self._given = self._written = 0
        self._room: asyncio.Event | None = None
        self._error: OSError | None = None
        # Not `select`, which takes no descriptor above 1023.
        self._ready = select.poll() if hasattr(select, "poll") else None
        if self._ready is not None:
            self._ready.register(descriptor, select.POLLOUT)
        self._thread = threading.Thread(target=self._write, name="standard output", daemon=True)
        self._thread.start()

    async def write(self, text: str) -> None:
        """Has `text` written soon, after what was given before."""
        data = text.encode()
        if self._given == self._written:
            data = self._at_once(data)
        if data:
            self._given += len(data)
            self._waiting.put(data)

    async def flush(self) -> None:
        """Waits only while too much is unwritten."""
        if self._error is not None:
            raise self._error
        if self._given - self._written <= MOST_UNWRITTEN:
            return
        # First the event, then the look: the other thread counts first and then looks for the event.
        self._room = asyncio.Event()
        if self._given - self._written > MOST_UNWRITTEN and self._error is None:
            await self._room.wait()
        self._room = None

    def close(self) -> None:
        """Waits for the last answers to be written, and no longer than `LAST`."""
        self._waiting.put(None)
        self._thread.join(LAST)

    def _at_once(self, data: bytes) -> bytes:
        """Writes as much as needs no waiting. Returns the rest: all of it where that cannot be told (Windows)."""
        if self._ready is None:
            return data
        while data and self._error is None and self._ready.poll(0):
            self._put(data[: select.PIPE_BUF])
            data = data[select.PIPE_BUF :]
        return data

    def _write(self) -> None:
        ended = False
        while not ended:
            parts = [self._waiting.get()]
            while not self._waiting.empty():
                parts.append(self._waiting.get())
            ended = None in parts
            data = b"".join(part for part in parts if part is not None)
            self._put(data)
            self._written += len(data)
            room = self._room
            if room is not None:
                self._loop.call_soon_threadsafe(room.set)

    def _put(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left and self._error is None:
                left = left[os.write(self._wire, left) :]
        except OSError as error:
            self._error = error


@contextmanager
def standard_output() -> Generator[Output]:
    """Standard output for answers alone: what else this process or a child of it prints goes to standard error."""
    wire = os.dup(1)
    os.dup2(2, 1)
    output = Output(wire)
    try:
        yield output
    finally:
        output.close()
        os.dup2(wire, 1)
