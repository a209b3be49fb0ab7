"""`policy explain`: what a call would be asked for and why, without doing it."""

import json
from pathlib import Path
from typing import Any

import pytest

from approvals.kit import LINE, Printed, in_thread, policy_file
from support import Workshop
from transports.kit import place_of

pytestmark = pytest.mark.anyio


async def explain(workshop: Workshop, *words: str, policy: str = "") -> Printed:
    place = place_of(workshop)
    file = ["--policy", str(policy_file(place.directory, policy))] if policy else []
    return await in_thread("policy", "explain", *words, *file, *place.flags)


async def explained(workshop: Workshop, *words: str, policy: str = "") -> dict[str, Any]:
    done = await explain(workshop, *words, "--json", policy=policy)
    assert done.status == 0, done.err
    return json.loads(done.out)


async def test_a_rebuild_is_explained_and_nothing_runs(workshop: Workshop, tmp_path: Path) -> None:
    sync_id = await workshop.create_sync()
    done = await explain(workshop, "start_bulk_sync_execution", f"sync_id={sync_id}", "resync_mode=rebuild")
    assert done.status == 0, done.err
    first = done.out.splitlines()[0]
    assert first == "start_bulk_sync_execution: confirm (DropsOutput:resync: default)"
    assert "DROPS and recreates 1 table" in done.out
    assert "the user types the name “Shop” in a form" in done.out
    assert "the first call returns a preview" in done.out
    assert not (tmp_path / "state" / "guard" / "approvals.sqlite").exists()
    assert workshop.audit() == []


@pytest.mark.parametrize(
    ("policy", "required", "why"),
    [
        ('[effects]\nDeletesSync = "human"', "human", "[effects] DeletesSync"),
        (
            f'operator_secret_hash = "{LINE}"\n[tools]\ndelete_bulk_sync = "operator"',
            "operator",
            "[tools] delete_bulk_sync",
        ),
        ('[tools]\ndelete_bulk_sync = "operator"', "deny", "no operator secret is configured"),
        ('[[rules]]\nsync = "Sh*"\nevidence = "human"', "human", "[[rules]] sync Sh*"),
        ('[[protected]]\nsync = "Shop"', "deny", "[[protected]] sync Shop"),
        ('access = "read-only"', "deny", "access is read-only"),
    ],
)
async def test_the_rule_that_decides_is_named(workshop: Workshop, policy: str, required: str, why: str) -> None:
    sync_id = await workshop.create_sync()
    data = await explained(workshop, "delete_bulk_sync", f"sync_id={sync_id}", policy=policy)
    assert data["required"] == required
    assert why in data["why"]
    assert "DeletesSync" in [effect["effect"] for effect in data["effects"]]
    assert (data["paths"]["command_line"] == "refused") is (required in ("human", "deny"))


async def test_a_tool_that_only_reads_is_said_to(workshop: Workshop) -> None:
    data = await explained(workshop, "list_bulk_syncs")
    assert data["required"] == "none"
    assert "only reads" in data["why"]


async def test_arguments_that_do_not_fit_and_syncs_that_are_not_there_are_told_apart(workshop: Workshop) -> None:
    wrong = await explain(workshop, "delete_bulk_sync", "sync=1")
    assert wrong.status == 2
    assert "`sync_id` is required" in wrong.err
    missing = await explain(workshop, "delete_bulk_sync", "sync_id=3f1c9a4e-0001-4000-8000-000000000001")
    assert missing.status == 1
    assert "not_found" in missing.err
