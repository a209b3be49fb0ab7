"""Which execution a cancellation reached. The calls that cancel by sync name none, and answer with none (api/README.md 2).

Threat: the run that was shown ends, another one starts, and the request, sent a moment later, stops that one.
"""

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.errors import ApiFailure, Failure
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.operations._reading import read_status


async def reached(context: Context, sync_id: str, planned: str) -> None:
    """Looks what runs, or ran last, once the cancellation is sent.

    Raises `Failure` `mismatch` when that is another execution than the one planned, and `outcome_unknown` when it
    cannot be read: the cancellation itself has been accepted in both cases.
    """
    follow = f"Call `get_bulk_sync_status` with sync_id {sync_id} and tell the user which execution was stopped."
    details = {"sync_id": sync_id, "execution_id": planned}
    try:
        status = await read_status(context, sync_id)
    except ApiFailure as failure:
        raise Failure(
            "outcome_unknown",
            f"The cancellation was accepted, but whether it reached execution {clean(planned)} cannot be read back: "
            f"{failure.message}",
            changed="unknown",
            next=follow,
            details=details,
        ) from failure
    found = status.current_execution or status.last_execution
    if found is None or found.id is None or found.id == planned:
        return
    raise Failure(
        "mismatch",
        f"The cancellation was meant for execution {clean(planned)}, but {clean(found.id)} had begun by then "
        f"({clean(found.status or 'state unknown')}) and may be the one that stops.",
        changed="done",
        next=follow,
        details={**details, "reached": found.id},
    )
