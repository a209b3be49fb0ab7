"""What a call would be asked for, and why, in words for whoever sets the policy."""

from typing import Any

from bulk_sync_mcp.core.plan import Plan
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.guard import preview
from bulk_sync_mcp.guard.consent import Gate
from bulk_sync_mcp.guard.decide import Decision, tables_touched
from bulk_sync_mcp.guard.policy import Evidence

_LONG = 4_000


def reads_only(operation: str) -> dict[str, Any]:
    """The explanation of a tool that only reads."""
    return {
        "tool": operation,
        "required": Evidence.none.name,
        "why": "it only reads; nothing is ever asked for",
        "effects": [],
        "paths": {},
    }


def explanation(operation: str, plan: Plan[Any], decision: Decision, gate: Gate) -> dict[str, Any]:
    """What each effect of a plan requires and by which rule, and what that means for each kind of caller."""
    deciding = next((one for one in decision.reasons if one.evidence == decision.evidence), None)
    required, why = decision.evidence, "a plan without effects is not understood"
    if deciding is not None:
        why = f"{deciding.effect.rule}: {deciding.why}"
    stopped = _stopped(plan, decision, gate)
    if stopped:
        required, why = Evidence.deny, stopped
    return {
        "tool": operation,
        "title": clean(plan.title, _LONG),
        "required": required.name,
        "why": why,
        "effects": [
            {
                "effect": reason.effect.rule,
                "required": reason.evidence.name,
                "why": reason.why,
                "text": clean(reason.effect.line(), _LONG),
            }
            for reason in decision.reasons
        ],
        "paths": _paths(required, preview.shown(plan).phrase),
    }


def _stopped(plan: Plan[Any], decision: Decision, gate: Gate) -> str:
    """What refuses the call apart from its effects; empty when nothing does."""
    policy = gate.policy
    if policy.access == "read-only":
        return "access is read-only"
    tripped = gate.budget.tripped()
    if tripped:
        return f"the budget is used up ({tripped})"
    if decision.evidence == Evidence.operator and policy.operator_secret_hash is None:
        return "an operator's approval is required, and no operator secret is configured"
    most = policy.budget.tables_per_call
    tables = tables_touched(plan)
    if most is not None and decision.destructive and tables > most:
        return f"[budget] tables_per_call: {tables} tables, {most} are allowed"
    return ""


def _paths(required: Evidence, phrase: str) -> dict[str, str]:
    form = f"the user types the name “{phrase}” in a form" if phrase else "the user ticks a box in a form"
    twice = "the first call returns a preview and a `confirmation`; the same call again with it runs"
    operator = (
        "the call waits for `bulk-sync-mcp approvals approve REF` or the operator's page; the same call again then runs"
    )
    refused = "refused"
    told = "runs at once, and the result begins with the effects" if required == Evidence.notice else "runs at once"
    with_forms, without_forms, command = {
        Evidence.none: (told, told, told),
        Evidence.notice: (told, told, told),
        Evidence.confirm: (form, twice, twice),
        Evidence.human: (
            form,
            "the user decides on the approval page if the client can open it, else refused",
            refused,
        ),
        Evidence.operator: (operator, operator, operator),
        Evidence.deny: (refused, refused, refused),
    }[required]
    return {"client_with_forms": with_forms, "client_without_forms": without_forms, "command_line": command}


def spelled(data: dict[str, Any]) -> str:
    """An explanation as text."""
    lines = [f"{data['tool']}: {data['required']} ({data['why']})"]
    if data.get("title"):
        lines += ["", data["title"]]
    for effect in data["effects"]:
        lines += [f"  {effect['required']:<9} {effect['effect']} ({effect['why']})", f"            {effect['text']}"]
    names = {
        "client_with_forms": "client with forms",
        "client_without_forms": "client without forms",
        "command_line": "bulk-sync-mcp call",
    }
    if data["paths"]:
        lines += ["", *(f"{names[name]:<22}{text}" for name, text in data["paths"].items())]
    return "\n".join(lines)
