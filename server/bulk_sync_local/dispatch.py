"""What an endpoint is, and what it is given: path, query and body checked before any of its code runs."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NoReturn, TypeVar, get_origin  # Any: JSON values

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from bulk_sync_local.clock import Clock, from_text, to_text
from bulk_sync_local.config import LocalConfig
from bulk_sync_local.errors import ApiError, bad_request, not_found
from bulk_sync_local.ids import canonical_uuid
from bulk_sync_local.store import Store, Tx
from bulk_sync_local.supervisor import Supervisor


class Body(BaseModel):
    """A request body: unknown keys are refused, and so is every silent conversion of types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Query(BaseModel):
    """Query parameters: unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


class NoQuery(Query):
    """For calls without query parameters."""


def _query_bool(value: object) -> bool:
    if value in ("true", "false"):
        return value == "true"
    raise ValueError("must be true or false")


_MANY = 1_000_000_000
"""More than any page; a larger number is lowered, as the API does with page sizes (api/README.md 1)."""


def _query_count(value: object) -> int:
    digits = value.lstrip("0") if isinstance(value, str) and value.isascii() and value.isdigit() else ""
    if digits:
        return min(int(digits[:10]), _MANY)
    raise ValueError("must be a whole number above 0")


def _whole(value: object) -> object:
    """JSON has one kind of number: 3.0 is a whole one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _uuid(value: str) -> str:
    found = canonical_uuid(value)
    if found is None:
        raise ValueError("must be a UUID")
    return found


def _time(value: str) -> str:
    return to_text(from_text(value))


QueryBool = Annotated[bool, BeforeValidator(_query_bool)]
QueryCount = Annotated[int, BeforeValidator(_query_count)]
WholeNumber = Annotated[int, BeforeValidator(_whole), Field(le=2**31 - 1)]
Uuid = Annotated[str, AfterValidator(_uuid)]
Time = Annotated[str, AfterValidator(_time)]
"""An RFC 3339 time; kept in the store's own form."""


@dataclass(frozen=True, slots=True)
class Service:
    """What every endpoint works with."""

    config: LocalConfig
    store: Store
    clock: Clock
    supervisor: Supervisor

    def now(self) -> str:
        """The present moment as text."""
        return to_text(self.clock())


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: `body` is the whole JSON body, None for none. `after` runs once its effects are kept."""

    body: Mapping[str, Any] | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    after: Callable[[], None] | None = None


def data(value: object, **beside: object) -> Answer:
    """`{"data": value}`, with keys beside it such as `pagination`."""
    return Answer({"data": value, **beside})


M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """One request that has passed the checks of its endpoint. `prepared` is what the endpoint's `prepare` found.

    `origin` is the address the service was reached at, such as `http://127.0.0.1:8766`; None through memory.
    """

    service: Service
    path: Mapping[str, str]
    query_model: BaseModel
    body_model: BaseModel | None
    prepared: object = None
    origin: str | None = None

    def query(self, model: type[M]) -> M:
        """The query parameters, as the model the endpoint declares."""
        return _expect(self.query_model, model)

    def body(self, model: type[M]) -> M:
        """The body, as the model the endpoint declares."""
        return _expect(self.body_model, model)

    def found(self, kind: type[T]) -> T:
        """What the endpoint's `prepare` returned."""
        return _expect(self.prepared, kind)

    def uuid(self, name: str, kind: str) -> str:
        """A path parameter that is a UUID; raises 404 for anything else, since nothing else can exist."""
        found = canonical_uuid(self.path[name])
        if found is None:
            raise not_found(kind, self.path[name])
        return found


def _expect(value: object, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise TypeError(f"the endpoint declares something other than {kind.__name__}")
    return value


Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of the API.

    `handle` runs inside one transaction, a writing one unless the method is GET, and nothing else of it is kept when
    it raises. `prepare` runs before it, outside of any transaction, for what takes time: trying a connection,
    reading a source. `sweep` looks for dead workers first.
    """

    method: Method
    path: str
    handle: Callable[[Call, Tx], Answer]
    query: type[Query] = NoQuery
    body: type[Body] | None = None
    prepare: Callable[[Call], object] | None = None
    sweep: bool = False


def parse_query(model: type[Query], pairs: list[tuple[str, str]]) -> Query:
    """The query parameters; raises `ApiError` 400 naming what is wrong."""
    lists = {
        (entry.alias or name) for name, entry in model.model_fields.items() if get_origin(entry.annotation) is tuple
    }
    values: dict[str, object] = {}
    for name, value in pairs:
        if name in lists:
            values[name] = (*_strings(values.get(name)), value)
        elif name in values:
            raise bad_request(f"query parameter {name!r} is given more than once")
        else:
            values[name] = value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        _raise_invalid(error, "query parameter")


def parse_body(model: type[Body] | None, raw: bytes) -> Body | None:
    """The body; raises `ApiError` 400 naming every key that is wrong."""
    if model is None:
        if raw.strip() not in (b"", b"{}", b"null"):
            raise bad_request("this call takes no body")
        return None
    try:
        parsed: object = json.loads(
            raw, object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_float=_finite
        )
    except (ValueError, RecursionError) as error:
        if isinstance(error, _DuplicateKeyError):
            raise bad_request(str(error)) from None
        raise bad_request("the body is not valid JSON") from None
    if not isinstance(parsed, dict):
        raise bad_request("the body must be a JSON object")
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        _raise_invalid(error, "key")


class _DuplicateKeyError(ValueError):
    pass


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise _DuplicateKeyError(f"key {name!r} is given more than once")
        found[name] = value
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    """A number too large for a float would be stored as infinity, which JSON cannot say."""
    if not math.isfinite(number := float(text)):
        raise ValueError(text)
    return number


def _strings(value: object) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()  # pyright: ignore[reportUnknownVariableType]


def _raise_invalid(error: ValidationError, noun: str) -> NoReturn:
    details = error.errors(include_url=False, include_input=False)
    problems = [_words(detail, noun) for detail in details]
    # A union reports one problem per branch; the same key need not be told off twice in the same words.
    raise bad_request("; ".join(dict.fromkeys(problems)), errors=problems)


def _words(detail: ErrorDetails, noun: str) -> str:
    where = ".".join(str(part) for part in detail["loc"] if not str(part).startswith("function-"))
    match detail["type"]:
        case "extra_forbidden" if where == "resync":
            return "unknown key 'resync': it was retired; use resync_mode (refetch, resync or rebuild)"
        case "extra_forbidden":
            return f"unknown {noun} {where!r}"
        case "missing":
            return f"missing {noun} {where!r}"
        case "literal_error" | "enum":
            allowed = detail.get("ctx", {}).get("expected", "")
            return f"{where}: must be one of {allowed}"
        case "value_error":
            words = detail["msg"].removeprefix("Value error, ")
            return f"{where}: {words}" if where else words
        case _:
            return f"{where}: {detail['msg']}" if where else detail["msg"]


def refusal(error: ApiError) -> Answer:
    """The answer for a definite refusal."""
    return Answer(error.body(), error.status, error.headers)
