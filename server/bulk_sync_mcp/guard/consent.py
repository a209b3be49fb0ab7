"""The gate every call that writes goes through: plan, decide, ask, plan again, compare, redeem.

Threats: a model that confirms for the user, a confirmation reused or used for something else, a plan that has
changed between question and run, and two calls at once. While a form can be shown, a confirmation given by the
model counts for nothing; a model-supplied boolean never does.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bulk_sync_mcp.core.context import Caller, FormAnswer, Question
from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.plan import Effect, Plan, difference
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.guard.approval import ApprovalStore, Binding, Channel, Shown
from bulk_sync_mcp.guard.decide import decide
from bulk_sync_mcp.guard.locks import Locks
from bulk_sync_mcp.guard.policy import DEFAULTS, Evidence


@dataclass(frozen=True, slots=True)
class Request:
    """A call that wants to write. `arguments` is canonical JSON without the confirmation."""

    operation: str
    arguments: str
    confirmation: str | None
    lock: str | None
    plans: tuple[type[Effect], ...]
    make_plan: Callable[[], Awaitable[Plan[Any]]]
    caller: Caller


@dataclass(frozen=True, slots=True)
class Admission:
    """A call that may run now. `evidence_from` tells who gave the evidence, for the audit log."""

    plan: Plan[Any]
    required: Evidence
    evidence_from: str
    idempotency_key: str | None


@dataclass(frozen=True)
class Gate:
    """Admits calls. One for each backend and credential, which `backend` names."""

    store: ApprovalStore
    locks: Locks
    backend: str
    table: Mapping[str, Evidence] = field(default_factory=lambda: DEFAULTS)

    @asynccontextmanager
    async def admit(self, request: Request) -> AsyncGenerator[Admission]:
        """Yields the admission while the sync's lock is held; the call runs inside.

        Raises `Failure` when the call is denied, needs a confirmation, was declined, or the plan has changed;
        nothing has run then. What the caller's `ask` raises to get another round passes through.
        """
        answered = request.caller.answered
        if answered is not None:
            approval = self._accepted(request, answered)
            async with self._confirmed(request, approval, "form") as admission:
                yield admission
            return
        if request.confirmation is not None and not request.caller.can_ask:
            async with self._confirmed(request, request.confirmation, "two_step") as admission:
                yield admission
            return
        async with self.locks.hold(request.lock):
            plan = await request.make_plan()
            needed = self._needed(plan, request)
            if needed <= Evidence.notice:
                yield Admission(plan, needed, "policy", None)
                return
        approval = await self._asked(request, plan, needed)
        async with self._confirmed(request, approval, "form") as admission:
            yield admission

    def _needed(self, plan: Plan[Any], request: Request) -> Evidence:
        decision = decide(plan, request.plans, self.table)
        if decision.evidence == Evidence.deny:
            reasons = "; ".join(effect.line() for effect in decision.because) or "its effects are not known"
            raise Failure("denied", f"Policy refuses this call: {reasons} Nothing has run.")
        if decision.evidence == Evidence.operator:
            raise Failure("denied", "This call needs an operator's approval, and no operator secret is configured.")
        return decision.evidence

    def _binding(self, request: Request, channel: Channel) -> Binding:
        return Binding(
            operation=request.operation,
            arguments=request.arguments,
            principal=request.caller.principal,
            backend=self.backend,
            channel=channel,
        )

    async def _asked(self, request: Request, plan: Plan[Any], needed: Evidence) -> str:
        """The approval id of a form a person has accepted. Raises `Failure` in every other case."""
        shown = Shown(plan.digest(), plan.title, plan.shown(), _typed_name(plan))
        if not request.caller.can_ask:
            if needed > Evidence.confirm:
                raise Failure(
                    "denied",
                    "This call needs a person's answer in a form, which this client cannot show. Nothing has run.",
                    details=preview(plan),
                )
            approval = self.store.issue(self._binding(request, "two_step"), shown)
            raise Failure(
                "confirmation_required",
                "Nothing has run. " + preview_text(plan),
                next=(
                    "Show this preview to the user and wait for their answer. Only if they agree, call "
                    f'`{request.operation}` again with the same arguments and `confirmation`: "{approval}" '
                    "(works once, for ten minutes)."
                ),
                details={**preview(plan), "confirmation": approval},
            )
        approval = self.store.issue(self._binding(request, "form"), shown)
        question = Question(preview_text(plan) + "\n\n" + _instruction(plan), _form(plan), approval)
        return self._accepted(request, await request.caller.ask(question))

    def _accepted(self, request: Request, answer: FormAnswer) -> str:
        """The approval id if the answer is a yes to what was asked. Raises `Failure` for any other answer."""
        if answer.action != "accept":
            raise Failure(
                "confirmation_declined",
                "The user declined." if answer.action == "decline" else "The user closed the question unanswered.",
                next="Nothing has run. Do not try again unless the user asks for it.",
            )
        shown = self.store.look_up(answer.approval, self._binding(request, "form"))
        name = answer.content.get("name")
        if shown.phrase:
            agreed = isinstance(name, str) and clean(name) == shown.phrase
        else:
            agreed = answer.content.get("confirm") is True
        if not agreed:
            raise Failure(
                "confirmation_declined",
                "The form came back without the name typed as shown." if shown.phrase else "The box was not ticked.",
                next="Nothing has run. Ask the user whether they still want this, then call again for a new question.",
            )
        return answer.approval

    @asynccontextmanager
    async def _confirmed(self, request: Request, approval: str, channel: Channel) -> AsyncGenerator[Admission]:
        binding = self._binding(request, channel)
        shown = self.store.look_up(approval, binding)
        async with self.locks.hold(request.lock):
            plan = await request.make_plan()
            if plan.digest() != shown.plan_digest:
                changes = " ".join(difference(shown.effects, plan)) or "its effects differ."
                raise Failure(
                    "plan_changed",
                    f"What this call would do has changed since it was shown: {changes} Nothing has run.",
                )
            needed = self._needed(plan, request)
            if needed > Evidence.confirm and channel == "two_step":
                raise Failure("denied", "This call now needs a person's answer in a form. Nothing has run.")
            self.store.redeem(approval, binding)
            yield Admission(plan, needed, channel, self.store.idempotency_key(approval))


def preview(plan: Plan[Any]) -> dict[str, Any]:
    """The plan as structured content."""
    return {"title": plan.title, "effects": plan.shown()}


def preview_text(plan: Plan[Any]) -> str:
    """The plan in words: title, effects worst first, what can be undone."""
    lines = [plan.title, *(f"- {line}" for line in plan.lines())]
    return "\n".join([*lines, plan.undo] if plan.undo else lines)


def _typed_name(plan: Plan[Any]) -> str:
    return clean(plan.phrase) if any(effect.names_required for effect in plan.effects) else ""


def _instruction(plan: Plan[Any]) -> str:
    name = _typed_name(plan)
    return f"To confirm, type the name: {name}" if name else "Tick the box to confirm."


def _form(plan: Plan[Any]) -> dict[str, Any]:
    if _typed_name(plan):
        field_schema: dict[str, Any] = {
            "type": "string",
            "title": "Name",
            "description": "The name as shown above.",
        }
        return {"type": "object", "properties": {"name": field_schema}, "required": ["name"]}
    field_schema = {"type": "boolean", "title": "Yes, do this"}
    return {"type": "object", "properties": {"confirm": field_schema}, "required": ["confirm"]}
