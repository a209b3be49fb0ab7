"""The order of the story, and the verdict: 0 when every step came out as it should, 1 when one did not."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TextIO

import anyio
from mcp.shared.exceptions import MCPError

from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.text import plural
from bulk_sync_mcp.demo import guarding, loading
from bulk_sync_mcp.demo.options import Options, options_of
from bulk_sync_mcp.demo.places import NotUsable
from bulk_sync_mcp.demo.proof import Mismatch, Pair
from bulk_sync_mcp.demo.screen import Screen
from bulk_sync_mcp.demo.session import Assistant
from bulk_sync_mcp.demo.stage import Stage, set_up
from bulk_sync_mcp.demo.tale import Step, Tale

STEPS: tuple[Step, ...] = (
    loading.connections,
    loading.source,
    loading.destination,
    loading.create,
    loading.first_run,
    loading.status,
    loading.merge,
    loading.test_run,
    guarding.blocked,
    guarding.declined,
    guarding.confirmed,
    guarding.replayed,
    guarding.legacy,
    guarding.held,
)

AfterStep = Callable[[str, Tale], None]
"""Called with the name of a step when it is over; tests tamper here."""

_INTERRUPTED = 130


def main(flags: argparse.Namespace) -> int:
    """Runs the story as the flags say; 2 for flags that cannot be used."""
    # Before and after the event loop, where a signal is otherwise the end without clearing up.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run(options_of(flags), sys.stdout)
    except NotUsable as error:
        sys.stderr.write(f"bulk-sync-mcp demo: {error}\n")
        return 2
    except KeyboardInterrupt:
        return _INTERRUPTED


def run(options: Options, stream: TextIO, after_step: AfterStep | None = None) -> int:
    """Runs the story to `stream`. Returns the exit status. Raises `NotUsable`."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")  # a stream that cannot show every character
    screen = Screen(stream)
    began = time.monotonic()
    screen.title("bulk-sync-mcp demo: bulk syncs through an MCP client session, on this machine only")
    stage = set_up(options)
    try:
        tale = Tale(
            screen,
            stage,
            Pair(stage.source, stage.destination, prefix=stage.prefix),
            Assistant("A", screen),
            Assistant("B", screen),
            bystanders=stage.bystanders(),
        )
        return _played(tale, began, after_step)
    finally:
        stage.clear()


def _played(tale: Tale, began: float, after_step: AfterStep | None) -> int:
    status = 1
    try:
        status = anyio.run(_told, tale, began, after_step)
    except* MCPError:
        log = "\n".join(tale.stage.server_log()[-6:])
        tale.screen.fault(Mismatch("the MCP session", "a server that answers", f"it ended; its log says:\n{log}"))
    return status


async def _told(tale: Tale, began: float, after_step: AfterStep | None) -> int:
    """The story until its end or a signal, whichever comes first; nothing is left running."""
    status = _INTERRUPTED
    async with anyio.create_task_group() as group:

        async def watch() -> None:
            with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                async for received in signals:
                    tale.screen.gap()
                    tale.screen.say(f"Stopped by {received.name}.")
                    group.cancel_scope.cancel()

        if os.name == "posix":
            group.start_soon(watch)
        status = await _story(tale, began, after_step)
        group.cancel_scope.cancel()
    return status


async def _story(tale: Tale, began: float, after_step: AfterStep | None) -> int:
    stage, screen = tale.stage, tale.screen
    _introduce(stage, screen)
    try:
        try:
            tale.source_id, tale.destination_id = await stage.connect()
        except Failure as failure:
            screen.fault(Mismatch("the set-up", "two connections", failure.message))
            return 1
        screen.say(
            "No tool of the default set makes connections, so set-up has made two through the local REST API: "
            f"{stage.source.words} and {stage.destination.words}."
        )
        async with AsyncExitStack() as sessions:
            slow, quick = stage.config(stage.options.pause), stage.config(0.0)
            await sessions.enter_async_context(tale.asking.session(slow, stage.log("A"), forms=True))
            await sessions.enter_async_context(tale.plain.session(quick, stage.log("B"), forms=False))
            screen.say(
                "A and B are two assistants, each an MCP client over stdio with a server process of its own. A's client "
                "can show forms, B's cannot. The demo plays the user. → is a call, ← its answer, ? a form, ✓ proof read "
                "from the destination itself, with its own library and not through the server. Ids are shown shortened."
            )
            screen.say(f"Set-up took {time.monotonic() - began:.1f} s.")
            tale.began = time.monotonic()
            status = await _steps(tale, after_step)
    finally:
        # Shielded: a run must not go on after the demo, however it ended.
        with anyio.CancelScope(shield=True):
            await _end(tale)
    if status == 0:
        _conclude(tale)
    return status


