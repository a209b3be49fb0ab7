"""The first half of the story: what there is, a sync, its first load, changes at the source, a test run."""

# Names in statements are quoted by tables.py.
# ruff: noqa: S608

from typing import Any

from bulk_sync_mcp.core.text import plural
from bulk_sync_mcp.demo.changes import Changes, change_keyless, change_source
from bulk_sync_mcp.demo.places import NAMES
from bulk_sync_mcp.demo.proof import Compared, Mismatch, engines_own, expect
from bulk_sync_mcp.demo.session import types_name
from bulk_sync_mcp.demo.tables import Row, opened
from bulk_sync_mcp.demo.tale import Tale

MOST_TABLES = 40
"""Tables of a given source that the demo takes; more would only make it longer."""


async def connections(tale: Tale) -> None:
    """Which connections are there?"""
    reply = (await tale.asking.call("list_connections", {"name": tale.stage.run_id})).done()
    wanted = {tale.source_id: tale.stage.source.kind, tale.destination_id: tale.stage.destination.kind}
    expect("connections", wanted, {one["id"]: one["type"] for one in reply.data["connections"]})
    tale.prove("both connections are listed, the source and the destination")


async def source(tale: Tale) -> None:
    """What does the source offer?"""
    arguments = {"connection_id": tale.source_id, "include_fields": True, "limit": MOST_TABLES}
    reply = (await tale.asking.call("get_bulk_source", arguments, lines=10)).done()
    offered = {one["id"]: one["key"] for one in reply.data["tables"]}
    with opened(tale.pair.source) as tables:
        names = [one for one in tables.names() if not engines_own(one)]
        if len(names) > MOST_TABLES:
            names = [one for one in names if one in offered]
        there = {one: sorted(tables.key(one)) for one in names}
        expect("tables and keys of the source", there, {one: sorted(key) for one, key in offered.items()})
        for one in reply.data["tables"]:
            expect(f"number of columns of {one['id']}", len(tables.columns(one["id"])), len(one["fields"]))
    tale.keyless = [one for one, key in there.items() if not key]
    tale.pair.outputs = dict.fromkeys(names, "")
    tale.prove(
        f"the same {plural(len(there), 'table')}, keys and columns as read from the {NAMES[tale.pair.source.kind]} itself; "
        f"without a key: {', '.join(tale.keyless) or 'none'}"
    )


async def destination(tale: Tale) -> None:
    """What does the destination accept?"""
    reply = (await tale.asking.call("get_bulk_destination", {"connection_id": tale.destination_id})).done()
    expect("reruns it offers", ["rebuild", "refetch", "resync"], sorted(reply.data["supported_resync_modes"]))
    expect("tables there before the demo", [], sorted(tale.pair.snapshot().tables))
    tale.prove("it takes replicate syncs and every rerun, and holds nothing of the demo so far")


async def create(tale: Tale) -> None:
    """Create a bulk sync"""
    tale.sync_name = f"{'Shop to warehouse' if tale.stage.options.source is None else 'Demo'} {tale.stage.run_id}"
    arguments: dict[str, object] = {
        "name": tale.sync_name,
        "source_connection_id": tale.source_id,
        "destination_connection_id": tale.destination_id,
    }
    if tale.stage.destination_configuration:
        arguments["destination_configuration"] = tale.stage.destination_configuration
    if len(tale.pair.outputs) == MOST_TABLES:
        arguments["schemas"] = list(tale.pair.outputs)
    reply = (await tale.asking.call("create_bulk_sync", arguments, lines=6)).done()
    tale.sync_id = reply.data["id"]
    reply = (await tale.asking.call("list_bulk_sync_schemas", {"sync_id": tale.sync_id, "enabled": True})).done()
    outputs = {one["id"]: one.get("output", one["id"]) for one in reply.data["schemas"]}
    expect("tables of the sync", sorted(tale.pair.outputs), sorted(outputs))
    tale.pair.outputs = outputs
    expect("tables at the destination", [], sorted(tale.pair.snapshot().tables))
    tale.prove("the sync is there, and nothing has run: the destination is still empty of it")


async def first_run(tale: Tale) -> None:
    """Start it, and wait"""
    if tale.keyless:
        tale.screen.say(
            f"Every run drops and recreates a table that has no primary key (here {', '.join(tale.keyless[:5])}), so the "
            "first run asks the user. This client can show a form, and the user agrees by typing the sync's name."
        )
    if tale.stage.options.pause:
        tale.screen.say(
            f"In slow motion, to be seen: this server adds {tale.stage.options.pause:g} s to each table and batch."
        )
    totals = _totals(tale)
    act = types_name(tale.sync_name) if tale.keyless else None
    reply = await tale.run(tale.asking, {}, totals, act=act, label="first load")
    expect("forms shown", 1 if tale.keyless else 0, tale.asking.forms)
    expect("rows the run tells of", sum(totals.values()), reply.data["records"])
    found = tale.settled()
    expect("rows at the destination", totals, {output: rows for output, (_, rows, _) in found.tables.items()})
    tale.prove(f"the destination holds {plural(found.rows, 'row')} in {plural(len(found.tables), 'table')}")


