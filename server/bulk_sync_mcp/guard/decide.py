"""The decision: a pure function from a plan and the policy to the evidence required."""

from dataclasses import dataclass
from typing import Any

from bulk_sync_mcp.core.plan import Effect, Plan
from bulk_sync_mcp.guard.policy import DEFAULTS, Evidence, required
from bulk_sync_mcp.guard.rules import Policy, Reason, weigh


@dataclass(frozen=True, slots=True)
class Decision:
    """What a plan requires, and why: the reasons of every effect, strictest first.

    `destructive` tells whether the plan counts against the budget: some effect needs a confirmation by default.
    """

    evidence: Evidence
    reasons: tuple[Reason, ...]

    @property
    def because(self) -> tuple[Effect, ...]:
        """The effects that decided."""
        return tuple(reason.effect for reason in self.reasons if reason.evidence == self.evidence)

    @property
    def destructive(self) -> bool:
        """Whether something is lost, redirected or exposed by default standards."""
        return any(required(reason.effect.rule, DEFAULTS) >= Evidence.confirm for reason in self.reasons)

    @property
    def loosened(self) -> bool:
        """Whether the unattended switch let something through."""
        return any(reason.loosened for reason in self.reasons)


def tables_touched(plan: Plan[Any]) -> int:
    """How many tables of the destination a call writes over, whatever it does to each."""
    return len({output for effect in plan.effects for output in getattr(effect, "outputs", ())})


def decide(
    plan: Plan[Any], allowed: tuple[type[Effect], ...], policy: Policy | None = None, operation: str = ""
) -> Decision:
    """The highest evidence any effect of the plan requires.

    `allowed` are the kinds the operation declares; another kind in its plan is denied, and so is a plan without
    any effect, since an operation that writes and claims to do nothing has not been understood.
    """
    used = policy or Policy()
    reasons = [
        weigh(effect, operation, plan, used)
        if isinstance(effect, allowed)
        else Reason(effect, Evidence.deny, "not among the effects this operation declares")
        for effect in plan.effects
    ]
    ordered = tuple(sorted(reasons, key=lambda reason: -reason.evidence))
    return Decision(ordered[0].evidence if ordered else Evidence.deny, ordered)
