"""Create a connection. `redirect_url` is deliberately not offered: it decides where a person's authorisation goes."""

from pydantic import Field

from bulk_sync_mcp.core.connection_effects import CreatesConnection
from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.operation import GuardedInput, Operation, Result
from bulk_sync_mcp.core.plan import Plan, Subject
from bulk_sync_mcp.core.text import MAX_MESSAGE, clean, quoted
from bulk_sync_mcp.models.connection_settings import Settings, TypeId, redacted, secrets_in, without
from bulk_sync_mcp.models.merge import Json, as_object
from bulk_sync_mcp.operations._connections import CONNECTIONS, as_result, check_given, read_type_schema

LONGEST_URL = 1_000
"""Characters a result shows of one text; half an address is none."""


class Arguments(GuardedInput):
    name: str = Field(min_length=1, max_length=255)
    type: TypeId
    configuration: Settings = Field(
        description='See get_connection_type. On the local service a secret may be {"env": "BULK_SYNC_SECRET_…"}.'
    )
    validate_settings: bool = Field(default=True, description="Try them before storing.")
    healthcheck_interval: str | None = None
    policies: list[str] | None = None


class Created(Result):
    """The new connection. With `auth_url` a person has to finish it."""

    id: str
    name: str
    type: str | None = None
    status: str | None = None
    error: str | None = None
    saved: bool | None = None
    auth_url: str | None = Field(default=None, description="Address a person opens to authorise the connection.")
    auth_code: str | None = Field(default=None, description="Code to type there.")
    next: str | None = None


async def plan(context: Context, arguments: Arguments) -> Plan[tuple[str, ...]]:
    schema = await read_type_schema(context, arguments.type)
    check_given(arguments.configuration, schema)
    tried = arguments.validate_settings
    return Plan(
        effects=(CreatesConnection(name=arguments.name, type=arguments.type, tried=tried),),
        prepared=secrets_in(arguments.configuration, schema),
        title=f"Create {clean(arguments.type)} connection {quoted(arguments.name)}",
        phrase=arguments.name,
        undo="The connection can be deleted again.",
        subjects=(Subject(connection_name=arguments.name),),
    )


async def run(context: Context, arguments: Arguments, secrets: tuple[str, ...]) -> Created:
    body: Json = {"name": arguments.name, "type": arguments.type, "configuration": arguments.configuration}
    body["validate"] = arguments.validate_settings
    further = {"healthcheck_interval": arguments.healthcheck_interval, "policies": arguments.policies}
    body |= {key: value for key, value in further.items() if value is not None}
    try:
        answer = await context.api.post(CONNECTIONS, body=body, idempotency_key=context.idempotency_key)
        raw = as_object(answer.data)
    except Failure as failure:
        raise redacted(failure, secrets) from None
    told = {key: value for key, value in as_result(raw).items() if value is not None}
    url, code = raw.get("auth_url"), raw.get("auth_code")
    usable = isinstance(url, str) and url.startswith("https://") and len(url) <= LONGEST_URL
    following: str | None = None
    if url:
        following = (
            "Not finished: ask the user to open auth_url in a browser and authorise the connection there; do not open it "
            "yourself."
            if usable
            else "Not finished: it has to be authorised in a browser, at an address that cannot be shown here; ask the "
            "user to finish it in Polytomic's web application."
        )
    return Created(
        **{key: clean(without(str(value), secrets), MAX_MESSAGE) for key, value in told.items()},
        saved=raw.get("saved"),
        auth_url=url if usable else None,
        auth_code=clean(code) if code else None,
        next=following,
    )


OPERATION = Operation(
    name="create_connection",
    title="Create a connection",
    description="Stores settings and credentials of a source or destination, after trying them. For types authorised in a "
    "browser the result has auth_url for the user to open.",
    method="POST",
    path=CONNECTIONS,
    input=Arguments,
    result=Created,
    plan=plan,
    plans=(CreatesConnection,),
    run=run,
    shown_by=("list_connections", "name"),
    toolset="connections",
)
