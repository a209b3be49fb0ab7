"""The decision: a pure function from a plan and the policy table to the evidence required."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bulk_sync_mcp.core.plan import Effect, Plan
from bulk_sync_mcp.guard.policy import DEFAULTS, Evidence, required


@dataclass(frozen=True, slots=True)
class Decision:
    """What a plan requires, and which effects are the reason."""

    evidence: Evidence
    because: tuple[Effect, ...]


def decide(plan: Plan[Any], allowed: tuple[type[Effect], ...], table: Mapping[str, Evidence] = DEFAULTS) -> Decision:
    """The highest evidence any effect of the plan requires.

    `allowed` are the kinds the operation declares; another kind in its plan is denied, and so is a plan without
    any effect, since an operation that writes and claims to do nothing has not been understood.
    """
    if not plan.effects:
        return Decision(Evidence.deny, ())
    needs = {
        effect: required(effect.rule, table) if isinstance(effect, allowed) else Evidence.deny
        for effect in plan.effects
    }
    evidence = max(needs.values())
    return Decision(evidence, tuple(effect for effect, need in needs.items() if need == evidence))
