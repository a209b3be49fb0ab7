"""`approvals`: what waits for somebody's approval, and an operator's answer to it."""

import argparse
import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bulk_sync_mcp.approvals.asking import add_secret_flag, secret_from
from bulk_sync_mcp.commands import settings_of

if TYPE_CHECKING:
    from bulk_sync_mcp.guard.approval import ApprovalStore, Standing

_WAITS_FOR = {"operator": "an operator", "page": "the user, on the approval page"}
_TEXT = 4_000


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `approvals`."""
    parser.add_argument("action", choices=("list", "show", "approve", "deny"))
    parser.add_argument("reference", nargs="?", metavar="REF", help="the reference of one approval, from `list`")
    parser.add_argument("--json", action="store_true", help="list or show as JSON")
    add_secret_flag(parser)
    parser.epilog = (
        "approve asks for the operator secret; deny does not. The state directory must be the server's. "
        "Exit status: 0 done, 1 no such approval, too late or a wrong secret, 2 wrong arguments or settings."
    )


def run(flags: argparse.Namespace) -> int:
    """Lists or shows what waits, or puts a decision on record; the call itself is made by whoever asked."""
    from bulk_sync_mcp.composition import approval_store
    from bulk_sync_mcp.core.context import utc_now

    settings = settings_of(flags)
    if (flags.reference is None) is (flags.action != "list"):
        return _said(f"`approvals {flags.action}` takes {'no reference' if flags.reference else 'a reference'}", 2)
    # Looking must not make a state directory, say one that was misspelt.
    if not (settings.guard_dir / "approvals.sqlite").exists():
        if flags.action == "list":
            return _listed([], utc_now(), as_json=flags.json)
        return _said(f"there is no approval {flags.reference!r}; nothing has asked for one in {settings.state_dir}", 1)
    store = approval_store(settings)
    if flags.action == "list":
        return _listed(store.open_decisions(), utc_now(), as_json=flags.json)
    standing = store.find(flags.reference)
    if standing is None or standing.channel not in _WAITS_FOR:
        return _said(f"there is no open approval {flags.reference!r}; `bulk-sync-mcp approvals list` has them", 1)
    if flags.action == "show":
        return _shown(standing, utc_now(), as_json=flags.json)
    return _decided(store, standing, flags)


def _said(message: str, status: int) -> int:
    sys.stderr.write(f"bulk-sync-mcp: {message}\n")
    return status


def _data(standing: "Standing") -> dict[str, Any]:
    from bulk_sync_mcp.core.text import clean, iso

    return {
        "reference": standing.reference,
        "operation": clean(standing.operation),
        "title": clean(standing.shown.title, _TEXT),
        "effects": [clean(effect.get("text", ""), _TEXT) for effect in standing.shown.effects],
        "undo": clean(standing.shown.undo, _TEXT),
        "asked_by": clean(standing.principal),
        "waits_for": _WAITS_FOR.get(standing.channel, standing.channel),
        "decision": standing.decision,
        "created": iso(standing.created),
        "expires": iso(standing.expires),
    }


def _listed(open_: "list[Standing]", now: datetime, *, as_json: bool) -> int:
    from bulk_sync_mcp.approvals.markup import asked_by
    from bulk_sync_mcp.core.text import spell_duration

    if as_json:
        print(json.dumps([_data(one) for one in open_], indent=2, ensure_ascii=False))  # noqa: T201 - what was asked for
        return 0
    if not open_:
        print("No approval is waiting.")  # noqa: T201 - what was asked for
        return 0
    rows = [("REFERENCE", "WAITS FOR", "EXPIRES", "ASKED BY", "WHAT")]
    for one in open_:
        waits = "operator" if one.channel == "operator" else "user"
        left = f"in {spell_duration(one.expires - now)}"
        rows.append((one.reference, waits, left, asked_by(one.principal), _data(one)["title"]))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        padded = [cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)]
        print("  ".join([*padded, row[4]]))  # noqa: T201 - what was asked for
    return 0


def _text(standing: "Standing", now: datetime) -> str:
    from bulk_sync_mcp.approvals.markup import asked_by, expiry

    data = _data(standing)
    lines = [
        data["title"],
        *(f"  - {text}" for text in data["effects"]),
        *([data["undo"]] if data["undo"] else []),
        "",
        f"reference  {data['reference']}",
        f"tool       {data['operation']}",
        f"asked by   {asked_by(standing.principal)}",
        f"waits for  {data['waits_for']}" if standing.decision is None else f"decided    {standing.decision}",
        f"expires    {expiry(standing, now)}",
    ]
    return "\n".join(lines)


def _shown(standing: "Standing", now: datetime, *, as_json: bool) -> int:
    text = json.dumps(_data(standing), indent=2, ensure_ascii=False) if as_json else _text(standing, now)
    print(text)  # noqa: T201 - what was asked for
    return 0


def _decided(store: "ApprovalStore", standing: "Standing", flags: argparse.Namespace) -> int:
    from bulk_sync_mcp.composition import operating_system_user
    from bulk_sync_mcp.core.context import utc_now
    from bulk_sync_mcp.guard.secret import matches

    if standing.decision is not None:
        return _said(f"approval {standing.reference} has already been {standing.decision}", 1)
    user = operating_system_user()
    if flags.action == "deny":
        decision, by = "denied", f"operator:{user}"
    elif not standing.shown.secret_hash:
        return _said(
            f"approval {standing.reference} is for the user on the page that was opened: the server that asked has no "
            "operator secret configured (`bulk-sync-mcp policy hash-secret`)",
            2,
        )
    else:
        sys.stderr.write(_text(standing, utc_now()) + "\n\n")
        if not matches(secret_from(flags), standing.shown.secret_hash):
            return _said("that is not the operator secret; nothing has been approved", 1)
        decision, by = "approved", f"operator:{user}"
    if not store.decide(standing.ticket, decision, by):
        return _said(f"too late: approval {standing.reference} has expired or was decided elsewhere", 1)
    then = "; the same call runs once now" if decision == "approved" else "; nothing has run"
    print(f"{standing.reference} {decision}{then}")  # noqa: T201 - what was asked for
    return 0
