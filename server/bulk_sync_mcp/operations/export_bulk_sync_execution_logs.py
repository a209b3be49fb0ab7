"""Have the logs of an execution packed into an archive."""

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.effects import ExportsLogs
from bulk_sync_mcp.core.ids import ExecutionId, SyncId
from bulk_sync_mcp.core.operation import GuardedInput, Operation, Result
from bulk_sync_mcp.core.plan import Plan
from bulk_sync_mcp.core.text import MAX_MESSAGE, clean
from bulk_sync_mcp.models.job import Job
from bulk_sync_mcp.models.log import address
from bulk_sync_mcp.models.merge import as_object
from bulk_sync_mcp.operations._reading import EXECUTION, heading, read_connection, read_sync, together
from bulk_sync_mcp.operations._subjects import on_sync

PATH = "/api/bulk/syncs/{sync_id}/executions/{execution_id}/logs/export"


class Arguments(GuardedInput):
    sync_id: SyncId
    execution_id: ExecutionId
    notify: bool = Field(default=False, description="Also mail the owner of the credential when it is ready.")
    include_addresses: bool = Field(
        default=False, description="Only if the user wants to open the archive: whoever holds its address can read it."
    )


class Exported(Result):
    """An export that was asked for."""

    ready: bool
    job_id: str | None = None
    status: str | None = None
    address: str | None = Field(default=None, description="A secret: whoever holds it can read the archive.")
    note: str | None = None
    next: str | None = None


async def plan(context: Context, arguments: Arguments) -> Plan[None]:
    read, _ = await together(
        read_sync(context, arguments.sync_id),
        context.api.get(EXECUTION, id=arguments.sync_id, exec_id=arguments.execution_id),
    )
    destination = await read_connection(context, read.sync.destination_connection_id)
    effect = ExportsLogs(
        sync_id=arguments.sync_id,
        sync_name=read.name,
        execution_id=arguments.execution_id,
        cause="mail" if arguments.notify else "download",
    )
    return Plan(
        effects=(effect,),
        prepared=None,
        title=heading("Export logs of", read, destination.spelled(read.sync.output_schema)),
        phrase=read.name,
        subjects=on_sync(read, destination),
    )


async def run(context: Context, arguments: Arguments, _plan: None) -> Exported:
    posted = await context.api.post(
        PATH,
        query={"notify": True} if arguments.notify else None,
        idempotency_key=context.idempotency_key,
        sync_id=arguments.sync_id,
        execution_id=arguments.execution_id,
    )
    answer = as_object(posted.body)
    data, job = as_object(answer.get("data")), Job.read(answer.get("job") or {})
    url = data.get("url") or job.url
    found = address(url) if isinstance(url, str) else None
    ready = bool(url) or job.status == "done"
    return Exported(
        ready=ready,
        job_id=clean(job.job_id) if job.job_id else None,
        status=clean(job.status) if job.status else None,
        address=found if arguments.include_addresses else None,
        note=clean(data["note"], MAX_MESSAGE) if data.get("note") else None,
        next=_next(job, ready=ready, shown=found is not None and arguments.include_addresses),
    )


def _next(job: Job, *, ready: bool, shown: bool) -> str | None:
    if shown:
        return None
    if job.job_id:
        wait = "" if ready else " until it is done"
        return f"Call `get_job` with job_id {clean(job.job_id)}{wait}."
    if ready:
        return "Ready. If the user wants to open the archive, call `export_bulk_sync_execution_logs` again with include_addresses true."
    return "The backend named neither a job nor an archive. Tell the user; the logs may not exist any more."


OPERATION = Operation(
    name="export_bulk_sync_execution_logs",
    title="Export logs of an execution",
    description="Starts a job that packs the logs of an execution; follow it with get_job.",
    method="POST",
    path=PATH,
    input=Arguments,
    result=Exported,
    plan=plan,
    plans=(ExportsLogs,),
    run=run,
    harmless_twice=True,
    toolset="executions",
)
