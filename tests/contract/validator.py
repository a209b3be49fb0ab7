"""The API's description as a check on real traffic: requests before they leave, answers as they come.

`Contract` matches a request with one of the operations of openapi.yaml and validates every part of it, and the
answer likewise. `ContractTransport` puts that between a client and its transport, so that any test which drives
tools also proves that what they send exists in the API.

Paths are matched by hand, segment by encoded segment, since libraries decode first and then take `a%2Fb` for
two segments; bodies by jsonschema with the dialect of OpenAPI 3.1.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

import httpx
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from contract.packaged import Loader

DESCRIPTION = Path(__file__).with_name("openapi.yaml")
_BASE = "urn:bulk-sync:openapi"
_METHODS = frozenset({"get", "put", "post", "patch", "delete"})
# What HTTP itself and its libraries add; everything else in a request must be described.
_PLAIN_HEADERS = {
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "user-agent",
}


class ContractViolation(AssertionError):
    """A request or answer that the description does not allow; `problems` says why, one line each."""

    def __init__(self, subject: str, problems: Sequence[str]) -> None:
        super().__init__("\n  ".join([f"{subject} breaks the contract:", *problems]))
        self.problems = list(problems)


@dataclass(frozen=True)
class Operation:
    """One method of one path. `pointer` is its JSON pointer in the description; `parameters` have theirs."""

    operation_id: str
    method: str
    template: str
    pointer: str
    parameters: Mapping[tuple[str, str], tuple[dict[str, Any], str]] = field(repr=False)
    described: Mapping[str, Any] = field(repr=False)

    @property
    def segments(self) -> list[str]:
        return self.template.split("/")


class Contract:
    """The description, ready to check with. `Contract.load()` reads it once per process."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        resource = Resource.from_contents(document, default_specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource(_BASE, resource)
        self._validators: dict[str, Draft202012Validator] = {}
        self.operations = {operation.operation_id: operation for operation in self._operations()}

    @staticmethod
    @cache
    def load(path: Path = DESCRIPTION) -> "Contract":
        """The contract in `path`, the same object each time."""
        return Contract(yaml.load(path.read_text(encoding="utf-8"), Loader))

    def find(self, method: str, raw_path: str) -> tuple[Operation, dict[str, str]]:
        """The operation for a path as it is on the wire, and its decoded path values.

        A literal segment wins over a placeholder. Raises `ContractViolation` if there is none.
        """
        given = raw_path.split("/")
        found = [
            operation
            for operation in self.operations.values()
            if operation.method == method.upper() and _fits(operation.segments, given)
        ]
        if not found:
            raise ContractViolation(f"{method} {raw_path}", ["no such operation"])
        best = max(found, key=lambda operation: [not _is_place(part) for part in operation.segments])
        pairs = zip(best.segments, given, strict=True)
        return best, {part[1:-1]: _decoded(value) for part, value in pairs if _is_place(part)}

    def check_request(
        self,
        method: str,
        raw_path: str,
        query: str | Iterable[tuple[str, str]] = "",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Operation:
        """The operation a request is for. `raw_path` is still encoded; `query` is raw or already in pairs.

        Raises `ContractViolation` that lists every problem.
        """
        operation, path = self.find(method, raw_path)
        lower = {name.lower(): value for name, value in (headers or {}).items()}
        problems = [problem for name, value in path.items() for problem in self._of(operation, "path", name, value)]
        problems += self._query_problems(operation, query)
        problems += self._header_problems(operation, lower)
        problems += self._body_problems(operation, lower, body or b"")
        if problems:
            raise ContractViolation(f"{operation.operation_id}, {method} {raw_path},", problems)
        return operation

    def check_response(
        self, operation_id: str, status: int, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> None:
        """Raises `ContractViolation` if this is no answer of the operation."""
        operation = self.operations[operation_id]
        responses: dict[str, Any] = operation.described["responses"]
        name = next((name for name in (str(status), f"{status // 100}XX", "default") if name in responses), None)
        subject = f"the answer {status} of {operation_id}"
        if name is None:
            raise ContractViolation(subject, ["this status is not described"])
        response, pointer = self._resolved(responses[name], f"{operation.pointer}/responses/{name}")
        lower = {key.lower(): value for key, value in (headers or {}).items()}
        problems: list[str] = []
        for header in response.get("headers", {}):
            described, at = self._resolved(response["headers"][header], f"{pointer}/headers/{_escaped(header)}")
            if header.lower() in lower:
                problems += self._schema_problems(f"header {header}", f"{at}/schema", lower[header.lower()])
            elif described.get("required"):
                problems.append(f"header {header} is missing")
        content = response.get("content")
        if content is None and body:
            problems.append("has a body where none is described")
        elif content is not None:
            problems += self._content_problems(f"{pointer}/content", lower, body or b"")
        if problems:
            raise ContractViolation(subject, problems)

    def _query_problems(self, operation: Operation, query: str | Iterable[tuple[str, str]]) -> list[str]:
        pairs = parse_qsl(query, keep_blank_values=True) if isinstance(query, str) else list(query)
        problems: list[str] = []
        given: dict[str, Any] = {}
        for key, text in pairs:
            name, _, inner = key.partition("[")
            described = operation.parameters.get(("query", name))
            if described is None or bool(inner) != (described[0].get("style") == "deepObject"):
                problems.append(f"query key {key} is not described")
            elif inner:
                given.setdefault(name, {})[inner.removesuffix("]")] = text
            elif described[0]["schema"].get("type") == "array":
                given.setdefault(name, []).append(text)
            elif name in given:
                problems.append(f"query key {key} is repeated")
            else:
                given[name] = _typed(text, described[0]["schema"].get("type"))
        for (place, name), (described, _) in operation.parameters.items():
            if place == "query" and described.get("required") and name not in given:
                problems.append(f"query key {name} is missing")
        return problems + [p for name, value in given.items() for p in self._of(operation, "query", name, value)]

    def _header_problems(self, operation: Operation, headers: Mapping[str, str]) -> list[str]:
        problems: list[str] = []
        if re.fullmatch(r"(Bearer|Basic) [\x21-\x7e]+", headers.get("authorization", "")) is None:
            problems.append("Authorization is missing or neither Bearer nor Basic")
        known = {name.lower(): name for place, name in operation.parameters if place == "header"}
        for lower, name in known.items():
            described, _ = operation.parameters["header", name]
            if lower not in headers:
                problems += [f"header {name} is missing"] if described.get("required") else []
            elif described.get("deprecated"):
                problems.append(f"header {name} is to be left out here")
            else:
                problems += self._of(operation, "header", name, headers[lower])
        unknown = sorted(set(headers) - set(known) - _PLAIN_HEADERS)
        return problems + [f"header {name} is not described" for name in unknown]

    def _body_problems(self, operation: Operation, headers: Mapping[str, str], body: bytes) -> list[str]:
        described = operation.described.get("requestBody")
        if described is None:
            return ["has a body where none is described"] if body else []
        if not body:
            return ["the body is missing"] if described.get("required") else []
        return self._content_problems(f"{operation.pointer}/requestBody/content", headers, body)

    def _content_problems(self, pointer: str, headers: Mapping[str, str], body: bytes) -> list[str]:
        media = headers.get("content-type", "").partition(";")[0].strip().lower()
        if media != "application/json":
            return [f"Content-Type is {media or 'missing'}, not application/json"]
        try:
            value = json.loads(body)
        except ValueError as error:
            return [f"the body is not JSON: {error}"]
        return self._schema_problems("body", f"{pointer}/{_escaped(media)}/schema", value)

    def _of(self, operation: Operation, place: str, name: str, value: object) -> list[str]:
        _, pointer = operation.parameters[place, name]
        return self._schema_problems(f"{place} {name}", f"{pointer}/schema", value)

    def _schema_problems(self, what: str, pointer: str, value: object) -> list[str]:
        if pointer not in self._validators:
            self._validators[pointer] = Draft202012Validator(
                {"$ref": f"{_BASE}#{pointer}"},
                registry=self._registry,
                format_checker=Draft202012Validator.FORMAT_CHECKER,
            )
        errors = self._validators[pointer].iter_errors(value)
        return [f"{what}{error.json_path.removeprefix('$')}: {error.message[:300]}" for error in errors]

    def _resolved(self, value: dict[str, Any], pointer: str) -> tuple[dict[str, Any], str]:
        while "$ref" in value:
            pointer = value["$ref"].removeprefix("#")
            value = self._document
            for part in pointer.split("/")[1:]:
                value = value[part.replace("~1", "/").replace("~0", "~")]
        return value, pointer

    def _operations(self) -> Iterable[Operation]:
        for template, item in self._document["paths"].items():
            for method in _METHODS & set(item):
                pointer = f"/paths/{_escaped(template)}/{method}"
                resolved = [
                    self._resolved(parameter, f"{at}/parameters/{index}")
                    for holder, at in ((item, f"/paths/{_escaped(template)}"), (item[method], pointer))
                    for index, parameter in enumerate(holder.get("parameters", []))
                ]
                parameters = {(found["in"], found["name"]): (found, at) for found, at in resolved}
                yield Operation(
                    item[method]["operationId"], method.upper(), template, pointer, parameters, item[method]
                )


@dataclass(frozen=True)
class Exchange:
    """One request that passed and its answer, as bytes."""

    operation_id: str
    method: str
    raw_path: str
    query: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes
    status: int
    answer: bytes


class ContractTransport(httpx.AsyncBaseTransport):
    """Checks what goes through to `inner`, and keeps it in `exchanges`.

    A violation is raised at once, a bad request before `inner` sees it. Since clients may turn exceptions of a
    transport into failures of their own, it is also kept: call `verify()` at the end of a test. With
    `answers=False` only requests are checked, for a backend that is faulty on purpose.
    """

    def __init__(
        self, inner: httpx.AsyncBaseTransport, *, contract: Contract | None = None, answers: bool = True
    ) -> None:
        self.inner = inner
        self.contract = contract or Contract.load()
        self.answers = answers
        self.exchanges: list[Exchange] = []
        self.violations: list[ContractViolation] = []

    @property
    def operations(self) -> list[str]:
        """The operation ids that went through, in order."""
        return [exchange.operation_id for exchange in self.exchanges]

    def verify(self) -> None:
        """Raises the first violation there was."""
        if self.violations:
            raise self.violations[0]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raw_path, _, query = request.url.raw_path.decode("ascii").partition("?")
        headers = dict(request.headers.items())
        sent = await request.aread()
        try:
            operation = self.contract.check_request(request.method, raw_path, query, headers, sent)
            response = await self.inner.handle_async_request(request)
            answered = await response.aread()
            await response.aclose()
            self.exchanges.append(
                Exchange(
                    operation.operation_id,
                    request.method,
                    raw_path,
                    query,
                    headers,
                    sent,
                    response.status_code,
                    answered,
                )
            )
            if self.answers:
                self.contract.check_response(
                    operation.operation_id, response.status_code, dict(response.headers.items()), answered
                )
        except ContractViolation as violation:
            self.violations.append(violation)
            raise
        # `aread` has decompressed the body, so the headers that described its former shape must go.
        kept = [
            (name, value)
            for name, value in response.headers.multi_items()
            if name not in {"content-encoding", "content-length", "transfer-encoding"}
        ]
        return httpx.Response(response.status_code, headers=kept, content=answered, request=request)

    async def aclose(self) -> None:
        await self.inner.aclose()


def _is_place(segment: str) -> bool:
    return segment.startswith("{") and segment.endswith("}")


def _fits(template: Sequence[str], given: Sequence[str]) -> bool:
    return len(template) == len(given) and all(
        bool(value) if _is_place(part) else part == value for part, value in zip(template, given, strict=True)
    )


def _decoded(segment: str) -> str:
    return unquote_to_bytes(segment).decode("utf-8", "strict")


def _typed(text: str, kind: object) -> object:
    if kind == "boolean" and text in {"true", "false"}:
        return text == "true"
    if kind == "integer" and re.fullmatch(r"-?[0-9]+", text, re.ASCII):
        return int(text)
    return text


def _escaped(part: str) -> str:
    """A JSON pointer part that can stand in a URI fragment."""
    return part.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")
