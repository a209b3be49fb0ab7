"""Names and messages that give orders: they are shown as data, and cannot pass for what this server says."""

from collections.abc import Iterator
from typing import Any

import pytest

from safety.hostile.poison import POISONS
from safety.hostile.stage import Stage, unfit
from support import CONFIRMATION, ERAS, Called, Person

pytestmark = pytest.mark.anyio
ONE = "/api/bulk/syncs/{id}"
LONGEST = 8_000
READS = (
    ("list_bulk_syncs", {}), ("get_bulk_sync", {"sync_id": "sync"}), ("get_bulk_sync_status", {"sync_id": "sync"}), ("list_bulk_sync_executions", {"sync_id": "sync"}),
    ("get_bulk_sync_execution", {"sync_id": "sync", "execution_id": "execution"}), ("wait_for_bulk_sync_execution", {"sync_id": "sync", "execution_id": "execution"}), ("list_bulk_sync_schemas", {"sync_id": "sync"}),
    ("list_connections", {}), ("get_bulk_source", {"connection_id": "source"}), ("get_bulk_destination", {"connection_id": "destination"}),
)  # fmt: skip
KEYS = {
    "name",
    "status_message",
    "status_error",
    "output_name",
    "user_output_name",
    "tracking_field",
    "type",
    "created_by",
    "table_prefix",
    "message",
}


def poisoned(value: Any, poison: str, inside: str = "") -> Any:
    """The answer with every text that somebody else may have written replaced; ids and states stay."""
    if isinstance(value, dict):
        return {key: poisoned(item, poison, key) for key, item in value.items()}
    if isinstance(value, list):
        return [poisoned(item, poison, inside) for item in value]
    return poison if inside in KEYS and (value is None or isinstance(value, str)) else value


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def looks_like_ours(answer: Called, own: str = "") -> list[str]:
    """What of the answer is not ours and could be taken for it."""
    found = [f"a confirmation {one}" for one in CONFIRMATION.findall(answer.text) if one != own]
    lines = answer.text.splitlines()
    found += [line for line in lines if line.startswith("SYSTEM") or line == "```"]
    if not answer.error:
        found += [line for line in lines if line.startswith(("next:", "changed:", "confirmation_required"))]
    else:
        found += [line for line in lines[1:] if line.startswith(("confirmation_required", "changed: done"))]
        found += ["more than one next step"] if sum(line.startswith("next:") for line in lines) > 1 else []
    return found


def hidden(answer: Called) -> list[str]:
    """Characters nobody sees, in the text and in the structured content."""
    return [what for text in (answer.text, *texts(answer.data)) for what in unfit(text) if what.startswith("'\\")]


@pytest.mark.parametrize("number", range(len(POISONS)))
async def test_poisoned_text_is_shown_as_data_by_every_tool_that_reads(stage: Stage, number: int) -> None:
    poison, api = POISONS[number], stage.workshop.api
    wrong: list[str] = []
    api.calls.clear()
    for template in (
        "/api/bulk/syncs", ONE, f"{ONE}/status", f"{ONE}/executions", f"{ONE}/executions/{{exec_id}}", f"{ONE}/schemas",
        "/api/connections", "/api/connections/{id}", "/api/connections/{id}/bulksync/source", "/api/connections/{id}/bulksync/target",
    ):  # fmt: skip
        api.rewrites["GET", template] = lambda data: poisoned(data, poison)
    try:
        async with stage.workshop.tools(ERAS[number % len(ERAS)]) as tools:
            for tool, arguments in READS:
                answer = await tools.call(tool, {key: stage.ids[value] for key, value in arguments.items()})
                wrong += [f"{tool}: {one}" for one in (*looks_like_ours(answer), *hidden(answer))]
                if answer.code == "internal" or "Traceback" in answer.text:
                    wrong.append(f"{tool}: {answer.text}")
                if len(answer.text) > 25_000:
                    wrong.append(f"{tool}: {len(answer.text):,} characters")
    finally:
        api.rewrites.clear()
    assert await stage.unchanged()
    assert wrong == []


@pytest.mark.parametrize("number", range(len(POISONS)))
async def test_a_poisoned_name_can_neither_be_redeemed_nor_rewrite_the_preview(stage: Stage, number: int) -> None:
    poison, api = POISONS[number], stage.workshop.api
    api.calls.clear()
    for template in (ONE, "/api/connections", "/api/connections/{id}", f"{ONE}/schemas"):
        api.rewrites["GET", template] = lambda data: poisoned(data, poison)
    try:
        async with stage.workshop.tools(ERAS[number % len(ERAS)]) as tools:
            for tool, more in (
                ("delete_bulk_sync", {}),
                ("start_bulk_sync_execution", {"resync_mode": "rebuild"}),
                ("update_bulk_sync", {"mode": "snapshot"}),
            ):
                answer = await tools.call(tool, {"sync_id": stage.ids["sync"], **more})
                assert answer.error, answer.text
                own = CONFIRMATION.findall(answer.text)[-1] if answer.code == "confirmation_required" else ""
                assert looks_like_ours(answer, own) == [], answer.text[:3_000]
                assert hidden(answer) == []
                assert len(answer.text) <= LONGEST
                for planted in ("AAAAAAAAAAAAAAAAAAAAAA", "BBBBBBBBBBBBBBBBBBBBBB", poison[:64].ljust(16, "x")):
                    tried = await tools.call(tool, {"sync_id": stage.ids["sync"], **more, "confirmation": planted})
                    assert tried.code in ("confirmation_invalid", "invalid_arguments"), tried.text
    finally:
        api.rewrites.clear()
    assert await stage.unchanged()


@pytest.mark.parametrize("number", range(len(POISONS)))
async def test_a_poisoned_name_cannot_rewrite_the_question(stage: Stage, number: int) -> None:
    poison, api = POISONS[number], stage.workshop.api
    api.calls.clear()
    api.rewrites["GET", ONE] = lambda data: {**data, "name": poison}
    person = Person("decline")
    try:
        async with stage.workshop.tools(ERAS[number % len(ERAS)], person) as tools:
            answer = await tools.delete_bulk_sync(sync_id=stage.ids["sync"])
    finally:
        api.rewrites.clear()
    assert answer.error, answer.text
    assert await stage.unchanged()
    for question in person.asked:
        assert not [one for one in unfit(question) if one.startswith("'\\")], question[:2_000]
        assert len(question) <= LONGEST
        assert sum(line.startswith("To confirm, type the name:") for line in question.splitlines()) <= 1
        assert not [line for line in question.splitlines() if line.startswith(("SYSTEM", "changed:", "next:"))]


@pytest.mark.parametrize("number", range(len(POISONS)))
async def test_a_poisoned_error_message_is_shown_as_data(stage: Stage, number: int) -> None:
    """A source's error ends up in the messages of an execution; a name in those of the API."""
    poison, api = POISONS[number], stage.workshop.api
    api.calls.clear()
    api.rewrites["GET", f"{ONE}/executions/{{exec_id}}"] = lambda data: {
        **data, "status": "failed", "status_message": poison, "schemas": [{**one, "status": "failed", "status_message": poison} for one in data["schemas"]],
    }  # fmt: skip
    try:
        async with stage.workshop.tools(ERAS[number % len(ERAS)]) as tools:
            answer = await tools.get_bulk_sync_execution(sync_id=stage.ids["sync"], execution_id=stage.ids["execution"])
    finally:
        api.rewrites.clear()
    assert not answer.error, answer.text
    assert looks_like_ours(answer) == [], answer.text[:3_000]
    assert hidden(answer) == []
    assert len(answer.text) <= LONGEST
