"""Policy as configuration: it tightens, and only the unattended switch loosens, named effects on named syncs."""

from pathlib import Path
from typing import Any

import pytest

from bulk_sync_mcp.core.effects import ChangesField, DeletesSync, DropsOutput, StartsRun
from bulk_sync_mcp.core.plan import Effect, Plan, Subject
from bulk_sync_mcp.guard.decide import decide
from bulk_sync_mcp.guard.policy import Evidence
from bulk_sync_mcp.guard.policy_file import PolicyError, read_policy
from bulk_sync_mcp.guard.rules import Policy
from support import Person, Workshop, build_workshop

SYNC = "11111111-2222-3333-4444-555555555555"
DROP = DropsOutput(sync_id=SYNC, cause="resync", destination_id="w", tables=("a",), outputs=("a",))
DELETE = DeletesSync(sync_id=SYNC)
START = StartsRun(sync_id=SYNC, mode=None, tables=("a",))
RENAME = ChangesField(sync_id=SYNC, setting="name", before="prod orders", after="x")
TOOLS = ("delete_bulk_sync", "start_bulk_sync_execution", "update_bulk_sync")


def policy(tmp_path: Path, text: str, *, unattended: bool = False) -> Policy:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    return read_policy(path, TOOLS, unattended=unattended)


def plan(*effects: Effect, name: str = "prod orders", **more: Any) -> Plan[None]:
    subject = Subject(SYNC, name, "w", "Warehouse")
    return Plan(effects=effects, prepared=None, subjects=more.get("subjects", (subject,)))


def evidence(one: Plan[None], used: Policy, operation: str = "start_bulk_sync_execution") -> Evidence:
    return decide(one, tuple({type(effect) for effect in one.effects}), used, operation).evidence


def test_an_effect_can_be_tightened_by_kind_or_by_rule(tmp_path: Path) -> None:
    by_kind = policy(tmp_path, '[effects]\nDropsOutput = "human"')
    by_rule = policy(tmp_path, '[effects]\n"DropsOutput:resync" = "operator"')
    assert evidence(plan(DROP), by_kind) == Evidence.human
    assert evidence(plan(DROP), by_rule) == Evidence.operator
    assert evidence(plan(DELETE), by_rule) == Evidence.confirm


def test_a_tool_can_be_tightened(tmp_path: Path) -> None:
    used = policy(tmp_path, '[tools]\nstart_bulk_sync_execution = "confirm"')
    assert evidence(plan(START), used) == Evidence.confirm
    assert evidence(plan(START), used, "update_bulk_sync") == Evidence.notice


@pytest.mark.parametrize("pattern", ["prod*", "PROD ORDERS", SYNC, "*-5555*"])
def test_a_rule_for_some_syncs_goes_by_name_or_id(tmp_path: Path, pattern: str) -> None:
    used = policy(tmp_path, f'[[rules]]\nsync = "{pattern}"\nevidence = "human"')
    assert evidence(plan(DROP), used) == Evidence.human
    assert evidence(plan(START), used) == Evidence.notice
    other = plan(DROP, subjects=(Subject("99999999-0000-0000-0000-000000000000", "test", "w", "Warehouse"),))
    assert evidence(other, used) == Evidence.confirm


def test_a_rule_for_a_destination_may_name_effects(tmp_path: Path) -> None:
    used = policy(tmp_path, '[[rules]]\ndestination = "Ware*"\nevidence = "confirm"\neffects = ["StartsRun"]')
    assert evidence(plan(START), used) == Evidence.confirm


def test_nothing_destroys_a_protected_sync(tmp_path: Path) -> None:
    used = policy(tmp_path, '[[protected]]\nsync = "prod*"')
    assert evidence(plan(DROP), used) == Evidence.deny
    assert evidence(plan(DELETE), used) == Evidence.deny
    assert evidence(plan(START), used) == Evidence.notice


