"""Try settings of a connection against its service; nothing is stored.

With an existing connection the given settings are laid over the stored ones. So a changed host would be handed the
stored credentials: anything but a new secret asks first.
"""

import re
from typing import Any

from pydantic import Field

from bulk_sync_mcp.core.connection_effects import SendsCredentials, UsesCredentials
from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.ids import ConnectionId
from bulk_sync_mcp.core.operation import GuardedInput, Operation, Result
from bulk_sync_mcp.core.plan import Effect, Plan, Subject
from bulk_sync_mcp.core.text import clean, quoted
from bulk_sync_mcp.models.connection_settings import (
    Settings,
    TypeId,
    declared_secrets,
    is_mask,
    masked,
    redacted,
    secrets_in,
    spelled,
)
from bulk_sync_mcp.models.merge import Json, changed_leaves, laid_over
from bulk_sync_mcp.operations._connections import check_given, read_schema_of, read_type_schema, read_whole_connection

PATH = "/api/connections/test"
_ADDRESS = re.compile(r"://|@|\b(?:host|server|endpoint|data source)\b", re.IGNORECASE)


class Arguments(GuardedInput):
    connection_id: ConnectionId | None = Field(default=None, description="Lay the settings over this one's.")
    type: TypeId | None = Field(default=None, description="Required without connection_id.")
    configuration: Settings = Field(default_factory=dict[str, Any])


class Tested(Result):
    """Settings that work; ones that do not end in an error with the service's words."""

    works: bool = True


async def plan(context: Context, arguments: Arguments) -> Plan[tuple[Json, tuple[str, ...]]]:
    if arguments.connection_id is None:
        if arguments.type is None:
            raise Failure("invalid_arguments", "`type` is required without `connection_id`. Nothing was sent.")
        schema = await read_type_schema(context, arguments.type)
        check_given(arguments.configuration, schema)
        return Plan(
            effects=(UsesCredentials(connection_id="", connection_name=arguments.type),),
            prepared=(
                {"type": arguments.type, "configuration": arguments.configuration},
                secrets_in(arguments.configuration, schema),
            ),
            title=f"Test settings for a {clean(arguments.type)} connection",
            subjects=(Subject(),),
        )
    read = await read_whole_connection(context, arguments.connection_id)
    if arguments.type not in (None, read.type_id):
        raise Failure(
            "invalid_arguments",
            f"`type`: this connection is of type {clean(read.type_id)}. Nothing was sent.",
            next="Leave `type` out.",
        )
    schema = await read_schema_of(context, read)
    check_given(arguments.configuration, schema)
    elsewhere = _elsewhere(read.settings, arguments.configuration, schema)
    on: dict[str, str] = {"connection_id": arguments.connection_id, "connection_name": read.name}
    effects: list[Effect] = [UsesCredentials(**on)]
    if elsewhere:
        effects.append(
            SendsCredentials(connection_id=on["connection_id"], connection_name=read.name, changes=tuple(elsewhere))
        )
    body: Json = {"type": read.type_id, "configuration": arguments.configuration}
    return Plan(
        effects=tuple(effects),
        prepared=({**body, "connection_id": arguments.connection_id}, secrets_in(arguments.configuration, schema)),
        title=f"Test connection {quoted(read.name)} ({arguments.connection_id})",
        phrase=read.name,
        subjects=(read.subject(),),
    )


def _elsewhere(stored: Json, given: Json, schema: Json) -> list[str]:
    """Settings that may lead the stored credentials to another place, with both values where they may be shown.

    A new secret leads nowhere, unless it is an address itself, such as a connection string, and others stay stored.
    """
    wanted, secret = laid_over(stored, given), declared_secrets(schema)
    others_stay = bool(masked(wanted))
    return [
        f"{path} {spelled(path, old, schema)} → {spelled(path, new, schema)}"
        for path, old, new in changed_leaves(stored, wanted)
        if not (is_mask(old) or path in secret) or (others_stay and _ADDRESS.search(str(new)) is not None)
    ]


async def run(context: Context, _arguments: Arguments, prepared: tuple[Json, tuple[str, ...]]) -> Tested:
    body, secrets = prepared
    try:
        await context.api.post(PATH, body=body, idempotency_key=context.idempotency_key)
    except Failure as failure:
        raise redacted(failure, secrets) from None
    return Tested()


OPERATION = Operation(
    name="test_connection",
    title="Test a connection",
    description="Tries a connection, or settings before they are stored. Asks before stored credentials are used with "
    "other settings, such as another host.",
    method="POST",
    path=PATH,
    input=Arguments,
    result=Tested,
    plan=plan,
    plans=(UsesCredentials, SendsCredentials),
    run=run,
    harmless_twice=True,
    toolset="connections",
)
