"""The least an MCP server of this kind can be: the SDK, two tools, one pooled httpx client.

    UPSTREAM=http://127.0.0.1:PORT python tests/benchmarks/floor_server.py

No schemas of its own, no checks, no guard, no audit, no presentation: what the SDK and the HTTP library cost.
"""

import json
import os
from typing import Any

import httpx
from mcp.server.mcpserver import MCPServer

server = MCPServer("floor", log_level="WARNING")
client = httpx.AsyncClient(
    base_url=os.environ.get("UPSTREAM", "http://127.0.0.1:9"),
    headers={"Authorization": "Bearer x", "X-Polytomic-Version": "2025-09-18"},
    limits=httpx.Limits(max_connections=64, max_keepalive_connections=64),
    trust_env=False,
)


async def _get(path: str) -> Any:
    answer = await client.get(path)
    answer.raise_for_status()
    return answer.json()["data"]


@server.tool()
async def get_bulk_sync(sync_id: str) -> str:
    """Get one bulk sync."""
    return json.dumps(await _get(f"/api/bulk/syncs/{sync_id}"))


@server.tool()
async def list_bulk_syncs() -> str:
    """List bulk syncs."""
    return json.dumps(await _get("/api/bulk/syncs"))


if __name__ == "__main__":
    server.run("stdio")