def test_renaming_a_sync_out_of_a_rule_needs_the_evidence_of_that_rule(tmp_path: Path) -> None:
    both = (Subject(SYNC, "prod orders", "w", "Warehouse"), Subject(SYNC, "x", "w", "Warehouse"))
    ruled = policy(tmp_path, '[[rules]]\nsync = "prod*"\nevidence = "operator"')
    assert evidence(plan(RENAME, subjects=both), ruled) == Evidence.operator
    guarded = policy(tmp_path, '[[protected]]\nsync = "prod*"')
    assert evidence(plan(RENAME, subjects=both), guarded) == Evidence.deny
    within = (both[0], Subject(SYNC, "prod orders 2", "w", "Warehouse"))
    assert evidence(plan(RENAME, subjects=within), ruled) == Evidence.notice


def test_a_plan_that_names_no_subject_matches_every_rule(tmp_path: Path) -> None:
    used = policy(tmp_path, '[[protected]]\nsync = "prod*"')
    assert evidence(plan(DROP, subjects=()), used) == Evidence.deny


ALLOWANCE = f'[[unattended]]\nsync = "{SYNC}"\neffects = ["DropsOutput:resync"]\n'


def test_the_unattended_switch_loosens_named_effects_on_named_syncs_only(tmp_path: Path) -> None:
    on = policy(tmp_path, ALLOWANCE, unattended=True)
    assert evidence(plan(DROP), on) == Evidence.notice
    assert evidence(plan(DROP, DELETE), on) == Evidence.confirm
    other = plan(DROP, subjects=(Subject("99999999-0000-0000-0000-000000000000", "prod orders", "w", "Warehouse"),))
    assert evidence(other, on) == Evidence.confirm
    assert evidence(plan(DROP, subjects=()), on) == Evidence.confirm


def test_the_file_alone_does_not_loosen(tmp_path: Path) -> None:
    assert evidence(plan(DROP), policy(tmp_path, ALLOWANCE)) == Evidence.confirm


@pytest.mark.parametrize(
    "tightened",
    ['[effects]\nDropsOutput = "human"', '[[protected]]\nsync = "prod*"', '[[rules]]\nsync = "*"\nevidence = "human"'],
)
def test_what_a_rule_has_tightened_the_switch_does_not_loosen(tmp_path: Path, tightened: str) -> None:
    used = policy(tmp_path, f"{ALLOWANCE}\n{tightened}", unattended=True)
    assert evidence(plan(DROP), used) >= Evidence.human


