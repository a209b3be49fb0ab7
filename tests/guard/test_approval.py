"""The approval store on its own: what is kept, and several processes on one file."""

import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.guard.approval import ApprovalStore, Binding, Shown, ticket_of

BINDING = Binding("delete_bulk_sync", "{}", "someone", "backend", "two_step")
SHOWN = Shown("digest", "Delete", [])


def now() -> datetime:
    return datetime(2026, 5, 1, tzinfo=UTC)


def test_the_store_does_not_hold_the_id_it_gave_out(tmp_path: Path) -> None:
    path = tmp_path / "approvals.sqlite"
    approval = ApprovalStore(path, now).issue(BINDING, SHOWN)
    assert approval.encode() not in path.read_bytes()


def test_only_the_owner_can_read_the_store(tmp_path: Path) -> None:
    path = tmp_path / "state" / "approvals.sqlite"
    ApprovalStore(path, now).issue(BINDING, SHOWN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("field", ["operation", "arguments", "principal", "backend", "channel"])
def test_an_approval_is_bound_to_every_part_of_its_call(tmp_path: Path, field: str) -> None:
    store = ApprovalStore(tmp_path / "approvals.sqlite", now)
    approval = store.issue(BINDING, SHOWN)
    values = {name: getattr(BINDING, name) for name in ("operation", "arguments", "principal", "backend", "channel")}
    other = Binding(**{**values, field: "form" if field == "channel" else "another"})
    for attempt in (store.look_up, store.redeem):
        with pytest.raises(Failure) as refused:
            attempt(ticket_of(approval), other)
        assert refused.value.code == "confirmation_invalid"
    store.redeem(ticket_of(approval), BINDING)


def test_of_many_processes_that_redeem_at_once_one_succeeds(tmp_path: Path) -> None:
    path = tmp_path / "approvals.sqlite"
    approval = ApprovalStore(path, now).issue(BINDING, SHOWN)
    program = f"""
import sys
from datetime import UTC, datetime
from pathlib import Path
from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.guard.approval import Binding, ApprovalStore
store = ApprovalStore(Path({str(path)!r}), lambda: datetime(2026, 5, 1, tzinfo=UTC))
sys.stdin.readline()
try:
    store.redeem({ticket_of(approval)!r}, Binding("delete_bulk_sync", "{{}}", "someone", "backend", "two_step"))
except Failure as failure:
    print(failure.code)
else:
    print("redeemed")
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outcomes = sorted(process.communicate(timeout=60)[0].strip() for process in processes)
    assert outcomes == ["confirmation_used", "confirmation_used", "confirmation_used", "redeemed"]


def test_the_idempotency_key_is_stable_fits_the_api_and_does_not_show_the_id(tmp_path: Path) -> None:
    store = ApprovalStore(tmp_path / "approvals.sqlite", now)
    approval = store.issue(BINDING, SHOWN)
    key = store.idempotency_key(ticket_of(approval))
    assert key == ApprovalStore(tmp_path / "approvals.sqlite", now).idempotency_key(ticket_of(approval))
    assert 8 <= len(key) <= 255
    assert key.isalnum()
    assert approval not in key
    assert key != ApprovalStore(tmp_path / "other.sqlite", now).idempotency_key(ticket_of(approval))
