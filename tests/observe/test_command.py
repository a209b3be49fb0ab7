"""`bulk-sync-mcp audit`, as a person at a terminal or a script uses it."""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bulk_sync_mcp.cli import main
from bulk_sync_mcp.observe.audit import AuditLog
from bulk_sync_mcp.observe.reading import follow
from observe.kit import LEAVE, SYNC, call, lines, open_log, put, write, written

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    made = written(tmp_path, 2)
    made.refusal(call(3, name="Đorđe\u202e"), "denied")
    made.intent(call(4), LEAVE)
    return made


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def running(*words: str) -> tuple[int, str]:
        status = main(["audit", *words, "--state-dir", str(tmp_path)])
        shown = capsys.readouterr()
        return status, shown.out + shown.err

    return running


def test_verify_tells_count_files_times_and_calls_without_outcome(
    log: AuditLog, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "kill", gone)
    status, text = run("verify")
    assert status == 0
    assert text.splitlines()[:3] == [
        "audit log   whole, 6 lines",
        "files       audit.jsonl",
        "from, to    2026-05-12T04:15:00.123Z, 2026-05-12T04:15:00.123Z",
    ]
    assert "no outcome  delete_bulk_sync, call call0004" in text
    assert (
        f"the process ended before the answer came: it may have been done; read the state of bulk sync {SYNC}" in text
    )


def gone(_process: int, _signal: int) -> None:
    raise ProcessLookupError


def test_verify_fails_and_says_where_when_the_log_was_changed(log: AuditLog, run: Run) -> None:
    put(log, lines(log)[:1] + lines(log)[2:])
    status, text = run("verify")
    assert status == 1
    assert "BROKEN" in text
    assert "PROBLEM     audit.jsonl line 2: line 2 is missing before it" in text
    status, text = run("verify", "--json")
    assert status == 1
    assert json.loads(text)["whole"] is False
    assert run("show")[0] == run("tail")[0] == 1
    assert "has been changed" in run("show")[1]


def test_verify_of_nothing_says_so(run: Run) -> None:
    assert run("verify") == (0, "No call that writes has been made yet: there is no audit log.\n")
    assert run("show") == (0, "No such calls.\n")


def test_verify_holds_the_log_to_a_head_noted_before(log: AuditLog, run: Run) -> None:
    noted = json.loads(run("verify", "--json")[1])["head"]
    write(log, 1, first=5)
    assert run("verify", "--expect", noted)[0] == 0
    status, text = run("verify", "--expect", f"6:{'0' * 64}")
    assert status == 1
    assert "the line 6 that was expected is not in the log" in text


def test_show_lists_one_line_a_call(log: AuditLog, run: Run) -> None:
    status, text = run("show")
    assert status == 0
    head, *rows = text.splitlines()
    assert head.split() == ["time", "call", "event", "operation", "sync", "outcome", "evidence", "from"]
    assert [row.split()[1] for row in rows] == ["call0001", "call0002", "call0003", "call0004"]
    assert rows[0].split()[-3:] == ["done", "human", "form"]
    assert "refused" in rows[2]
    assert "denied" in rows[2]
    assert "no outcome" in rows[3]


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["--call", "call0002"], 2),
        (["--call", "call"], 0),
        (["--sync", SYNC], 6),
        (["--sync", "x"], 0),
        (["--operation", "delete_bulk_sync"], 6),
        (["--operation", "x"], 0),
        (["--since", "2026-05-12T04:15:00Z"], 6),
        (["--since", "2026-05-13"], 0),
    ],
)
def test_show_finds_calls(log: AuditLog, run: Run, words: list[str], count: int) -> None:
    assert len(run("show", "--json", *words)[1].splitlines()) == count


def test_show_tells_all_of_one_call_in_clean_text(log: AuditLog, run: Run) -> None:
    _, text = run("show", "--call", "call0003")
    assert "Đorđe" in text
    assert "\u202e" not in text
    assert "mac" in text


def test_tail_tells_the_last_lines(log: AuditLog, run: Run) -> None:
    assert [json.loads(line)["call"] for line in run("tail", "-n", "2", "--json")[1].splitlines()] == [
        "call0003",
        "call0004",
    ]
    assert len(run("tail")[1].splitlines()) == 7
    assert run("tail", "-n", "0") == (0, "")


@pytest.mark.parametrize(
    "words",
    [
        ["verify", "--sync", "x"],
        ["tail", "--call", "x"],
        ["show", "-n", "1"],
        ["show", "--since", "soon"],
        ["tail", "-n", "-1"],
    ],
)
def test_a_flag_that_does_not_fit_is_an_error(log: AuditLog, run: Run, words: list[str]) -> None:
    assert run(*words)[0] == 2


def test_a_log_that_cannot_be_read_is_told_in_words(log: AuditLog, run: Run) -> None:
    log.store.path.write_bytes(b"rubbish" * 1000)
    status, text = run("verify")
    assert status == 1
    assert "the audit log cannot be read" in text


def test_lines_that_no_one_can_read_do_not_stop_show(log: AuditLog, run: Run) -> None:
    put(log, [b"\xff\xfe\n", b"[]\n", b'{"call": [1], "event": {}}\n', *lines(log)])
    status, text = run("show")
    assert status == 1
    assert "call0004" in text


@pytest.mark.parametrize("max_bytes", [10_000_000, 1])
def test_following_shows_what_is_added_across_new_files(tmp_path: Path, max_bytes: int) -> None:
    log = open_log(tmp_path, max_bytes=max_bytes)
    write(log, 1)
    end = time.monotonic() + 20
    seen: list[Any] = []
    watching = threading.Event()

    def go_on() -> bool:
        watching.set()
        return len(seen) < 4 and time.monotonic() < end

    def watch() -> None:
        for line in follow(log.directory, go_on):
            seen.append(line)

    thread = threading.Thread(target=watch)
    thread.start()
    assert watching.wait(20)
    for number in (2, 3):
        log.intent(call(number), LEAVE)
        expected = len(seen) + 1
        while len(seen) < expected and time.monotonic() < end:
            time.sleep(0.005)
        log.outcome(call(number), "done", {})
        while len(seen) <= expected and time.monotonic() < end:
            time.sleep(0.005)
    thread.join(20)
    assert [(line["call"], line["event"]) for line in seen] == [
        ("call0002", "intent"),
        ("call0002", "outcome"),
        ("call0003", "intent"),
        ("call0003", "outcome"),
    ]
