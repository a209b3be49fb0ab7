"""Resources: the policy in force, the audit trail, what resync modes do, a sync's configuration and its revisions.

Text that comes from the backend is cleaned and bounded as in results of tools; what a sync's resources tell, the tool
`get_bulk_sync` tells too, so they are there when it is on.
"""

import json
import re
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.errors import ApiFailure
from bulk_sync_mcp.core.operation import Registry
from bulk_sync_mcp.core.plan import PreImage
from bulk_sync_mcp.core.text import clean, iso
from bulk_sync_mcp.guiding import NoSuchResource
from bulk_sync_mcp.models.bulk_sync import BulkSyncDetails, SyncSchema
from bulk_sync_mcp.models.merge import as_object
from bulk_sync_mcp.models.schema import TableRow
from bulk_sync_mcp.present.budget import within
from bulk_sync_mcp.present.fence import fenced
from bulk_sync_mcp.present.table import table

if TYPE_CHECKING:
    from bulk_sync_mcp.composition import Application
    from bulk_sync_mcp.revisions.store import Revision

POLICY = "bulk-sync://policy"
AUDIT = "bulk-sync://audit"
MODES = "bulk-sync://resync-modes"
SYNC = "bulk-sync://syncs/{id}"
REVISIONS = "bulk-sync://syncs/{id}/revisions"
REVISION = "bulk-sync://syncs/{id}/revisions/{revision}"
SHOWS_SYNCS = "get_bulk_sync"
LISTS_TABLES = "list_bulk_sync_schemas"
AUDIT_LINES = 50
_DAY_MS = 86_400_000
_TEXT, _JSON = "text/markdown", "application/json"
_OF_SYNC = re.compile(
    r"bulk-sync://syncs/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(?:/revisions(?:/([1-9][0-9]{0,8}))?)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource, or a template of resources, as it is listed."""

    uri: str
    name: str
    title: str
    description: str
    mime_type: str


@dataclass(frozen=True, slots=True)
class Content:
    """What a resource holds, and for how long that may be taken as fresh."""

    text: str
    mime_type: str
    ttl_ms: int = 0


FIXED = (
    Resource(POLICY, "policy", "Policy in force", "What evidence each effect requires here, rules, budget.", _TEXT),
    Resource(
        AUDIT, "audit", "Audit trail", "The latest lines on calls that write: what, by whom, on what evidence.", _TEXT
    ),
    Resource(
        MODES, "resync-modes", "Resync modes", "What refetch, resync and rebuild do, and how sure that is.", _TEXT
    ),
)
TEMPLATES = (
    Resource(SYNC, "sync", "A bulk sync", "Its configuration now, with its tables.", _JSON),
    Resource(
        REVISIONS,
        "revisions",
        "Earlier revisions of a bulk sync",
        "Its configuration as it was before each write made through this server, latest first.",
        _JSON,
    ),
    Resource(
        REVISION,
        "revision",
        "One earlier revision of a bulk sync",
        "The configuration as it was then, and the guarded calls that would put it back.",
        _JSON,
    ),
)


def templates(tools: Registry) -> tuple[Resource, ...]:
    """The templates that may be read with these tools on."""
    return TEMPLATES if tools.get(SHOWS_SYNCS) is not None else ()


async def read(application: "Application", uri: str) -> Content:
    """What a resource holds. Raises `NoSuchResource`, `Failure`, `OSError` or `sqlite3.Error`."""
    if uri == POLICY:
        return Content(_policy(application), _TEXT)
    if uri == AUDIT:
        return Content(await anyio.to_thread.run_sync(_audit, application), _TEXT)
    if uri == MODES:
        return Content(application.hints.told(_MODES), _TEXT, _DAY_MS)
    found = _OF_SYNC.fullmatch(uri)
    if found is None or application.registry.get(SHOWS_SYNCS) is None:
        raise NoSuchResource(clean(uri, 200))
    sync_id, number = found.group(1).lower(), found.group(2)
    if number is not None:
        data = await _revision(application, sync_id, int(number))
    elif uri.endswith("/revisions"):
        data = await _revisions(application, sync_id)
    else:
        data = await _sync(application, sync_id)
    return Content(json.dumps(data, ensure_ascii=False, indent=1), _JSON)


def _policy(application: "Application") -> str:
    from bulk_sync_mcp.guard.telling import budget_line, policy_data

    gate = application.gate
    policy, spent = gate.policy, gate.budget.tripped()
    data = policy_data(policy, None, spent)
    limits = budget_line(data["budget"])
    used = f"; {gate.budget.used()} counted within the last hour" if policy.budget.destructive_per_hour else ""
    lines = [
        "# Policy in force",
        "",
        f"- access: {data['access']}",
        f"- budget: {clean(limits, 300)}{used}",
        f"- operator secret: {data['operator_secret']}; where there is none, what needs an operator is refused",
        f"- unattended switch: {data['unattended']}",
    ]
    for title, key in (
        ("Tools", "tools"),
        ("Rules", "rules"),
        ("Protected", "protected"),
        ("Unattended", "allowances"),
    ):
        if data[key]:
            lines += ["", f"## {title}", "", *(f"- {clean(one, 300)}" for one in data[key])]
    lines += [
        "",
        "## Effects",
        "",
        "What a call would do is planned first; it requires the most that any of its effects requires. none, notice: "
        "runs at once. confirm: a form, or a second call with a single-use confirmation. human: a form or the approval "
        "page. operator: somebody with the operator secret. deny: never; so is whatever is not listed.",
        "",
        table(data["effects"]),
    ]
    return "\n".join(lines)


def _audit(application: "Application") -> str:
    from bulk_sync_mcp.observe.reading import records, summary

    lines = deque(records(application.settings.guard_dir), maxlen=AUDIT_LINES)
    if not lines:
        return "No call that writes has been made yet: there is no audit log."
    rows = [{key: value for key, value in summary(line).items() if value} for line in reversed(lines)]
    return "\n".join(
        [
            f"The latest {len(rows)} lines, newest first. Whether the log is whole is checked by "
            "`bulk-sync-mcp audit verify`, not here.",
            "",
            table(rows),
        ]
    )


async def _sync(application: "Application", sync_id: str) -> dict[str, Any]:
    read_now = await _now(application, sync_id)
    if read_now is None:
        raise NoSuchResource(f"bulk sync {sync_id}")
    content = BulkSyncDetails.of(dict(read_now.sync), application.pipeline.context.now()).model_dump(
        mode="json", exclude_none=True
    )
    if application.registry.get(LISTS_TABLES) is not None:
        listed = await _listed(application.pipeline.context, sync_id)
        content["tables"] = [
            {"id": clean(one.id, 512), "enabled": one.enabled is not False, "output": clean(one.output)}
            for one in listed
        ]
    return within(fenced(content))


async def _now(application: "Application", sync_id: str) -> PreImage | None:
    """The sync as it is now; None when there is none that the credential may see."""
    from bulk_sync_mcp.operations._reading import read_sync

    try:
        found = await read_sync(application.pipeline.context, sync_id)
    except ApiFailure as failure:
        if failure.code == "not_found":
            return None
        raise
    return PreImage(sync_id, found.raw)


async def _listed(context: Context, sync_id: str) -> list[SyncSchema]:
    from bulk_sync_mcp.operations._reading import SCHEMAS

    return SyncSchema.read_all((await context.api.get(SCHEMAS, id=sync_id)).data)


def _kept(application: "Application", sync_id: str, now: PreImage | None) -> "list[Revision]":
    """The revisions whoever uses this credential may see. Of a sync that is gone, those kept under the same one."""
    store = application.revisions
    kept = store.of(sync_id)
    return kept if now is not None else [one for one in kept if one.credential == store.credential]


async def _revisions(application: "Application", sync_id: str) -> dict[str, Any]:
    now = await _now(application, sync_id)
    kept = _kept(application, sync_id, now)
    if now is None and not kept:
        raise NoSuchResource(f"bulk sync {sync_id}")
    return {
        "sync_id": sync_id,
        "now": "configured" if now is not None else "gone",
        "revisions": [
            {"revision": one.number, "until": iso(one.at), "replaced_by": one.operation, "call": one.call}
            for one in kept
        ],
        "read": f"bulk-sync://syncs/{sync_id}/revisions/<revision>",
    }


async def _revision(application: "Application", sync_id: str, number: int) -> dict[str, Any]:
    from bulk_sync_mcp.revisions.restore import restoring

    now = await _now(application, sync_id)
    found = next((one for one in _kept(application, sync_id, now) if one.number == number), None)
    if found is None:
        raise NoSuchResource(f"revision {number} of bulk sync {sync_id}")
    image = found.image
    known: frozenset[str] = frozenset()
    if now is not None:
        now, known = await _compared(application.pipeline.context, now, image)
    back = restoring(image, now, known)
    content: dict[str, Any] = {
        "configuration": BulkSyncDetails.of(dict(image.sync), application.pipeline.context.now()).model_dump(
            mode="json", exclude_none=True
        )
    }
    if image.enabled is not None:
        content["enabled_tables"] = list(image.enabled)
    if image.tables:
        rows = [TableRow.of(dict(raw), name) for name, raw in image.tables.items()]
        content["tables"] = [row.model_dump(mode="json", exclude_none=True) for row in rows]
    if image.error_handling is not None:
        content["error_handling"] = dict(image.error_handling)
    hints = application.hints
    return {
        "sync_id": sync_id,
        "revision": number,
        "until": iso(found.at),
        "replaced_by": found.operation,
        **within(fenced(content)),
        # Arguments are shown whole or not at all: a shortened list would be another call.
        "restore": [{"tool": tool, "arguments": arguments} for tool, arguments in back.calls],
        **({"not_restored": back.left} if back.left else {}),
        "note": hints.told(_note([tool for tool, _ in back.calls], gone=now is None)),
    }


def _note(calls: list[str], *, gone: bool) -> str:
    if not calls:
        return "Nothing that a tool could put back differs from now." if not gone else "The bulk sync is gone."
    named = ", ".join(dict.fromkeys(calls))
    if gone:
        return (
            f"The bulk sync is gone. {named} with these arguments makes one like it, inactive, under a new id and without "
            "history; its first run is a full load into tables that may hold rows already."
        )
    return (
        f"Only if the user asks: call {named} with exactly these arguments, in this order. Each is planned and guarded like "
        "any other call. Settings come back; rows that runs have replaced since do not."
    )


async def _compared(context: Context, now: PreImage, then: PreImage) -> tuple[PreImage, frozenset[str]]:
    """The sync as it is now with what the revision also holds, and the names of all its tables."""
    from bulk_sync_mcp.operations._pre_images import read_tables
    from bulk_sync_mcp.operations.get_bulk_sync_error_handling import PATH

    known: frozenset[str] = frozenset()
    if then.enabled is not None or then.tables:
        listed = await _listed(context, now.sync_id)
        known = frozenset(one.id for one in listed)
        tables = await read_tables(context, now.sync_id, [name for name in then.tables if name in known])
        enabled = tuple(one.id for one in listed if one.enabled is not False)
        now = replace(now, enabled=enabled, tables=tables)
    if then.error_handling is not None:
        answer = await context.api.get(PATH, id=now.sync_id)
        now = replace(now, error_handling=as_object(answer.data))
    return now, known


_MODES = """# What a rerun does

Without `resync_mode` a run is an ordinary one: it reads what changed. A mode reads everything again. Pass `schemas`
to keep it to some tables; without it every enabled one is included.

| resync_mode | existing rows | on the local service | on Polytomic, and how sure that is |
|---|---|---|---|
| (none) | kept; but see below | certain | documented by example |
| refetch | kept, matching ones overwritten | certain; rows gone at the source are marked or removed | inferred from the name and from `retain` |
| resync | EMPTIED, then loaded; the table itself stays | certain; in one atomic step | inferred from the name and from `truncate` |
| rebuild | DROPPED with the table, created anew | certain; in one atomic step | strong: documented as equal to the former `resync: true`; the word dropped is inferred |

- Rows that the source no longer has are lost by resync and rebuild. rebuild also loses views, grants and indexes.
- A destination may offer only some modes: `get_bulk_destination` tells them. What Polytomic does with one it does not
  offer is not documented, so this server refuses it.
- Ordinary runs can lose rows too: mode `snapshot` replaces all rows each run; `hard_deletes` removes those gone at the
  source; a table without a primary key is replaced on every run.
- A schedule may carry a mode, and repeats it at every firing.
- Afterwards compare `output_disposition` of the execution with what was planned. Cancelling comes too late for rows
  that are gone already.
- What a rerun does to history tables, and when downstream readers see half of it, is not documented for Polytomic.
"""
