"""The REST API as an ASGI application.

`create_app(config)` works behind an in-process transport, which runs no lifespan, and under any ASGI server. There
schedules fire from its start to its end; in-process they do once `app.state.scheduler.start()` has been called.
Order of the checks: credential, requests under way, API version, route, method, body size; then those of
`dispatch.py`. Two things need no credential: the description of the service, and the signed addresses of log files.
"""

import base64
import binascii
import hmac
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any  # headers of Starlette's JSON answers
from urllib.parse import parse_qsl, quote, unquote

from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from bulk_sync_local import description, log_files
from bulk_sync_local.clock import Clock, system_clock
from bulk_sync_local.config import LocalConfig
from bulk_sync_local.dispatch import Call, Endpoint, Service, parse_body, parse_query, refusal
from bulk_sync_local.errors import ApiError, bad_request
from bulk_sync_local.idempotency import carry_out, checked_key, outcome_of
from bulk_sync_local.routes import endpoints
from bulk_sync_local.scheduler import Scheduler
from bulk_sync_local.store import Store
from bulk_sync_local.store_idempotency import Outcome
from bulk_sync_local.supervisor import Supervisor

log = logging.getLogger(__name__)

API_VERSION = "2025-09-18"
VERSION_HEADER = "X-Polytomic-Version"
MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_UNDER_WAY = 100
"""Requests answered at a time. Each may hold a body in memory, and beyond the threads there are they only queue."""


def create_app(config: LocalConfig, *, clock: Clock = system_clock) -> Starlette:
    """The service over `config`'s state directory, which is made when there is none.

    Without an API key in `config` every caller is let in: only for use inside one process.
    `app.state.stop()` fires no more schedules and closes idle files; serving does so at its end.
    """
    config.make_state_dir()
    store = Store(config.store_path)
    service = Service(config, store, clock, Supervisor(config, store, clock))
    scheduler = Scheduler(config, store, clock, service.supervisor)

    def stop() -> None:
        scheduler.stop()
        store.close()

    @asynccontextmanager
    async def serving(_app: Starlette) -> AsyncGenerator[None]:
        scheduler.start()
        try:
            yield
        finally:
            await to_thread.run_sync(stop)

    app = Starlette(routes=[_Everything(Api(service))], lifespan=serving)
    app.state.service = service
    app.state.scheduler = scheduler
    app.state.stop = stop
    return app


