"""The approval page as a web application: what is let in, and what a decision takes.

Threats: another site that has the browser send a form or read the page (Host, Origin, CSRF token, no framing, no
CORS), a name that resolves to loopback (Host), guessing (128 random bits; five wrong secrets deny), a link followed
by a prefetcher (GET changes nothing). Who can read the user's memory or state directory is outside.
"""

import asyncio
import hashlib
import hmac
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bulk_sync_mcp.approvals import markup
from bulk_sync_mcp.approvals.markup import Wrong
from bulk_sync_mcp.approvals.style import HEADERS
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.guard.approval import ApprovalStore, Standing, ticket_of
from bulk_sync_mcp.guard.secret import matches

logger = logging.getLogger(__name__)

BODY_LIMIT = 16_384
BODY_SECONDS = 10.0
TRIES = 5
"""Wrong operator secrets after which an approval is denied."""
_FORM_TYPE = "application/x-www-form-urlencoded"
_FIELDS = {"csrf", "decision", "name", "secret"}


@dataclass
class Site:
    """What the page is made of. `known` are tickets whose page was opened here; `changed` tells of a decision."""

    store: ApprovalStore
    brand: str
    now: Callable[[], datetime]
    changed: Callable[[], None]
    origin: str = ""
    known: set[str] = field(default_factory=set[str])
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    _tries: dict[str, int] = field(default_factory=dict[str, int])
    _checking: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def host(self) -> str:
        """The one Host header that is answered."""
        return self.origin.partition("://")[2]

    def csrf(self, ticket: str) -> str:
        """The token of one approval's form."""
        return hmac.new(self._key, ticket.encode(), hashlib.sha256).hexdigest()

    async def proven(self, ticket: str, secret: str, line: str) -> bool:
        """Whether the secret is right. Each try is counted before it is checked, so that tries at once gain nothing."""
        async with self._checking:
            if self.tries_left(ticket) <= 0:
                return False
            self._tries[ticket] = self._tries.get(ticket, 0) + 1
            return await asyncio.to_thread(matches, secret, line)

    def tries_left(self, ticket: str) -> int:
        """How many wrong secrets an approval can still take."""
        return TRIES - self._tries.get(ticket, 0)


class Refused(HTTPException):
    """A request that is not answered as asked; `detail` says why in plain words."""


