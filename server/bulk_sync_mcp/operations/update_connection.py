"""Change a connection. The call replaces all settings, and secrets cannot be read back: every one is asked for anew."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from bulk_sync_mcp.core.connection_effects import ReplacesCredentials
from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.effects import ChangesWriteMode, RedirectsOutput
from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.ids import ConnectionId
from bulk_sync_mcp.core.operation import GuardedInput, Operation, Result
from bulk_sync_mcp.core.plan import Effect, Plan, Subject
from bulk_sync_mcp.core.text import MAX_MESSAGE, clean, quoted
from bulk_sync_mcp.models.bulk_sync import BulkSync
from bulk_sync_mcp.models.connection_settings import (
    Settings,
    declared_secrets,
    is_mask,
    leaves,
    masked,
    redacted,
    secrets_in,
    spelled,
    without,
)
from bulk_sync_mcp.models.merge import Json, as_object, changed_leaves, laid_over
from bulk_sync_mcp.operations._connections import (
    CONNECTION,
    ConnectionRead,
    Users,
    as_result,
    check_given,
    read_schema_of,
    read_users,
    read_whole_connection,
)

KEPT = ("healthcheck_interval", "policies")


class Arguments(GuardedInput):
    connection_id: ConnectionId
    name: str | None = Field(default=None, min_length=1, max_length=255)
    configuration: Settings = Field(
        default_factory=dict[str, Any], description="Settings to change, and every secret anew. Null clears."
    )
    validate_settings: bool = Field(default=True, description="Try them before storing.")


class Updated(Result):
    """The connection as it is now."""

    id: str
    name: str
    type: str | None = None
    status: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """The complete body, and the texts in it that nobody may see."""

    body: Json = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


async def plan(context: Context, arguments: Arguments) -> Plan[Prepared]:
    read = await read_whole_connection(context, arguments.connection_id)
    if read.raw.get("parent_connection_id"):
        raise Failure(
            "conflict",
            "This connection is shared from another one and cannot be changed itself. Nothing was sent.",
            next="Change its parent connection, with a credential of the organization that has it.",
        )
    schema = await read_schema_of(context, read)
    check_given(arguments.configuration, schema)
    settings = laid_over(read.settings, arguments.configuration)
    _check_complete(read, settings, schema)
    name = arguments.name or read.name
    changes = list(changed_leaves(read.settings, settings))
    if not changes and name == read.name:
        raise Failure("invalid_arguments", "Nothing would change: everything named is already so. Nothing was sent.")
    users = await read_users(context, arguments.connection_id)
    body = {"name": name, "configuration": settings, "validate": arguments.validate_settings}
    body |= {"type": read.type_id} if read.type_id else {}
    body |= {key: read.raw[key] for key in KEPT if read.raw.get(key)}
    renamed = [f"name {quoted(read.name)} → {quoted(name)}"] if name != read.name else []
    lines = [f"{path} {spelled(path, old, schema)} → {spelled(path, new, schema)}" for path, old, new in changes]
    given = {path for path, _ in leaves(settings)}
    replaces = ReplacesCredentials(
        connection_id=arguments.connection_id,
        connection_name=read.name,
        changes=(*renamed, *lines),
        unseen=tuple(sorted(declared_secrets(schema) - given - {path for path, _ in leaves(read.settings)})),
        syncs=len(users.every),
    )
    return Plan(
        effects=(replaces, *_on_syncs(read, users, changes, schema)),
        prepared=Prepared(body, secrets_in(settings, schema)),
        title=f"Change connection {quoted(read.name)} ({arguments.connection_id})",
        phrase=read.name,
        undo="Settings can be changed back with the old secrets at hand; what runs write meanwhile cannot be undone.",
        subjects=(
            read.subject(),
            *((Subject(connection_id=arguments.connection_id, connection_name=name),) if renamed else ()),
            *users.subjects(),
        ),
    )


def _check_complete(read: ConnectionRead, settings: Json, schema: Json) -> None:
    """Refuses to write a mask, or nothing, where a secret is."""
    wanted = set(masked(settings))
    required = schema.get("required")
    secret = declared_secrets(schema)
    names: list[Any] = required if isinstance(required, list) else []  # pyright: ignore[reportUnknownVariableType]
    wanted |= {str(name) for name in names if name in secret and not settings.get(str(name))}
    if wanted:
        raise Failure(
            "invalid_arguments",
            f"`configuration`: an update replaces all settings, and the secrets of {quoted(read.name)} cannot be read "
            f"back. Missing: {', '.join(quoted(one) for one in sorted(wanted))}. Nothing was sent.",
            next="Ask the user for every one of these, or on the local service give a reference such as "
            '{"env": "BULK_SYNC_SECRET_NAME"}; null clears one for good.',
            details={"secrets": sorted(wanted)},
        )


def _on_syncs(read: ConnectionRead, users: Users, changes: list[tuple[str, Any, Any]], schema: Json) -> list[Effect]:
    """What other settings, secrets apart, do to the syncs: they may write to, or read from, another place."""
    secret = declared_secrets(schema)
    moved = [(path, old, new) for path, old, new in changes if not is_mask(old) and path not in secret]
    if not moved:
        return []
    paths = ", ".join(path for path, _, _ in moved)
    before, after = ("; ".join(spelled(one[0], one[side], schema) for one in moved) for side in (1, 2))

    def change(sync: BulkSync, side: str) -> dict[str, str]:
        setting = f"{side} connection {quoted(read.name)}: {clean(paths, 200)}"
        return {
            "sync_id": sync.id or "",
            "sync_name": sync.name or "",
            "setting": setting,
            "before": before,
            "after": after,
        }

    return [
        *(RedirectsOutput(**change(one, "destination")) for one in users.destinations),
        *(ChangesWriteMode(**change(one, "source")) for one in users.sources),
    ]


async def run(context: Context, arguments: Arguments, prepared: Prepared) -> Updated:
    try:
        answer = await context.api.put(CONNECTION, body=prepared.body, id=arguments.connection_id)
        raw = as_object(answer.data)
    except Failure as failure:
        raise redacted(failure, prepared.secrets) from None
    told = {key: value for key, value in as_result(raw).items() if value is not None}
    return Updated(**{key: clean(without(str(value), prepared.secrets), MAX_MESSAGE) for key, value in told.items()})


OPERATION = Operation(
    name="update_connection",
    title="Change a connection",
    description="Changes settings of a connection for all its bulk syncs, from their next run. Every secret must be given "
    "anew, since masked ones cannot be sent back. Asks for confirmation.",
    method="PUT",
    path=CONNECTION,
    input=Arguments,
    result=Updated,
    plan=plan,
    plans=(ReplacesCredentials, RedirectsOutput, ChangesWriteMode),
    lock=lambda arguments: arguments.connection_id,
    run=run,
    shown_by=("get_connection", "connection_id"),
    toolset="connections",
    idempotent=True,
)
