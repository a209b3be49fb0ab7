"""What an operation is given to work with, and who is calling. Nothing here knows of MCP or HTTP."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol


class Answer(Protocol):
    """A successful answer of the backend."""

    @property
    def data(self) -> Any:
        """The `data` of the envelope."""
        ...

    @property
    def body(self) -> Any:
        """The whole answer, for the one call that puts more beside `data` (api/README.md 1, Envelope)."""
        ...

    @property
    def next_page_token(self) -> str | None:
        """The cursor of the next page, None on the last."""
        ...


class Api(Protocol):
    """The backend's REST API (api/client.py). Every method raises `ApiFailure`."""

    async def get(self, template: str, *, query: Mapping[str, object] | None = None, **path: str) -> Answer: ...

    async def post(
        self,
        template: str,
        *,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        query: Mapping[str, object] | None = None,
        **path: str,
    ) -> Answer: ...

    async def put(
        self,
        template: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, object] | None = None,
        **path: str,
    ) -> Answer: ...

    async def patch(
        self,
        template: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, object] | None = None,
        **path: str,
    ) -> Answer: ...

    async def delete(self, template: str, *, query: Mapping[str, object] | None = None, **path: str) -> Answer: ...


Report = Callable[[float, float | None, str], Awaitable[None]]
"""Progress of a call: done, total (None when unknown), message."""


async def no_report(_done: float, _total: float | None, _message: str) -> None:
    """Progress nobody asked for."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class Replaced(Protocol):
    """Which tables runs started through this server have replaced for want of a key (guard/replaced.py)."""

    def known(self, sync_id: str) -> frozenset[str]:
        """Their ids; those of them that have been seen with a key since are not among them."""
        ...

    def remember(self, sync_id: str, tables: frozenset[str]) -> None:
        """Takes down that a run now replaces them. Never raises: what is not known is asked about."""
        ...

    def forget(self, sync_id: str, tables: frozenset[str]) -> None:
        """Takes down that they have a key. Raises `Failure` when that cannot be done."""
        ...


class NothingReplaced:
    """For contexts that have nowhere to remember: every replacement is the first."""

    def known(self, sync_id: str) -> frozenset[str]:
        return frozenset()

    def remember(self, sync_id: str, tables: frozenset[str]) -> None:
        """Forgotten at once."""

    def forget(self, sync_id: str, tables: frozenset[str]) -> None:
        """There is nothing to forget."""


@dataclass(frozen=True, slots=True)
class Context:
    """What `plan` and `run` of an operation work with. `idempotency_key` is set for `run` of a mutation.

    `sides` are source and destination of syncs as they were last read, by sync id: good for guessing what to read
    beside a sync that is being read again, and for nothing else.
    """

    api: Api
    replaced: Replaced = field(default_factory=NothingReplaced)
    now: Callable[[], datetime] = utc_now
    pause: Callable[[float], Awaitable[None]] | None = None
    report: Report = no_report
    idempotency_key: str | None = None
    sides: dict[str, tuple[str | None, str | None]] = field(default_factory=dict[str, tuple[str | None, str | None]])


FormAction = Literal["accept", "decline", "cancel"]


@dataclass(frozen=True, slots=True)
class FormAnswer:
    """What came back from a form, or from the request to open a page. `approval` is the id it was asked under."""

    action: FormAction
    content: Mapping[str, Any]
    approval: str
    page: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """A form to show: a message and a flat JSON Schema of one field; or, with `url`, a page for the user to open.

    `approval` comes back with the answer.
    """

    message: str
    schema: Mapping[str, Any]
    approval: str
    url: str | None = None


class Caller(Protocol):
    """Who calls, and how they can be asked."""

    @property
    def principal(self) -> str:
        """Stable name of the caller, to which confirmations are bound."""
        ...

    @property
    def can_ask(self) -> bool:
        """Whether the client can show a form to a person now."""
        ...

    @property
    def can_open(self) -> bool:
        """Whether the client can have the user open a page now."""
        ...

    @property
    def answered(self) -> FormAnswer | None:
        """The answer this call carries, when it is the second round of a question asked before."""
        ...

    async def ask(self, question: Question) -> FormAnswer:
        """Shows the form, or has the page opened, and returns the answer. Where protocol needs another round it raises instead."""
        ...
