"""A backend that answers from memory, as bare as an ASGI application can be, in a process of its own.

    python tests/benchmarks/upstream.py [SECONDS]

`SECONDS` is what each answer takes.
Serves on a free port of loopback, prints it, and ends with its standard input. It knows one sync with two tables,
lists fifty, and never starts anything. `/asked` tells what was asked for since it was last looked at.
"""

import asyncio
import json
import socket
import sys
from typing import Any

import uvicorn

SYNC_ID = "1249c7f8-0d0b-4c3e-9b5e-3f1f6a0c7d11"
_SOURCE, _DESTINATION = "248df4b7-aa70-47b8-a036-33ac447e668d", "8c1d2f6e-5b0a-4e7d-9f3c-2a6b8d0e4c17"
_ACTOR = {"id": "c3f0a1b2-7d84-4f65-9b0e-1a2c3d4e5f60", "name": "Ann Example", "type": "user"}


def _sync(number: int = 0) -> dict[str, Any]:
    """A sync with every key that the API sends (openapi.yaml, BulkSync)."""
    return {
        "id": SYNC_ID if number == 0 else f"1249c7f8-0d0b-4c3e-9b5e-{number:012x}",
        "name": f"Orders to warehouse {number}",
        "active": number % 3 != 0,
        "mode": "replicate",
        "organization_id": "5f1e7c3a-9b2d-4c8e-a6f0-0d1b2c3e4f51",
        "source_connection_id": _SOURCE,
        "destination_connection_id": _DESTINATION,
        "source_configuration": {},
        "destination_configuration": {"schema": "raw", "mirror_schemas": False, "advanced": {"table_prefix": ""}},
        "default_schedule": {
            "id": "d41c7e5a-3b0f-4d2e-8a9c-6b5f4e3d2c1b",
            "frequency": "daily",
            "hour": "4",
            "minute": "30",
            "day_of_week": None,
            "day_of_month": None,
            "month": None,
            "job_id": None,
            "run_after": None,
            "selective_mode": "none",
        },
        "additional_schedules": [],
        "automatically_add_new_objects": "none",
        "automatically_add_new_fields": "all",
        "normalize_names": "enabled",
        "data_cutoff_timestamp": None,
        "disable_record_timestamps": False,
        "concurrency_limit": None,
        "resync_concurrency_limit": None,
        "policies": [],
        "created_at": "2026-01-05T10:00:00Z",
        "created_by": _ACTOR,
        "updated_at": "2026-03-01T09:30:00Z",
        "updated_by": _ACTOR,
    }


def _run(at: str, identity: str) -> dict[str, Any]:
    tables = [
        {"schema": name, "output_name": name, "status": "completed", "record_count": 1000, "error_count": 0}
        for name in ("public.orders", "public.customers")
    ]
    return {
        "id": identity,
        "status": "completed",
        "type": "scheduled",
        "is_test": False,
        "is_resync": False,
        "output_disposition": "retain",
        "created_at": at,
        "started_at": at,
        "completed_at": at,
        "updated_at": at,
        "record_count": 2000,
        "schemas": tables,
    }


def _connection(identity: str, name: str, kind: str) -> dict[str, Any]:
    return {"id": identity, "name": name, "type": {"id": kind, "name": name}, "status": "healthy", "configuration": {}}


_LAST = _run("2026-05-11T04:30:00Z", "a3f1c2d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d")
_ANSWERS: dict[str, Any] = {
    "/api/bulk/syncs": [_sync(number) for number in range(50)],
    f"/api/bulk/syncs/{SYNC_ID}": _sync(),
    f"/api/bulk/syncs/{SYNC_ID}/status": {
        "current_execution": None,
        "last_execution": _LAST,
        "next_execution_time": "2026-05-12T04:30:00Z",
    },
    f"/api/bulk/syncs/{SYNC_ID}/schemas": [
        {"id": name, "enabled": True, "output_name": name.replace("public.", "")}
        for name in ("public.orders", "public.customers")
    ],
    f"/api/bulk/syncs/{SYNC_ID}/executions": [_LAST],
    "/api/bulk/syncs/status": [
        {"sync_id": _sync(n)["id"], "status": "completed", "nextExecutionTime": "2026-05-12T04:30:00Z", "schemas": []}
        for n in range(50)
    ],
    "/api/connections": [
        _connection(_SOURCE, "Production Postgres", "postgresql"),
        _connection(_DESTINATION, "Warehouse", "snowflake"),
    ],
    f"/api/connections/{_SOURCE}": _connection(_SOURCE, "Production Postgres", "postgresql"),
    f"/api/connections/{_DESTINATION}": _connection(_DESTINATION, "Warehouse", "snowflake"),
    f"/api/connections/{_DESTINATION}/bulksync/target": {
        "supported_resync_modes": ["refetch", "resync", "rebuild"],
        "modes": [],
    },
}
ANSWERS = {path: json.dumps({"data": value}).encode() for path, value in _ANSWERS.items()}
"""Bodies by path."""


class Upstream:
    """The ASGI application; `delay` is how long each answer takes, in seconds."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.asked: list[str] = []

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        path = scope["path"]
        if path == "/asked":
            status, body = 200, json.dumps(self.asked).encode()
            self.asked.clear()
        else:
            query = scope["query_string"].decode()
            self.asked.append(f"{path}?{query}" if query else path)
            found = ANSWERS.get(path) if scope["method"] == "GET" else None
            status, body = (404, b'{"message": "nothing here", "status": 404}') if found is None else (200, found)
            if self.delay:
                await asyncio.sleep(self.delay)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"x-polytomic-version", b"2025-09-18"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def _serve(delay: float) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    # asyncio sets it for sockets it makes itself; without it an answer in two pieces waits for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(Upstream(delay), log_config=None, lifespan="off", access_log=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    print(listener.getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0))