WRONG = [
    ("acess = 'full'", 1, "did you mean `access`?"),
    ("access = 'some'", 1, "read-only"),
    ("# fine\n[effects]\nDropOutput = 'human'", 3, "did you mean `DropsOutput"),
    ("[effects]\nDropsOutput = 'notice'", 2, "can only tighten"),
    ("[effects]\nDropsOutput = 'sure'", 2, "unknown evidence `sure`"),
    ("[effects]\nDropsOutput = 3", 2, "must be one of"),
    ("[tools]\ndelete_sync = 'deny'", 2, "did you mean `delete_bulk_sync`?"),
    ("[[rules]]\nevidence = 'human'", 1, "needs `sync` or `destination`"),
    ("[[rules]]\nsync = 'a'", 1, "needs `evidence`"),
    ("[[rules]]\nsync = ''\nevidence = 'human'", 2, "must be a name"),
    ("[[rules]]\nsync = 'a'\nevidense = 'human'", 3, "did you mean `evidence`?"),
    ("[rules]\nsync = 'a'", 1, "must be written [[rules]]"),
    ("[[protected]]\nsync = 'a'\nevidence = 'human'", 3, "unknown key"),
    ("[budget]\ndestructive_per_hour = -1", 2, "0 or more"),
    ("[budget]\ndestructive_per_hour = true", 2, "whole number"),
    ("[budget]\nper_hour = 1", 2, "destructive_per_hour"),
    ("[[unattended]]\nsync = 'prod*'\neffects = ['DropsOutput']", 1, "the id of one sync"),
    (f"[[unattended]]\nsync = '{SYNC}'", 1, "needs `effects`"),
    ("operator_secret_hash = 'hunter2'", 1, "policy hash-secret"),
    ("access = 'full", 1, "line 1"),
    ("[[rules]]\nsync = 'a'\nevidence = 'human'\n[[rules]]\nsync = 'b'\nevidence = 5", 6, "must be one of"),
    ("[[rules]]\nsync = 'a'\nevidence = 'human'\n\n[[ rules ]] # second\nsync = 'b'", 5, "needs `evidence`"),
    ("[[protected]]\nsync = 'a'\n[[unattended]]\nsync = 'a'\neffects = ['DropsOutput']", 3, "the id of one sync"),
    ("[effects]\nDeletesSync = 'human'\n[tools]\ndelete_bulk_sync = 'humane'", 4, "did you mean `human`?"),
    (
        "[[rules]]\nsync = 'effects'\nevidence = 'human'\n[[rules]]\nsync = 'b'\nevidence = 'human'\neffects = 1",
        7,
        "list",
    ),
    ("rules = ['a']", 1, "must be written [[rules]]"),
    ("[effects]\n'DropsOutput:resync' = 'notice'", 2, "can only tighten"),
    ("[effects]\nDropsOutput = 'human'\nDropsOutput = 'human'", 3, "line 3"),
    ("access = 'full'\n\x00", 2, "line 2"),
]


