"""A process that dies, or a disk that is full, at any moment of writing a line: told as such, and mended."""

import os
import shutil
from pathlib import Path

import pytest

from bulk_sync_mcp.observe import audit as module
from bulk_sync_mcp.observe.audit import AuditLog
from bulk_sync_mcp.observe.reading import calls, records
from observe.kit import LEAVE, call, events, open_log, write, written


class Died(BaseException):
    """The process ended here."""


def dies_after(monkeypatch: pytest.MonkeyPatch, log: AuditLog, count: int) -> None:
    """Lets `count` bytes of the next line reach the disk, then ends."""

    def put(data: bytes) -> None:
        with log.path.open("ab") as file:
            file.write(data[:count])
        raise Died

    monkeypatch.setattr(log, "_put", put)


def line_length(directory: Path) -> int:
    log = written(directory / "measure", 3)
    log.intent(call(4), LEAVE)
    length = len(log.path.read_bytes().splitlines(keepends=True)[-1])
    shutil.rmtree(directory / "measure")
    return length


def died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> AuditLog:
    """A log in which a process ended while it wrote the intent of call 4."""
    log = written(tmp_path, 3)
    dies_after(monkeypatch, log, count)
    with pytest.raises(Died):
        log.intent(call(4), LEAVE)
    return open_log(tmp_path)


def test_a_process_that_ends_before_the_first_byte_leaves_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = died(tmp_path, monkeypatch, 0)
    report = log.inspect()
    assert (report.problems, len(report.notes)) == ([], 1)
    assert "call0004); its call was not sent" in report.notes[0]
    write(log, 1, first=5)
    assert (log.verify(), log.inspect().notes) == (8, [])


@pytest.mark.parametrize("count", [1, 2, 100, -20, -2])
def test_a_torn_line_is_told_as_a_crash_and_the_chain_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    count = count if count > 0 else line_length(tmp_path) + count
    log = died(tmp_path, monkeypatch, count)
    report = log.inspect()
    assert report.problems == []
    assert report.notes[0].startswith(f"audit.jsonl: torn line after a crash, {count} of ")
    write(log, 1, first=5)
    report = log.inspect()
    assert (report.problems, report.lines) == ([], 9)
    assert report.notes == [
        "audit.jsonl line 7: torn line after a crash or on a full disk: intent of delete_bulk_sync, call call0004"
    ]
    assert events(log)[6:8] == ["piece", "torn"]
    assert report.unfinished == []
    assert "call0004" not in [one.call for one in calls(records(log.directory))]


def test_a_torn_outcome_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = open_log(tmp_path)
    log.intent(call(1), LEAVE)
    dies_after(monkeypatch, log, 30)
    with pytest.raises(Died):
        log.outcome(call(1), "done", {"changed": "done"})
    log = open_log(tmp_path)
    assert len(log.inspect().unfinished) == 1
    write(log, 1, first=2)
    assert log.inspect().unfinished == []
    assert [one.outcome for one in calls(records(log.directory))] == ["done", "done"]


def test_a_line_that_lacks_its_end_alone_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = died(tmp_path, monkeypatch, line_length(tmp_path) - 1)
    assert log.inspect().problems == []
    log.outcome(call(4), "done", {})
    assert log.verify() == 8


def test_a_line_that_was_not_counted_is_counted_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = died(tmp_path, monkeypatch, 10_000)
    assert log.verify() == 7
    assert len(log.inspect().unfinished) == 1
    log.outcome(call(4), "done", {})
    assert log.verify() == 8


@pytest.mark.parametrize("first", [1, 60])
@pytest.mark.parametrize("second", [0, 1, 30, 200, 10_000])
def test_a_crash_while_a_torn_line_is_mended_is_mended_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int, second: int
) -> None:
    log = died(tmp_path, monkeypatch, first)
    dies_after(monkeypatch, log, second)
    with pytest.raises(Died):
        log.intent(call(5), LEAVE)
    log = open_log(tmp_path)
    assert log.inspect().problems == []
    write(log, 1, first=6)
    assert (log.inspect().problems, len(log.inspect().notes)) == ([], 1)
    assert log.verify() == 9


def test_a_crash_between_rotation_and_the_next_line_breaks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = open_log(tmp_path, max_bytes=1)
    log.intent(call(1), LEAVE)
    dies_after(monkeypatch, log, 0)
    with pytest.raises(Died):
        log.outcome(call(1), "done", {})
    log = open_log(tmp_path, max_bytes=1)
    assert log.inspect().problems == []
    log.outcome(call(1), "done", {})
    assert log.verify() == 2


def test_a_piece_that_is_not_the_line_that_was_being_written_is_no_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = died(tmp_path, monkeypatch, 50)
    data = log.path.read_bytes()
    log.path.write_bytes(data[:-1] + b"~")
    assert log.inspect().problems
    write(log, 1, first=5)
    assert log.inspect().problems


@pytest.mark.parametrize("harm", ["piece changed", "piece removed"])
def test_a_torn_line_cannot_be_touched_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str) -> None:
    log = died(tmp_path, monkeypatch, 50)
    write(log, 1, first=5)
    whole = log.path.read_bytes().split(b"\n")
    whole[6:7] = [] if harm == "piece removed" else [b"~" + whole[6][1:]]
    log.path.write_bytes(b"\n".join(whole))
    assert any("tells of a torn line before it" in problem for problem in log.inspect().problems)


def test_an_audit_line_that_was_synced_counts_though_the_store_fails_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = open_log(tmp_path)
    write(log, 1)

    def fails(*_given: object) -> None:
        raise module.sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(module, "settle", fails)
        log.intent(call(2), LEAVE)
    log.outcome(call(2), "done", {})
    assert log.verify() == 4


def test_a_log_that_cannot_begin_a_new_file_grows_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = open_log(tmp_path, max_bytes=1)

    def refuses(_self: Path, _target: Path) -> Path:
        raise PermissionError(13, "in use")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refuses)
        write(log, 2)
    assert (log.verify(), log.inspect().files) == (4, ["audit.jsonl"])
    write(log, 1, first=3)
    assert (log.verify(), len(log.inspect().files)) == (6, 3)


@pytest.mark.skipif(os.name != "posix", reason="rights as on POSIX")
def test_the_log_and_its_store_are_for_their_owner_alone(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    write(log, 1)
    for path in (log.path, log.store.path, log.store.directory / "audit.lock"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert log.directory.stat().st_mode & 0o777 == log.store.directory.stat().st_mode & 0o777 == 0o700
