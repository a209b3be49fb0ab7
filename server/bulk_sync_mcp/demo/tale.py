"""What the steps of the story share: who calls, what has been found out so far, and starting a run to its end."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bulk_sync_mcp.demo.proof import Pair, Snapshot, expect
from bulk_sync_mcp.demo.screen import Screen
from bulk_sync_mcp.demo.session import Act, Assistant, Reply
from bulk_sync_mcp.demo.stage import Stage

_LESS = ("ended", "kind", "trigger", "output_disposition", "started", "tables", "tables_done", "schema_id | output")
START = "start_bulk_sync_execution"


@dataclass
class Tale:
    """The state of the story. `asking` is a client that shows forms, `plain` one that cannot."""

    screen: Screen
    stage: Stage
    pair: Pair
    asking: Assistant
    plain: Assistant
    source_id: str = ""
    destination_id: str = ""
    sync_id: str = ""
    sync_name: str = ""
    keyless: list[str] = field(default_factory=list[str])
    changed_table: str = ""
    stray_column: str = ""
    confirmation: str = ""
    bystanders: dict[str, object] = field(default_factory=dict[str, object])
    proven: list[str] = field(default_factory=list[str])
    known: Snapshot | None = None
    """What the destination held when last looked at."""
    times: dict[str, float] = field(default_factory=dict[str, float])
    """Seconds that runs took, from the start call to the answer that they ended."""
    began: float = field(default_factory=time.monotonic)

    def prove(self, text: str, summary: str = "") -> None:
        """Shows a proof; `summary` is what the end says of it."""
        self.screen.proof(text)
        if summary:
            self.proven.append(summary)

    def before(self) -> Snapshot:
        """What the destination holds. Raises `Mismatch` when that is not what it held when last looked at."""
        if self.known is not None:
            self.pair.unchanged(self.known)
            return self.known
        return self.settled()

    def settled(self) -> Snapshot:
        """Looks at the destination after something was meant to change it."""
        self.known = self.pair.snapshot()
        return self.known

    async def run(
        self,
        who: Assistant,
        arguments: Mapping[str, Any],
        totals: Mapping[str, int],
        *,
        act: Act | None = None,
        label: str = "",
    ) -> Reply:
        """Starts a run and waits for its end; `label` names its time. Raises `Mismatch` unless it completes."""
        began = time.monotonic()
        started = (await who.call(START, {"sync_id": self.sync_id, **arguments}, act=act, lines=8, less=_LESS)).done()
        reply = await who.wait(self.sync_id, started.data["id"], self.screen.bars(totals))
        if label:
            self.times[label] = time.monotonic() - began
        expect("the end of the run", "completed", f"{reply.data['status']}{_reasons(reply)}")
        return reply


def _reasons(reply: Reply) -> str:
    said = [f"{one['schema_id']}: {one['message']}" for one in reply.data.get("tables", []) if one.get("message")]
    return f" ({'; '.join(said)})" if reply.data["status"] != "completed" and said else ""


Step = Callable[[Tale], Awaitable[None]]
