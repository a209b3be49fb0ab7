"""The gate every call that writes goes through: plan, decide, ask, plan again, compare, redeem.

Threats: a model that confirms for the user, a confirmation reused or used for something else, a plan that has
changed between question and run, and two calls at once. While a form can be shown, a confirmation given by the
model counts for nothing; a model-supplied boolean never does.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import anyio

from bulk_sync_mcp.core.context import Caller, FormAnswer, Question
from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.plan import Effect, Plan, difference
from bulk_sync_mcp.guard import preview
from bulk_sync_mcp.guard.approval import ApprovalStore, Binding, Channel, Shown, Standing, ticket_of
from bulk_sync_mcp.guard.budget import BudgetLedger
from bulk_sync_mcp.guard.decide import Decision, decide, tables_touched
from bulk_sync_mcp.guard.locks import Locks
from bulk_sync_mcp.guard.policy import Evidence
from bulk_sync_mcp.guard.rules import Policy

PAGE_WAIT = 45.0
"""Seconds a call waits for a decision on the approval page before it tells the model to call again."""
_POLL = 0.25


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


class Pages(Protocol):
    """The approval page (approvals/page.py): opened for an approval, closed with it."""

    async def open(self, approval: str) -> str | None:
        """The address of the page of one approval; None when no page can be opened on this machine."""
        ...

    def reopen(self, ticket: str) -> tuple[str, str] | None:
        """Id and address of an approval whose page is still open in this process."""
        ...


@dataclass(frozen=True)
class Gate:
    """Admits calls. One for each backend and credential, which `backend` names. `pages` None: there is no page."""

    store: ApprovalStore
    locks: Locks
    budget: BudgetLedger
    backend: str
    policy: Policy = field(default_factory=Policy)
    pages: Pages | None = None

    @asynccontextmanager
    async def admit(self, request: Request) -> AsyncGenerator[Admission]:
        """Yields the admission while the sync's lock is held; the call runs inside.

        Raises `Failure` when the call is denied, needs a confirmation, was declined, or the plan has changed;
        nothing has run then. What the caller's `ask` raises to get another round passes through.
        """
        if self.policy.access == "read-only":
            raise Failure("denied", "This server is set to read-only access. Nothing has run.")
        self.budget.check()
        answered = request.caller.answered
        if answered is not None:
            ticket, channel = await self._answered(request, answered)
        elif request.confirmation is not None and not request.caller.can_ask:
            ticket, channel = ticket_of(request.confirmation), "two_step"
        else:
            async with self.locks.hold(request.lock):
                plan = await request.make_plan()
                decision = self._decided(plan, request)
                if decision.evidence <= Evidence.notice:
                    if decision.loosened:
                        self._charge(request)
                    yield Admission(plan, decision.evidence, "unattended" if decision.loosened else "policy", None)
                    return
            ticket, channel = await self._asked(request, plan, decision.evidence)
        async with self._confirmed(request, ticket, channel) as admission:
            yield admission

    def _decided(self, plan: Plan[Any], request: Request) -> Decision:
        """What the plan requires. Raises `Failure` for a plan that no evidence can let through."""
        decision = decide(plan, request.plans, self.policy, request.operation)
        if decision.evidence == Evidence.deny:
            reasons = "; ".join(effect.line() for effect in decision.because) or "its effects are not known."
            why = decision.reasons[0].why if decision.reasons else "a plan without effects"
            raise Failure("denied", f"Policy refuses this call ({why}): {reasons} Nothing has run.")
        if decision.evidence == Evidence.operator and self.policy.operator_secret_hash is None:
            raise Failure("denied", "This call needs an operator's approval, and no operator secret is configured.")
        most = self.policy.budget.tables_per_call
        tables = tables_touched(plan)
        if most is not None and decision.destructive and tables > most:
            reason = f"one call would have touched {tables} tables, {most} are allowed"
            self.budget.trip(reason, self.policy.operator_secret_hash)
            self.budget.check()
        return decision

    def _charge(self, request: Request) -> None:
        """Counts a call that loses, redirects or exposes something. Raises `Failure` when it is one too many."""
        policy = self.policy
        self.budget.charge(request.operation, policy.budget.destructive_per_hour, policy.operator_secret_hash)

    def _binding(self, request: Request, channel: Channel) -> Binding:
        return Binding(
            operation=request.operation,
            arguments=request.arguments,
            principal=request.caller.principal,
            backend=self.backend,
            channel=channel,
        )

    async def _asked(self, request: Request, plan: Plan[Any], needed: Evidence) -> tuple[str, Channel]:
        """Ticket and channel of an approval somebody has given. Raises `Failure` in every other case."""
        shown = preview.shown(plan)
        if needed == Evidence.operator:
            return await self._elsewhere(request, shown, "operator")
        if request.caller.can_ask:
            approval = self.store.issue(self._binding(request, "form"), shown)
            asked = Question(preview.question(shown), preview.form(shown), approval)
            return await self._answered(request, await request.caller.ask(asked))
        if needed == Evidence.human and request.caller.can_open and self.pages is not None:
            return await self._elsewhere(request, shown, "page")
        if needed == Evidence.human:
            raise Failure(
                "denied",
                "This call needs a person's answer in a form or on the approval page, and this client can show "
                "neither. Nothing has run.",
                details=preview.data(shown),
            )
        approval = self.store.issue(self._binding(request, "two_step"), shown)
        raise Failure(
            "confirmation_required",
            "Nothing has run. " + preview.text(shown),
            next=(
                "Show this preview to the user and wait for their answer. Only if they agree, call "
                f'`{request.operation}` again with the same arguments and `confirmation`: "{approval}" '
                "(works once, for ten minutes)."
            ),
            details={**preview.data(shown), "confirmation": approval},
        )

    async def _elsewhere(self, request: Request, shown: Shown, channel: Channel) -> tuple[str, Channel]:
        """An approval that is given outside this conversation: on the page, or by an operator."""
        shown = replace(shown, secret_hash=self.policy.operator_secret_hash or "")
        binding = self._binding(request, channel)
        standing = self.store.standing(binding)
        if standing is not None and standing.decision is not None:
            return self._given(standing), channel
        # A page that went with an earlier process, or shows another plan, can no longer be answered.
        page = self.pages.reopen(standing.ticket) if standing is not None and self.pages is not None else None
        stale = standing is not None and standing.shown.plan_digest != shown.plan_digest
        if standing is not None and (stale or (channel == "page" and page is None)):
            self.store.void(standing.ticket)
            standing = None
        if standing is None:
            approval = self.store.issue(binding, shown)
            url = await self.pages.open(approval) if self.pages is not None else None
            page = (approval, url) if url is not None else None
            standing = self.store.standing(binding)
        if channel == "page" and page is None:
            raise Failure("denied", "This call needs a person's answer on a page that cannot be opened here.")
        if channel == "page" and page is not None:
            asked = Question(preview.text(shown), {}, *page)
            return await self._answered(request, await request.caller.ask(asked))
        reference = standing.reference if standing else ""
        raise Failure(
            "approval_required",
            f"Nothing has run: this call waits for the approval of an operator. {preview.text(shown)}",
            next=(
                f"Tell the user that approval {reference} is waiting (`bulk-sync-mcp approvals approve {reference}`). "
                f"Once it is approved, call `{request.operation}` again with the same arguments."
            ),
            details={**preview.data(shown), "approval": reference},
        )

    def _given(self, standing: Standing) -> str:
        """The ticket of an approved approval. A denied one ends here."""
        if standing.decision == "denied":
            self.store.void(standing.ticket)
            raise Failure("approval_denied", "This call was looked at and denied. Nothing has run.")
        return standing.ticket

    async def _answered(self, request: Request, answer: FormAnswer) -> tuple[str, Channel]:
        """Ticket and channel if the answer is a yes to what was asked. Raises `Failure` for any other answer."""
        channel: Channel = "page" if answer.page else "form"
        if answer.action != "accept":
            self.store.void(ticket_of(answer.approval))
            raise Failure(
                "confirmation_declined",
                "The user declined." if answer.action == "decline" else "The user closed the question unanswered.",
                next="Nothing has run. Do not try again unless the user asks for it.",
            )
        ticket = ticket_of(answer.approval)
        shown = self.store.look_up(ticket, self._binding(request, channel))
        if answer.page:
            return await self._decided_on_page(request, shown), channel
        name = answer.content.get("name")
        if shown.phrase:
            # As typed: a name that only looks the same once it is cleaned is another name.
            agreed = isinstance(name, str) and name.strip() == shown.phrase
        else:
            agreed = answer.content.get("confirm") is True
        if not agreed:
            raise Failure(
                "confirmation_declined",
                "The form came back without the name typed as shown." if shown.phrase else "The box was not ticked.",
                next="Nothing has run. Ask the user whether they still want this, then call again for a new question.",
            )
        return ticket, channel

    async def _decided_on_page(self, request: Request, shown: Shown) -> str:
        """Waits for the decision on the page, for at most `PAGE_WAIT` seconds."""
        binding = self._binding(request, "page")
        with anyio.move_on_after(PAGE_WAIT):
            while (standing := self.store.standing(binding)) is not None:
                if standing.decision is not None:
                    return self._given(standing)
                await anyio.sleep(_POLL)
        raise Failure(
            "approval_required",
            f"Nothing has run: the approval page has not been answered yet. {preview.text(shown)}",
            next=(
                f"Tell the user that the page is waiting. Once they have approved there, call `{request.operation}` again "
                "with the same arguments; that also has the page opened again."
            ),
        )

    @asynccontextmanager
    async def _confirmed(self, request: Request, ticket: str, channel: Channel) -> AsyncGenerator[Admission]:
        binding = self._binding(request, channel)
        shown = self.store.look_up(ticket, binding)
        async with self.locks.hold(request.lock):
            plan = await request.make_plan()
            if plan.digest() != shown.plan_digest:
                changes = " ".join(difference(shown.effects, plan)) or "its effects differ."
                self.store.void(ticket)
                raise Failure(
                    "plan_changed",
                    f"What this call would do has changed since it was shown: {changes} Nothing has run.",
                )
            decision = self._decided(plan, request)
            if decision.evidence > _WORTH[channel]:
                raise Failure("denied", "This call needs stronger evidence by now. Nothing has run.")
            if decision.destructive:
                self._charge(request)
            self.store.redeem(ticket, binding)
            by = self.store.decided_by(ticket)
            source = f"{channel}:{by}" if by else channel
            yield Admission(plan, decision.evidence, source, self.store.idempotency_key(ticket))


_WORTH = {
    "two_step": Evidence.confirm,
    "form": Evidence.human,
    "page": Evidence.human,
    "operator": Evidence.operator,
}
"""The most that an approval through each channel is worth."""
