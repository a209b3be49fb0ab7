"""`policy`: the policy in force, what a call would be asked for, the operator secret's hash, the budget."""

import argparse
import getpass
import json
import sys
from typing import TYPE_CHECKING, Any

from bulk_sync_mcp.approvals.asking import add_secret_flag, secret_from
from bulk_sync_mcp.commands import settings_of
from bulk_sync_mcp.commands.call import given_arguments

if TYPE_CHECKING:
    from bulk_sync_mcp.guard.decide import Decision
    from bulk_sync_mcp.settings import Settings

LEAST_SECRET = 8
"""Characters an operator secret has at least. Its hash may be read by others, who can then guess at leisure."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `policy`."""
    parser.add_argument("action", choices=("show", "explain", "hash-secret", "reset-budget"))
    parser.add_argument(
        "arguments", nargs="*", metavar="TOOL KEY=VALUE", help="for explain: a call as for `bulk-sync-mcp call`"
    )
    parser.add_argument("--json", action="store_true", help="show or explain as JSON")
    parser.add_argument(
        "--arguments-json", metavar="JSON", help="for explain: all arguments as one JSON object (- for standard input)"
    )
    add_secret_flag(parser)
    parser.epilog = (
        "explain makes the plan of a call, which only reads. hash-secret prints the line for the policy file. "
        "Exit status: 0 done, 1 failed or a wrong secret, 2 wrong arguments or settings."
    )


def run(flags: argparse.Namespace) -> int:
    """Runs one of the actions."""
    settings = settings_of(flags)
    if flags.action == "explain":
        return _explain(settings, flags)
    if flags.arguments or flags.arguments_json is not None:
        return _said(f"`policy {flags.action}` takes no arguments", 2)
    if flags.action == "hash-secret":
        return _hash_secret(flags)
    return _show(settings, as_json=flags.json) if flags.action == "show" else _reset_budget(settings, flags)


def _said(message: str, status: int) -> int:
    sys.stderr.write(f"bulk-sync-mcp: {message}\n")
    return status


def _print(text: str) -> None:
    print(text)  # noqa: T201 - what was asked for


def _hash_secret(flags: argparse.Namespace) -> int:
    from bulk_sync_mcp.guard.secret import hashed

    secret = secret_from(flags, "New operator secret: ")
    if flags.secret_file is None and sys.stdin.isatty() and getpass.getpass("The same again: ") != secret:
        return _said("the two are not the same", 1)
    if len(secret) < LEAST_SECRET:
        return _said(f"the secret must have at least {LEAST_SECRET} characters; better four words or more", 1)
    _print(f'operator_secret_hash = "{hashed(secret)}"')
    return 0


def _reset_budget(settings: "Settings", flags: argparse.Namespace) -> int:
    from bulk_sync_mcp.composition import compose
    from bulk_sync_mcp.guard.secret import matches

    gate = compose(settings).gate
    reason = gate.budget.tripped()
    lines = gate.budget.secret_hashes() or [line for line in (gate.policy.operator_secret_hash,) if line is not None]
    if lines:
        secret = secret_from(flags)
        if not all(matches(secret, line) for line in lines):
            return _said("that is not the operator secret; nothing has been reset", 1)
    # Looking must not make a state directory, say one that was misspelt.
    if settings.guard_dir.exists():
        gate.budget.reset()
    _print(
        f"Calls are let through again; what had stopped them: {reason}." if reason else "The budget was not used up."
    )
    return 0


def _show(settings: "Settings", *, as_json: bool) -> int:
    from bulk_sync_mcp.composition import compose
    from bulk_sync_mcp.guard.telling import budget_line, policy_data

    gate = compose(settings).gate
    path = settings.policy_path
    data = policy_data(gate.policy, str(path) if path else None, gate.budget.tripped())
    if as_json:
        _print(json.dumps(data, indent=2, ensure_ascii=False))
        return 0
    lines = [f"{'file':<22}{data['file'] or 'none; the defaults hold'}"]
    lines += [f"{name:<22}{data[key]}" for name, key in _SHOWN.items()]
    lines.append(f"{'budget':<22}{budget_line(data['budget'])}")
    for title in ("tools", "rules", "protected", "allowances"):
        if data[title]:
            lines += [
                "",
                f"[{title}]" if title != "allowances" else "[[unattended]]",
                *(f"  {one}" for one in data[title]),
            ]
    lines += ["", f"{'effect':<30}{'default':<10}in force"]
    for row in data["effects"]:
        changed = "" if row["default"] == row["in_force"] else "  <- tightened"
        lines.append(f"{row['effect']:<30}{row['default']:<10}{row['in_force']}{changed}")
    _print("\n".join(lines))
    return 0


_SHOWN = {"access": "access", "operator secret": "operator_secret", "unattended switch": "unattended"}


def _explain(settings: "Settings", flags: argparse.Namespace) -> int:
    import anyio

    from bulk_sync_mcp import operations
    from bulk_sync_mcp.approvals.explain import explanation, reads_only, spelled
    from bulk_sync_mcp.composition import compose
    from bulk_sync_mcp.core.errors import Failure
    from bulk_sync_mcp.core.operation import discover
    from bulk_sync_mcp.guard.decide import decide
    from bulk_sync_mcp.present.content import failure_data, failure_text

    tool, *pairs = flags.arguments or [""]
    # Every tool, also those that read-only access hides: that is what somebody may want explained.
    operation = discover(operations).get(tool)
    if operation is None:
        what = f"there is no tool `{tool}`" if tool else "`policy explain` takes a tool and its arguments"
        return _said(f"{what}; `bulk-sync-mcp tools` lists them", 2)
    flags.arguments = pairs
    try:
        given = given_arguments(flags, operation.input_schema)
    except ValueError as error:
        return _said(str(error), 2)
    application = compose(settings)
    gate = application.gate

    async def planned() -> tuple[Any, "Decision"] | None:
        try:
            arguments = application.pipeline.validated(operation, given)
            if operation.plan is None:
                return None
            plan = await operation.plan(application.pipeline.context, arguments)
            return plan, decide(plan, operation.plans, gate.policy, operation.name)
        finally:
            await application.aclose()

    try:
        found = anyio.run(planned)
    except Failure as failure:
        if flags.json:
            _print(json.dumps(failure_data(failure), indent=2, ensure_ascii=False))
        else:
            sys.stderr.write(failure_text(failure) + "\n")
        return 2 if failure.code == "invalid_arguments" else 1
    data = reads_only(operation.name) if found is None else explanation(operation.name, *found, gate)
    _print(json.dumps(data, indent=2, ensure_ascii=False) if flags.json else spelled(data))
    return 0
