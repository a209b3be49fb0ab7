"""The demo finds what is wrong: a tampered destination ends it with status 1, and a signal leaves nothing behind."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

import pytest

from bulk_sync_mcp.demo import story
from bulk_sync_mcp.demo.options import Options
from bulk_sync_mcp.demo.tables import opened
from bulk_sync_mcp.demo.tale import Tale

CHANGE = "UPDATE {} SET title = 'other' WHERE sku = 'SKU-00001'"


@pytest.mark.parametrize(
    ("side", "statement", "words"),
    [
        ("source", CHANGE.format("products"), "a row of products"),
        ("destination", CHANGE.format("shop.products"), "columns, rows and content of products"),
    ],
)
def test_a_change_that_no_run_made_ends_the_demo_with_status_1(
    tmp_path: Path, side: Literal["source", "destination"], statement: str, words: str
) -> None:
    def tamper(step: str, tale: Tale) -> None:
        if step == "first_run":
            with opened(tale.pair.source if side == "source" else tale.pair.destination, write=True) as tables:
                tables.run(statement)

    output = io.StringIO()
    status = story.run(Options(workspace=tmp_path / "demo", rows=600, pause=0), output, tamper)
    assert status == 1
    assert f"✗ MISMATCH in {words}" in output.getvalue()
    assert "      expected " in output.getvalue()
    assert "this is not as it should be" in output.getvalue()
    assert "As it should be" not in output.getvalue()


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interrupted_demo_leaves_no_process_and_no_directory(tmp_path: Path) -> None:
    marker = {"TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "bulk_sync_mcp", "demo", "--rows", "600", "--pause", "3"]
    with subprocess.Popen(command, env={**os.environ, **marker}, stdout=subprocess.PIPE, encoding="utf-8") as running:
        assert running.stdout is not None
        seen: list[str] = []
        for line in running.stdout:
            seen.append(line)
            if "→ wait_for_bulk_sync_execution" in line:
                break
        running.send_signal(signal.SIGTERM)
        rest = running.stdout.read()
        assert running.wait(timeout=30) == 130, "".join(seen) + rest
    assert "Stopped by SIGTERM" in rest
    assert "has been cancelled" in rest
    assert list(tmp_path.iterdir()) == []
    deadline = time.monotonic() + 10
    while found := processes_with(str(tmp_path)):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def processes_with(text: str) -> list[str]:
    """Command lines of processes that name `text`, on systems that show them under /proc."""
    found: list[str] = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = one.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line and one.parent.name != str(os.getpid()):
            found.append(line)
    return found
