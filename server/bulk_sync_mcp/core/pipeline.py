"""The one way a call takes: validate → plan → decide → consent → plan again → redeem → keep what changes → run → audit.

Whatever calls a tool (MCP over stdio or HTTP, the command line, a test) comes through `Pipeline.call`.
"""

import json
import logging
import secrets
import sqlite3
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pydantic import ValidationError

from bulk_sync_mcp.core.context import Caller, Context
from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.operation import AnyOperation, GuardedInput, Input, Result
from bulk_sync_mcp.core.plan import Plan, PreImage
from bulk_sync_mcp.core.text import MAX_MESSAGE, canonical_json, clean
from bulk_sync_mcp.core.validation import explain

logger = logging.getLogger(__name__)


class Level(Protocol):
    """A level of evidence, by name (guard/policy.py)."""

    @property
    def name(self) -> str: ...


class Admission(Protocol):
    """Leave to run one planned call."""

    @property
    def plan(self) -> Plan[Any]: ...
    @property
    def evidence_from(self) -> str: ...
    @property
    def idempotency_key(self) -> str | None: ...
    @property
    def required(self) -> Level: ...


class Admit(Protocol):
    """The guard, as the pipeline sees it (guard/consent.py)."""

    def __call__(
        self, operation: AnyOperation, arguments: Input, canonical: str, context: Context, caller: Caller
    ) -> AbstractAsyncContextManager[Admission]: ...


class Audit(Protocol):
    """Where calls that write are recorded (observe/audit.py). Raises `OSError` when a line cannot be put on disk."""

    def intent(self, call: "Recorded", admission: Admission) -> None: ...
    def outcome(self, call: "Recorded", outcome: str, detail: Mapping[str, Any]) -> None: ...
    def refusal(self, call: "Recorded", code: str) -> None: ...


class Keep(Protocol):
    """Where configurations are kept before they change (revisions/store.py). Raises `OSError` or `sqlite3.Error`."""

    def __call__(self, call: "Recorded", images: Sequence[PreImage]) -> None: ...


class Advise(Protocol):
    """What adds the exact next call to a failure (operations/_advice.py)."""

    async def __call__(
        self, operation: AnyOperation, arguments: Mapping[str, Any], failure: Failure, context: Context
    ) -> Failure: ...


async def no_advice(
    operation: AnyOperation, arguments: Mapping[str, Any], failure: Failure, context: Context
) -> Failure:
    """For pipelines whose failures are told as they are."""
    return failure


def keep_nothing(call: "Recorded", images: Sequence[PreImage]) -> None:
    """For pipelines that have nowhere to keep configurations."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the audit log says of every call that writes. `arguments` holds no secrets and no confirmation."""

    call_id: str
    operation: str
    principal: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Done:
    """A call that succeeded: the result, and the plan it ran under (None for a read)."""

    operation: AnyOperation
    result: Result
    plan: Plan[Any] | None


