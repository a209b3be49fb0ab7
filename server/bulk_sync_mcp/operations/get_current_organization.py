"""Show the organization the configured credential stands for."""

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.operation import Input, Operation, Result
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.models.identity import Organization

PATH = "/api/organization"


class Arguments(Input):
    pass


class Current(Result):
    """The organization."""

    id: str | None = None
    name: str | None = None
    issuer: str | None = Field(default=None, description="OIDC issuer of its sign-in.")
    sso_domain: str | None = None
    sso_org_id: str | None = None


async def run(context: Context, _arguments: Arguments, _plan: None) -> Current:
    found = Organization.read((await context.api.get(PATH)).data or {})
    values = {name: getattr(found, name) for name in Current.model_fields}
    return Current(**{name: clean(value, 320) for name, value in values.items() if value})


OPERATION = Operation(
    name="get_current_organization",
    title="Get the current organization",
    description="The organization the configured credential stands for, and how its users sign in.",
    method="GET",
    path=PATH,
    input=Arguments,
    result=Current,
    run=run,
    toolset="account",
)
