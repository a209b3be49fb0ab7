"""Show who the configured credential is."""

from pydantic import Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.operation import Input, Operation, Result
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.models.identity import Identity

PATH = "/api/me"


class Arguments(Input):
    pass


class Caller(Result):
    """The caller."""

    id: str | None = None
    email: str | None = None
    kinds: list[str] = Field(description="user, organization, partner, system.")
    organization_id: str | None = None
    organization_name: str | None = None
    method: str | None = Field(default=None, description="How the credential is presented.")
    restricted: str | None = Field(default=None, description="The mode of a restricted credential, such as read_only.")
    profile: str | None = Field(default=None, description="What a scoped key is for.")


async def run(context: Context, _arguments: Arguments, _plan: None) -> Caller:
    found = Identity.read((await context.api.get(PATH)).data or {})
    credential = found.credential
    profile = credential.api_key_profile if credential else None
    named = [part for part in (profile.name, profile.kind) if part] if profile else []
    return Caller(
        id=_shown(found.id),
        email=_shown(found.email, 320),
        kinds=found.kinds(),
        organization_id=_shown(found.organization_id),
        organization_name=_shown(found.organization_name),
        method=_shown(credential.method) if credential else None,
        restricted=_shown(credential.mode) if credential else None,
        profile=clean(", ".join(named)) if named else None,
    )


def _shown(text: str | None, limit: int = 80) -> str | None:
    return clean(text, limit) if text else None


OPERATION = Operation(
    name="get_identity",
    title="Get the identity of the caller",
    description="Who the configured credential is, for which organization, and whether it is restricted.",
    method="GET",
    path=PATH,
    input=Arguments,
    result=Caller,
    run=run,
    toolset="account",
)
