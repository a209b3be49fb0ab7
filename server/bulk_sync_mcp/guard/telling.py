"""The policy in force, told to people and models."""

from typing import Any

from bulk_sync_mcp.guard.rules import Policy


def policy_data(policy: Policy, path: str | None, tripped: str | None) -> dict[str, Any]:
    """The policy as plain data: every row of the table with its default and what is in force, and what tightens it."""
    rows: list[dict[str, str]] = []
    for rule, base in sorted(policy.table.items()):
        kind = rule.partition(":")[0]
        named = [level for name, level in policy.effects.items() if name in (rule, kind)]
        rows.append({"effect": rule, "default": base.name, "in_force": max([base, *named]).name})
    return {
        "file": path,
        "access": policy.access,
        "operator_secret": "configured" if policy.operator_secret_hash else "not configured",
        "unattended": "on" if policy.unattended else "off",
        "budget": {
            "destructive_per_hour": policy.budget.destructive_per_hour,
            "tables_per_call": policy.budget.tables_per_call,
            "tripped": tripped,
        },
        "tools": [f"{name}: at least {level.name}" for name, level in policy.tools.items()],
        "rules": [
            f"{rule.match.spelled()}: {rule.evidence.name} for "
            f"{', '.join(rule.effects) or 'whatever needs a confirmation'}"
            for rule in policy.rules
        ],
        "protected": [match.spelled() for match in policy.protected],
        "allowances": [f"sync {one.sync_id}: {', '.join(one.effects)}" for one in policy.allowances],
        "effects": rows,
    }


def budget_line(budget: dict[str, Any]) -> str:
    """The budget of `policy_data` in words."""
    if budget["tripped"]:
        return f"USED UP, every call that writes is refused: {budget['tripped']}"
    hour, tables = budget["destructive_per_hour"], budget["tables_per_call"]
    parts = [f"{hour} destructive calls an hour"] if hour is not None else []
    parts += [f"{tables} tables a call"] if tables is not None else []
    return ", ".join(parts) or "no limit"
