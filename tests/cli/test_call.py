"""`call`: one tool call from a script, in real processes where more than one call matters."""

import json
import re
from typing import Any

import pytest

from bulk_sync_mcp import operations
from bulk_sync_mcp.cli import main
from bulk_sync_mcp.commands.call import parse, parse_object
from bulk_sync_mcp.composition import local_asgi
from bulk_sync_mcp.core.operation import discover
from bulk_sync_mcp.settings import Settings
from support import CONFIRMATION, Workshop
from transports.kit import HANG_UP, KEY, Place, Ran, error_body, fake_polytomic, ran

pytestmark = pytest.mark.anyio
SYNC = "3f1c9a4e-0001-4000-8000-000000000001"
SCHEMA: dict[str, Any] = {
    "properties": {
        "name": {"type": "string"},
        "limit": {"type": "integer"},
        "active": {"type": "boolean"},
        "schemas": {"type": "array"},
    }
}


async def call(place: Place, *words: str, **more: Any) -> Ran:
    return await ran(place, "call", *words, *place.flags, **more)


def test_a_value_is_text_where_the_tool_wants_text_and_json_elsewhere() -> None:
    pairs = ["name=5", "limit=5", "active=true", 'schemas=["a=b", "c"]']
    assert parse(pairs, SCHEMA) == {"name": "5", "limit": 5, "active": True, "schemas": ["a=b", "c"]}
    assert parse(["name=a=b", "nobody=knows"], SCHEMA) == {"name": "a=b", "nobody": "knows"}
    assert parse(["name="], SCHEMA) == {"name": ""}
    assert parse(['name="quoted"', "limit=null"], SCHEMA) == {"name": '"quoted"', "limit": None}


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (["active"], "`active` is not KEY=VALUE"),
        (["limit=1", "limit=2"], "`limit` is given twice"),
        (["active=yes"], "`active` must be JSON"),
        (["schemas=orders"], "`schemas` must be JSON"),
        (["limit="], "`limit` must be JSON"),
    ],
)
def test_a_pair_that_cannot_be_read_is_named(pairs: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        parse(pairs, SCHEMA)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "--arguments-json is not JSON"),
        ("{bad", "--arguments-json is not JSON"),
        ("[]", "must hold a JSON object"),
        ('{"a": 1, "a": 2}', "`a` is given twice"),
        ('{"a": {"b": 1, "b": 2}}', "`b` is given twice"),
    ],
)
def test_arguments_as_json_that_cannot_be_read_are_named(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        parse_object(text)


def test_every_tool_takes_its_plain_arguments_as_pairs() -> None:
    for operation in discover(operations):
        for name, schema in operation.input_schema["properties"].items():
            if schema.get("type") == "string":
                assert parse([f"{name}=x"], operation.input_schema) == {name: "x"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["no_such_tool"], "there is no tool `no_such_tool`; `bulk-sync-mcp tools` lists"),
        (["list_bulk_syncs", "active"], "`active` is not KEY=VALUE"),
        (["list_bulk_syncs", "--arguments-json", "{}", "active=true"], "not both"),
        (["list_bulk_syncs", "--arguments-json", ""], "--arguments-json is not JSON"),
        (["list_bulk_syncs", "nope=1"], "nope"),
        (["get_bulk_sync", "sync_id=../x"], "sync_id"),
        (["get_bulk_sync"], "sync_id"),
        (["start_bulk_sync_execution", f"sync_id={SYNC}", "schemas=[]"], "schemas"),
    ],
)
def test_wrong_arguments_are_status_2_and_send_nothing(
    words: list[str], told: str, bare: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["call", *words, *bare.flags]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert not (bare.state / "local").exists()


def test_flags_and_pairs_come_in_any_order(bare: Place, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--json", "list_bulk_syncs", "limit=5"], ["list_bulk_syncs", "--json", "limit=5"]):
        assert main(["call", *words, *bare.flags, "active=true"]) == 0
        assert json.loads(capsys.readouterr().out)["bulk_syncs"] == []
    with pytest.raises(SystemExit) as ended:
        main(["call", "list_bulk_syncs", "--nope", "limit=5"])
    assert ended.value.code == 2
    assert "unrecognized arguments: --nope" in capsys.readouterr().err


async def test_two_steps_across_processes_run_once(workshop: Workshop, place: Place) -> None:
    sync_id = await workshop.create_sync()
    words = ["delete_bulk_sync", f"sync_id={sync_id}"]
    preview = await call(place, *words)
    assert (preview.status, preview.out) == (3, "")
    assert preview.err.startswith("confirmation_required: Nothing has run.")
    found = CONFIRMATION.search(preview.err)
    assert found is not None
    confirmed = [*words, f"confirmation={found.group(1)}"]
    elsewhere = ["start_bulk_sync_execution", f"sync_id={sync_id}", "resync_mode=rebuild", confirmed[-1]]
    refused = await call(place, *elsewhere, "--json")
    assert (refused.status, refused.json["code"]) == (1, "confirmation_invalid")
    done = await call(place, *confirmed, "--json")
    assert (done.status, done.err) == (0, "")
    assert "effects" in done.json
    replayed = await call(place, *confirmed, "--json")
    assert replayed.status == 1
    assert replayed.json["code"] in ("confirmation_used", "not_found")
    assert replayed.json["changed"] == "none"
    deleted = [line for line in place.audit() if line["operation"] == "delete_bulk_sync"]
    assert [line["event"] for line in deleted][:3] == ["refusal", "intent", "outcome"]
    assert all(line["principal"].startswith("call:") for line in deleted)


async def test_a_rebuild_confirmed_in_one_process_cannot_be_replayed_in_another(
    workshop: Workshop, place: Place
) -> None:
    sync_id = await workshop.create_sync()
    given = {"sync_id": sync_id, "resync_mode": "rebuild"}
    preview = await call(place, "start_bulk_sync_execution", "--json", "--arguments-json", json.dumps(given))
    assert preview.status == 3
    assert preview.json["code"] == "confirmation_required"
    assert "DROPS" in preview.json["message"]
    given["confirmation"] = preview.json["details"]["confirmation"]
    words = ["start_bulk_sync_execution", "--json", "--arguments-json", "-"]
    started = await call(place, *words, given=json.dumps(given))
    assert started.status == 0, started
    ended = await call(place, "wait_for_bulk_sync_execution", f"sync_id={sync_id}", "timeout_seconds=60")
    assert (ended.status, ended.err) == (0, "")
    assert "status: completed" in ended.out
    replayed = await call(place, *words, given=json.dumps(given))
    assert (replayed.status, replayed.json["code"]) == (1, "confirmation_used")
    assert workshop.rows("SELECT count(*) FROM customers") == [(3,)]


async def test_a_failure_is_status_1_in_words_and_as_json(place: Place) -> None:
    told = await call(place, "get_bulk_sync", f"sync_id={SYNC}")
    assert (told.status, told.out) == (1, "")
    assert told.err.startswith("not_found: ")
    assert "changed: none\nnext: " in told.err
    as_json = await call(place, "get_bulk_sync", f"sync_id={SYNC}", "--json")
    assert (as_json.status, as_json.err) == (1, "")
    assert {"code", "message", "changed", "next", "details"} <= set(as_json.json)


async def test_an_unknown_outcome_is_status_4_and_a_key_shows_nowhere(workshop: Workshop, place: Place) -> None:
    """A backend that takes the request and hangs up."""
    sync_id = await workshop.create_sync()
    service = local_asgi(Settings(workspace=place.workspace, state_dir=place.state), KEY)
    hang_up = ("PUT", f"/api/bulk/syncs/{sync_id}")
    async with fake_polytomic({hang_up: HANG_UP}, behind=service) as fake:
        words = ["update_bulk_sync", f"sync_id={sync_id}", "name=Renamed"]
        lost = await call(place, *words, "--json", environment=fake.environment)
    assert (lost.status, lost.json["code"], lost.json["changed"]) == (4, "outcome_unknown", "unknown")
    assert len([one for one in fake.requests if one[0] == "PUT"]) == 1
    assert KEY not in lost.out + lost.err
    assert place.audit()[-1]["outcome"] == "outcome_unknown"


async def test_what_the_backend_echoes_of_the_key_is_not_shown(bare: Place) -> None:
    refused = error_body(401, f"bad key {KEY}")
    async with fake_polytomic({("GET", "/api/bulk/syncs"): (401, refused)}) as fake:
        told = await call(bare, "list_bulk_syncs", environment=fake.environment)
    assert told.status == 1
    assert told.err.startswith("unauthorized: ")
    assert KEY not in told.out + told.err


def test_a_fault_of_ours_is_told_as_one_and_leaves_its_trace_in_the_log(
    bare: Place,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def break_down(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("the machine caught fire")

    monkeypatch.setattr("bulk_sync_mcp.composition._local_client", break_down)
    assert main(["call", "list_bulk_syncs", "--json", *bare.flags]) == 1
    failure = json.loads(capsys.readouterr().out)
    assert (failure["code"], failure["changed"]) == ("internal", "unknown")
    assert "fire" not in json.dumps(failure)
    assert "the machine caught fire" in caplog.text


def test_an_interrupt_ends_in_one_line(
    bare: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_flags: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("bulk_sync_mcp.commands.call.run", interrupt)
    assert main(["call", "list_bulk_syncs", *bare.flags]) == 130
    assert capsys.readouterr().err.count("\n") == 1
