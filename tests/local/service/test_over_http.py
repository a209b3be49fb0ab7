"""The same application behind a real HTTP server."""

import asyncio
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn

from bulk_sync_local.app import API_VERSION, create_app
from bulk_sync_local.config import LocalConfig

pytestmark = pytest.mark.anyio


@pytest.fixture
def address(config: LocalConfig) -> Iterator[str]:
    app = create_app(config)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    end = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < end, "the server did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()
    app.state.service.store.close()


async def test_requests_over_a_socket_are_answered_like_those_in_process(address: str, config: LocalConfig) -> None:
    headers = {"Authorization": f"Bearer {config.api_key}", "X-Polytomic-Version": API_VERSION}
    async with httpx.AsyncClient(base_url=address, headers=headers) as client:
        identity = await client.get("/api/me")
        assert identity.json()["data"]["organization_id"] == config.organization_id
        body = {"name": "shop", "type": "sqlite", "configuration": {"path": "shop.sqlite"}}
        made = await client.post("/api/connections", json=body)
        path = f"/api/connections/{made.json()['data']['id']}/schemas"
        assert (await client.get(f"{path}/orders")).json()["data"]["id"] == "orders"
        assert (await client.get(f"{path}/no%2Fsuch")).json()["message"].endswith("no/such")
        refused = await client.get("/api/me", headers={"Authorization": "Bearer wrong"})
        assert (refused.status_code, refused.json()["status"]) == (401, 401)
        assert refused.headers["X-Polytomic-Version"] == API_VERSION
