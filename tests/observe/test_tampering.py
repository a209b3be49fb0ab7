"""Whatever somebody does to the files of the audit log is found, and only that."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulk_sync_mcp.observe.audit import AuditLog
from bulk_sync_mcp.observe.chain import files
from bulk_sync_mcp.observe.verify import inspect
from observe.kit import lines, open_log, put, write, written

Harm = Callable[[list[bytes]], list[bytes]]
FIELDS = ("number", "time", "event", "call", "operation", "principal", "process", "backend", "arguments", "plan_digest")
FIELDS += ("effects", "evidence_required", "evidence_obtained", "evidence_from", "previous", "mac")


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    return written(tmp_path, 4)


def test_an_untouched_log_is_whole(log: AuditLog) -> None:
    report = log.inspect()
    assert (report.lines, report.problems, report.notes, report.unfinished) == (8, [], [], [])
    assert (report.first, report.last) == ("2026-05-12T04:15:00.123Z",) * 2
    assert log.verify() == 8


def test_a_log_that_was_never_written_is_whole_and_looking_makes_nothing(tmp_path: Path) -> None:
    assert open_log(tmp_path).verify() == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("field", FIELDS)
def test_a_changed_field_is_found(log: AuditLog, field: str) -> None:
    changed = lines(log)
    record = json.loads(changed[2])
    assert field in record
    value = json.dumps(record[field], separators=(",", ":"), ensure_ascii=False)
    at = changed[2].index(f'"{field}":{value}'.encode()) + len(field) + 3 + len(value) // 2
    changed[2] = changed[2][:at] + (b"7" if changed[2][at : at + 1] != b"7" else b"8") + changed[2][at + 1 :]
    put(log, changed)
    assert log.inspect().problems == ["audit.jsonl line 3: was changed or put in; its seal does not fit"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_is_found(log: AuditLog, data: st.DataObject) -> None:
    whole = log.path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
    log.path.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
    try:
        assert log.inspect().problems
    finally:
        log.path.write_bytes(whole)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_cut_is_found(log: AuditLog, data: st.DataObject) -> None:
    whole = log.path.read_bytes()
    start = data.draw(st.integers(0, len(whole) - 1))
    end = data.draw(st.one_of(st.integers(start + 1, len(whole)), st.just(len(whole))))
    log.path.write_bytes(whole[:start] + whole[end:])
    try:
        assert log.inspect().problems
    finally:
        log.path.write_bytes(whole)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        pytest.param(lambda all_: all_[1:], "audit.jsonl line 1: line 1 is missing before it", id="first removed"),
        pytest.param(lambda all_: all_[:3] + all_[5:], "audit.jsonl line 4: lines 4 to 5 are missing", id="middle"),
        pytest.param(lambda all_: all_[:-1], "the end of the log: line 8 missing", id="last removed"),
        pytest.param(lambda all_: all_[:2], "the end of the log: lines 3 to 8 missing", id="most removed"),
        pytest.param(lambda _all: [], "the end of the log: lines 1 to 8 missing", id="emptied"),
        pytest.param(lambda all_: [*all_[:-1], all_[-1][:-1]], "audit.jsonl line 8: has no end", id="last byte"),
        pytest.param(lambda all_: [*all_[:-1], all_[-1][:40]], "audit.jsonl line 8: has no end", id="half a line"),
        pytest.param(
            lambda all_: [*all_[:3], all_[4], all_[3], *all_[5:]],
            "audit.jsonl line 5: is line 4 of the log",
            id="swapped",
        ),
        pytest.param(lambda all_: [*all_, all_[3]], "audit.jsonl line 9: is line 4 of the log again", id="replayed"),
        pytest.param(lambda all_: [*all_[:2], all_[1], *all_[2:]], "audit.jsonl line 3: is line 2", id="repeated"),
        pytest.param(
            lambda all_: [*all_[:2], b'{"event":"outcome"}\n', *all_[2:]],
            "audit.jsonl line 3: was changed or put in",
            id="put in",
        ),
        pytest.param(
            lambda all_: [*all_[:2], b"\n", *all_[2:]], "audit.jsonl line 3: was changed or put in", id="blank"
        ),
        pytest.param(lambda all_: [*all_, b"{}"], "audit.jsonl line 9: has no end", id="something added"),
    ],
)
def test_harm_is_found_and_told_where_it_is(log: AuditLog, harm: Harm, told: str) -> None:
    put(log, harm(lines(log)))
    assert any(problem.startswith(told) for problem in log.inspect().problems), log.inspect().problems


@pytest.mark.parametrize(
    "harm", [lambda all_: all_[:-2], lambda all_: all_[2:], lambda all_: [*all_[:-1], all_[-1][:30]]]
)
def test_harm_is_still_found_after_more_lines_were_written(log: AuditLog, harm: Harm) -> None:
    put(log, harm(lines(log)))
    write(log, 1, first=5)
    report = log.inspect()
    assert report.problems
    assert report.unfinished == [] or len(report.unfinished) == 1


def test_a_removed_file_is_found(log: AuditLog) -> None:
    log.path.unlink()
    assert log.inspect().problems == ["the end of the log: lines 1 to 8 missing; the store has counted 8"]
    write(log, 1, first=5)
    assert log.inspect().problems == ["audit.jsonl line 1: lines 1 to 8 are missing before it"]


def test_a_removed_directory_is_found(log: AuditLog) -> None:
    shutil.rmtree(log.directory)
    assert log.inspect().problems == ["the end of the log: lines 1 to 8 missing; the store has counted 8"]


@pytest.mark.parametrize("which", [0, 1, -1])
def test_a_removed_rotated_file_is_found(tmp_path: Path, which: int) -> None:
    log = open_log(tmp_path, max_bytes=1500)
    write(log, 6)
    assert len(files(log.directory)) >= 4
    assert log.verify() == 12
    files(log.directory)[which].unlink()
    assert len(log.inspect().problems) == 1
    assert "missing" in log.inspect().problems[0]


def test_swapped_rotated_files_are_found(tmp_path: Path) -> None:
    log = open_log(tmp_path, max_bytes=1500)
    write(log, 6)
    first, second = files(log.directory)[:2]
    first.rename(tmp_path / "x")
    second.rename(first)
    (tmp_path / "x").rename(second)
    assert log.inspect().problems


def test_a_store_that_was_put_back_is_found(log: AuditLog, tmp_path: Path) -> None:
    shutil.copy(log.store.path, tmp_path / "older")
    write(log, 1, first=5)
    shutil.copy(tmp_path / "older", log.store.path)
    assert log.inspect().problems == [
        "the store has counted 8 lines, the log has 10: the store was put back",
    ]
    write(log, 1, first=6)
    assert any("again, or out of order" in problem for problem in log.inspect().problems)


def test_an_older_copy_of_the_log_put_back_is_found(log: AuditLog, tmp_path: Path) -> None:
    shutil.copytree(log.directory, tmp_path / "older")
    write(log, 1, first=5)
    shutil.rmtree(log.directory)
    shutil.copytree(tmp_path / "older", log.directory)
    assert log.inspect().problems == ["the end of the log: lines 9 to 10 missing; the store has counted 10"]


def test_log_and_store_put_back_together_are_found_by_a_head_that_was_noted(log: AuditLog, tmp_path: Path) -> None:
    shutil.copytree(log.directory.parent, tmp_path / "older", ignore=shutil.ignore_patterns("older"))
    write(log, 1, first=5)
    noted = log.inspect().head
    assert inspect(log, noted).problems == []
    for name in ("guard", "seal"):
        shutil.rmtree(tmp_path / name)
        shutil.copytree(tmp_path / "older" / name, tmp_path / name)
    assert log.inspect().problems == []
    assert inspect(log, noted).problems == ["the line 10 that was expected is not in the log"]


def test_a_missing_store_stops_writing_and_says_how_to_go_on(log: AuditLog) -> None:
    log.store.path.unlink()
    assert log.inspect().problems == ["the store with the key and the count is missing: no line can be checked"]
    with pytest.raises(OSError, match="put it back, or move the files audit"):
        write(log, 1)
    assert not log.store.path.exists()
    log.path.rename(log.directory / "old")
    write(log, 1)
    assert log.verify() == 2


@pytest.mark.parametrize("content", [b"", b"rubbish" * 1000])
def test_a_broken_store_stops_writing(log: AuditLog, content: bytes) -> None:
    log.store.path.write_bytes(content)
    with pytest.raises(OSError, match=r"audit\.sqlite"):
        write(log, 1)
    with pytest.raises(OSError, match=r"audit\.sqlite"):
        log.inspect()
