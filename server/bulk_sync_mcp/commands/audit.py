"""`audit`: whether the audit log is whole, what is in it, and what is being added."""

import argparse
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from bulk_sync_mcp.commands import settings_of
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.observe.audit import AuditTrail
from bulk_sync_mcp.observe.reading import AuditCall, calls, follow, records, summary
from bulk_sync_mcp.observe.seal import AuditError
from bulk_sync_mcp.observe.verify import Report, inspect
from bulk_sync_mcp.settings import SettingsError

MOST_PROBLEMS = 50
BELONGS = {
    "expect": "verify",
    "call": "show",
    "sync": "show",
    "operation": "show",
    "since": "show",
    "follow": "tail",
    "lines": "tail",
}
"""Which action a flag goes with."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `audit`."""
    parser.add_argument("action", choices=("verify", "show", "tail"))
    parser.add_argument("--json", action="store_true", help="print JSON; show and tail one object a line")
    parser.add_argument(
        "--expect", metavar="HEAD", help="verify: the `head` of an earlier report, which must still be in the log"
    )
    parser.add_argument("--call", metavar="ID", help="show: everything about one call")
    parser.add_argument("--sync", metavar="ID", help="show: calls about one bulk sync")
    parser.add_argument("--operation", metavar="NAME", help="show: calls of one tool")
    parser.add_argument("--since", metavar="TIME", help="show: from a date or time on, such as 2026-05-12T04:15Z")
    parser.add_argument("-n", type=int, dest="lines", metavar="N", help="tail: how many lines (default 10)")
    parser.add_argument("--follow", "-f", action="store_true", default=None, help="tail: go on as lines are added")
    parser.epilog = "Exit status: 0 the log is whole, 1 it is not or cannot be read, 2 wrong arguments."


def run(flags: argparse.Namespace) -> int:
    """Prints what was asked for; 1 when the log is not whole or cannot be read."""
    for name, action in BELONGS.items():
        if getattr(flags, name) is not None and flags.action != action:
            raise SettingsError(f"--{name} goes with `audit {action}`")
    trail = AuditTrail(settings_of(flags).guard_dir)
    try:
        return {"verify": _verify, "show": _show, "tail": _tail}[flags.action](trail, flags)
    except (AuditError, OSError) as error:
        _print(f"PROBLEM     the audit log cannot be read: {clean(error, 300)}")
        return 1


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what was asked for


def _verify(trail: AuditTrail, flags: argparse.Namespace) -> int:
    report = inspect(trail, flags.expect)
    _print(json.dumps(_data(report), indent=2, ensure_ascii=False) if flags.json else "\n".join(_lines(report)))
    return 1 if report.problems else 0


def _data(report: Report) -> dict[str, Any]:
    return {
        "whole": not report.problems,
        "lines": report.lines,
        "files": report.files,
        "first": report.first,
        "last": report.last,
        "head": report.head,
        "problems": report.problems,
        "notes": report.notes,
        "unfinished": [{**intent, "remedy": _remedy(intent)} for intent in report.unfinished],
    }


def _lines(report: Report) -> list[str]:
    if not report.files and not report.problems:
        return ["No call that writes has been made yet: there is no audit log."]
    found = "BROKEN" if report.problems else "whole"
    lines = [
        f"audit log   {found}, {report.lines} lines",
        f"files       {', '.join(report.files) or 'none'}",
        f"from, to    {clean(report.first or '-')}, {clean(report.last or '-')}",
        f"head        {report.head}",
    ]
    lines += [f"PROBLEM     {clean(one, 300)}" for one in report.problems[:MOST_PROBLEMS]]
    if len(report.problems) > MOST_PROBLEMS:
        lines.append(f"PROBLEM     … and {len(report.problems) - MOST_PROBLEMS} more")
    lines += [f"note        {clean(one, 300)}" for one in report.notes]
    for intent in report.unfinished:
        about = f"{clean(intent.get('operation'))}, call {clean(intent.get('call'))}, {clean(intent.get('time'))}"
        lines += [f"no outcome  {about}", f"            {_remedy(intent)}"]
    return lines


