"""The second half of the story: what is stopped, what a confirmation is worth, and two runs at once."""

import re

import anyio

from bulk_sync_mcp.core.text import plural
from bulk_sync_mcp.demo.changes import put_strays
from bulk_sync_mcp.demo.loading import tell_left_out
from bulk_sync_mcp.demo.proof import Mismatch, expect
from bulk_sync_mcp.demo.session import Assistant, declines
from bulk_sync_mcp.demo.stage import HELD_PAUSE
from bulk_sync_mcp.demo.tale import START, Tale

_CONFIRMATION = re.compile(r'`confirmation`: "([^"]+)"')
_PREVIEW_LINES = 40
_PATIENCE = 200
"""Looks, a tenth of a second apart, until the held run has to be running."""


async def blocked(tale: Tale) -> None:
    """A rebuild is blocked, and shows what it would drop"""
    table = tale.changed_table or next(iter(tale.pair.outputs))
    output = tale.pair.outputs[table]
    tale.stray_column = f"by_hand_{tale.stage.run_id}"
    tale.before()
    put_strays(tale.pair.destination, output, tale.stray_column)
    tale.screen.say(
        f"By hand, at the destination: a column {tale.stray_column} and a row that the source does not have, in {output}. "
        "A rebuild would lose both. B cannot show forms, so its user is asked through the assistant."
    )
    before = tale.settled()
    expect(f"the stray column in {output}", True, tale.stray_column in before.tables[output][0])
    arguments = {"sync_id": tale.sync_id, "resync_mode": "rebuild"}
    reply = (await tale.plain.call(START, arguments, lines=_PREVIEW_LINES)).refused("confirmation_required")
    found = _CONFIRMATION.search(reply.text)
    if found is None or "DROPS" not in reply.text:
        raise Mismatch("the preview", "what is dropped, and a confirmation", reply.text)
    tale.confirmation = found[1]
    for one in list(tale.pair.outputs.values())[:12]:
        expect(f"{one} named in the preview", True, one in reply.text)
    tale.pair.unchanged(before)
    tale.prove("nothing has changed: columns, rows and content of every table are as before, the strays among them")


async def declined(tale: Tale) -> None:
    """Asked in a form, the user declines"""
    before, shown = tale.before(), tale.asking.forms
    arguments = {"sync_id": tale.sync_id, "resync_mode": "rebuild"}
    (await tale.asking.call(START, arguments, act=declines)).refused("confirmation_declined")
    expect("forms shown", 1, tale.asking.forms - shown)
    tale.pair.unchanged(before)
    tale.prove("nothing has changed", "a rebuild that was not confirmed, or was declined, changed nothing")


async def confirmed(tale: Tale) -> None:
    """B's user agrees: dropped and recreated"""
    arguments = {"resync_mode": "rebuild", "confirmation": tale.confirmation}
    with_strays = tale.before()
    reply = await tale.run(tale.plain, arguments, {}, label="rebuild")
    expect("kind of the run", "rebuild", reply.data["kind"])
    after, compared = tale.settled(), tale.pair.equal()
    still = [one for one, (columns, _, _) in after.tables.items() if tale.stray_column in columns]
    expect("tables that still have the stray column", [], still)
    expect("rows at the destination", compared.total, after.rows)
    tale.prove(
        f"the stray column and row are gone, and so is every row that was only marked as deleted: "
        f"{with_strays.rows:,} rows before, {after.rows:,} now, exactly the source's; digest {compared.digest}",
        "the confirmed rebuild dropped and recreated the tables",
    )
    tell_left_out(tale, compared)


async def replayed(tale: Tale) -> None:
    """The same confirmation again"""
    before = tale.before()
    arguments = {"sync_id": tale.sync_id, "resync_mode": "rebuild", "confirmation": tale.confirmation}
    (await tale.plain.call(START, arguments)).refused("confirmation_used")
    tale.pair.unchanged(before)
    tale.prove("refused: it worked once; nothing has changed", "a confirmation works once")


async def legacy(tale: Tale) -> None:
    """The `resync` argument of older API versions"""
    before = tale.before()
    reply = (await tale.plain.call(START, {"sync_id": tale.sync_id, "resync": True})).refused("invalid_arguments")
    expect("the answer names `resync_mode`", True, "resync_mode" in reply.text)
    tale.pair.unchanged(before)
    tale.prove("a clear error that names its successor, and nothing has run", "the retired argument is refused")


async def held(tale: Tale) -> None:
    """A second start while one is running"""
    before = tale.before()
    tale.screen.say(f"C starts a run on a server in slow motion ({HELD_PAUSE:g} s a batch), which holds it.")
    third = Assistant("C", tale.screen)
    async with third.session(tale.stage.config(HELD_PAUSE), tale.stage.log("C"), forms=False):
        started = (await third.call(START, {"sync_id": tale.sync_id}, lines=4)).done()
        running = started.data["id"]
        await _until_running(tale)
        reply = (await tale.plain.call(START, {"sync_id": tale.sync_id})).refused("already_running")
        expect("the answer names the running execution", True, running in reply.text)
        past = await tale.plain.look("list_bulk_sync_executions", {"sync_id": tale.sync_id})
        expect("the latest execution", running, past.data["executions"][0]["id"])
        tale.prove("told what is running, and nothing second was started", "a second start is told what is running")
        (await tale.plain.call("cancel_bulk_sync", {"sync_id": tale.sync_id}, lines=5)).done()
        ended = await tale.plain.wait(tale.sync_id, running, tale.screen.bars({}))
    expect("the end of the held run", "canceled", ended.data["status"])
    tale.pair.unchanged(before)
    tale.prove("cancelled while it was held: every table is whole, as it was before")


async def _until_running(tale: Tale) -> None:
    for _ in range(_PATIENCE):
        found = await tale.plain.look("get_bulk_sync_status", {"sync_id": tale.sync_id})
        if found.data.get("current", {}).get("status") == "running":
            return
        await anyio.sleep(0.1)
    raise Mismatch("the held run", "it is running", "it does not start")


async def bystanders(tale: Tale) -> None:
    """The rest of your destination"""
    now = tale.stage.bystanders()
    expect("what else the destination holds", tale.bystanders, now)
    what = "file" if tale.stage.destination.kind == "parquet" else "table"
    tale.prove(
        f"{plural(len(now), f'other {what}')} there, before as now", "nothing else in the given destination changed"
    )