def application(site: Site) -> ASGIApp:
    """The ASGI application."""

    async def page(request: Request) -> Response:
        standing = _standing(site, str(request.path_params["approval"]))
        if request.method == "POST":
            return await _decide(site, standing, request)
        return _page(site, standing)

    def refused(_request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            return _say("Something went wrong", "Nothing has been decided. The server's log has the details.", 500)
        known = {404: "No such page", 405: "Not possible here", 410: "No longer open"}
        heading = known.get(error.status_code, "Refused")
        text = error.detail if isinstance(error, Refused) else "There is nothing at this address."
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            text = "This page can only be read, or its form sent."
        return _say(heading, text, error.status_code, error.headers)

    def _say(heading: str, text: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
        return HTMLResponse(markup.message(site.brand, heading, text), status, dict(headers or {}))

    app = Starlette(
        routes=[Route("/approval/{approval}", page, methods=["GET", "POST"])],
        exception_handlers={HTTPException: refused, 500: refused},
    )
    app.router.redirect_slashes = False
    return _Doorkeeper(app, site)


class _Doorkeeper:
    """Answers our own Host alone, and puts the protective headers on every answer."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = {name.lower().encode(): value.encode() for name, value in HEADERS.items()}
                kept = [(name, value) for name, value in message["headers"] if name.lower() not in ours]
                message = {**message, "headers": [*kept, *ours.items()]}
            await send(message)

        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not hmac.compare_digest(hosts[0], self._site.host.encode()):
            text = "This address is not answered under that name."
            answer = HTMLResponse(markup.message(self._site.brand, "Refused", text), HTTPStatus.MISDIRECTED_REQUEST)
            await answer(scope, receive, protected)
            return
        await self._app(scope, receive, protected)


def _standing(site: Site, approval: str) -> Standing:
    """The open approval of an address. Raises `Refused`: 404 for one never opened here, 410 for one that is over."""
    ticket = ticket_of(approval)
    if ticket not in site.known:
        raise Refused(
            404, "There is no approval at this address. The link may be incomplete, or from an earlier session."
        )
    standing = site.store.find(ticket)
    if standing is None:
        raise Refused(410, "This approval has expired, was withdrawn, or has been used. Ask the assistant again.")
    if standing.decision is not None:
        raise Refused(410, f"This request has already been {standing.decision}.")
    return standing


def _page(site: Site, standing: Standing, wrong: Wrong | None = None, status: int = 200) -> Response:
    html = markup.question(standing, site.brand, site.csrf(standing.ticket), site.now(), wrong)
    return HTMLResponse(html, status)


async def _decide(site: Site, standing: Standing, request: Request) -> Response:
    form = await _form(site, request)
    if not hmac.compare_digest(form.get("csrf", "").encode(), site.csrf(standing.ticket).encode()):
        raise Refused(403, "The form did not come from this page. Open the page again. Nothing has been decided.")
    decision = form.get("decision")
    if decision == "deny":
        return _record(site, standing, approve=False)
    if decision != "approve":
        raise Refused(400, "The form has neither Approve nor Deny. Nothing has been decided.")
    phrase = standing.shown.phrase
    if phrase and not hmac.compare_digest(clean(form.get("name", "")).encode(), phrase.encode()):
        return _page(site, standing, Wrong("name", "The name is not the one shown. Type it exactly as it stands."), 422)
    if standing.channel == "operator":
        right = await site.proven(standing.ticket, form.get("secret", ""), standing.shown.secret_hash)
        left = site.tries_left(standing.ticket)
        if not right and left > 0:
            logger.warning("approval %s: wrong operator secret on the page", standing.reference)
            tries = "1 try is" if left == 1 else f"{left} tries are"
            return _page(site, standing, Wrong("secret", f"That is not the operator secret; {tries} left."), 403)
        if not right:
            logger.warning("approval %s: denied after %d wrong operator secrets", standing.reference, TRIES)
            site.store.decide(standing.ticket, "denied", "page: wrong secrets")
            site.changed()
            raise Refused(403, f"The operator secret was wrong {TRIES} times, so the request has been denied.")
    return _record(site, standing, approve=True)


def _record(site: Site, standing: Standing, *, approve: bool) -> Response:
    in_time = site.store.decide(standing.ticket, "approved" if approve else "denied", "page")
    site.changed()
    if not in_time:
        raise Refused(410, "It was too late: the approval has expired, was withdrawn, or has been decided elsewhere.")
    if approve:
        texts = (
            standing.shown.title,
            "The assistant can make this call once now. It is refused if what it would do has changed since.",
            "You can close this page.",
        )
        return HTMLResponse(markup.message(site.brand, "Approved", *texts, tone="done"))
    texts = (standing.shown.title, "Nothing has run, and the assistant is told so.", "You can close this page.")
    return HTMLResponse(markup.message(site.brand, "Denied", *texts, tone="stopped"))


async def _form(site: Site, request: Request) -> dict[str, str]:
    """The fields of a form that this very page sent. Raises `Refused` for any other request."""
    origins = request.headers.getlist("origin")
    if len(origins) != 1 or not hmac.compare_digest(origins[0].encode(), site.origin.encode()):
        raise Refused(403, "The form came from another place than this page. Nothing has been decided.")
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise Refused(403, "The form came from another place than this page. Nothing has been decided.")
    types = [value.partition(";")[0].strip().lower() for value in request.headers.getlist("content-type")]
    if types != [_FORM_TYPE]:
        raise Refused(415, "Only the form of this page is taken. Nothing has been decided.")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_LIMIT:
                    raise Refused(413, "The form is too large. Nothing has been decided.")
        pairs = parse_qsl(bytes(body).decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except TimeoutError:
        raise Refused(408, "The form took too long to arrive. Nothing has been decided.") from None
    except ValueError:
        raise Refused(400, "The form cannot be read. Nothing has been decided.") from None
    fields = dict(pairs)
    if len(fields) != len(pairs) or not fields.keys() <= _FIELDS:
        raise Refused(400, "The form cannot be read. Nothing has been decided.")
    return fields
