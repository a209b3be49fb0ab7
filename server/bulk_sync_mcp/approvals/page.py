"""The approval page's server: a port on loopback that is open only while an approval is.

It runs in the event loop of the MCP server that asks. What it needs is imported when the first page is opened.
"""

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable, Generator
from datetime import datetime

from bulk_sync_mcp.guard.approval import ApprovalStore, ticket_of

logger = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between looks for decisions made elsewhere, withdrawals and expiry."""


def to_standard_error(line: str) -> None:
    """Where the link for an operator goes: never into a tool result."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


class ApprovalPages:
    """Opens pages for approvals, and closes the port once none of them waits for a decision any more."""

    def __init__(
        self,
        store: ApprovalStore,
        brand: str,
        now: Callable[[], datetime],
        tell_operator: Callable[[str], None] = to_standard_error,
    ) -> None:
        """Opens nothing yet. `brand` heads each page and says where calls go."""
        self._store = store
        self._brand = brand
        self._now = now
        self._tell_operator = tell_operator
        self._serving: _Serving | None = None

    @property
    def port(self) -> int | None:
        """The port in use, None while no page is open."""
        return self._serving.port if self._serving is not None and not self._serving.ending else None

    async def open(self, approval: str) -> str | None:
        """The address of the page of one approval, answered when this returns; None where none can be opened.

        The link of one that needs the operator secret is told to the operator here.
        """
        if self._serving is None or self._serving.ending:
            try:
                self._serving = _Serving(self._store, self._brand, self._now)
            except OSError as error:
                logger.warning("no approval page can be opened: %s", error.strerror or error)
                return None
        url = self._serving.add(approval)
        standing = self._store.find(ticket_of(approval))
        if standing is not None and standing.channel == "operator":
            reference = standing.reference
            self._tell_operator(
                f"bulk-sync-mcp: approval {reference} waits for an operator: {url} "
                f"or `bulk-sync-mcp approvals approve {reference}`"
            )
        return url

    def reopen(self, ticket: str) -> tuple[str, str] | None:
        """Id and address of an approval whose page is open here."""
        return self._serving.address(ticket) if self._serving is not None and not self._serving.ending else None

    async def closed(self) -> None:
        """Returns once the port is closed, which it is after the last decision."""
        if self._serving is not None:
            await asyncio.shield(self._serving.task)

    async def aclose(self) -> None:
        """Closes the port, whatever is still waiting."""
        if self._serving is not None:
            self._serving.stop()
            await self.closed()
            self._serving = None


class _Serving:
    """One port, from the first approval that is opened to the last that ends."""

    def __init__(self, store: ApprovalStore, brand: str, now: Callable[[], datetime]) -> None:
        """Listens when this returns. Raises `OSError`."""
        from bulk_sync_mcp.approvals.web import Site

        self._store = store
        self._approvals: dict[str, str] = {}
        self._changed = asyncio.Event()
        self._stopped = False
        self.ending = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._site = Site(store, brand, now, self._changed.set, f"http://127.0.0.1:{self.port}")
        self.task = asyncio.create_task(self._serve(), name="approval page")

    def add(self, approval: str) -> str:
        """The address of an approval's page."""
        ticket = ticket_of(approval)
        self._approvals[ticket] = approval
        self._site.known.add(ticket)
        return f"{self._site.origin}/approval/{approval}"

    def address(self, ticket: str) -> tuple[str, str] | None:
        approval = self._approvals.get(ticket)
        return (approval, f"{self._site.origin}/approval/{approval}") if approval is not None else None

    def stop(self) -> None:
        self._stopped = True
        self._changed.set()

    def _waiting(self) -> bool:
        """Whether some approval still waits for a decision; those that do not are forgotten."""
        for ticket in list(self._approvals):
            standing = self._store.find(ticket)
            if standing is None or standing.decision is not None:
                del self._approvals[ticket]
        return bool(self._approvals)

    async def _serve(self) -> None:
        import uvicorn

        from bulk_sync_mcp.approvals.web import application

        class Server(uvicorn.Server):
            """Leaves signals to the process it runs in."""

            @contextlib.contextmanager
            def capture_signals(self) -> Generator[None]:
                yield

            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                await super().shutdown(sockets)
                # uvicorn says goodbye once, so a connection taken in after that (browsers open spare ones) is left over.
                for connection in list(self.server_state.connections):
                    connection.transport.abort()
                while self.server_state.connections:  # noqa: ASYNC110 - uvicorn tells nobody when one is gone
                    await asyncio.sleep(0)

        config = uvicorn.Config(
            application(self._site),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=32,
            timeout_graceful_shutdown=2,
        )
        server = Server(config)
        serving = asyncio.create_task(server.serve(sockets=[self._listener]), name="approval page server")
        try:
            while not self._stopped and self._waiting() and not serving.done():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK):
                        await self._changed.wait()
                # Before looking again, so that a decision made meanwhile is not missed.
                self._changed.clear()
        finally:
            self.ending = True
            server.should_exit = True
            await serving
