"""The audit log under several processes, a killed server and a full disk, all real."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest
from mcp.shared.exceptions import MCPError

from bulk_sync_mcp.composition import local_asgi
from bulk_sync_mcp.observe.chain import files
from bulk_sync_mcp.settings import Settings
from observe.kit import open_log
from support import MODERN, Workshop
from transports.kit import HOLD, KEY, Place, fake_polytomic, none_left, place_of, ran, started, until

APPEND = """
import sys
import time
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from observe.kit import open_log, write
write(open_log(Path(sys.argv[1]), max_bytes=4000), 8, first=int(sys.argv[2]) * 100)
"""
UNDER_A_LIMIT = """
import resource, sys
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
from bulk_sync_mcp.cli import main
sys.exit(main(sys.argv[1:]))
"""
TESTS = str(Path(__file__).resolve().parents[1])


def test_four_processes_write_one_chain_across_new_files(tmp_path: Path) -> None:
    writing = [
        subprocess.Popen([sys.executable, "-c", APPEND, str(tmp_path), str(number), TESTS]) for number in range(1, 5)
    ]
    assert [process.wait(60) for process in writing] == [0] * 4
    log = open_log(tmp_path)
    report = log.inspect()
    assert (report.problems, report.notes, report.unfinished, report.lines) == ([], [], [], 64)
    assert len(files(log.directory)) > 5


def test_processes_killed_while_they_write_leave_a_whole_log(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    for round_ in range(1, 4):
        process = subprocess.Popen([sys.executable, "-c", APPEND, str(tmp_path), str(round_), TESTS])
        while process.poll() is None and len(files(log.directory)) < 3 * round_:
            time.sleep(0.001)
        process.kill()
        process.wait()
        assert log.inspect().problems == []


@pytest.mark.anyio
@pytest.mark.skipif(os.name != "posix", reason="kills as on POSIX")
async def test_a_server_killed_while_a_call_is_under_way_leaves_an_intent_without_outcome(
    workshop: Workshop, tmp_path: Path
) -> None:
    sync_id = await workshop.create_sync()
    place = place_of(workshop)
    service = local_asgi(Settings(workspace=place.workspace, state_dir=place.state), KEY)
    held = ("POST", f"/api/bulk/syncs/{sync_id}/executions")
    async with (
        fake_polytomic({held: HOLD}, behind=service) as fake,
        started(place, environment=fake.environment) as server,
        anyio.create_task_group() as group,
    ):

        async def start() -> None:
            async with server.tools(MODERN) as tools:
                with pytest.raises(MCPError):
                    await tools.start_bulk_sync_execution(sync_id=sync_id)

        group.start_soon(start)
        await until("the request is sent", lambda: bool(fake.held))
        during = await ran(place, "audit", "verify", "--state-dir", str(place.state))
        server.process.send_signal(signal.SIGKILL)
        await server.process.wait()
    assert "the call may still be under way" in during.out
    after = await ran(place, "audit", "verify", "--state-dir", str(place.state))
    assert after.status == 0
    assert "no outcome  start_bulk_sync_execution, call " in after.out
    assert (
        f"the process ended before the answer came: it may have been done; read the state of bulk sync {sync_id}"
        in after.out
    )
    [intent] = place.audit()
    shown = await ran(place, "audit", "show", "--sync", sync_id, "--state-dir", str(place.state))
    assert intent["call"] in shown.out
    assert "no outcome" in shown.out
    assert KEY not in shown.out + after.out + (place.state / "guard" / "audit.jsonl").read_text()
    await none_left(tmp_path)


@pytest.mark.anyio
@pytest.mark.skipif(os.name != "posix", reason="limits as on POSIX")
@pytest.mark.parametrize("room", [0, 100])
async def test_on_a_full_disk_nothing_is_sent(workshop: Workshop, tmp_path: Path, room: int) -> None:
    """The limit lets the store write its pending line and stops the log, at its end or within the line."""
    sync_id = await workshop.create_sync()
    place = place_of(workshop)
    service = local_asgi(Settings(workspace=place.workspace, state_dir=place.state), KEY)
    log = workshop.application.pipeline.audit
    async with workshop.tools() as tools:
        await tools.delete_bulk_sync(sync_id=sync_id)
    _inflate(workshop)
    before = log.inspect().lines  # pyright: ignore[reportAttributeAccessIssue]
    async with fake_polytomic({}, behind=service) as fake:
        words = ["call", "start_bulk_sync_execution", f"sync_id={sync_id}", *place.flags]
        command = [sys.executable, "-c", UNDER_A_LIMIT, str(_size(place) + room), *words]
        done = await anyio.run_process(command, check=False, env=place.environment(fake.environment))
    assert b"audit_unavailable" in done.stderr, done.stderr
    assert b"changed: none" in done.stderr
    assert [method for method, _, _ in fake.requests if method != "GET"] == []
    report = log.inspect()  # pyright: ignore[reportAttributeAccessIssue]
    assert report.problems == []
    assert len(report.notes) == 1
    async with workshop.tools() as tools:
        assert not (await tools.start_bulk_sync_execution(sync_id=sync_id)).error
    assert log.verify() == before + 2 + (1 if room else 0)  # pyright: ignore[reportAttributeAccessIssue]
    await none_left(tmp_path)


def _size(place: Place) -> int:
    return (place.state / "guard" / "audit.jsonl").stat().st_size


def _inflate(workshop: Workshop) -> None:
    """Lines enough that the log is by far the largest file a call writes to."""
    from bulk_sync_mcp.core.pipeline import Recorded

    for number in range(20):
        long = {"schemas": [f"table_{index}" for index in range(400)]}
        workshop.application.pipeline.audit.refusal(Recorded(f"c{number}", "x", "test", long), "denied")
