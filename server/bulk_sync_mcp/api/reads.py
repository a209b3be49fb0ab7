"""One read and its answer over aiohttp, with every exception turned into a value.

Only GETs without a proxy come here, since with many in flight httpx takes most of the time of a call. What writes
must not: aiohttp sends PUT and DELETE again by itself when a kept-alive connection drops. Imported on the first read.

The target goes out as it is. aiohttp would resolve dot segments that are given to it unencoded; api/paths.py lets
none through. Environment variables and netrc are not read, cookies are refused, redirects are not followed.
"""

import logging
import ssl
import urllib.request
from collections.abc import AsyncIterator

import aiohttp
from yarl import URL

from bulk_sync_mcp.api.answers import Flaw, Lost, Received, unpacked
from bulk_sync_mcp.api.backend import Backend
from bulk_sync_mcp.api.faults import Lapse
from bulk_sync_mcp.api.retry import Limits

logger = logging.getLogger(__name__)

HEAD_BYTES = 64 * 1024
"""The longest line of an answer's head."""


class _Dropped(Exception):
    """The connection was lost before an answer came."""


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    # aiohttp sends a GET again when one of these comes out of here. Sending again is for api/retry.py alone to decide.
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Dropped(type(error).__name__) from None


def proxied(backend: Backend) -> bool:
    """Whether the environment names any proxy that may be meant for this backend; those are for httpx to follow."""
    return not backend.is_loopback and bool(urllib.request.getproxies())


class Reads:
    """Pooled connections for reads. To be made in the event loop it is used in; opens no connection yet."""

    def __init__(self, backend: Backend, headers: dict[str, str], limits: Limits, verify: ssl.SSLContext) -> None:
        self._origin = backend.origin
        self._most = limits.answer_bytes
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limits.connections, keepalive_timeout=20.0, ssl=verify),
            headers={
                **headers,
                "Authorization": backend.authorization.get_secret_value(),
                "Accept-Encoding": "gzip",
                "Connection": "keep-alive",
            },
            timeout=aiohttp.ClientTimeout(
                total=None, connect=limits.connect, sock_connect=limits.connect, sock_read=limits.read
            ),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            middlewares=(_once,),
            max_line_size=HEAD_BYTES,
            max_field_size=HEAD_BYTES,
        )

    async def exchange(self, target: bytes) -> Received | Lost:
        """Sends one GET once. `target` goes on the wire as it is. Raises what is no transport error."""
        url = URL(self._origin + target.decode("ascii"), encoded=True)
        try:
            response = await self._session.get(url, allow_redirects=False)
        except aiohttp.ClientConnectorError as error:
            return _lost("unconnected", error)
        except TimeoutError as error:
            return _lost("timeout", error)
        except (_Dropped, aiohttp.ClientError, OSError) as error:
            return _lost("dropped", error)
        try:
            return await self._received(response)
        finally:
            response.close()  # the connection, unless the answer was read to its end and it is back in the pool

    async def _received(self, response: aiohttp.ClientResponse) -> Received:
        headers = {name.lower(): value for name, value in response.headers.items()}
        flaw: Flaw | None
        try:
            content, flaw = await unpacked(_chunks(response), headers, self._most)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            logger.info("the answer broke off: %s", type(error).__name__)
            content, flaw = b"", "cut"
        return Received(response.status, headers, content, flaw)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._session.close()


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    while chunk := await response.content.readany():
        yield chunk


def _lost(lapse: Lapse, error: Exception) -> Lost:
    # The class alone: texts of such exceptions can contain header values.
    logger.info("no answer from the backend (%s): %s", lapse, type(error).__name__)
    return Lost(lapse)
