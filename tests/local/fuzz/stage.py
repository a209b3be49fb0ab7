"""What stands in the workspace before it is fuzzed, so that made-up requests meet real things."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from local.served import Served, data, until
from local.service.harness import make_source, sync_body

DOOMED = 12
"""Syncs, schedules and connections that nothing but the fuzzed deletions is given."""


@dataclass(frozen=True)
class Stage:
    """The ids of what there is, by kind. `sync` has the `execution`, the `schedule` and the export `job`.

    `changing` is a connection that nothing depends on, for calls that change one.
    """

    workspace: Path
    sync: str
    execution: str
    schedule: str
    job: str
    sources: list[str]
    destinations: list[str]
    changing: str
    syncs: list[str]
    doomed_syncs: list[str]
    doomed_schedules: list[str]
    doomed_connections: list[str]


def build(service: Served) -> Stage:
    """Sources and destinations of several kinds, syncs between them, and one run to its end."""
    make_source(service.workspace / "shop.sqlite")
    folder = service.workspace / "lists"
    folder.mkdir()
    (folder / "people.csv").write_text("id,name\n1,Ada\n2,Grace\n")
    with service.client() as client:
        sources = [_connection(client, "sqlite", "shop.sqlite"), _connection(client, "csv", "lists")]
        destinations = [_connection(client, "duckdb", "out.duckdb"), _connection(client, "sqlite", "out.sqlite")]
        syncs = [_sync(client, source, destination) for source in sources for destination in destinations]
        first = f"/api/bulk/syncs/{syncs[0]}"
        timing = {"schedule": {"frequency": "daily", "hour": "3", "minute": "0"}}
        schedules = [data(client.post(f"{first}/schedules", json=timing))["id"] for _ in range(DOOMED)]
        execution = data(client.post(f"{first}/executions", json={}))["id"]
        until("the first run ends", lambda: data(client.get(f"{first}/executions/{execution}"))["completed_at"])
        job = client.post(f"{first}/executions/{execution}/logs/export").json()["job"]["job_id"]
        return Stage(
            workspace=service.workspace,
            sync=syncs[0],
            execution=execution,
            schedule=data(client.get(first))["default_schedule"]["id"],
            job=job,
            sources=sources,
            destinations=destinations,
            changing=_connection(client, "sqlite", "shop.sqlite"),
            syncs=syncs[1:],
            doomed_schedules=schedules,
            doomed_syncs=[_sync(client, sources[0], destinations[1]) for _ in range(DOOMED)],
            doomed_connections=[_connection(client, "sqlite", "shop.sqlite") for _ in range(DOOMED)],
        )


def _connection(client: httpx.Client, type_id: str, path: str) -> str:
    body = {"name": path, "type": type_id, "configuration": {"path": path}}
    return data(client.post("/api/connections", json=body))["id"]


def _sync(client: httpx.Client, source: str, destination: str, **more: Any) -> str:
    return data(client.post("/api/bulk/syncs", json=sync_body(source, destination, **more)))["id"]