@pytest.mark.parametrize(("text", "line", "words"), WRONG, ids=[text for text, _, _ in WRONG])
def test_a_wrong_file_names_the_line_and_the_remedy(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(PolicyError) as wrong:
        policy(tmp_path, text)
    assert f"line {line}" in str(wrong.value)
    assert words in str(wrong.value)
    assert "hunter2" not in str(wrong.value)


def settings_with(tmp_path: Path, text: str) -> dict[str, Any]:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    return {"policy": path}


@pytest.mark.anyio
async def test_a_protected_sync_survives_an_accepted_form(tmp_path: Path, era: str) -> None:
    workshop = await build_workshop(tmp_path / "w", **settings_with(tmp_path, '[[protected]]\nsync = "Shop"'))
    sync_id = await workshop.create_sync("Shop")
    workshop.api.calls.clear()
    async with workshop.tools(era, Person("accept")) as tools:
        refused = await tools.delete_bulk_sync(sync_id=sync_id)
        renamed = await tools.update_bulk_sync(sync_id=sync_id, name="Harmless")
    await workshop.api.aclose()
    assert (refused.code, renamed.code) == ("denied", "denied")
    assert "[[protected]] sync Shop" in refused.text
    assert workshop.api.mutations == []


@pytest.mark.anyio
async def test_human_evidence_is_refused_to_a_client_that_can_ask_nobody(tmp_path: Path, era: str) -> None:
    workshop = await build_workshop(tmp_path / "w", **settings_with(tmp_path, '[effects]\nDeletesSync = "human"'))
    sync_id = await workshop.create_sync()
    workshop.api.calls.clear()
    async with workshop.tools(era) as tools:
        refused = await tools.delete_bulk_sync(sync_id=sync_id)
    assert refused.code == "denied"
    assert "`confirmation`" not in refused.text
    assert workshop.api.mutations == []
    async with workshop.tools(era, Person("accept")) as tools:
        deleted = await tools.delete_bulk_sync(sync_id=sync_id)
    await workshop.api.aclose()
    assert not deleted.error, deleted.text


@pytest.mark.anyio
async def test_the_budget_trips_and_then_every_write_is_refused_until_reset(tmp_path: Path, era: str) -> None:
    workshop: Workshop = await build_workshop(
        tmp_path / "w", **settings_with(tmp_path, "[budget]\ndestructive_per_hour = 2")
    )
    ids = [await workshop.create_sync(f"Sync {number}") for number in range(4)]
    async with workshop.tools(era, Person("accept")) as tools:
        codes = [(await tools.delete_bulk_sync(sync_id=sync_id)).code for sync_id in ids[:3]]
        workshop.api.calls.clear()
        harmless = await tools.update_bulk_sync(sync_id=ids[3], name="Renamed")
        read = await tools.list_bulk_syncs()
        assert codes == ["", "", "budget_exceeded"]
        assert harmless.code == "budget_exceeded"
        assert "policy reset-budget" in harmless.text
        assert workshop.api.mutations == []
        assert not read.error
        assert workshop.application.gate.budget.reset()
        again = await tools.update_bulk_sync(sync_id=ids[3], name="Renamed")
    await workshop.api.aclose()
    assert not again.error, again.text


@pytest.mark.anyio
async def test_one_call_may_not_touch_more_tables_than_the_budget_allows(tmp_path: Path) -> None:
    workshop = await build_workshop(tmp_path / "w", **settings_with(tmp_path, "[budget]\ntables_per_call = 1"))
    sync_id = await workshop.create_sync(schemas=["customers", "secrets"])
    workshop.api.calls.clear()
    async with workshop.tools(person=Person("accept")) as tools:
        refused = await tools.start_bulk_sync_execution(sync_id=sync_id, resync_mode="rebuild")
    await workshop.api.aclose()
    assert refused.code == "budget_exceeded"
    assert workshop.api.mutations == []


@pytest.mark.anyio
async def test_tables_are_counted_together_whatever_happens_to_each(tmp_path: Path) -> None:
    """One is dropped, rows are removed from the other: two effects of one table each."""
    workshop = await build_workshop(tmp_path / "w", **settings_with(tmp_path, "[budget]\ntables_per_call = 1"))
    hard = {"destination_configuration": {"advanced": {"hard_deletes": True}}}
    sync_id = await workshop.create_sync(schemas=["customers", "events"], **hard)
    async with workshop.tools(person=Person("accept")) as tools:
        refused = await tools.start_bulk_sync_execution(sync_id=sync_id)
    await workshop.api.aclose()
    assert refused.code == "budget_exceeded"
    assert "2 tables, 1 are allowed" in refused.text
    assert workshop.api.mutations == []


@pytest.mark.anyio
async def test_read_only_access_hides_what_writes(tmp_path: Path, era: str) -> None:
    from mcp.shared.exceptions import MCPError

    workshop = await build_workshop(tmp_path / "w", access="read-only")
    sync_id = await workshop.create_sync()
    async with workshop.tools(era) as tools:
        names = [tool.name for tool in (await tools.client.list_tools()).tools]
        assert "get_bulk_sync" in names
        assert "delete_bulk_sync" not in names
        with pytest.raises(MCPError):
            await tools.delete_bulk_sync(sync_id=sync_id)
    await workshop.api.aclose()


@pytest.mark.anyio
async def test_the_unattended_switch_runs_at_once_and_says_so_in_the_audit(tmp_path: Path, era: str) -> None:
    workshop = await build_workshop(tmp_path / "w", unattended=True)
    sync_id = await workshop.create_sync()
    async with workshop.tools(era) as tools:
        asked = await tools.delete_bulk_sync(sync_id=sync_id)
    assert asked.code == "confirmation_required"
    text = f'[[unattended]]\nsync = "{sync_id}"\neffects = ["DeletesSync"]'
    used = read_policy(settings_with(tmp_path, text)["policy"], TOOLS, unattended=True)
    object.__setattr__(workshop.application.gate, "policy", used)
    async with workshop.tools(era) as tools:
        deleted = await tools.delete_bulk_sync(sync_id=sync_id)
    await workshop.api.aclose()
    assert not deleted.error, deleted.text
    assert workshop.audit()[-2]["evidence_from"] == "unattended"
