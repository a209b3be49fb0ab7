"""The error catalogue: every row has its test and its documented row, and what the backend refuses is told by it."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from bulk_sync_mcp.api.backend import Backend, bearer
from bulk_sync_mcp.api.faults import refused, unanswered
from bulk_sync_mcp.core.errors import CATALOGUE, ApiFailure, Failure
from bulk_sync_mcp.guard import locks
from operations.kit import CONNECTIONS, SYNC
from support import Workshop

pytestmark = pytest.mark.anyio
TESTS = Path(__file__).resolve().parents[1]
DOCUMENTED = TESTS.parent / "server" / "docs" / "errors.md"

SHOWN_BY = {
    "invalid_arguments": "operations/test_all_tools.py::test_an_unknown_argument_is_refused_and_what_the_tool_takes_is_told",
    "not_configured": "cli/test_without_local_extra.py::test_the_server_starts_lists_and_answers_every_call_with_the_remedy",
    "bad_request": "operations/test_create_bulk_sync.py::test_what_the_backend_refuses_is_told_in_its_words",
    "unauthorized": "operations/test_error_catalogue.py::test_what_the_backend_refuses_is_told_by_its_row",
    "forbidden": "operations/test_error_catalogue.py::test_what_the_backend_refuses_is_told_by_its_row",
    "not_found": "operations/test_get_bulk_sync_execution.py::test_an_execution_of_another_sync_is_not_found",
    "conflict": "operations/test_error_catalogue.py::test_what_the_backend_refuses_is_told_by_its_row",
    "already_running": "operations/test_start_bulk_sync_execution.py::"
    "test_a_run_that_goes_on_is_named_instead_of_a_second_one_started",
    "rate_limited": "operations/test_error_catalogue.py::test_what_the_backend_refuses_is_told_by_its_row",
    "backend_error": "operations/test_error_catalogue.py::test_what_the_backend_refuses_is_told_by_its_row",
    "backend_unreachable": "operations/test_error_catalogue.py::test_a_read_without_an_answer_changes_nothing_and_says_so",
    "outcome_unknown": "operations/test_advice.py::test_a_change_whose_outcome_is_unknown_names_the_call_that_shows_it",
    "unsupported_resync_mode": "operations/test_start_bulk_sync_execution.py::"
    "test_a_mode_the_destination_lacks_is_refused_before_anybody_is_asked",
    "unknown_state": "operations/test_start_bulk_sync_execution.py::"
    "test_a_write_mode_newer_than_this_server_asks_each_time_and_is_never_rerun",
    "denied": "approvals/test_operator.py::test_without_a_secret_configured_the_call_is_refused",
    "confirmation_required": "guard/test_consent.py::test_client_without_forms_gets_a_preview_and_runs_on_the_second_call",
    "confirmation_declined": "guard/test_consent.py::test_any_other_answer_leaves_the_table_untouched",
    "confirmation_invalid": "cli/test_call.py::test_two_steps_across_processes_run_once",
    "confirmation_used": "cli/test_call.py::test_two_steps_across_processes_run_once",
    "confirmation_expired": "guard/test_consent.py::test_a_confirmation_expires_after_ten_minutes",
    "plan_changed": "guard/test_consent.py::test_a_table_enabled_while_the_form_is_open_voids_the_answer",
    "approval_required": "approvals/test_human.py::"
    "test_approving_after_the_call_has_given_up_waiting_lets_the_same_call_run",
    "approval_denied": "approvals/test_human.py::test_a_person_who_denies_on_the_page_leaves_the_sync_alone",
    "budget_exceeded": "guard/test_rules.py::test_the_budget_trips_and_then_every_write_is_refused_until_reset",
    "mismatch": "operations/test_start_bulk_sync_execution.py::"
    "test_a_run_that_is_not_as_planned_is_reported_with_what_to_do",
    "busy": "operations/test_error_catalogue.py::test_a_second_change_of_one_sync_at_a_time_is_told_to_come_back",
    "audit_unavailable": "observe/test_pipeline.py::test_without_a_line_on_disk_nothing_is_sent",
    "revision_unavailable": "guiding/test_revisions.py::test_nothing_is_sent_when_the_configuration_cannot_be_kept",
    "internal": "cli/test_call.py::test_a_fault_of_ours_is_told_as_one_and_leaves_its_trace_in_the_log",
}
"""Each code of the catalogue, and the test in which a call ends with it."""
REFUSALS = (
    (400, "bad_request", "none"),
    (401, "unauthorized", "none"),
    (403, "forbidden", "none"),
    (404, "not_found", "none"),
    (409, "conflict", "none"),
    (422, "bad_request", "none"),
    (429, "rate_limited", "none"),
    (408, "backend_error", "unknown"),
    (500, "backend_error", "unknown"),
)
"""Status, the code it is told by, and what a write that it answers has changed."""


def test_every_row_has_a_test_that_ends_with_its_code_and_every_named_test_is_there() -> None:
    assert set(SHOWN_BY) == set(CATALOGUE)
    for code, where in SHOWN_BY.items():
        path, _, name = where.partition("::")
        source = (TESTS / path).read_text(encoding="utf-8")
        found = [
            ast.get_source_segment(source, node) or ""
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
        ]
        assert len(found) == 1, where
        if path != "operations/test_error_catalogue.py":
            assert f'"{code}"' in found[0], where


def test_every_row_is_documented_once() -> None:
    rows = re.findall(r"^\| `?([a-z_]+)`? \|", DOCUMENTED.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(row for row in rows if row in CATALOGUE) == sorted(CATALOGUE)


@pytest.mark.parametrize(("status", "code", "changed"), REFUSALS, ids=str)
async def test_what_the_backend_refuses_is_told_by_its_row(
    workshop: Workshop, status: int, code: str, changed: str
) -> None:
    backend = Backend("https://polytomic.example", bearer("k" * 20))
    sync_id = await workshop.create_sync("Shop")

    def failing(*, mutation: bool) -> Any:
        async def fail() -> None:
            raise refused(backend, status=status, body={"message": "a `tool` said no"}, mutation=mutation)

        return fail

    workshop.api.before["GET", CONNECTIONS] = failing(mutation=False)
    workshop.api.before["PUT", SYNC] = failing(mutation=True)
    async with workshop.tools() as tools:
        read = await tools.list_connections()
        write = await tools.update_bulk_sync(sync_id=sync_id, name="Other")
    for answer, told in ((read, "none"), (write, changed)):
        first, *_, before_last, last = answer.text.splitlines()
        assert first.startswith(f"{code}: The backend answered HTTP {status} and says “a 'tool' said no”."), answer.text
        assert before_last == f"changed: {told}"
        assert last.startswith("next: ")
        assert answer.data == {}
    if code == "not_found":
        assert write.text.endswith("next: Call `list_bulk_syncs` and use an id from there.")
    if code == "conflict":
        assert f"Call `get_bulk_sync_status` with sync_id {sync_id} to see what is going on" in write.text
    if changed == "unknown":
        assert read.text.endswith("tell the user that the backend fails.")
        assert f"Call `get_bulk_sync` with sync_id {sync_id} to see whether it was done." in write.text


async def test_a_read_without_an_answer_changes_nothing_and_says_so(workshop: Workshop) -> None:
    async def fail() -> None:
        raise unanswered("timeout", mutation=False, idempotency_key=None, attempts=4)

    workshop.api.before["GET", CONNECTIONS] = fail
    async with workshop.tools() as tools:
        answer = await tools.list_connections()
    assert answer.code == "backend_unreachable"
    assert "changed: none\nnext: Call `list_connections` again in a moment" in answer.text


async def test_a_second_change_of_one_sync_at_a_time_is_told_to_come_back(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "WAIT", 0.1)
    sync_id = await workshop.create_sync("Shop")
    async with workshop.tools() as tools, workshop.application.gate.locks.hold(sync_id):
        workshop.api.calls.clear()
        answer = await tools.update_bulk_sync(sync_id=sync_id, name="Other")
    assert answer.code == "busy"
    assert answer.text.endswith(
        "changed: none\nnext: Call `update_bulk_sync` again in a moment, with the same arguments."
    )
    assert workshop.api.mutations == []


def test_a_code_that_is_not_in_the_catalogue_cannot_be_raised() -> None:
    for kind in (Failure, ApiFailure):
        with pytest.raises(KeyError):
            kind("made_up", "Words.")