async def _end(tale: Tale) -> None:
    """Stops what still runs, and says what is left in a destination of the user's own."""
    if not tale.sync_id:
        return
    try:
        if await tale.stage.stop(tale.sync_id):
            tale.screen.say("The run that was still going has been cancelled.")
    except Failure as failure:
        tale.screen.say(f"Whether a run is still going cannot be told: {failure.message}")
    if tale.stage.options.destination:
        tale.screen.gap()
        tale.screen.say(f"Left in your destination: {tale.stage.own}. To remove it:")
        for line in tale.stage.removal(list(tale.pair.outputs.values()), tale.sync_id):
            tale.screen.plain(line)


async def _steps(tale: Tale, after_step: AfterStep | None) -> int:
    steps = (*STEPS, guarding.bystanders) if tale.stage.options.destination else STEPS
    for step in steps:
        if tale.screen.closed:
            return 1
        tale.screen.step((step.__doc__ or step.__name__).rstrip("."))
        try:
            await step(tale)
            if after_step is not None:
                after_step(step.__name__, tale)
        except Mismatch as mismatch:
            tale.screen.fault(mismatch)
            tale.screen.say(f"Stopped at step {tale.screen.steps} of {len(steps)}: this is not as it should be.")
            return 1
    return 0


def _introduce(stage: Stage, screen: Screen) -> None:
    given_source, given_destination = stage.options.source, stage.options.destination
    where = f"everything is kept in {stage.folder}" if stage.kept else "a temporary directory, removed at the end"
    screen.say(f"Backend: the local service, which really moves rows. Polytomic is out of reach. Workspace: {where}.")
    if given_source:
        screen.say(f"Your source {given_source.path} is only read: the demo works on a copy of it in its workspace.")
    else:
        screen.say(
            f"Source: a generated shop of {stage.options.rows:,} rows with integers, decimals, text beyond ASCII, "
            "timestamps, NULLs and binary; one table has a composite key, one has none, a column is called order."
        )
    if given_destination:
        screen.say(f"In your destination {given_destination.path} the demo writes only to {stage.own}.")


def _conclude(tale: Tale) -> None:
    screen, stage = tale.screen, tale.stage
    screen.gap()
    screen.title(
        f"As it should be: {plural(screen.steps, 'step')}, no mismatch, {time.monotonic() - tale.began:.1f} s after set-up"
    )
    for one in tale.proven:
        screen.say(f"✓ {one}")
    times = ", ".join(f"{label} {seconds:.1f} s" for label, seconds in tale.times.items())
    screen.say(f"Times, from the start call to the answer that the run has ended: {times}.")
    if stage.options.pause:
        screen.say(f"The first load was slowed down by {stage.options.pause:g} s for each table and batch.")
    screen.gap()
    if stage.kept:
        screen.say("Kept, and ready to be used. The audit log is in state/guard. To serve it to a client over stdio:")
        screen.plain(f"bulk-sync-mcp --workspace {stage.data} --state-dir {stage.state}")
    else:
        screen.say("The temporary workspace is removed now. To give a client a server of its own over stdio:")
        screen.plain("bulk-sync-mcp --workspace DIR")
    screen.say(
        "That is the command to enter in Claude, VS Code, Cursor or another MCP client. Without POLYTOMIC_API_KEY it works "
        "on this machine; with it, on Polytomic."
    )
