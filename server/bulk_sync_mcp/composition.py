"""The only place that wires objects together and picks a backend.

Nothing here reads or writes before the first call: a client may start the server just to list its tools.
"""

import getpass
import hashlib
import importlib.metadata
import importlib.util
import os
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bulk_sync_mcp import operations
from bulk_sync_mcp.api.backend import Backend, basic, bearer
from bulk_sync_mcp.approvals.page import ApprovalPages
from bulk_sync_mcp.core.context import Answer, Caller, Context, utc_now
from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.operation import AnyOperation, Input, Registry, discover
from bulk_sync_mcp.core.pipeline import Admission, Admit, Pipeline, confirmation_of
from bulk_sync_mcp.guard.approval import ApprovalStore
from bulk_sync_mcp.guard.budget import BudgetLedger
from bulk_sync_mcp.guard.consent import Gate, Request
from bulk_sync_mcp.guard.locks import Locks
from bulk_sync_mcp.guard.policy_file import PolicyError, read_policy
from bulk_sync_mcp.guard.replaced import ReplacedTables
from bulk_sync_mcp.guard.rules import Policy
from bulk_sync_mcp.instructions import instructions
from bulk_sync_mcp.observe.audit import AuditLog
from bulk_sync_mcp.observe.redact import secrets_of
from bulk_sync_mcp.operations._advice import advised
from bulk_sync_mcp.present.hints import EVERY_TOOL_ON, Hints
from bulk_sync_mcp.revisions.store import RevisionStore
from bulk_sync_mcp.settings import Settings, SettingsError
from bulk_sync_mcp.toolsets import choose

if TYPE_CHECKING:
    from bulk_sync_mcp.api.client import ApiClient

VERSION = importlib.metadata.version("bulk-sync-mcp")
LOCAL_LIBRARIES = ("duckdb", "pyarrow", "adbc_driver_sqlite")


class LazyApi:
    """The backend's API, made on first use, so that listing tools costs nothing of it."""

    def __init__(self, make: "Callable[[], ApiClient]") -> None:
        self._make = make
        self._client: ApiClient | None = None

    @property
    def client(self) -> "ApiClient":
        """The client, made when first asked for. Raises `Failure` `not_configured` when there is no backend."""
        if self._client is None:
            try:
                self._client = self._make()
            except SettingsError as error:
                raise Failure(
                    "not_configured",
                    f"The backend cannot be used as configured: {error}. Nothing was done.",
                    next="A person must correct this and start the server again; `bulk-sync-mcp doctor` checks it.",
                ) from None
        return self._client

    async def get(self, template: str, *, query: Mapping[str, object] | None = None, **path: str) -> Answer:
        return await self.client.get(template, query=query, **path)

    async def post(
        self,
        template: str,
        *,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        query: Mapping[str, object] | None = None,
        **path: str,
    ) -> Answer:
        return await self.client.post(template, body=body, idempotency_key=idempotency_key, query=query, **path)

    async def put(
        self,
        template: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, object] | None = None,
        **path: str,
    ) -> Answer:
        return await self.client.put(template, body=body, query=query, **path)

    async def patch(
        self,
        template: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, object] | None = None,
        **path: str,
    ) -> Answer:
        return await self.client.patch(template, body=body, query=query, **path)

    async def delete(self, template: str, *, query: Mapping[str, object] | None = None, **path: str) -> Answer:
        return await self.client.delete(template, query=query, **path)

    async def aclose(self) -> None:
        """Closes the connections, if any were made."""
        if self._client is not None:
            await self._client.aclose()


@dataclass(frozen=True)
class Application:
    """A server ready to serve: its operations, the pipeline they run through, and what it says of itself."""

    settings: Settings
    backend: Backend
    registry: Registry
    """The tools that are on."""
    api: LazyApi
    pipeline: Pipeline
    gate: Gate
    revisions: RevisionStore
    pages: ApprovalPages | None = None
    hints: Hints = EVERY_TOOL_ON
    """What to say of tools that are not on."""
    missing: tuple[str, ...] = ()
    """Toolsets of which nothing is on."""

    @property
    def local(self) -> bool:
        """Whether calls go to the local service."""
        return self.backend.name == "local"

    @property
    def title(self) -> str:
        """The server's title, which says where calls go."""
        return title_of(self.backend)

    async def aclose(self) -> None:
        """Closes the approval page's port and the connections to the backend, where any were opened."""
        if self.pages is not None:
            await self.pages.aclose()
        await self.api.aclose()

    @property
    def instructions(self) -> str:
        """The server's instructions."""
        unasked = len({one.sync_id for one in self.gate.policy.loosened})
        return instructions(self.backend.origin, self.local, self.registry, self.missing, unasked)