def _remedy(intent: Mapping[str, Any]) -> str:
    sync_id = AuditCall("", [intent]).sync_id
    state = f"bulk sync {clean(sync_id)}" if sync_id else "what it was to create or change"
    if _lives(intent.get("process")):
        return f"the call may still be under way (process {intent.get('process')}); otherwise read the state of {state}"
    return f"the process ended before the answer came: it may have been done; read the state of {state}"


def _lives(process: object) -> bool:
    """Whether there is such a process; not asked on Windows, where asking would end it."""
    if not isinstance(process, int) or process <= 0 or os.name != "posix":
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"--since {text}: not a date or time such as 2026-05-12 or 2026-05-12T04:15Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _show(trail: AuditTrail, flags: argparse.Namespace) -> int:
    since = _moment(flags.since) if flags.since else None
    found = [
        one
        for one in calls(records(trail.directory))
        if (flags.call is None or one.call == flags.call)
        and (flags.sync is None or one.sync_id == flags.sync)
        and (flags.operation is None or one.get("operation") == flags.operation)
        and (since is None or _later(one.get("time"), since))
    ]
    if flags.json:
        for one in found:
            for line in one.lines:
                _print(json.dumps(line, ensure_ascii=False))
    elif flags.call is not None:
        _print("\n\n".join("\n".join(_whole(line)) for one in found for line in one.lines) or "No such call.")
    else:
        _print("\n".join(_table([_row(one) for one in found])) or "No such calls.")
    return _warned(trail, flags)


def _warned(trail: AuditTrail, flags: argparse.Namespace) -> int:
    """1, and a word about it, when what was shown cannot be relied on."""
    broken = bool(trail.inspect().problems)
    if broken and not flags.json:
        _print("PROBLEM: this log has been changed; `bulk-sync-mcp audit verify` says where.")
    return int(broken)


def _later(time: object, since: datetime) -> bool:
    try:
        return datetime.fromisoformat(str(time)) >= since
    except ValueError:
        return True


def _row(one: AuditCall) -> dict[str, str]:
    refused = any(line.get("event") == "refusal" for line in one.lines)
    return {
        **summary({name: value for line in reversed(one.lines) for name, value in line.items()}),
        "event": "refused" if refused else "",
        "outcome": clean(one.outcome),
        "sync": clean(one.sync_id),
    }


def _whole(line: Mapping[str, Any]) -> list[str]:
    width = max(len(name) for name in line)
    return [
        f"{clean(name):<{width}}  {clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), 2000)}"
        for name, value in line.items()
    ]


def _table(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Columns that hold something, padded."""
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if any(row[name] for row in rows)]
    return _padded(rows, names, [max(len(name), *(len(row[name]) for row in rows)) for name in names])


def _padded(rows: Iterable[Mapping[str, str]], names: Sequence[str], widths: Sequence[int]) -> list[str]:
    cells = [names, *([row[name] for name in names] for row in rows)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(one, widths, strict=True)).rstrip() for one in cells]


def _tail(trail: AuditTrail, flags: argparse.Namespace) -> int:
    count = 10 if flags.lines is None else flags.lines
    if count < 0:
        raise SettingsError("-n must be 0 or more")
    last = list(records(trail.directory))[-count:] if count else []
    if flags.json:
        for line in last:
            _print(json.dumps(line, ensure_ascii=False))
    elif last:
        _print("\n".join(_table([summary(line) for line in last])))
    if not flags.follow:
        return _warned(trail, flags)
    with suppress(KeyboardInterrupt):
        for line in follow(trail.directory, lambda: True):
            if flags.json:
                _print(json.dumps(line, ensure_ascii=False))
            else:
                _print("  ".join(value for value in summary(line).values() if value))
    return 0
