"""The policy as configured: the table of defaults, tightened by rules.

Configuration can only tighten. The one exception is the unattended switch: it takes effect only when it is on at
the command line as well as written in the file, and only for named effects on syncs named by id.
"""

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bulk_sync_mcp.core.plan import Effect, Plan, Subject
from bulk_sync_mcp.guard.policy import DEFAULTS, Evidence, required

Access = Literal["full", "read-only"]


@dataclass(frozen=True, slots=True)
class Match:
    """Which syncs and connections a rule is about: patterns with `*` and `?` on id or name, case ignored."""

    sync: str | None = None
    destination: str | None = None

    def fits(self, subject: Subject) -> bool:
        """Whether the rule is about this subject; a rule with two patterns wants both."""
        return (self.sync is None or _like(self.sync, subject.sync_id, subject.sync_name)) and (
            self.destination is None or _like(self.destination, subject.connection_id, subject.connection_name)
        )

    def fits_any(self, subjects: tuple[Subject, ...]) -> bool:
        """Whether it is about one of them. What is not known is taken to match: rules only tighten."""
        return not subjects or any(self.fits(subject) for subject in subjects)

    def spelled(self) -> str:
        """`sync prod-*, destination Warehouse`."""
        parts = [f"{name} {value}" for name, value in (("sync", self.sync), ("destination", self.destination)) if value]
        return ", ".join(parts)


def _like(pattern: str, *texts: str) -> bool:
    return any(text and fnmatch.fnmatchcase(text.casefold(), pattern.casefold()) for text in texts)


@dataclass(frozen=True, slots=True)
class Rule:
    """Tightens effects on what it matches: those named, or, when none is, all that need a confirmation anyway."""

    match: Match
    evidence: Evidence
    effects: tuple[str, ...] = ()

    def covers(self, effect: Effect, base: Evidence) -> bool:
        """Whether the rule says something about this effect."""
        return names(self.effects, effect) if self.effects else base >= Evidence.confirm


@dataclass(frozen=True, slots=True)
class Allowance:
    """Effects that may happen unasked on one sync, named by its id, while the unattended switch is on."""

    sync_id: str
    effects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Budget:
    """How much may be destroyed before everything stops; None is no limit."""

    destructive_per_hour: int | None = None
    tables_per_call: int | None = None


@dataclass(frozen=True)
class Policy:
    """The whole policy. `table` is the defaults, replaced only by tests that take rows out."""

    table: Mapping[str, Evidence] = field(default_factory=lambda: DEFAULTS)
    access: Access = "full"
    effects: Mapping[str, Evidence] = field(default_factory=dict[str, Evidence])
    tools: Mapping[str, Evidence] = field(default_factory=dict[str, Evidence])
    rules: tuple[Rule, ...] = ()
    protected: tuple[Match, ...] = ()
    budget: Budget = Budget()
    allowances: tuple[Allowance, ...] = ()
    unattended: bool = False
    operator_secret_hash: str | None = field(default=None, repr=False)

    @property
    def loosened(self) -> tuple[Allowance, ...]:
        """What may happen unasked now: nothing unless the switch is on and the file allows something."""
        return self.allowances if self.unattended else ()


def names(listed: tuple[str, ...], effect: Effect) -> bool:
    """Whether a list names the effect: by kind, or by kind and rule."""
    return effect.kind in listed or effect.rule in listed


@dataclass(frozen=True, slots=True)
class Reason:
    """What one effect requires, and why."""

    effect: Effect
    evidence: Evidence
    why: str
    loosened: bool = False


def weigh(effect: Effect, operation: str, plan: Plan[Any], policy: Policy) -> Reason:
    """What the policy requires for one effect of a plan: the default, tightened by whatever applies, and why."""
    base = required(effect.rule, policy.table)
    reasons = [(base, "default" if effect.rule in policy.table else "not in the policy table")]
    reasons += [(evidence, f"[effects] {name}") for name, evidence in policy.effects.items() if names((name,), effect)]
    if operation in policy.tools:
        reasons.append((policy.tools[operation], f"[tools] {operation}"))
    reasons += [
        (rule.evidence, f"[[rules]] {rule.match.spelled()}")
        for rule in policy.rules
        if rule.match.fits_any(plan.subjects) and (rule.covers(effect, base) or _escapes(effect, rule.match, plan))
    ]
    reasons += [
        (Evidence.deny, f"[[protected]] {match.spelled()}")
        for match in policy.protected
        if match.fits_any(plan.subjects) and (base >= Evidence.confirm or _escapes(effect, match, plan))
    ]
    evidence, why = max(reasons, key=lambda one: one[0])
    if evidence == base == Evidence.confirm and _allowed(effect, plan, policy):
        return Reason(effect, Evidence.notice, "[[unattended]]", loosened=True)
    return Reason(effect, evidence, why)


def _escapes(effect: Effect, match: Match, plan: Plan[Any]) -> bool:
    """Whether this effect takes the sync out of a rule: a rename, or another destination, the rule does not fit."""
    setting = getattr(effect, "setting", "")
    return setting in ("name", "destination_connection_id") and not all(match.fits(one) for one in plan.subjects)


def _allowed(effect: Effect, plan: Plan[Any], policy: Policy) -> bool:
    if not plan.subjects:
        return False
    return all(
        any(one.sync_id == subject.sync_id and names(one.effects, effect) for one in policy.loosened)
        for subject in plan.subjects
    )
