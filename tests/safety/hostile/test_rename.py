"""Rename, then delete: what was shown and what would go are no longer called the same."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest

from safety.hostile.stage import Stage, build_stage, unfit
from support import Person

pytestmark = pytest.mark.anyio
SAFE = {"plan_changed", "confirmation_invalid", "confirmation_declined", "confirmation_required"}


@pytest.fixture
async def own(tmp_path: Path) -> AsyncGenerator[Stage]:
    made = await build_stage(tmp_path, run=False)
    yield made
    await made.workshop.api.aclose()


async def rename(stage: Stage, sync: str, name: str) -> None:
    """As another client of the API would, past the tools."""
    whole = await stage.get("/api/bulk/syncs/{id}", id=sync)
    keys = (
        "source_connection_id",
        "destination_connection_id",
        "destination_configuration",
        "default_schedule",
        "additional_schedules",
        "mode",
        "active",
    )
    body = {key: whole[key] for key in keys if whole.get(key) is not None}
    for schedule in (body["default_schedule"], *body.get("additional_schedules", [])):
        for key in ("created_at", "created_by", "updated_at", "updated_by"):
            schedule.pop(key, None)
    await stage.workshop.api.inner.put("/api/bulk/syncs/{id}", body={**body, "name": name}, id=sync)


async def names(stage: Stage) -> list[str]:
    return sorted(one["name"] for one in await stage.get("/api/bulk/syncs"))


async def test_a_sync_renamed_after_the_preview_is_not_deleted_by_its_confirmation(own: Stage, era: str) -> None:
    """Somebody agreed to lose `Scratch`; what goes by that id is called `Shop` by then."""
    sync = own.ids["sync"]
    await rename(own, sync, "Scratch copy, safe to delete")
    async with own.workshop.tools(era) as tools:
        preview = await tools.delete_bulk_sync(sync_id=sync)
        assert "Scratch copy" in preview.text
        await rename(own, sync, "Shop")
        own.workshop.api.calls.clear()
        answer = await tools.delete_bulk_sync(sync_id=sync, confirmation=preview.confirmation)
    assert own.workshop.api.mutations == [], answer.text
    assert "Shop" in await names(own)
    assert answer.code in SAFE, answer.text


@pytest.mark.parametrize("tool", ["delete_bulk_sync", "start_bulk_sync_execution"])
async def test_a_sync_renamed_while_the_form_is_open_is_left_alone(own: Stage, era: str, tool: str) -> None:
    sync = own.ids["sync"]
    more = {"resync_mode": "rebuild"} if tool.startswith("start") else {}
    await rename(own, sync, "Scratch")

    async def back() -> None:
        await rename(own, sync, "Shop")

    person = Person("accept", while_asked=back)
    own.workshop.api.calls.clear()
    async with own.workshop.tools(era, person) as tools:
        answer = await tools.call(tool, {"sync_id": sync, **more})
    assert own.workshop.api.mutations == [], answer.text
    assert answer.code in SAFE, answer.text
    assert "Shop" in await names(own)


async def test_renaming_by_tool_and_deleting_at_once_still_shows_the_new_name(own: Stage, era: str) -> None:
    async with own.workshop.tools(era) as tools:
        renamed = await tools.update_bulk_sync(sync_id=own.ids["sync"], name="Old test, unused")
        assert not renamed.error, renamed.text
        own.workshop.api.calls.clear()
        answer = await tools.delete_bulk_sync(sync_id=own.ids["sync"])
    assert answer.code == "confirmation_required"
    assert "Old test, unused" in answer.text
    assert own.ids["sync"] in answer.text
    assert own.workshop.api.mutations == []


@dataclass
class Typist:
    """Types the same into every form."""

    content: dict[str, Any]
    asked: int = 0

    async def __call__(self, _context: Any, _params: Any) -> types.ElicitResult:
        self.asked += 1
        return types.ElicitResult(action="accept", content=self.content)


LOOKS = [
    "shop", "SHOP", "Sh\u043ep", "Ｓｈｏｐ", "Shop\u200b", "\u202eShop\u202c", "\u2066Shop\u2069", "Sho", "Shop Shop", "Shop\x00", "Shop\nyes", "“Shop”", "%", "S_op", "*", "", " ", "yes", "true", "Other", "Ledger",
]  # fmt: skip


@pytest.mark.parametrize("typed", LOOKS, ids=range(len(LOOKS)))
async def test_a_name_that_only_looks_right_deletes_nothing(stage: Stage, typed: str) -> None:
    person = Typist({"name": typed})
    stage.workshop.api.calls.clear()
    async with stage.workshop.tools("legacy" if LOOKS.index(typed) % 2 else "2026-07-28", person) as tools:
        answer = await tools.delete_bulk_sync(sync_id=stage.ids["sync"])
    assert await stage.unchanged(), answer.text
    assert unfit(answer.text) == [], answer.text
    assert answer.code.startswith("confirmation_"), answer.text


async def test_of_two_syncs_with_one_name_the_id_says_which(own: Stage, era: str) -> None:
    twin = await own.workshop.create_sync("Shop", schemas=["events"], destination_configuration={"schema": "twin"})
    person = Person("accept")
    async with own.workshop.tools(era, person) as tools:
        answer = await tools.delete_bulk_sync(sync_id=twin)
    assert not answer.error, answer.text
    assert twin in person.asked[0]
    assert own.ids["sync"] not in person.asked[0]
    assert own.ids["sync"] in [one["id"] for one in await own.get("/api/bulk/syncs")]


async def test_two_syncs_with_one_name_have_no_confirmation_in_common(own: Stage, era: str) -> None:
    twin = await own.workshop.create_sync("Shop", schemas=["events"], destination_configuration={"schema": "twin"})
    async with own.workshop.tools(era) as tools:
        preview = await tools.delete_bulk_sync(sync_id=twin)
        answer = await tools.delete_bulk_sync(sync_id=own.ids["sync"], confirmation=preview.confirmation)
    assert answer.code == "confirmation_invalid", answer.text
    assert own.workshop.api.mutations == []


async def test_a_sync_swapped_into_another_name_does_not_take_what_was_typed(own: Stage, era: str) -> None:
    """The form asks for `Shop`; while it is open, that name goes to another sync."""
    sync, other = own.ids["sync"], own.ids["other"]

    async def swap() -> None:
        await rename(own, sync, "Precious")
        await rename(own, other, "Shop")

    own.workshop.api.calls.clear()
    async with own.workshop.tools(era, Person("accept", while_asked=swap)) as tools:
        answer = await tools.delete_bulk_sync(sync_id=sync)
    assert own.workshop.api.mutations == [], answer.text
    assert {"Precious", "Shop"} <= set(await names(own))