class _Everything(BaseRoute):
    """Hands every request over. Starlette's own patterns leave out paths with an encoded line break."""

    def __init__(self, api: "Api") -> None:
        self._api = api

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return (Match.FULL if scope["type"] == "http" else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._api(scope, receive, send)


class Api:
    """Routes a request, lets it in, and turns every outcome into an answer of the API's form."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._under_way = 0
        self._routes = [(_segments(endpoint.path), endpoint) for endpoint in endpoints()]
        # A literal segment wins over a parameter: /api/bulk/syncs/status is not a sync called `status`.
        self._routes.sort(key=lambda route: [segment.startswith("{") for segment in route[0]])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            if _raw_path(request) == description.PATH:
                await _description(request)(scope, receive, send)
                return
            if _raw_path(request).startswith(log_files.PREFIX):
                await (await self._file(request))(scope, receive, send)
                return
            self._authenticate(request)
            outcome = await self._in_turn(request)
        except ApiError as error:
            outcome = outcome_of(refusal(error))
        except ClientDisconnect:
            return
        except Exception:
            log.exception("%s %s failed", request.method, request.url.path)
            outcome = outcome_of(refusal(ApiError(500, "the local service failed; its log has the details")))
        await _response(outcome)(scope, receive, send)

    async def _in_turn(self, request: Request) -> Outcome:
        if self._under_way >= MAX_UNDER_WAY:
            raise ApiError(
                429, f"{MAX_UNDER_WAY} requests are being answered; repeat this one later", headers={"Retry-After": "1"}
            )
        self._under_way += 1
        try:
            return await self._outcome(request)
        finally:
            self._under_way -= 1

    async def _outcome(self, request: Request) -> Outcome:
        version = request.headers.get(VERSION_HEADER)
        if version != API_VERSION:
            sent = "no version" if version is None else f"version {version!r}"
            raise bad_request(f"this service speaks {VERSION_HEADER}: {API_VERSION}; the request names {sent}")
        endpoint, path = self._route(request)
        raw = await _read_body(request)
        target = _raw_path(request) + "?" + request.scope["query_string"].decode("latin-1")
        header = request.headers.get("Idempotency-Key")
        key = None if header is None else checked_key(header, request.method, target, raw)
        pairs = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)

        def make_call() -> Call:
            query = parse_query(endpoint.query, pairs)
            return Call(self._service, path, query, parse_body(endpoint.body, raw), origin=_origin(request))

        return await to_thread.run_sync(carry_out, endpoint, make_call, self._service, key)

    async def _file(self, request: Request) -> Response:
        """A log file: its signed address is the credential, and a browser sends no headers of the API."""
        _require_reading(request)
        query = request.scope["query_string"].decode("latin-1")
        service = self._service
        file = await to_thread.run_sync(log_files.read, service.store, service.clock, _raw_path(request), query)
        headers = {
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="{file.name}"',
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(file.content, 200, headers, file.media_type)

    def _authenticate(self, request: Request) -> None:
        expected = self._service.config.api_key
        if expected is None:
            return
        scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(credential.strip(), expected):
            return
        if scheme.lower() == "basic":
            organization, _, key = _basic(credential).partition(":")
            # Both are compared, whatever the first comparison says.
            if _same(organization, self._service.config.organization_id) & _same(key, expected):
                return
        raise ApiError(401, "missing or wrong credential: send Authorization: Bearer with the service's API key")

    def _route(self, request: Request) -> tuple[Endpoint, dict[str, str]]:
        # The raw path, because an encoded slash inside a schema id is not a separator.
        segments = [unquote(part) for part in _segments(_raw_path(request))]
        allowed: list[str] = []
        template: str | None = None
        for pattern, endpoint in self._routes:
            path = _match(pattern, segments)
            # An id is a UUID, so never a word of the API's own; a schema may be called like one.
            if path is None or (template not in (None, endpoint.path) and "schema_id" not in path):
                continue
            template = template or endpoint.path
            if endpoint.method == request.method:
                return endpoint, path
            allowed.append(endpoint.method)
        if allowed:
            raise _wrong_method(request, allowed)
        raise ApiError(404, f"there is nothing at {request.url.path}")


def _description(request: Request) -> Response:
    """What the service is, for tools that read such descriptions; it holds nothing of the workspace."""
    _require_reading(request)
    return Response(description.served(), media_type="application/json")


def _require_reading(request: Request) -> None:
    if request.method not in ("GET", "HEAD"):
        raise _wrong_method(request, ["GET", "HEAD"])


def _wrong_method(request: Request, allowed: list[str]) -> ApiError:
    possible = f"{', '.join(allowed)} {'is' if len(allowed) == 1 else 'are'}"
    return ApiError(
        405, f"{request.method} is not possible here; {possible}", headers={"Allow": ", ".join(sorted(allowed))}
    )


def _origin(request: Request) -> str | None:
    """Where the request came in; None without a port, since then it came through memory."""
    host, port = request.scope.get("server") or ("", None)
    if port is None:
        return None
    return f"{request.scope['scheme']}://{f'[{host}]' if ':' in host else host}:{port}"


def _raw_path(request: Request) -> str:
    """The path still percent-encoded; ASGI servers may leave it out."""
    raw: bytes | None = request.scope.get("raw_path")
    return quote(request.scope["path"]) if raw is None else raw.decode("latin-1")


async def _read_body(request: Request) -> bytes:
    chunks, size = list[bytes](), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise ApiError(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _response(outcome: Outcome) -> Response:
    headers: dict[str, Any] = {VERSION_HEADER: API_VERSION, "Cache-Control": "no-store", **outcome.headers}
    if outcome.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if not outcome.body:
        return Response(status_code=outcome.status, headers=headers)
    return Response(outcome.body, outcome.status, headers, "application/json")


def _segments(path: str) -> list[str]:
    return path.removeprefix("/").split("/")


def _match(pattern: list[str], segments: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(segments):
        return None
    found: dict[str, str] = {}
    for part, segment in zip(pattern, segments, strict=True):
        if part.startswith("{") and segment:
            found[part[1:-1]] = segment
        elif part != segment:
            return None
    return found


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


def _basic(credential: str) -> str:
    try:
        return base64.b64decode(credential.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
