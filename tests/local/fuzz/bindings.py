"""What the fuzzer is told besides the description: the key, what exists here, and which checks hold where."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bulk_sync_local.app import API_VERSION
from local.fuzz.stage import Stage
from local.served import KEY

OFTEN = 0.9
"""How often a value of a dictionary stands where one is bound; elsewhere the fuzzer makes one up."""

_CONNECTIONS = {"body.source_connection_id": "sources", "body.destination_connection_id": "destinations"}
_FILE = {"body.type": "kind", "body.configuration.path": "file"}
_BODY = {
    "body.connection_id": "connections",
    "body.configuration.path": "files",
    "body.schemas[*]": "tables",
    "body.schemas[*].id": "tables",
    "body.schemas[*].tracking_field": "columns",
    "body.schemas[*].fields[*]": "columns",
    "body.schemas[*].fields[*].id": "columns",
    "body.schemas[*].filters[*].field_id": "columns",
    "body.fields[*].id": "columns",
    "body.filters[*].field_id": "columns",
    "body.tracking_field": "columns",
}

DEPENDS_ON_THE_WORKSPACE = {
    "listBulkSyncs": "a page token is one that a page gave",
    "listBulkSyncExecutions": "a page token is one that a page gave",
    "getBulkSyncExecutionConsoleLogs": "a cursor is one that a page gave",
    "getBulkSyncSchemaConsoleLogs": "a cursor is one that a page gave",
    "listBulkSyncStatuses": "one of three parameters has to name the syncs",
    "createBulkSync": "names of tables and columns, and what the connectors offer",
    "updateBulkSync": "names of tables and columns, and what the connectors offer",
    "patchBulkSyncSchemas": "names of tables and columns",
    "updateBulkSyncSchema": "names of columns",
    "createBulkSyncSchedule": "times that the frequency asks for",
    "updateBulkSyncSchedule": "times that the frequency asks for",
    "startBulkSyncExecution": "tables that are enabled, and no fetch mode of Salesforce",
    "exportBulkSyncExecutionLogs": "no mail is sent",
    "getBulkSyncSource": "not every connection can be a source",
    "getBulkSyncDestination": "not every connection can be a destination",
    "refreshConnectionSchemas": "a source that is there",
    "createConnection": "files that are there",
    "testConnection": "files that are there",
    "updateConnection": "files that are there",
    "getJob": "families of jobs",
}
"""Operations that refuse what their description allows with 400, and why it cannot be described."""


def dictionaries(stage: Stage) -> dict[str, list[str]]:
    """Values by kind. Some files lie outside of the workspace: nothing may come of them."""
    outside = str(stage.workspace.parent / "outside.duckdb")
    return {
        "sync": [stage.sync],
        "execution": [stage.execution],
        "schedule": [stage.schedule],
        "job": [stage.job],
        "family": ["exportlogs"],
        "syncs": stage.syncs,
        "sources": stage.sources,
        "destinations": stage.destinations,
        "connections": [*stage.sources, *stage.destinations],
        "changing": [stage.changing],
        "doomed_syncs": stage.doomed_syncs,
        "doomed_schedules": stage.doomed_schedules,
        "doomed_connections": stage.doomed_connections,
        "types": ["sqlite", "duckdb", "parquet", "csv", "postgresql"],
        "kind": ["sqlite"],
        "file": ["shop.sqlite"],
        "files": ["shop.sqlite", "new.sqlite", "new.duckdb", "folder", "../outside.sqlite", outside, "a\0b", "."],
        "tables": ["orders", "customers", "people"],
        "columns": ["id", "total", "email", "name"],
    }


def of_path(method: str, path: str) -> Iterator[tuple[str, str]]:
    """The parameters of a path, each with the kind of thing it names."""
    kinds = {"exec_id": "execution", "execution_id": "execution", "schema_id": "tables", "type": "family"}
    for name in [part[1:-1] for part in path.split("/") if part.startswith("{")]:
        if name in kinds:
            yield name, kinds[name]
        elif name == "schedule_id":
            yield name, "doomed_schedules" if method == "delete" else "schedule"
        elif path.startswith("/api/jobs"):
            yield name, "job"
        elif path.startswith("/api/connection_types"):
            yield name, "types"
        elif path.startswith("/api/connections"):
            yield name, {"delete": "doomed_connections", "put": "changing"}.get(method, "connections")
        elif "execution" in path or "schedule" in path:
            yield name, "sync"
        else:
            yield name, "doomed_syncs" if method == "delete" else "syncs"


def configuration(stage: Stage, paths: Mapping[str, Any], *, fixed: bool) -> str:
    """The fuzzer's configuration file. With `fixed`, whatever has to be there is."""
    known = dictionaries(stage)
    lines = ["[headers]", f"Authorization = {json.dumps('Bearer ' + KEY)}"]
    if not fixed:
        lines.append(f"X-Polytomic-Version = {json.dumps(API_VERSION)}")
    for name, values in known.items():
        lines += ["", f"[dictionaries.{name}]", f"values = {json.dumps(values)}"]
    for path, methods in paths.items():
        for method, operation in methods.items():
            ids = {f"path.{name}": kind for name, kind in of_path(method, path)}
            body = _BODY if "requestBody" in operation else {}
            if body:
                ids |= _FILE if path.startswith("/api/connections") else _CONNECTIONS
            drawn = body if fixed else {**ids, **body}
            values = {
                name: f"{{ dictionary = {json.dumps(kind)}, probability = {OFTEN} }}" for name, kind in drawn.items()
            }
            if fixed:
                values |= {name: json.dumps(known[kind][0]) for name, kind in ids.items()}
            name = operation["operationId"]
            lines += ["", "[[operations]]", f"include-operation-id = {json.dumps(name)}"]
            if name in DEPENDS_ON_THE_WORKSPACE:
                lines.append("checks.positive_data_acceptance.enabled = false")
            if path.endswith("/schemas/refresh"):
                # GET is allowed there as well: it reads a table that is called `refresh`.
                lines.append("checks.allow_header_conformance.enabled = false")
            lines += ["[operations.parameters]", *(f'"{name}" = {value}' for name, value in values.items())]
    return "\n".join(lines)
