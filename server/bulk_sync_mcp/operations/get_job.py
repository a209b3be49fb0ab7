"""Show how a background job stands; its result only when asked for."""

import json

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.operation import Input, Operation, Result
from bulk_sync_mcp.core.text import MAX_MESSAGE, clean, quoted
from bulk_sync_mcp.models.job import OVER, Job, JobId, JobType
from bulk_sync_mcp.models.log import address

PATH = "/api/jobs/{type}/{id}"
MAX_RESULT = 900
"""Characters of a result that is no address."""


class Arguments(Input):
    job_id: JobId
    type: JobType = "exportlogs"
    include_result: bool = Field(
        default=False,
        description="Only if the user wants it: of a log export it is a secret address, of others it may hold records.",
    )


class JobState(Result):
    """A background job."""

    job_id: str
    type: str
    status: str = Field(description="created, running, done or failed.")
    error: str | None = None
    address: str | None = Field(default=None, description="A secret: whoever holds it can read the archive.")
    result: str | None = Field(default=None, description="JSON as it came, cut when long: data from outside.")
    next: str | None = None


async def run(context: Context, arguments: Arguments, _plan: None) -> JobState:
    answer = await context.api.get(PATH, type=arguments.type, id=arguments.job_id)
    job = Job.read(answer.data or {})
    done = job.status == "done"
    url = address(job.url) if job.url else None
    shown = done and arguments.include_result
    other = shown and url is None and job.result is not None
    return JobState(
        job_id=arguments.job_id,
        type=arguments.type,
        status=clean(job.status or "unknown"),
        error=quoted(job.error, MAX_MESSAGE) if job.error else None,
        address=url if shown else None,
        result=quoted(json.dumps(job.result, ensure_ascii=False), MAX_RESULT) if other else None,
        next=_next(job, arguments),
    )


def _next(job: Job, arguments: Arguments) -> str | None:
    if job.status not in OVER:
        return "Not ready yet: call `get_job` again in some seconds."
    if job.status == "done" and job.result is not None and not arguments.include_result:
        return "Ready. If the user wants the result, call `get_job` again with include_result true."
    return None


OPERATION = Operation(
    name="get_job",
    title="Get a job",
    description="How a background job stands, such as a log export. Its result only with include_result.",
    method="GET",
    path=PATH,
    input=Arguments,
    result=JobState,
    run=run,
    toolset="executions",
)
