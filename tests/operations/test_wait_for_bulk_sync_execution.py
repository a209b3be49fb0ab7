"""wait_for_bulk_sync_execution: bounded, patient, and without influence on the run."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest

from bulk_sync_mcp.core.errors import ApiFailure
from operations.kit import (
    ABSENT,
    EXECUTION,
    HOSTILE,
    STATUS,
    WRONG_IDS,
    lost,
    proved,
    refuses,
    refuses_wrong_ids,
    scripted,
    start_held,
)
from support import MODERN, Workshop

pytestmark = pytest.mark.anyio
TOOL = "wait_for_bulk_sync_execution"
SYNC_ID = "a4c1e7d0-95b3-4f2a-8d6e-3c7b1f0a9e52"
RUN = "c81f2e64-0a3d-4b97-9e15-6d2c4f8b7a30"
READ = ("GET", EXECUTION)


def at(status: str, *tables: tuple[str, int], **more: Any) -> dict[str, Any]:
    """An execution in some state, with tables in states and with row counts."""
    schemas = [{"schema": f"t{n}", "status": state, "record_count": rows} for n, (state, rows) in enumerate(tables)]
    return {"id": RUN, "status": status, "record_count": sum(rows for _, rows in tables), "schemas": schemas, **more}


def going(workshop: Workshop, *states: dict[str, Any] | Exception) -> Workshop:
    """A workshop whose execution passes through these states, one a read; the last stays."""

    def told() -> Iterator[Any]:
        yield from states
        while True:
            yield states[-1]

    states_told = told()

    def answer() -> Any:
        state = next(states_told)
        if isinstance(state, Exception):
            raise state
        return state

    return scripted(workshop, {READ: answer})


async def hiccup(code: str = "backend_unreachable") -> Exception:
    """The failure of one read."""
    try:
        await lost(code)()
    except Exception as failure:
        return failure
    raise AssertionError


async def test_it_waits_for_a_real_run_and_tells_its_end(workshop: Workshop, era: str) -> None:
    sync_id = await workshop.create_sync(schemas=["customers", "events", "secrets"])
    execution_id = await start_held(workshop, sync_id)
    async with workshop.tools(era) as tools:
        data = proved(workshop, TOOL, await tools.wait_for_bulk_sync_execution(sync_id=sync_id, timeout_seconds=60))
        progress = tools.progress
    assert (data["id"], data["status"], data["ended"]) == (execution_id, "completed", True)
    assert (data["records"], data["tables_done"]) == (6, "3 of 3")
    assert "next" not in data
    values = [value for value, _, _ in progress]
    assert values == sorted(set(values))
    assert values[-1] == progress[-1][1] == 3
    assert workshop.rows("SELECT count(*) FROM events") == [(2,)]


async def test_progress_only_grows_and_names_the_tables(workshop: Workshop, era: str) -> None:
    run = going(
        workshop,
        at("created", ("created", 0), ("created", 0)),
        at("running", ("running", 50), ("created", 0)),
        at("running", ("running", 50), ("created", 0)),
        at("running", ("running", 10), ("created", 0)),
        at("running", ("completed", 900_000_000), ("running", 5)),
        at("processing", ("completed", 900_000_000), ("running", 900_000_000)),
        at("completed", ("completed", 900_000_000), ("completed", 900_000_001)),
    )
    async with run.tools(era) as tools:
        data = proved(run, TOOL, await tools.wait_for_bulk_sync_execution(sync_id=SYNC_ID, execution_id=RUN))
        progress = tools.progress
    values = [value for value, _, _ in progress]
    assert len(values) == 5
    assert values == sorted(set(values))
    assert {total for _, total, _ in progress} == {2}
    assert values[-1] == 2
    assert "t0 running 50" in str(progress[1][2])
    assert data["ended"] is True


async def test_progress_is_told_of_a_run_that_does_not_list_its_tables(workshop: Workshop) -> None:
    run = going(
        workshop, *({"id": RUN, "status": "running", "record_count": rows} for rows in (0, 10, 20)), at("failed")
    )
    async with run.tools() as tools:
        await tools.wait_for_bulk_sync_execution(sync_id=SYNC_ID, execution_id=RUN)
        values = [value for value, _, _ in tools.progress]
    assert len(values) == 4
    assert values == sorted(set(values))


async def test_time_that_is_up_says_how_to_go_on_and_goes_on(workshop: Workshop) -> None:
    states = [at("running", ("running", n)) for n in range(200)]
    run = going(workshop, *states)
    async with run.tools() as tools:
        first = await tools.wait_for_bulk_sync_execution(sync_id=SYNC_ID, execution_id=RUN, timeout_seconds=30)
        data = proved(run, TOOL, first)
    assert (data["ended"], data["status"]) == (False, "running")
    assert f"call `{TOOL}` with sync_id {SYNC_ID} and execution_id {RUN}" in data["next"]
    assert sum(run.api.pauses) <= 30.001
    assert max(run.api.pauses) <= 10
    assert run.api.pauses[0] < 1
    assert len(run.api.calls) < 30
    assert run.api.mutations == []


async def test_progress_tells_rows_a_second_and_failures_as_they_happen(workshop: Workshop, era: str) -> None:
    broken = {"schema": "t1", "status": "failed", "record_count": 0, "status_message": f"no grant\n{HOSTILE}"}
    run = going(
        workshop,
        at("running", ("running", 0), ("created", 0)),
        at("running", ("running", 100_000), ("created", 0)),
        at("running", ("running", 100_000), schemas=[{"schema": "t0", "status": "running", "record_count": 5}, broken]),
        at("errors", completed_at="2026-05-12T04:16:02Z", schemas=[{"schema": "t0", "status": "completed"}, broken]),
    )
    async with run.tools(era) as tools:
        await tools.wait_for_bulk_sync_execution(sync_id=SYNC_ID, execution_id=RUN)
        told = [str(message) for _, _, message in tools.progress]
    assert len(told) == 4
    expected = (
        r"running, 0 of 2 tables done, 100,000 rows, ([\d,]+) rows/s: t0 running 100,000 \(\1 rows/s\); t1 created 0"
    )
    found = re.fullmatch(expected, told[1])
    assert found is not None, told[1]
    # The fake clock moves by the pause between the two reads, and a little by itself.
    assert 1_000 < int(found.group(1).replace(",", "")) <= 100_000 / run.api.pauses[0]
    assert "1 table failed: t1 FAILED: no grant x" in told[2]
    assert "t1 FAILED" not in told[3].split(": ", 1)[1].split(";")[0]
    assert not set("\u202e\u0007\u200b\n`") & set("".join(told))


async def test_progress_of_many_tables_names_those_that_run_or_have_just_ended(workshop: Workshop) -> None:
    def state(*done: int, running: int) -> dict[str, Any]:
        states = ["completed" if n in done else "running" if n == running else "created" for n in range(30)]
        return at("running", *((one, 5 if one == "completed" else 0) for one in states))

    run = going(
        workshop, state(0, 1, running=2), state(0, 1, 2, 3, running=4), at("completed", *[("completed", 5)] * 30)
    )
    async with run.tools() as tools:
        await tools.wait_for_bulk_sync_execution(sync_id=SYNC_ID, execution_id=RUN)
        first, second, last = (str(message) for _, _, message in tools.progress)
    assert first == "running, 2 of 30 tables done, 10 rows: t2 running 0"
    assert second.endswith(": t4 running 0; t2 completed 5; t3 completed 5")
    assert last.count("completed 5") == 8


async def test_a_run_that_moves_for_ten_minutes_costs_fewer_than_a_hundred_reads(workshop: Workshop) -> None:
    run = going(workshop, *[at("running", ("running", n)) for n in range(2_000)])
    async with run.tools() as tools:
        await tools.wait_for_bulk_sync_execution(sync_id=SYNC_ID, execution_id=RUN, timeout_seconds=600)
    assert 50 < len(run.api.calls) < 100
    assert sum(run.api.pauses) == pytest.approx(600, abs=60)


@pytest.mark.parametrize("state", [at("errors"), at("interrupted"), at("hibernating"), {"id": RUN}], ids=str)
async def test_a_state_that_does_not_tell_is_over_once_the_sync_runs_nothing(
    workshop: Workshop, state: dict[str, Any]
) -> None:
    status: dict[str, Any] = {"current_execution": None, "last_execution": state}
    read = [at("running"), state]
    run = scripted(workshop, {READ: lambda: read.pop(0) if len(read) > 1 else read[0], ("GET", STATUS): lambda: status})
    async with run.tools() as tools:
        data = proved(run, TOOL, await tools.wait_for_bulk_sync_execution(sync_id=SYNC_ID, execution_id=RUN))
        assert data["ended"] is True
        assert "next" not in data
        assert len(run.api.calls) == 3
        status["current_execution"] = {"id": ABSENT, "status": "running"}
        data = proved(run, TOOL, await tools.wait_for_bulk_sync_execution(sync_id=SYNC_ID, execution_id=RUN))
        assert data["ended"] is True
        status["current_execution"] = state
        data = proved(run, TOOL, await tools.wait_for_bulk_sync_execution(sync_id=SYNC_ID, execution_id=RUN))
        assert data["ended"] is False


async def test_a_backend_that_asks_for_fewer_requests_is_left_alone_that_long(workshop: Workshop) -> None:
    wait = ApiFailure(
        "rate_limited", "The backend answered HTTP 429.", status=429, details={"retry_after_seconds": 20.0}
    )
    run = going(workshop, at("running"), wait, at("completed"))
    async with run.tools() as tools:
        data = proved(run, TOOL, await tools.wait_for_bulk_sync_execution(sync_id=SYNC_ID, execution_id=RUN))
    assert data["ended"] is True
    assert run.api.pauses[1] == 20.0


@pytest.mark.parametrize(
    ("state", "ended"),
    [
        (at("completed"), True),
        (at("failed"), True),
        (at("canceled"), True),
        (at("errors", completed_at="2026-05-12T04:16:02Z"), True),
        (at("interrupted", completed_at="2026-05-12T04:16:02Z"), True),
        (at("hibernating", completed_at="2026-05-12T04:16:02Z"), True),
        (at("errors"), False),
        (at("interrupted"), False),
        (at("hibernating"), False),
        (at("exporting"), False),
        (at("processing"), False),
        (at("canceling", completed_at="2026-05-12T04:16:02Z"), False),
        ({"id": RUN}, False),
    ],
)
async def test_it_ends_where_the_execution_ends(workshop: Workshop, state: dict[str, Any], ended: bool) -> None:
    run = going(workshop, at("running"), state)
    async with run.tools() as tools:
        answer = await tools.wait_for_bulk_sync_execution(sync_id=SYNC_ID, execution_id=RUN, timeout_seconds=20)
    data = proved(run, TOOL, answer)
    assert data["ended"] is ended
    assert ("next" in data) is not ended
    assert (len(run.api.calls) == 2) is ended
    if state.get("status") in ("errors", "interrupted") and not ended:
        assert "Still running" not in answer.text
        assert "get_bulk_sync_status" in data["next"]


async def test_a_few_failed_reads_are_waited_out(workshop: Workshop) -> None:
    bad = [await hiccup(code) for code in ("backend_unreachable", "backend_error", "rate_limited", "backend_error")]
    run = going(workshop, at("running"), *bad, at("running"), *bad, at("completed"))
    async with run.tools() as tools:
        data = proved(run, TOOL, await tools.wait_for_bulk_sync_execution(sync_id=SYNC_ID, execution_id=RUN))
    assert data["status"] == "completed"
    assert len(run.api.calls) == 11


async def test_five_failed_reads_in_a_row_end_the_waiting(workshop: Workshop) -> None:
    run = going(workshop, at("running"), await hiccup())
    async with run.tools() as tools:
        answer = await tools.wait_for_bulk_sync_execution(sync_id=SYNC_ID, execution_id=RUN, timeout_seconds=600)
    assert answer.code == "backend_unreachable"
    assert "changed: none" in answer.text
    assert f"call `{TOOL}` with sync_id {SYNC_ID} and execution_id {RUN}" in answer.text
    assert len(run.api.calls) == 6


async def test_failed_reads_do_not_outlast_the_time_given(workshop: Workshop) -> None:
    run = going(workshop, await hiccup())
    async with run.tools() as tools:
        answer = await tools.wait_for_bulk_sync_execution(sync_id=SYNC_ID, execution_id=RUN, timeout_seconds=1)
    assert answer.code == "backend_unreachable"
    assert sum(run.api.pauses) <= 1.001
    assert len(run.api.calls) < 5


@pytest.mark.parametrize("code", ["not_found", "unauthorized", "forbidden", "bad_request"])
async def test_a_definite_failure_is_told_at_once(workshop: Workshop, code: str) -> None:
    run = going(workshop, await hiccup(code))
    async with run.tools() as tools:
        answer = await tools.wait_for_bulk_sync_execution(sync_id=SYNC_ID, execution_id=RUN)
    assert answer.code == code
    assert len(run.api.calls) == 1


async def test_the_running_one_is_waited_for_else_the_latest_and_never_one_that_was_not(workshop: Workshop) -> None:
    status: dict[str, Any] = {"current_execution": at("running"), "last_execution": {"id": ABSENT}}
    run = scripted(workshop, {READ: lambda: at("completed"), ("GET", STATUS): lambda: status})
    asked: list[str] = []
    inner = run.api._call

    async def noting(method: str, template: str, arguments: Any) -> Any:
        if template == EXECUTION:
            asked.append(arguments["exec_id"])
        return await inner(method, template, arguments)

    run.api._call = noting  # type: ignore[method-assign]
    async with run.tools() as tools:
        await tools.wait_for_bulk_sync_execution(sync_id=SYNC_ID)
        status["current_execution"] = None
        await tools.wait_for_bulk_sync_execution(sync_id=SYNC_ID)
        status["last_execution"] = None
        never = await tools.wait_for_bulk_sync_execution(sync_id=SYNC_ID)
    assert asked == [RUN, ABSENT]
    assert never.code == "not_found"
    assert "never run" in never.text
    assert "start_bulk_sync_execution" in never.text


async def test_giving_up_the_call_leaves_the_run_going(held: Workshop, era: str) -> None:
    sync_id = await held.create_sync()
    execution_id = await start_held(held, sync_id)
    reading = anyio.Event()

    async def note() -> None:
        reading.set()

    held.api.after[READ] = note
    async with held.tools(era) as tools:
        async with anyio.create_task_group() as group:
            group.start_soon(_wait, tools.wait_for_bulk_sync_execution, sync_id)
            await reading.wait()
            group.cancel_scope.cancel()
        status = await tools.get_bulk_sync_status(sync_id=sync_id)
    assert (status.data["state"], status.data["current"]["id"]) == ("running", execution_id)
    assert held.api.mutations == []


async def _wait(call: Callable[..., Any], sync_id: str) -> None:
    await call(sync_id=sync_id, timeout_seconds=600)


async def test_ids_that_are_none_are_refused_and_absent_ones_not_found(workshop: Workshop) -> None:
    await refuses_wrong_ids(workshop, TOOL, "sync_id")
    sync_id = await workshop.create_sync()
    for wrong in WRONG_IDS:
        if wrong is not None:
            await refuses(workshop, TOOL, {"sync_id": sync_id, "execution_id": wrong}, "`execution_id`")
    async with workshop.tools(MODERN) as tools:
        missing = await tools.wait_for_bulk_sync_execution(sync_id=sync_id, execution_id=ABSENT)
    assert missing.code == "not_found"


@pytest.mark.parametrize("seconds", [0, 601, "45", 1.5, True])
async def test_a_time_that_is_none_is_refused(workshop: Workshop, seconds: object) -> None:
    await refuses(workshop, TOOL, {"sync_id": SYNC_ID, "timeout_seconds": seconds}, "`timeout_seconds`")
