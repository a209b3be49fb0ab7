"""One request and its answer over httpx, with every exception turned into a value: whatever changes something, and
reads within this process or through a proxy. Other reads go by `reads.py`.

The only module that imports httpx, and itself imported when first used: a server that is only asked for its
tools starts without it. Exceptions end here because those of httpx hold the request, with its credential.

Environment: the standard proxy variables are heeded for https addresses only, where TLS runs through the
proxy to the backend itself, so that a proxy sees no credential. For loopback they are ignored, or a plain
request would be handed to the proxy with the key in it. httpx reads no netrc by itself, and `auth=None` below
keeps it so; cookies are refused. Certificates come from the caller's context, never from SSL_CERT_FILE.
"""

import http.cookiejar
import logging
import ssl
from pathlib import Path

import httpx

from bulk_sync_mcp.api.answers import Flaw, Lost, Received, unpacked
from bulk_sync_mcp.api.backend import Backend
from bulk_sync_mcp.api.faults import Lapse
from bulk_sync_mcp.api.retry import Limits
from bulk_sync_mcp.core.errors import Failure

logger = logging.getLogger(__name__)


def tls_context(extra_ca: Path | str | None = None) -> ssl.SSLContext:
    """A context that verifies certificates and host names against certifi's authorities.

    `extra_ca` is the path of a PEM file with further ones, for a self-hosted backend or a company's proxy.
    Raises `OSError` (`ssl.SSLError` for a file that is no PEM) if it cannot be read.
    """
    context = httpx.create_ssl_context(verify=True, trust_env=False)
    if extra_ca is not None:
        context.load_verify_locations(cafile=extra_ca)
    return context


def connect(
    backend: Backend,
    headers: dict[str, str],
    limits: Limits,
    transport: httpx.AsyncBaseTransport | None,
    verify: ssl.SSLContext,
) -> httpx.AsyncClient:
    """The pooled client for one backend; opens no connection yet. Quietens the logs of the HTTP library.

    Raises `Failure("not_configured")` for a proxy variable that cannot be used.
    """
    for library in ("httpcore", "httpx"):
        # At DEBUG they log headers of answers (signed addresses, cookies), at INFO addresses with table names.
        logging.getLogger(library).setLevel(logging.WARNING)
    try:
        client = httpx.AsyncClient(
            transport=transport,
            verify=verify,
            trust_env=not backend.is_loopback,
            follow_redirects=False,
            timeout=httpx.Timeout(limits.read, connect=limits.connect, pool=limits.connect),
            limits=httpx.Limits(
                max_connections=limits.connections,
                # As many as there may be: below that, the pool closes connections others wait for.
                max_keepalive_connections=limits.connections,
                keepalive_expiry=20.0,
            ),
            cookies=http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=[])),
            headers={
                **headers,
                "Authorization": backend.authorization.get_secret_value(),
                "Accept-Encoding": "gzip",
            },
            event_hooks={"response": [_forget_location]},
        )
    except (ImportError, ValueError, httpx.InvalidURL):
        client = None
    if client is None:
        raise Failure("not_configured", "The proxy named in the environment (HTTPS_PROXY, ALL_PROXY) cannot be used.")
    return client


async def exchange(
    client: httpx.AsyncClient,
    origin: str,
    method: str,
    target: bytes,
    headers: dict[str, str],
    content: bytes | None,
    limits: Limits,
) -> Received | Lost:
    """Send one request once. `target` goes on the wire as it is.

    Raises what is neither an answer nor a transport error (a fault in a transport given) for GET only; for a
    mutation everything but cancellation becomes `Lost`, since it may have been sent.
    """
    request = client.build_request(method, httpx.URL(origin, raw_path=target), headers=headers, content=content)
    try:
        response = await client.send(request, stream=True, auth=None)
    except httpx.ConnectError as error:
        return _lost("unconnected", error)
    except httpx.TimeoutException as error:
        return _lost("timeout", error)
    except (httpx.TransportError, OSError) as error:
        return _lost("dropped", error)
    except Exception as error:
        if method == "GET":
            raise
        return _lost("unexpected", error)
    try:
        return await _received(response, limits.answer_bytes)
    finally:
        await response.aclose()


async def _received(response: httpx.Response, most: int) -> Received:
    headers = {name.lower(): value for name, value in response.headers.items()}
    try:
        content, flaw = await _content(response, headers, most)
    except (httpx.HTTPError, httpx.StreamError, OSError) as error:
        logger.info("the answer broke off: %s", type(error).__name__)
        content, flaw = b"", "cut"
    return Received(response.status_code, headers, content, flaw)


async def _content(response: httpx.Response, headers: dict[str, str], most: int) -> tuple[bytes, Flaw | None]:
    if response.is_stream_consumed:
        # A transport in this process gave the answer whole, decoded by httpx when it was made.
        return (b"", "too_large") if len(response.content) > most else (response.content, None)
    return await unpacked(response.aiter_raw(), headers, most)


async def _forget_location(response: httpx.Response) -> None:
    # httpx parses it even when redirects are not followed, and raises for a malformed one, which would turn a
    # definite answer into a lost one. It may also hold a signed address.
    response.headers.pop("location", None)


def _lost(lapse: Lapse, error: Exception) -> Lost:
    # The class alone: texts of such exceptions can contain header values.
    logger.info("no answer from the backend (%s): %s", lapse, type(error).__name__)
    return Lost(lapse)
