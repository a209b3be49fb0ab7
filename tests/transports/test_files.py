"""Standard input and output on pipes: nothing lost, nothing out of order, and nobody waited for too long."""

import os
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import suppress

import anyio
import pytest
from anyio.lowlevel import checkpoint

from bulk_sync_mcp import stdio
from bulk_sync_mcp.stdio import Input, Output

pytestmark = pytest.mark.anyio
MIB = 1024 * 1024


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def pipe() -> Generator[tuple[int, int]]:
    """The end to read from, and the one to write to."""
    ends = os.pipe()
    yield ends
    for end in ends:
        with suppress(OSError):  # of one the test has closed
            os.close(end)


def _written(end: int, text: bytes) -> None:
    def write() -> None:
        left = text
        while left:
            left = left[os.write(end, left[:1_000]) :]
        os.close(end)

    threading.Thread(target=write).start()


@pytest.mark.parametrize(
    ("sent", "lines"),
    [
        (b"", []),
        (b"one\ntwo\n\nthree", [b"one", b"two", b"", b"three"]),
        (b"a" * MIB + b"\n" + b"b" * 1_600 + b"\nend\n", [b"a" * MIB, b"b" * 1_600, b"end"]),
    ],
    ids=["nothing", "short lines and one without an end", "longer than a pipe"],
)
async def test_every_line_arrives_in_order(pipe: tuple[int, int], sent: bytes, lines: list[bytes]) -> None:
    _written(pipe[1], sent)
    with anyio.fail_after(20):
        assert [line async for line in Input(pipe[0])] == lines


async def test_waiting_for_a_line_can_be_given_up(pipe: tuple[int, int]) -> None:
    lines = Input(pipe[0])
    async with anyio.create_task_group() as group:
        group.start_soon(anext, lines)
        await checkpoint()
        group.cancel_scope.cancel()
    os.write(pipe[1], b"late\n")
    with anyio.fail_after(20):
        assert await anext(lines) == b"late"


def _all(end: int) -> bytes:
    found = b""
    while chunk := os.read(end, MIB):
        found += chunk
    return found


async def _give(output: Output, texts: list[str]) -> None:
    for text in texts:
        await output.write(text)
        await output.flush()


async def test_answers_keep_their_order_whether_or_not_the_client_reads_in_time(pipe: tuple[int, int]) -> None:
    texts = [f"{number}:{'x' * (number * 37 % 9_000)}\n" for number in range(400)]
    assert sum(map(len, texts)) > 10 * 65_536
    output = Output(pipe[1])
    with anyio.fail_after(20):
        await _give(output, texts[:200])  # more than a pipe holds, and nobody reads

        async def close() -> None:
            await _give(output, texts[200:])
            await anyio.to_thread.run_sync(output.close)
            os.close(pipe[1])

        async with anyio.create_task_group() as group:
            group.start_soon(close)
            found = await anyio.to_thread.run_sync(_all, pipe[0])
    assert found == "".join(texts).encode()


async def test_calls_wait_for_a_client_that_does_not_read_before_memory_is_full(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stdio, "MOST_UNWRITTEN", MIB)
    output = Output(pipe[1])
    given = 0

    async def give() -> None:
        nonlocal given
        while given < 64:
            await output.write("x" * (MIB // 16))
            given += 1
            await output.flush()

    async with anyio.create_task_group() as group:
        group.start_soon(give)
        for _ in range(200):
            await checkpoint()
        assert 16 <= given <= 18
        with anyio.fail_after(20):
            while given < 64:
                await anyio.to_thread.run_sync(os.read, pipe[0], MIB)


async def test_the_end_does_not_wait_for_a_client_that_never_reads(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stdio, "LAST", 0.01)
    output = Output(pipe[1])
    await _give(output, ["x" * MIB])
    with anyio.fail_after(20):
        await anyio.to_thread.run_sync(output.close)
    os.read(pipe[0], MIB)


@pytest.mark.parametrize("length", [10, MIB], ids=["written at once", "written by the thread"])
async def test_a_client_that_is_gone_is_told(pipe: tuple[int, int], length: int) -> None:
    output = Output(pipe[1])
    os.close(pipe[0])

    async def give() -> None:
        while True:
            await _give(output, ["x" * length])
            await checkpoint()

    with anyio.fail_after(20), pytest.raises(BrokenPipeError):
        await give()


def test_what_else_is_printed_does_not_reach_the_client() -> None:
    program = """
import os, subprocess, sys, anyio
from bulk_sync_mcp.stdio import standard_output
async def main():
    with standard_output() as output:
        print("by Python", flush=True)
        os.write(1, b"by a library" + bytes([10]))
        subprocess.run([sys.executable, "-c", "print('by a child')"], check=True)
        await output.write("answer" + chr(10))
    print("afterwards")
anyio.run(main)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("answer\nafterwards\n", "by Python\nby a library\nby a child\n")


async def test_a_process_with_many_open_files_is_answered_too(pipe: tuple[int, int]) -> None:
    fcntl = pytest.importorskip("fcntl")
    far = fcntl.fcntl(pipe[1], fcntl.F_DUPFD, 1_500)
    try:
        output = Output(far)
        await output.write("hello")
        output.close()
    finally:
        os.close(far)
    assert os.read(pipe[0], MIB) == b"hello"
