"""start_bulk_sync_execution: what each kind of run does, what it asks for first, and what it refuses."""

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bulk_sync_mcp.core.errors import ApiFailure
from bulk_sync_mcp.guard.replaced import ReplacedTables
from operations.kit import (
    EXECUTIONS,
    SCHEMAS,
    SOURCE,
    STATUS,
    SYNC,
    TARGET,
    asked_of,
    confirmed,
    finished,
    lost,
    proved,
    refuses,
    refuses_wrong_ids,
    scripted,
    start_held,
)
from support import Person, Workshop

pytestmark = pytest.mark.anyio
TOOL = "start_bulk_sync_execution"
START = ("POST", EXECUTIONS)
RUN = "c81f2e64-0a3d-4b97-9e15-6d2c4f8b7a30"


def started(**changes: Any) -> dict[str, Any]:
    """What the backend answers to a start."""
    ordinary = {"id": RUN, "status": "created", "type": "manual", "is_test": False, "is_resync": False}
    return {**ordinary, "output_disposition": "retain", "schemas": [], **changes}


def without_runs(workshop: Workshop, **changes: Any) -> Workshop:
    """The workshop with a backend that says it started a run and starts none."""
    return scripted(workshop, {START: lambda: started(**changes)})


def ran_before(workshop: Workshop, *tables: str, **changes: Any) -> None:
    """Has the backend tell of a run of these tables that completed just now."""
    at = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    past = {
        "id": "past",
        "status": "completed",
        "is_test": False,
        "created_at": at,
        "started_at": at,
        "completed_at": at,
    }
    run = {**past, "schemas": [{"schema": one, "status": "completed", "record_count": 7} for one in tables], **changes}
    workshop.api.rewrites["GET", EXECUTIONS] = lambda _: [run]


# What a run does


async def test_an_ordinary_run_copies_the_enabled_tables_and_sends_an_empty_body(workshop: Workshop, era: str) -> None:
    sync_id = await workshop.create_sync()
    async with workshop.tools(era) as tools:
        data = proved(workshop, TOOL, await tools.start_bulk_sync_execution(sync_id=sync_id))
        assert workshop.api.mutations == [("POST", EXECUTIONS, {})]
        assert (data["kind"], data["ended"], data["effects"][0][:10]) == ("ordinary", False, "Starts one")
        ended = await finished(tools, sync_id)
    assert ended["id"] == data["id"]
    assert workshop.rows("SELECT id, name FROM customers ORDER BY id") == [(1, "Ada"), (2, "Grace"), (3, "Đorđe")]


