"""The vendor's Python SDK, unmodified, and which operations its methods call."""

import base64
import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from polytomic import Polytomic

from contract.validator import Contract
from local.served import KEY, Served
from transports.kit import PATIENCE

_REQUEST = re.compile(r'\.request\(\s*f?"([^"]+)",\s*method="([A-Z]+)"')


@dataclass
class Watched:
    """A client of the SDK. Every answer it gets is checked against the contract; `seen` are the operations called."""

    client: Polytomic
    seen: list[str] = field(default_factory=list[str])


@contextmanager
def sdk(service: Served, **credential: Any) -> Iterator[Watched]:
    """The SDK against a service, with the Bearer key unless another credential is given."""
    contract, seen = Contract.load(), list[str]()

    def watch(response: httpx.Response) -> None:
        path = response.request.url.raw_path.decode("ascii").partition("?")[0]
        if path.startswith("/logs/"):
            return
        operation, _ = contract.find(response.request.method, path)
        contract.check_response(
            operation.operation_id, response.status_code, dict(response.headers.items()), response.read()
        )
        seen.append(operation.operation_id)

    with httpx.Client(timeout=PATIENCE, trust_env=False, event_hooks={"response": [watch]}) as http:
        client = Polytomic(base_url=service.url, httpx_client=http, max_retries=0, **(credential or {"token": KEY}))
        yield Watched(client, seen)


def basic(organization_id: str, key: str = KEY) -> dict[str, Any]:
    """The credential as Basic, which the SDK has no parameter for: a header of the client."""
    return {"headers": {"Authorization": "Basic " + base64.b64encode(f"{organization_id}:{key}".encode()).decode()}}


def method_of(client: Any, dotted: str) -> Any:
    """The method that carries the request of `bulk_sync.executions.list`; None when the SDK has none."""
    *groups, name = dotted.split(".")
    for group in groups:
        client = getattr(client, group, None)
    return None if client is None else getattr(client.with_raw_response, name, None)


def request_of(method: Any) -> tuple[str, str]:
    """The HTTP method and path that a method of the SDK sends, parameters written as `{}`."""
    found = _REQUEST.search(inspect.getsource(method))
    assert found is not None, method
    return found.group(2), "/" + re.sub(r"\{[^}]*\}", "{}", found.group(1))


def parameters_of(method: Any) -> set[str]:
    """The names of a method's parameters as they are on the wire."""
    return {name.removesuffix("_") for name in inspect.signature(method).parameters}
