"""`doctor`: which backend, which credential, which version; what is wrong and how to mend it."""

import argparse
import platform
from typing import TYPE_CHECKING, Any

from bulk_sync_mcp.commands import settings_of

if TYPE_CHECKING:
    from bulk_sync_mcp.guard.budget import BudgetLedger


def add_flags(_parser: argparse.ArgumentParser) -> None:
    """`doctor` has no flags of its own."""


def _tripped(budget: "BudgetLedger") -> str | None:
    """Why calls that write are refused, None when they are not."""
    import sqlite3

    try:
        reason = budget.tripped()
    except (OSError, sqlite3.Error) as error:
        return f"the guard's files cannot be used: {error}"
    return f"the budget for destructive calls has tripped: {reason}" if reason else None


def run(flags: argparse.Namespace) -> int:
    """Prints what it finds; 1 when calls would fail."""
    import anyio

    from bulk_sync_mcp.composition import VERSION, compose, missing_local_libraries
    from bulk_sync_mcp.core.errors import Failure
    from bulk_sync_mcp.core.text import clean
    from bulk_sync_mcp.models.merge import as_object

    settings = settings_of(flags)
    application = compose(settings)
    missing = missing_local_libraries()
    lines = [
        f"version      bulk-sync-mcp {VERSION}, Python {platform.python_version()}",
        f"backend      {'local service on this machine' if application.local else application.backend.origin}",
        f"tools        {len(application.registry)}",
        f"state        {settings.state_dir}",
        f"policy       {settings.policy_path or 'built-in defaults'}; access {application.gate.policy.access}",
    ]
    if application.gate.policy.unattended:
        allowed = application.gate.policy.loosened
        lines.append(
            "UNATTENDED   on" + ("; without asking anybody:" if allowed else ", but the policy allows nothing by it")
        )
        lines += [f"             sync {one.sync_id}: {', '.join(one.effects)}" for one in allowed]
    if application.local:
        lines.append(f"workspace    {settings.workspace}")
        lines.append("credential   none set; set POLYTOMIC_API_KEY to work on Polytomic")
    else:
        organization = settings.polytomic_organization_id
        lines.append(f"credential   {f'Basic, organization {organization}' if organization else 'Bearer key'}")
    lines.append(f"local extra  {'missing: ' + ', '.join(missing) if missing else 'installed'}")

    async def identity() -> dict[str, Any]:
        try:
            return as_object((await application.api.get("/api/me")).data)
        finally:
            await application.api.aclose()

    status = 0
    tripped = _tripped(application.gate.budget)
    if tripped is not None:
        lines += [f"PROBLEM      {tripped}", "remedy       an operator runs `bulk-sync-mcp policy reset-budget`"]
        status = 1
    try:
        me = anyio.run(identity)
    except Failure as failure:
        lines += [f"PROBLEM      {failure.code}: {failure.message}", f"remedy       {failure.next}"]
        status = 1
    else:
        kinds = [
            name.removeprefix("is_")
            for name in ("is_user", "is_organization", "is_partner", "is_system")
            if me.get(name)
        ]
        who = me.get("email") or me.get("organization_name") or me.get("id") or "unnamed"
        lines.append(f"identity     {clean(who)} ({', '.join(kinds) or 'kind not stated'})")
        mode = as_object(me.get("credential")).get("mode")
        if mode:
            lines.append(f"restricted   {clean(mode)}")
    print("\n".join(lines))  # noqa: T201 - what was asked for
    return status