async def test_a_test_run_leaves_the_destination_alone_and_asks_nothing(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync(mode="snapshot")
    async with workshop.tools() as tools:
        data = proved(workshop, TOOL, await tools.start_bulk_sync_execution(sync_id=sync_id, test=True))
        await finished(tools, sync_id)
    assert workshop.api.mutations == [("POST", EXECUTIONS, {"test": True})]
    assert data["kind"] == "test"
    assert "may write up to 5 rows" in data["effects"][0]
    assert not workshop.destination_path.exists() or workshop.rows("SELECT 1 FROM duckdb_tables()") == []


@pytest.mark.parametrize(
    ("mode", "words", "disposition", "row_stays", "column_stays"),
    [
        ("refetch", "overwrites matching rows", "retain", True, True),
        ("resync", "EMPTIES and refills", "truncate", False, True),
        ("rebuild", "DROPS and recreates", "rebuild", False, False),
    ],
)
async def test_a_rerun_asks_first_and_does_what_it_said(
    workshop: Workshop, mode: str, words: str, disposition: str, row_stays: bool, column_stays: bool
) -> None:
    sync_id = await workshop.create_sync()
    await workshop.run_once(sync_id)
    workshop.change_destination(
        "ALTER TABLE customers ADD COLUMN stray INTEGER",
        "INSERT INTO customers (id, name) VALUES (99, 'by hand')",
        "UPDATE customers SET name = 'spoilt' WHERE id = 1",
    )
    workshop.api.calls.clear()
    async with workshop.tools() as tools:
        preview, answer = await confirmed(tools, TOOL, sync_id=sync_id, resync_mode=mode)
        data = proved(workshop, TOOL, answer)
        await finished(tools, sync_id)
    for part in (words, "“customers”", "“Warehouse”", "3 rows"):
        assert part in preview.text
    assert workshop.api.mutations == [("POST", EXECUTIONS, {"resync_mode": mode, "schemas": ["customers"]})]
    assert (data["kind"], data["output_disposition"]) == (mode, disposition)
    columns = workshop.rows("SELECT column_name FROM duckdb_columns() WHERE table_name = 'customers'")
    assert (("stray",) in columns) is column_stays
    assert workshop.rows("SELECT count(*) FROM customers WHERE id = 99") == [(int(row_stays),)]
    assert workshop.rows("SELECT name FROM customers WHERE id = 1") == [("Ada",)]


async def test_a_subset_runs_alone(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync(schemas=["customers", "secrets"])
    async with workshop.tools() as tools:
        answer = await tools.start_bulk_sync_execution(sync_id=sync_id, schemas=["secrets", "secrets"])
        proved(workshop, TOOL, answer)
        await finished(tools, sync_id)
    assert workshop.api.mutations == [("POST", EXECUTIONS, {"schemas": ["secrets"]})]
    assert workshop.rows("SELECT table_name FROM duckdb_tables() WHERE table_name <> '_bulk_sync_state'") == [
        ("secrets",)
    ]


async def test_every_start_goes_out_under_a_key_of_its_own(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    quiet = without_runs(workshop)
    keys: list[str] = []
    note = quiet.api._call

    async def noting(method: str, template: str, arguments: Any) -> Any:
        if method == "POST":
            keys.append(arguments["idempotency_key"])
        return await note(method, template, arguments)

    quiet.api._call = noting  # type: ignore[method-assign]
    async with quiet.tools() as tools:
        for _ in range(2):
            await tools.start_bulk_sync_execution(sync_id=sync_id)
    assert len(set(keys)) == 2
    assert all(len(key) >= 16 for key in keys)


# What is refused before anything is asked of anybody


async def test_tables_that_are_unknown_or_not_enabled_are_named_and_nothing_starts(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    async with workshop.tools() as tools:
        for wrong in ("secrets", "nonsense"):
            refused = await tools.start_bulk_sync_execution(sync_id=sync_id, schemas=["customers", wrong])
            assert refused.code == "invalid_arguments"
            assert f"“{wrong}”" in refused.text
            assert "“customers”" not in refused.text
            assert "list_bulk_sync_schemas" in refused.text
    assert workshop.api.mutations == []


async def test_a_sync_with_no_enabled_table_is_not_started(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    workshop.api.rewrites["GET", SCHEMAS] = lambda _: [{"id": "customers", "enabled": False}]
    async with workshop.tools() as tools:
        refused = await tools.start_bulk_sync_execution(sync_id=sync_id)
    assert refused.code == "invalid_arguments"
    assert "no enabled table" in refused.text
    assert workshop.api.mutations == []


async def test_a_table_that_does_not_say_whether_it_is_enabled_counts(workshop: Workshop) -> None:
    """It was listed when enabled ones were asked for, so a run would include it: the plan must not leave it out."""
    sync_id = await workshop.create_sync()
    workshop.api.rewrites["GET", SCHEMAS] = lambda rows: [*rows, {"id": "orders"}]
    preview = await asked_of(workshop, TOOL, sync_id=sync_id, resync_mode="rebuild")
    assert "2 tables" in preview
    assert "“orders”" in preview


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"schemas": []}, ("`schemas` is empty", "Leave it out if you mean all")),
        ({"schemas": ["../x"]}, ("`schemas.0`",)),
        ({"schemas": ["a/%2e%2e/b"]}, ("`schemas.0`",)),
        ({"schemas": "customers"}, ("`schemas`",)),
        ({"test": True, "resync_mode": "rebuild"}, ("`test` and `resync_mode` exclude each other",)),
        ({"test": "true"}, ("`test`",)),
        ({"resync_mode": "everything"}, ("`resync_mode` must be one of", "rebuild", "“everything”")),
        ({"resync": True}, ("`resync` was retired", "`resync_mode`")),
        ({"fetch_mode": "some"}, ("`fetch_mode`",)),
        ({"confirmation": "yes"}, ("`confirmation`",)),
        ({"confirmation": True}, ("`confirmation`",)),
        ({"confirm": True}, ("`confirm`", "did you mean `confirmation`?")),
    ],
)
async def test_wrong_arguments_are_named_and_reach_nothing(
    workshop: Workshop, arguments: dict[str, Any], words: tuple[str, ...]
) -> None:
    await refuses(workshop, TOOL, {"sync_id": workshop.source_id, **arguments}, *words)


async def test_ids_that_are_none_are_refused_and_absent_syncs_not_found(workshop: Workshop) -> None:
    await refuses_wrong_ids(workshop, TOOL, "sync_id")


async def test_a_mode_the_destination_lacks_is_refused_before_anybody_is_asked(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    workshop.api.rewrites["GET", TARGET] = lambda data: {**data, "supported_resync_modes": ["refetch", "de\u202efrag"]}
    person = Person("accept")
    async with workshop.tools(person=person) as tools:
        refused = await tools.start_bulk_sync_execution(sync_id=sync_id, resync_mode="rebuild")
        workshop.api.rewrites["GET", TARGET] = lambda data: {**data, "supported_resync_modes": None}
        none = await tools.start_bulk_sync_execution(sync_id=sync_id, resync_mode="refetch")
    assert (refused.code, none.code) == ("unsupported_resync_mode", "unsupported_resync_mode")
    assert "Use one of: refetch, defrag." in refused.text
    assert "ordinary run" in none.text
    assert person.asked == []
    assert workshop.api.mutations == []


async def test_a_run_that_goes_on_is_named_instead_of_a_second_one_started(held: Workshop) -> None:
    sync_id = await held.create_sync()
    execution_id = await start_held(held, sync_id)
    person = Person("accept")
    async with held.tools(person=person) as tools:
        for arguments in ({}, {"resync_mode": "rebuild"}, {"test": True}):
            refused = await tools.start_bulk_sync_execution(sync_id=sync_id, **arguments)
            assert refused.code == "already_running"
            assert execution_id in refused.text
            assert "wait_for_bulk_sync_execution" in refused.text
    assert person.asked == []
    assert held.api.mutations == []


async def test_a_run_that_another_starts_in_between_is_named(held: Workshop) -> None:
    sync_id = await held.create_sync()
    others: list[str] = []

    async def start_another() -> None:
        others.append(await start_held(held, sync_id))

    held.api.before[START] = start_another
    async with held.tools() as tools:
        refused = await tools.start_bulk_sync_execution(sync_id=sync_id)
    assert refused.code == "already_running"
    assert others[0] in refused.text
    assert "changed: none" in refused.text


# What an ordinary run may destroy

SNAPSHOT = {"mode": "snapshot"}
HARD = {"destination_configuration": {"advanced": {"hard_deletes": True}}}
KEYLESS = {"schemas": ["events"]}
TRUNCATED = {"schemas": ["events"], "destination_configuration": {"advanced": {"truncate_existing": True}}}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(SNAPSHOT, "EMPTIES and refills", id="snapshot"),
        pytest.param(HARD, "REMOVES rows", id="hard deletes"),
        pytest.param(KEYLESS, "DROPS and recreates", id="no primary key"),
        pytest.param(TRUNCATED, "EMPTIES and refills", id="no primary key, truncated"),
    ],
)
async def test_the_first_run_asks_the_next_only_tells_and_a_changed_one_asks_again(
    workshop: Workshop, body: dict[str, Any], words: str
) -> None:
    sync_id = await workshop.create_sync(**body)
    (table,) = body.get("schemas", ["customers"])
    quiet = without_runs(workshop)
    async with quiet.tools() as tools:
        first = await tools.start_bulk_sync_execution(sync_id=sync_id)
        assert first.code == "confirmation_required"
        assert words in first.text
        assert f"“{table}”" in first.text
        agreed = await tools.start_bulk_sync_execution(sync_id=sync_id, confirmation=first.confirmation)
        assert not agreed.error, agreed.text
        ran_before(quiet, table)
        again = proved(quiet, TOOL, await tools.start_bulk_sync_execution(sync_id=sync_id))
        assert words in again["effects"][0]
        assert "7 rows" in again["effects"][0]
        quiet.api.rewrites["GET", SYNC] = lambda data: {**data, "updated_at": "2099-01-01T00:00:00Z"}
        changed = await tools.start_bulk_sync_execution(sync_id=sync_id)
        assert changed.code == "confirmation_required"