async def status(tale: Tale) -> None:
    """How does it stand?"""
    reply = (await tale.asking.call("get_bulk_sync_status", {"sync_id": tale.sync_id})).done()
    expect("state", "idle", reply.data["state"])
    tale.before()
    compared = tale.pair.equal()
    expect("rows of the last run", compared.total, reply.data["last"]["records"])
    tale.prove(
        f"row for row the same at both ends: {_listed(compared)}; digest {compared.digest}",
        f"{plural(compared.total, 'row')} arrived exactly as they are at the source",
    )
    tell_left_out(tale, compared)


def tell_left_out(tale: Tale, compared: Compared) -> None:
    """Names columns that could not be compared. In the sample there are none."""
    if not compared.left_out:
        return
    if tale.stage.options.source is None:
        raise Mismatch("columns of the sample", "every one can be compared", ", ".join(compared.left_out))
    tale.screen.left_out(
        f"comparing {', '.join(compared.left_out)}: values of mixed types, or kept in another form by the destination"
    )


async def merge(tale: Tale) -> None:
    """Change rows at the source, and run again"""
    tables = list(tale.pair.outputs)
    changes = change_source(tale.pair.source, tables)
    if changes is None:
        await _replaced(tale)
        return
    tale.changed_table = changes.table
    tale.screen.say(f"By hand, at the {'source' if tale.stage.options.source is None else 'copy'}: {changes.words}.")
    keyed = [tale.pair.outputs[one] for one in tables if one not in [*tale.keyless, changes.table]]
    if changes.refused:
        tale.screen.left_out(f"{changes.refused} rows: constraints of the table do not allow it")
    before, stamps = tale.before(), tale.pair.stamps(changes.table, changes.key)
    tale.pair.source_changed()
    await tale.run(tale.plain, {}, _totals(tale), label="second run")
    _check_merge(changes, stamps, tale.pair.stamps(changes.table, changes.key))
    after = tale.settled()
    for output in keyed:
        expect(f"content of {output}", before.tables[output], after.tables[output])
    compared = tale.pair.equal()
    touched = len(changes.changed) + len(changes.deleted)
    tale.prove(
        f"merged, not reloaded: of {plural(len(stamps), 'row')} in {changes.table} exactly those {touched} have a new "
        f"_polytomic_updated_at, {len(changes.deleted)} of them marked in _polytomic_deleted_at; "
        f"{len(changes.inserted)} inserted; all others, and {plural(len(keyed), 'other table')} with a key, untouched",
        "changed, deleted and new rows were merged, and no other row of a table with a key was rewritten",
    )
    if tale.keyless:
        tale.screen.say(f"Replaced whole, in one step, as announced: {', '.join(tale.keyless[:5])}.")
    tale.prove(f"the destination equals the source again: {plural(compared.total, 'row')}, digest {compared.digest}")


def _check_merge(changes: Changes, before: dict[Row, tuple[Any, bool]], after: dict[Row, tuple[Any, bool]]) -> None:
    table = changes.table
    rewritten = {key for key, seen in after.items() if key in before and before[key] != seen}
    expect(f"rows rewritten in {table}", sorted(changes.changed | changes.deleted), sorted(rewritten))
    expect(f"rows marked as deleted in {table}", changes.deleted, {key for key, seen in after.items() if seen[1]})
    expect(f"rows new in {table}", changes.inserted, after.keys() - before.keys())
    expect(f"rows gone from {table}", [], sorted(before.keys() - after.keys()))


async def _replaced(tale: Tale) -> None:
    tale.screen.left_out("merging: rows are merged by primary key, and no table here has one whose rows can be changed")
    done = change_keyless(tale.pair.source, tale.keyless)
    tale.screen.say(f"By hand, at the copy: {done or 'nothing, since no table lets a row be added or removed'}.")
    tale.pair.source_changed()
    await tale.run(tale.plain, {}, _totals(tale), label="second run")
    tale.settled()
    compared = tale.pair.equal()
    tale.prove(
        f"each table was replaced in one step and equals the source: {_listed(compared)}; digest {compared.digest}",
        "a second run brought the destination up to date",
    )


async def test_run(tale: Tale) -> None:
    """A test run"""
    before = tale.before()
    reply = await tale.run(tale.plain, {"test": True}, {}, label="test run")
    expect("kind of the run", "test", reply.data["kind"])
    read = [one.get("records", 0) for one in reply.data["tables"]]
    if max(read) > 5:
        raise Mismatch("rows a test run reads", "at most 5 a table", read)
    tale.pair.unchanged(before)
    tale.prove(
        f"{plural(sum(read), 'row')} read and checked, and the destination is exactly as it was: "
        f"{plural(before.rows, 'row')} in {plural(len(before.tables), 'table')}",
        "a test run wrote nothing",
    )


def _totals(tale: Tale) -> dict[str, int]:
    totals: dict[str, int] = {}
    with opened(tale.pair.source) as tables:
        for table, output in tale.pair.outputs.items():
            (totals[output],) = next(iter(tables.rows(f"SELECT count(*) FROM {tables.reference(table)}")))
    return totals


def _listed(compared: Compared) -> str:
    shown = [f"{table} {rows:,}" for table, rows in list(compared.rows.items())[:12]]
    more = len(compared.rows) - len(shown)
    return ", ".join(shown) + (f" and {more} more tables" if more else "")