def title_of(backend: Backend) -> str:
    """What says where calls go, in the server's title and on the approval page."""
    return "Bulk syncs (local service)" if backend.name == "local" else "Bulk syncs (Polytomic)"


def policy_of(settings: Settings, registry: Registry) -> Policy:
    """The policy in force. Raises `SettingsError` for a wrong file."""
    path = settings.policy_path
    try:
        read = (
            read_policy(path, [one.name for one in registry], unattended=settings.unattended)
            if path
            else Policy(unattended=settings.unattended)
        )
    except PolicyError as error:
        raise SettingsError(str(error)) from None
    return replace(read, access="read-only") if settings.access == "read-only" else read


def approval_store(settings: Settings, now: Callable[[], datetime] = utc_now) -> ApprovalStore:
    """Where approvals are kept; its file is made when first used."""
    return ApprovalStore(settings.guard_dir / "approvals.sqlite", now)


def gate_of(settings: Settings, backend: Backend, policy: Policy, now: Callable[[], datetime]) -> Gate:
    """The guard of one backend; its files are made when first used."""
    directory = settings.guard_dir
    return Gate(
        approval_store(settings, now),
        Locks(directory / "locks"),
        BudgetLedger(directory / "budget.sqlite", now),
        backend.fingerprint,
        policy,
    )


def _admit(gate: Gate) -> Admit:
    def admit(
        operation: AnyOperation, arguments: Input, canonical: str, context: Context, caller: Caller
    ) -> AbstractAsyncContextManager[Admission]:
        plan = operation.plan
        if plan is None:
            raise TypeError(f"{operation.name} only reads and needs no admission")
        return gate.admit(
            Request(
                operation=operation.name,
                arguments=canonical,
                confirmation=confirmation_of(arguments),
                lock=operation.lock(arguments),
                plans=operation.plans,
                make_plan=lambda: plan(context, arguments),
                caller=caller,
            )
        )

    return admit


def compose(
    settings: Settings,
    now: Callable[[], datetime] = utc_now,
    *,
    page: bool = False,
    schedules: bool = False,
) -> Application:
    """An application on Polytomic when a credential is configured, else on the local service.

    `page` is for servers, which live long enough to show the approval page; whoever serves closes `pages`. So is
    `schedules`: with it the local service fires them, from the first call that uses it until `api` is closed. One that
    may only read fires none.
    Raises `SettingsError` for an address, a credential or a choice of tools that cannot be used.
    """
    every = discover(operations)
    policy = policy_of(settings, every)
    choice = choose(every, settings, read_only=policy.access == "read-only")
    if settings.on_polytomic:
        backend = _polytomic(settings)
        api = LazyApi(lambda: _polytomic_client(settings, backend))
    else:
        backend = _local(settings)
        firing = schedules and policy.access != "read-only"
        api = LazyApi(lambda: _local_client(settings, backend, schedules=firing))
    gate = gate_of(settings, backend, policy, now)
    pages = ApprovalPages(gate.store, title_of(backend), now) if page else None
    gate = replace(gate, pages=pages)
    revisions = RevisionStore(settings.guard_dir / "revisions.sqlite", backend.origin, backend.fingerprint, now)
    pipeline = Pipeline(
        Context(api, ReplacedTables(settings.guard_dir / "replaced.sqlite", backend.fingerprint), now),
        _admit(gate),
        AuditLog(
            settings.guard_dir,
            backend.origin,
            now,
            unattended=bool(policy.loosened),
            secrets=secrets_of(settings),
        ),
        revisions.keep,
        advised,
    )
    hints = Hints(choice.off)
    return Application(settings, backend, choice.on, api, pipeline, gate, revisions, pages, hints, choice.missing)


