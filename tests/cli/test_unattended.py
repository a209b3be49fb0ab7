"""The switch for unattended use is told wherever somebody may look: instructions, `doctor`, every audit line."""

from pathlib import Path

import pytest

from bulk_sync_mcp.composition import compose
from bulk_sync_mcp.settings import Settings
from support import LEGACY, Workshop
from transports.kit import Place, place_of, ran, started

pytestmark = pytest.mark.anyio
SYNC = "3f1c9a4e-0001-4000-8000-000000000001"
ALLOWS = '[[unattended]]\nsync = "{}"\neffects = ["DropsOutput:resync"]\n'


def allowing(directory: Path, sync_id: str = SYNC) -> Path:
    path = directory / "policy.toml"
    path.write_text(ALLOWS.format(sync_id))
    return path


async def test_the_instructions_say_that_it_is_on_and_stay_small(tmp_path: Path) -> None:
    policy = allowing(tmp_path)
    on, off = (compose(Settings(policy=policy, unattended=one)).instructions for one in (True, False))
    assert "UNATTENDED USE IS ON: some effects on 1 bulk sync happen at once" in on
    assert len(on.encode()) < 2_048
    for told in (off, compose(Settings(unattended=True)).instructions):
        assert "UNATTENDED" not in told


async def test_a_server_of_tools_that_only_read_has_nothing_to_say_of_it(tmp_path: Path) -> None:
    settings = Settings(policy=allowing(tmp_path), unattended=True, access="read-only")
    assert "UNATTENDED" not in compose(settings).instructions


async def test_doctor_lists_what_happens_unasked(bare: Place) -> None:
    policy = allowing(bare.directory)
    told = await ran(bare, "doctor", *bare.flags, "--policy", str(policy), "--unattended")
    assert "UNATTENDED   on; without asking anybody:\n" in told.out
    assert f"             sync {SYNC}: DropsOutput:resync\n" in told.out
    nothing = await ran(bare, "doctor", *bare.flags, "--unattended")
    assert "UNATTENDED   on, but the policy allows nothing by it\n" in nothing.out
    assert "UNATTENDED" not in (await ran(bare, "doctor", *bare.flags, "--policy", str(policy))).out


async def test_a_client_is_told_and_every_audit_line_says_so(workshop: Workshop) -> None:
    sync_id = await workshop.create_sync()
    place = place_of(workshop)
    policy = allowing(place.directory, sync_id)
    async with started(place, "--policy", str(policy), "--unattended") as server:
        async with server.tools(LEGACY) as tools:
            assert "UNATTENDED USE IS ON" in (tools.client.instructions or "")
            ran_unasked = await tools.start_bulk_sync_execution(sync_id=sync_id, resync_mode="rebuild")
            assert not ran_unasked.error, ran_unasked.text
            assert ran_unasked.data["effects"][0].startswith("DROPS and recreates")
            await tools.wait_for_bulk_sync_execution(sync_id=sync_id, timeout_seconds=60)
            asked = await tools.delete_bulk_sync(sync_id=sync_id)
            assert asked.code == "confirmation_required"
        assert await server.end() == 0
    lines = place.audit()
    assert [one["event"] for one in lines] == ["intent", "outcome", "refusal"]
    assert all(one["unattended"] is True for one in lines)
    assert lines[0]["evidence_from"] == "unattended"