@pytest.mark.parametrize(
    "past",
    [
        pytest.param({"is_test": True}, id="a test"),
        pytest.param({"is_test": None}, id="perhaps a test"),
        pytest.param({"created_at": "2001-01-01T00:00:00Z"}, id="before the change"),
        pytest.param({"created_at": None}, id="at an unknown time"),
        pytest.param({"schemas": [{"schema": "customers", "status": "failed"}]}, id="failed"),
        pytest.param({"schemas": [{"schema": "secrets", "status": "completed"}]}, id="other tables"),
        pytest.param({"schemas": None}, id="tables not told"),
    ],
)
async def test_a_run_that_proves_nothing_leaves_the_next_one_the_first(
    workshop: Workshop, past: dict[str, Any]
) -> None:
    sync_id = await workshop.create_sync(mode="snapshot")
    ran_before(workshop, "customers", **past)
    async with workshop.tools() as tools:
        refused = await tools.start_bulk_sync_execution(sync_id=sync_id)
    assert refused.code == "confirmation_required"
    assert workshop.api.mutations == []


async def test_really_a_first_snapshot_asks_and_the_second_runs_at_once(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync(mode="snapshot")
    async with workshop.tools() as tools:
        await confirmed(tools, TOOL, sync_id=sync_id)
        await finished(tools, sync_id)
        workshop.change_source("DELETE FROM customers WHERE id = 3")
        proved(workshop, TOOL, await tools.start_bulk_sync_execution(sync_id=sync_id))
        await finished(tools, sync_id)
        assert workshop.rows("SELECT id FROM customers ORDER BY id") == [(1,), (2,)]
        await tools.update_bulk_sync(sync_id=sync_id, name="Renamed")
        changed = await tools.start_bulk_sync_execution(sync_id=sync_id)
    assert changed.code == "confirmation_required"


async def test_a_table_the_source_does_not_tell_counts_as_one_without_key(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    workshop.api.rewrites["GET", SOURCE] = lambda data: {**data, "schemas": None}
    assert "DROPS and recreates" in await asked_of(workshop, TOOL, sync_id=sync_id)


def keys(data: dict[str, Any], *tables: str) -> dict[str, Any]:
    """What the source tells, with a primary key on these tables alone."""
    for table in data["schemas"]:
        for column in table["fields"]:
            column["is_primary_key"] = table["id"] in tables and column is table["fields"][0]
    return data


@pytest.mark.parametrize("truncated", [False, True], ids=["dropped", "truncated"])
async def test_a_key_that_goes_after_a_completed_run_is_asked_about_though_the_sync_stays(
    workshop: Workshop, truncated: bool
) -> None:
    words = "EMPTIES and refills" if truncated else "DROPS and recreates"
    advanced = {"advanced": {"truncate_existing": truncated}}
    sync_id = await workshop.create_sync(schemas=["customers", "events"], destination_configuration=advanced)
    quiet = without_runs(workshop)
    ran_before(quiet, "customers", "events")

    async def started_with(*keyed: str) -> str:
        quiet.api.rewrites["GET", SOURCE] = lambda data: keys(data, *keyed)
        async with quiet.tools() as tools:
            called = await tools.start_bulk_sync_execution(sync_id=sync_id)
            if called.code == "confirmation_required":
                again = await tools.start_bulk_sync_execution(sync_id=sync_id, confirmation=called.confirmation)
                assert not again.error, again.text
            return called.text

    assert "confirmation_required" not in await started_with("customers", "events")
    gone = await started_with("customers")
    assert f"- {words} 1 table" in gone
    assert "confirmation_required" in gone
    assert "confirmation_required" not in await started_with("customers")
    # Of two without a key, the one that is new to it is asked about, and told apart.
    both = await started_with()
    assert "confirmation_required" in both
    assert [("“customers”" in line, "“events”" in line) for line in both.splitlines() if words in line] == [
        (True, False),
        (False, True),
    ]
    assert "confirmation_required" not in await started_with()
    # One that had its key back in between is as it was at first.
    assert "confirmation_required" not in await started_with("customers", "events")
    assert "confirmation_required" in await started_with("customers")


async def test_a_replacement_that_was_shown_but_not_begun_is_asked_about_again(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync(schemas=["events"])

    def refuse() -> Any:
        raise ApiFailure("backend_error", "Not now.", changed="none")

    failing = scripted(workshop, {START: refuse})
    ran_before(failing, "events")
    async with failing.tools(person=Person("accept")) as tools:
        assert (await tools.start_bulk_sync_execution(sync_id=sync_id)).error
    assert "DROPS and recreates" in await asked_of(failing, TOOL, sync_id=sync_id)


async def test_another_backend_has_nothing_to_remember(workshop: Workshop) -> None:
    path = workshop.application.settings.guard_dir / "replaced.sqlite"
    ReplacedTables(path, "here").remember("ABC", frozenset({"events"}))
    assert ReplacedTables(path, "here").known("abc") == {"events"}
    assert ReplacedTables(path, "there").known("abc") == frozenset()


async def test_what_has_a_key_again_is_taken_down_before_anything_is_sent(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync(schemas=["events"])
    quiet = without_runs(workshop)
    async with quiet.tools(person=Person("accept")) as tools:
        await tools.start_bulk_sync_execution(sync_id=sync_id)
        path = quiet.application.settings.guard_dir / "replaced.sqlite"
        with sqlite3.connect(path) as db:
            db.execute("CREATE TRIGGER full BEFORE DELETE ON replaced BEGIN SELECT RAISE(ABORT, 'full'); END")
        db.close()
        quiet.api.rewrites["GET", SOURCE] = lambda data: keys(data, "events")
        quiet.api.calls.clear()
        refused = await tools.start_bulk_sync_execution(sync_id=sync_id)
    assert refused.code == "internal"
    assert "changed: none" in refused.text
    assert quiet.api.mutations == []


@pytest.mark.parametrize("mode", ["mirror", None])
async def test_a_write_mode_newer_than_this_server_asks_each_time_and_is_never_rerun(
    workshop: Workshop, mode: str | None
) -> None:
    sync_id = await workshop.create_sync()
    workshop.api.rewrites["GET", SYNC] = lambda data: {**data, "mode": mode}
    ran_before(workshop, "customers")
    person = Person("decline")
    async with workshop.tools(person=person) as tools:
        ordinary = await tools.start_bulk_sync_execution(sync_id=sync_id)
        assert len(person.asked) == 1
        for rerun in ("refetch", "resync", "rebuild"):
            refused = await tools.start_bulk_sync_execution(sync_id=sync_id, resync_mode=rerun)
            assert refused.code == "unknown_state"
    assert ordinary.code == "confirmation_declined"
    assert "DROPS" in person.asked[0]
    assert len(person.asked) == 1
    assert workshop.api.mutations == []


# What the backend says it started


@pytest.mark.parametrize(
    ("resync_mode", "answer", "words"),
    [
        (
            "refetch",
            {"is_resync": True, "output_disposition": "rebuild"},
            "output_disposition is “rebuild”, not retain",
        ),
        ("resync", {"is_resync": False, "output_disposition": "truncate"}, "is_resync is False, not True"),
        (None, {"is_resync": True}, "is_resync is True, not False"),
        (None, {"is_test": True}, "is_test is True, not False"),
        (None, {"output_disposition": "rebuild"}, "output_disposition is “rebuild”, not retain"),
        (None, {"output_disposition": "truncate"}, "output_disposition is “truncate”, not retain"),
        (None, {"output_disposition": "compact"}, "output_disposition is “compact”, not retain"),
        (None, {"schemas": [{"schema": "customers"}, {"schema": "secrets"}]}, "not planned: “secrets”"),
    ],
)
async def test_a_run_that_is_not_as_planned_is_reported_with_what_to_do(
    workshop: Workshop, resync_mode: str | None, answer: dict[str, Any], words: str
) -> None:
    sync_id = await workshop.create_sync()
    quiet = without_runs(workshop, **answer)
    asked = {"sync_id": sync_id} | ({"resync_mode": resync_mode} if resync_mode else {})
    async with quiet.tools(person=Person("accept")) as tools:
        told = await tools.call(TOOL, asked)
    assert told.code == "mismatch"
    assert words in told.text
    assert RUN in told.text
    assert "changed: done" in told.text
    assert "cancel_bulk_sync" in told.text
    assert quiet.audit()[-1]["outcome"] == "mismatch"


async def test_a_keyless_table_may_be_reported_as_rebuilt(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync(schemas=["events"])
    quiet = without_runs(workshop, output_disposition="rebuild")
    async with quiet.tools(person=Person("accept")) as tools:
        proved(quiet, TOOL, await tools.start_bulk_sync_execution(sync_id=sync_id))


async def test_a_backend_that_says_little_of_the_run_is_believed(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    quiet = scripted(workshop, {START: lambda: {"id": RUN, "status": "queued for later", "later": 1}})
    async with quiet.tools() as tools:
        data = proved(quiet, TOOL, await tools.start_bulk_sync_execution(sync_id=sync_id))
    assert (data["id"], data["status"]) == (RUN, "queued for later")


# When the answer is lost


async def test_a_run_whose_answer_was_lost_is_found_and_adopted(held: Workshop) -> None:
    sync_id = await held.create_sync()
    held.api.after[START] = lost()
    async with held.tools() as tools:
        data = proved(held, TOOL, await tools.start_bulk_sync_execution(sync_id=sync_id))
        status = await tools.get_bulk_sync_status(sync_id=sync_id)
    assert data["id"] == status.data["current"]["id"]
    assert len(held.api.mutations) == 1


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param([{"type": "scheduled"}], id="scheduled"),
        pytest.param([{"type": None}], id="of unknown trigger"),
        pytest.param([{"is_test": True}], id="a test"),
        pytest.param([{"is_test": None}], id="perhaps a test"),
        pytest.param([{"is_resync": True}], id="a rerun"),
        pytest.param([{"output_disposition": "rebuild"}], id="rebuilding"),
        pytest.param([{"schemas": [{"schema": "secrets"}]}], id="other tables"),
        pytest.param([{"schemas": None}], id="tables not told"),
        pytest.param([{}, {"id": "another"}], id="two alike"),
        pytest.param([], id="none"),
    ],
)
async def test_a_run_that_may_be_another_one_is_not_adopted(workshop: Workshop, seen: list[dict[str, Any]]) -> None:
    sync_id = await workshop.create_sync()
    runs: list[dict[str, Any]] = []

    async def start_and_lose() -> None:
        runs.extend(started(**{"schemas": [{"schema": "customers"}], **one}) for one in seen)
        await lost()()

    workshop.api.before[START] = start_and_lose
    workshop.api.rewrites["GET", EXECUTIONS] = lambda _: runs
    async with workshop.tools() as tools:
        answer = await tools.start_bulk_sync_execution(sync_id=sync_id)
    assert answer.code == "outcome_unknown"
    assert "changed: unknown" in answer.text
    assert "get_bulk_sync_status" in answer.text
    assert all(run["id"] in answer.text for run in runs)
    assert len(workshop.api.mutations) == 1


@pytest.mark.parametrize("status", ["completed", "interrupted", "errors", "hibernating"])
async def test_a_run_that_was_there_before_is_not_adopted_whatever_its_state(workshop: Workshop, status: str) -> None:
    """States the API may not count as terminal included: such a run is missing from a list of terminal ones."""
    sync_id = await workshop.create_sync()
    old = started(status=status, schemas=[{"schema": "customers"}])
    terminal = status == "completed"

    quiet = scripted(workshop, {START: lambda: None})
    inner = quiet.api._call

    async def answers(method: str, template: str, arguments: Any) -> Any:
        if (method, template) == START:
            quiet.api.calls.append((method, template, None))
            await lost()()
        answer = await inner(method, template, arguments)
        if (method, template) == ("GET", EXECUTIONS):
            only = str((arguments.get("query") or {}).get("only_terminal", "")).lower() == "true"
            answer = type("Answer", (), {"data": [old] if terminal or not only else [], "next_page_token": None})()
        return answer

    quiet.api._call = answers  # type: ignore[method-assign]
    async with quiet.tools() as tools:
        answer = await tools.start_bulk_sync_execution(sync_id=sync_id)
    assert answer.code == "outcome_unknown"
    assert "No new execution" in answer.text


async def test_when_reading_back_fails_too_the_first_failure_is_told(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()

    async def break_down() -> None:
        workshop.api.before["GET", EXECUTIONS] = lost("backend_unreachable")
        await lost()()

    workshop.api.before[START] = break_down
    async with workshop.tools() as tools:
        answer = await tools.start_bulk_sync_execution(sync_id=sync_id)
    assert answer.code == "outcome_unknown"
    assert workshop.audit()[-1]["outcome"] == "outcome_unknown"


async def test_a_plan_that_cannot_be_read_starts_nothing(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    workshop.api.before["GET", STATUS] = lost("backend_unreachable")
    async with workshop.tools() as tools:
        answer = await tools.start_bulk_sync_execution(sync_id=sync_id)
    assert answer.code == "backend_unreachable"
    assert workshop.api.mutations == []


async def test_what_was_started_says_how_to_follow_it(workshop: Workshop, era: str) -> None:
    sync_id = await workshop.create_sync()
    async with workshop.tools(era) as tools:
        answer = await tools.start_bulk_sync_execution(sync_id=sync_id, test=True)
    data = proved(workshop, TOOL, answer)
    followed = f"Call `wait_for_bulk_sync_execution` with sync_id {sync_id} and execution_id {data['id']}."
    assert data["next"] == followed
    assert answer.text.endswith(f"next: {followed}")