def _local(settings: Settings) -> Backend:
    # The in-process service is reached through memory, so this key guards nothing: it names the service's state,
    # to which confirmations are bound.
    key = hashlib.sha256(str(settings.local_dir.resolve()).encode()).hexdigest()[:32]
    return Backend("http://localhost", bearer(f"local-{key}"), "local")


def _polytomic(settings: Settings) -> Backend:
    key = settings.polytomic_api_key
    if key is None:
        raise SettingsError("POLYTOMIC_API_KEY is not set")
    organization = (settings.polytomic_organization_id or "").strip()
    try:
        authorization = basic(organization, key) if organization else bearer(key)
    except ValueError as error:
        raise SettingsError(f"POLYTOMIC_API_KEY or POLYTOMIC_ORGANIZATION_ID: {error}") from None
    try:
        return Backend(settings.polytomic_base_url, authorization)
    except ValueError as error:
        raise SettingsError(f"POLYTOMIC_BASE_URL: {error}") from None


def _polytomic_client(settings: Settings, backend: Backend) -> "ApiClient":
    from bulk_sync_mcp.api.client import ApiClient
    from bulk_sync_mcp.api.wire import tls_context

    try:
        return ApiClient(backend, verify=tls_context(settings.ca_file) if settings.ca_file else None)
    except OSError as error:
        raise SettingsError(f"ca_file {settings.ca_file}: {error.strerror or error}") from None


def missing_local_libraries() -> list[str]:
    """What of the extra `local` is not installed."""
    return [name for name in LOCAL_LIBRARIES if importlib.util.find_spec(name) is None]


def _local_client(settings: Settings, backend: Backend, *, schedules: bool) -> "ApiClient":
    missing = missing_local_libraries()
    if missing:
        raise Failure(
            "not_configured",
            "No Polytomic credential is set, and the local service is not installed "
            f"(missing: {', '.join(missing)}). Nothing was done.",
            next="Set POLYTOMIC_API_KEY for this server, or install the extra: pip install 'bulk-sync-mcp[local]'.",
        )
    import anyio
    import httpx

    from bulk_sync_mcp.api.client import ApiClient

    key = backend.authorization.get_secret_value().partition(" ")[2]
    app = local_asgi(settings, key)

    class InProcess(httpx.ASGITransport):
        """Runs no lifespan, in which schedules would be fired: they are from its first request to its end."""

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if schedules:
                app.state.scheduler.start()
            return await super().handle_async_request(request)

        async def aclose(self) -> None:
            await anyio.to_thread.run_sync(app.state.stop)

    return ApiClient(backend, transport=InProcess(app=app, raise_app_exceptions=False))


def local_asgi(settings: Settings, api_key: str) -> Any:
    """The local service as an ASGI application that asks for `api_key`. Makes the workspace if it is not there.

    Raises `SettingsError` when a directory or what is in it cannot be used.
    """
    from bulk_sync_local.app import create_app
    from bulk_sync_local.config import LOOPBACK, ConfigError, LocalConfig, SecretBinding

    try:
        settings.workspace.mkdir(mode=0o700, parents=True, exist_ok=True)
        return create_app(
            LocalConfig(
                workspace=settings.workspace,
                state_dir=settings.local_dir,
                roots=(settings.workspace, *settings.roots),
                hosts=LOOPBACK | set(settings.hosts),
                api_key=api_key,
                secrets={name: SecretBinding(use.type, use.host) for name, use in settings.secrets.items()},
                batch_pause=settings.batch_pause,
            )
        )
    except ConfigError as error:
        raise SettingsError(str(error)) from None
    except (OSError, sqlite3.Error) as error:
        raise SettingsError(f"the local service cannot use {settings.local_dir}: {error}") from None


def operating_system_user() -> str:
    """Who runs this process, for principals; the number where there is no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def stdio_principal() -> str:
    """The caller on stdio: the user and this very process, so that no other process can confirm for it."""
    return f"stdio:{operating_system_user()}:{secrets.token_hex(8)}"


def command_principal() -> str:
    """The caller of `call`: the user, so that its two steps work across processes."""
    return f"call:{operating_system_user()}"
