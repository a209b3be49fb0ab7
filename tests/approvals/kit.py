"""What tests of approvals share: policies, somebody who reads and sends the page, clients that only open pages."""

import html
import io
import re
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import mcp_types as types

from bulk_sync_mcp import cli
from bulk_sync_mcp.approvals.page import ApprovalPages
from bulk_sync_mcp.guard.approval import ApprovalStore, Binding, Channel, Shown, Standing, ticket_of
from bulk_sync_mcp.guard.secret import hashed
from support import Clock, Workshop, build_workshop

SECRET = "four words that rhyme"
LINE = hashed(SECRET)
PATIENCE = 20.0


def policy_file(directory: Path, text: str) -> Path:
    """A policy file."""
    path = directory / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def with_evidence(level: str) -> str:
    """A policy under which deletions, rebuilds and emptying need this evidence, with an operator secret."""
    effects = "\n".join(f'{name} = "{level}"' for name in ("DeletesSync", "DropsOutput", "TruncatesOutput"))
    return f'operator_secret_hash = "{LINE}"\n[effects]\n{effects}\n'


@asynccontextmanager
async def guarded_workshop(directory: Path, policy: str) -> AsyncGenerator[Workshop]:
    """A workshop under a policy, with the approval page; nothing of it may be left open."""
    made = await build_workshop(directory, page=True, policy=policy_file(directory, policy))
    yield made
    await made.application.aclose()


@dataclass
class Visitor:
    """Somebody in front of the page, as a browser that sends what browsers send."""

    url: str
    csrf: str = ""
    page: str = ""

    @property
    def origin(self) -> str:
        return self.url.partition("/approval/")[0]

    async def request(self, method: str, **arguments: Any) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
            return await client.request(method, arguments.pop("url", self.url), **arguments)

    async def read(self) -> httpx.Response:
        """Opens the page, and keeps its CSRF token."""
        answer = await self.request("GET")
        self.page = html.unescape(answer.text)
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', answer.text)
        self.csrf = found.group(1) if found else ""
        return answer

    async def send(
        self, decision: str, headers: dict[str, str] | None = None, leave_out: str = "", **fields: str
    ) -> httpx.Response:
        """Sends the form with its two hidden truths in order, unless told otherwise."""
        if not self.csrf:
            await self.read()
        named = {"Origin": self.origin, **(headers or {})}
        form = {"csrf": self.csrf, "decision": decision, **fields}
        return await self.request(
            "POST",
            data={key: value for key, value in form.items() if key != leave_out},
            headers={key: value for key, value in named.items() if key != leave_out},
        )


@dataclass
class Desk:
    """A store and its page without a server around them."""

    store: ApprovalStore
    pages: ApprovalPages
    clock: Clock
    told: list[str] = field(default_factory=list)

    async def ask(self, channel: Channel = "page", phrase: str = "", **shown: Any) -> Visitor:
        """A new approval; returns somebody in front of its page."""
        approval = self.store.issue(
            Binding("start_bulk_sync_execution", f"{{{phrase}}}", "stdio:ada:0123", "b", channel),
            Shown(**{**EXAMPLE, "phrase": phrase, "secret_hash": LINE, **shown}),
        )
        url = await self.pages.open(approval)
        assert url is not None
        return Visitor(url)

    def standing(self, visitor: Visitor) -> Standing | None:
        return self.store.find(ticket_of(visitor.url.rpartition("/")[2]))


EXAMPLE: dict[str, Any] = {
    "plan_digest": "d",
    "title": "Start bulk sync “Shop” with resync mode rebuild",
    "effects": [
        {
            "effect": "DropsOutput",
            "text": "DROPS and recreates 2 tables in “Warehouse”: “customers”, “orders”; the last run counted "
            "48,211 rows. Their views and grants, and rows and columns that the source does not have, are lost.",
            "identity": {"rule": "DropsOutput:resync"},
        },
        {"effect": "StartsRun", "text": "Starts a run of “Shop”.", "identity": {"rule": "StartsRun"}},
    ],
    "undo": "Dropped tables cannot be brought back from here; the run fills them again from the source.",
}


@asynccontextmanager
async def desk_in(directory: Path) -> AsyncGenerator[Desk]:
    clock = Clock()
    told: list[str] = []
    store = ApprovalStore(directory / "guard" / "approvals.sqlite", clock)
    pages = ApprovalPages(store, "Bulk syncs (local service)", clock, told.append)
    yield Desk(store, pages, clock, told)
    await pages.aclose()


async def port_closes(pages: ApprovalPages, port: int) -> None:
    """Fails unless the port is closed in the end."""
    with anyio.fail_after(PATIENCE):
        await pages.closed()
    assert pages.port is None
    try:
        stream = await anyio.connect_tcp("127.0.0.1", port)
    except OSError:
        return
    await stream.aclose()
    raise AssertionError("the port is still open")


def only_opens_pages(monkeypatch: Any) -> None:
    """Makes the SDK's client, where it answers questions at all, declare URL elicitation without forms."""
    from mcp.client.session import ClientSession

    whole = ClientSession._build_capabilities

    def declared(self: ClientSession, version: str) -> types.ClientCapabilities:
        able = whole(self, version)
        asks = types.ElicitationCapability(url=types.UrlElicitationCapability())
        return able.model_copy(update={"elicitation": asks}) if able.elicitation is not None else able

    monkeypatch.setattr(ClientSession, "_build_capabilities", declared)


@dataclass
class Opener:
    """A user whose client opens pages. `act` is what they do there before the client says the page was opened."""

    act: Callable[[Visitor], Awaitable[Any]] | None = None
    action: Any = "accept"
    opened: list[Visitor] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)

    async def __call__(self, _context: Any, params: Any) -> types.ElicitResult:
        assert isinstance(params, types.ElicitRequestURLParams), "a form was shown to a client that has none"
        self.asked.append(params)
        self.opened.append(Visitor(params.url))
        if self.act is not None:
            await self.act(self.opened[-1])
        return types.ElicitResult(action=self.action)


async def approve(visitor: Visitor) -> None:
    """Types the name where one is wanted, and approves."""
    await visitor.read()
    found = re.search(r'Type the name <bdi class="name">(.*)</bdi>', visitor.page)
    answer = await visitor.send("approve", **({"name": found.group(1)} if found else {}))
    assert answer.status_code == 200, answer.text


async def deny(visitor: Visitor) -> None:
    answer = await visitor.send("deny")
    assert answer.status_code == 200, answer.text


@dataclass(frozen=True)
class Printed:
    """What a command that ran in this process printed, and its status."""

    status: int
    out: str
    err: str


def command(*words: str, given: str = "") -> Printed:
    """Runs a command in this process; `given` is its standard input. From a test with a loop: `in_thread`."""
    out, err, before = io.StringIO(), io.StringIO(), sys.stdin
    sys.stdin = io.StringIO(given)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            status = cli.main(words)
    finally:
        sys.stdin = before
    return Printed(status, out.getvalue(), err.getvalue())


async def in_thread(*words: str, given: str = "") -> Printed:
    """`command`, in a thread, where it has a loop of its own."""
    return await anyio.to_thread.run_sync(partial(command, *words, given=given))
