"""An MCP client of the official SDK over stdio, with a server process of its own: what an assistant has."""

import os
import sys
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp.client import Client
from mcp.client.session import ClientRequestContext
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError

from bulk_sync_mcp.demo.bars import Bars
from bulk_sync_mcp.demo.proof import Mismatch
from bulk_sync_mcp.demo.screen import Screen

_SECRETS = ("POLYTOMIC_", "BULK_SYNC_")
_LESS = ("id", "ended", "trigger", "output_disposition", "started", "next")
"""Lines of an execution that are not printed."""
_ANSWER_LINES = 9
_CALL_SECONDS = 120.0
_WAIT_SECONDS = 3
"""How long one wait call waits. Short, so that progress comes often; an assistant would take the default."""

Act = Callable[[str], tuple[str, types.ElicitResult]]
"""What the user does with a form: given its message, the words for it and the answer that is sent."""


@dataclass(frozen=True)
class Reply:
    """The answer of a tool."""

    text: str
    data: dict[str, Any]
    failed: bool

    def done(self) -> "Reply":
        """This reply when the call succeeded. Raises `Mismatch`."""
        if self.failed:
            raise Mismatch("the answer of the call", "success", self.text)
        return self

    def refused(self, code: str) -> "Reply":
        """This reply when the call was refused with this code. Raises `Mismatch`."""
        if not self.failed or not self.text.startswith(f"{code}: "):
            raise Mismatch("the answer of the call", f"refused with {code}", self.text)
        return self


def types_name(phrase: str) -> Act:
    """The user types what the form asks for, here known to be `phrase`."""

    def act(message: str) -> tuple[str, types.ElicitResult]:
        asked = message.rsplit("type the name: ", 1)
        if len(asked) != 2 or asked[1].strip() != phrase:
            raise Mismatch("the form", f"it asks for the name {phrase} to be typed", message)
        return f"types: {phrase}", types.ElicitResult(action="accept", content={"name": asked[1].strip()})

    return act


def declines(_message: str) -> tuple[str, types.ElicitResult]:
    """The user says no."""
    return "declines", types.ElicitResult(action="decline")


class Assistant:
    """A client that calls tools and prints what it sends and gets. `who` is one letter."""

    def __init__(self, who: str, screen: Screen) -> None:
        self._who = who
        self._screen = screen
        self._client: Client | None = None
        self._act: Act | None = None
        self._fault: Mismatch | None = None
        self.forms = 0

    async def call(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        act: Act | None = None,
        lines: int = _ANSWER_LINES,
        less: Collection[str] = (),
    ) -> Reply:
        """One tool call. `act` is what the user does if a form is shown; an unforeseen form is a `Mismatch`.

        `lines` and `less` shorten what is printed of the answer.
        """
        self._screen.call(self._who, tool, arguments)
        reply = await self._sent(tool, arguments, act)
        self._screen.answer(reply.text, lines, less)
        return reply

    async def look(self, tool: str, arguments: Mapping[str, Any]) -> Reply:
        """One tool call that is not printed, to wait for something."""
        return (await self._sent(tool, arguments, None)).done()

    async def wait(self, sync_id: str, execution_id: str, bars: Bars) -> Reply:
        """Waits for a run, calling again as the answer says, and returns the last answer."""
        arguments = {"sync_id": sync_id, "execution_id": execution_id, "timeout_seconds": _WAIT_SECONDS}
        self._screen.call(self._who, "wait_for_bulk_sync_execution", arguments)

        async def progress(_done: float, _total: float | None, message: str | None) -> None:
            bars.told(message or "")

        calls = 1
        while True:
            reply = (await self._sent("wait_for_bulk_sync_execution", arguments, None, progress)).done()
            if reply.data["ended"]:
                break
            calls += 1
        tables = reply.data.get("tables", [])
        bars.done({one.get("output", one["schema_id"]): (one["status"], one.get("records", 0)) for one in tables})
        again = f"(called {calls} times, as each answer said)\n" if calls > 1 else ""
        self._screen.answer(again + reply.text, 16, _LESS)
        return reply

    async def _sent(self, tool: str, arguments: Mapping[str, Any], act: Act | None, progress: Any = None) -> Reply:
        if self._client is None:
            raise RuntimeError("the session is not open")
        self._act = act
        try:
            result = await self._client.call_tool(
                tool, dict(arguments), read_timeout_seconds=_CALL_SECONDS, progress_callback=progress
            )
        except MCPError as error:
            raise Mismatch("the answer of the call", "a result", f"protocol error {error}") from error
        if self._fault is not None:
            raise self._fault
        text = "\n".join(part.text for part in result.content if isinstance(part, types.TextContent))
        return Reply(text, result.structured_content or {}, bool(result.is_error))

    async def _elicited(
        self, context: ClientRequestContext, params: types.ElicitRequestParams
    ) -> types.ElicitResult | types.ErrorData:
        self.forms += 1
        try:
            if self._act is None:
                raise Mismatch("forms", "none at this point", params.message)
            words, result = self._act(params.message)
        except Mismatch as mismatch:
            # Raised here it would be lost inside the SDK.
            self._fault = mismatch
            return types.ElicitResult(action="cancel")
        self._screen.form(params.message, words)
        return result

    @asynccontextmanager
    async def session(self, config: Path, log: Path, *, forms: bool) -> AsyncGenerator["Assistant"]:
        """Opens the session: starts the server with this configuration file, and ends it when left.

        Nothing of the environment that could point the server at Polytomic reaches it, and the configuration
        file stands in for the user's own.
        """
        environment = {key: value for key, value in os.environ.items() if not key.startswith(_SECRETS)}
        parameters = StdioServerParameters(
            command=sys.executable, args=["-P", "-m", "bulk_sync_mcp", "--config", str(config)], env=environment
        )
        with log.open("a", encoding="utf-8") as errors:
            transport = stdio_client(parameters, errlog=errors)
            callback = self._elicited if forms else None
            async with Client(transport, elicitation_callback=callback) as client:
                self._client = client
                try:
                    yield self
                finally:
                    self._client = None