@dataclass(frozen=True)
class Pipeline:
    """Runs calls of operations against one backend."""

    context: Context
    admit: Admit
    audit: Audit
    keep: Keep = keep_nothing
    advise: Advise = no_advice

    async def call(
        self,
        operation: AnyOperation,
        arguments: Mapping[str, Any],
        caller: Caller,
        context: Context | None = None,
    ) -> Done:
        """Runs one call. Raises `Failure`; anything else is a fault of ours and becomes `internal`.

        What `caller.ask` raises to get another round of the protocol passes through untouched.
        """
        used = context or self.context
        try:
            given = self.validated(operation, arguments)
            if operation.plan is None:
                return Done(operation, await operation.run(used, given, None), None)
            return await self._write(operation, given, used, caller)
        except Failure as failure:
            raise await self.advise(operation, arguments, failure, used) from failure.__cause__

    def validated(self, operation: AnyOperation, arguments: Mapping[str, Any]) -> Input:
        """The arguments as the operation takes them. Raises `Failure` `invalid_arguments`."""
        try:
            # JSON in, JSON strictness: no bending of strings to numbers, but dates may be strings.
            return operation.input.model_validate_json(json.dumps(arguments))
        except ValidationError as error:
            raise explain(operation, error) from None

    async def _write(self, operation: AnyOperation, given: Input, context: Context, caller: Caller) -> Done:
        shown = given.model_dump(mode="json", exclude={"confirmation"}, exclude_unset=True)
        call = Recorded(secrets.token_hex(8), operation.name, caller.principal, shown)
        admitted = False
        try:
            async with self.admit(operation, given, canonical_json(shown), context, caller) as admission:
                admitted = True
                self._intend(call, admission)
                self._keep(call, admission)
                key = admission.idempotency_key or secrets.token_hex(16)
                result = await self._run(operation, given, replace(context, idempotency_key=key), admission.plan, call)
                return Done(operation, result, admission.plan)
        except Failure as failure:
            if not admitted:
                with _told(call, "refusal"):
                    self.audit.refusal(call, failure.code)
            raise
        except (OSError, sqlite3.Error) as error:
            if admitted:
                raise
            raise Failure(
                "internal",
                f"The guard's own files cannot be used ({clean(error, MAX_MESSAGE)}). Nothing was sent.",
                next="Tell the user: a person must make the state directory usable (`bulk-sync-mcp doctor` names it).",
            ) from error

    def _intend(self, call: Recorded, admission: Admission) -> None:
        """The intent on disk. Raises `Failure`: a call that leaves no trace is not sent."""
        try:
            self.audit.intent(call, admission)
        except OSError as error:
            spent = " A confirmation given for it is spent." if admission.idempotency_key else ""
            raise Failure(
                "audit_unavailable",
                f"The audit log cannot be written ({clean(error, MAX_MESSAGE)}). Nothing was sent.{spent}",
                next="Tell the user: a person must make the audit log writable (`bulk-sync-mcp audit verify` says "
                "more); then call again without a confirmation.",
            ) from error

    def _keep(self, call: Recorded, admission: Admission) -> None:
        """The configurations that are about to change, on disk. Raises `Failure`: nothing is changed without that."""
        try:
            self.keep(call, admission.plan.pre_images)
        except (OSError, sqlite3.Error) as error:
            with _told(call, "revision_unavailable"):
                self.audit.outcome(call, "revision_unavailable", {"changed": "none"})
            spent = " A confirmation given for it is spent." if admission.idempotency_key else ""
            raise Failure(
                "revision_unavailable",
                f"The configuration as it is now cannot be kept ({clean(error, MAX_MESSAGE)}). Nothing was sent.{spent}",
                next="Tell the user: a person must make the state directory usable (`bulk-sync-mcp doctor` names it); "
                "then call again without a confirmation.",
            ) from error

    async def _run(
        self, operation: AnyOperation, given: Input, context: Context, plan: Plan[Any], call: Recorded
    ) -> Result:
        try:
            result = await operation.run(context, given, plan.prepared)
        except Failure as failure:
            with _told(call, failure.code):
                self.audit.outcome(call, failure.code, {"changed": failure.changed, **_ids(failure.details)})
            raise
        except BaseException as error:
            with _told(call, "outcome_unknown"):
                self.audit.outcome(call, "outcome_unknown", {"changed": "unknown", "error": type(error).__name__})
            raise
        with _told(call, "done"):
            self.audit.outcome(call, "done", {"changed": "done", **_ids(result.model_dump(mode="json"))})
        return result


@contextmanager
def _told(call: Recorded, what: str) -> Generator[None]:
    """A line that cannot be written after the fact must not hide what happened: it is told in the log instead."""
    try:
        yield
    except OSError as error:
        logger.error(  # noqa: TRY400 - where it was raised says nothing
            "audit line not written: %s of %s, call %s: %s", what, call.operation, call.call_id, error
        )


def _ids(values: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: clean(value)
        for name, value in values.items()
        if isinstance(value, str) and (name == "id" or name.endswith("_id"))
    }


def confirmation_of(arguments: Input) -> str | None:
    """The confirmation a guarded call carries, None when it has none."""
    return arguments.confirmation if isinstance(arguments, GuardedInput) else None
