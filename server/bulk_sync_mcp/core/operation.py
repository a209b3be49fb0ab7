"""The declaration of an operation, and the registry that finds them.

An operation is one file in `operations/`, named as its tool, that ends in `OPERATION = Operation(...)`.
Everything else (registration, schemas, annotations, manifests, documentation, contract tests) is derived.
"""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from bulk_sync_mcp.core.context import Context
from bulk_sync_mcp.core.plan import Effect, Plan
from bulk_sync_mcp.core.schema import tool_schema

Toolset = Literal["default", "executions", "schemas", "schedules", "error_handling", "connections", "account"]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Input(BaseModel):
    """Arguments of a tool: unknown names are refused, values are not bent to fit."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class GuardedInput(Input):
    """Arguments of a tool that a guard may stop."""

    confirmation: str | None = Field(
        default=None,
        min_length=16,
        max_length=64,
        description="Only from a preview this tool returned, and only after the user said yes to it.",
    )


class Result(BaseModel):
    """What a tool returns. Nulls are left out of what is sent."""

    model_config = ConfigDict(defer_build=True)


InputT = TypeVar("InputT", bound=Input)
ResultT = TypeVar("ResultT", bound=Result)
PreparedT = TypeVar("PreparedT")


@dataclass(frozen=True)
class Operation(Generic[InputT, ResultT, PreparedT]):
    """One tool: what it takes and returns, which call it maps to, what it would do, and how it does it.

    `plan` only reads and returns the effects; `run` is given the plan that was admitted. A read-only operation
    has no `plan` and costs no extra request; a GET that shows customer data has one. `lock` names what no two calls
    may change at once (a sync id). `plans` lists every kind of effect `plan` can return; the guard refuses others.
    `shown_by` is the tool that shows what became of the call when its answer was lost, and the argument to find it by;
    an operation that leaves nothing behind which a second call would double is `harmless_twice` instead.
    """

    name: str
    title: str
    description: str
    method: Method
    path: str
    input: type[InputT]
    result: type[ResultT]
    run: Callable[[Context, InputT, PreparedT], Awaitable[ResultT]]
    plan: Callable[[Context, InputT], Awaitable[Plan[PreparedT]]] | None = None
    plans: tuple[type[Effect], ...] = ()
    lock: Callable[[InputT], str | None] = field(default=lambda _arguments: None)
    toolset: Toolset = "default"
    idempotent: bool = False
    shown_by: tuple[str, str] | None = None
    harmless_twice: bool = False

    def __post_init__(self) -> None:
        if self.method != "GET" and self.plan is None:
            raise TypeError(f"{self.name}: an operation that writes has a plan")
        if self.plan is not None and not self.plans:
            raise TypeError(f"{self.name}: an operation with a plan lists the effects it can plan")

    @property
    def read_only(self) -> bool:
        """True when the operation changes nothing at the backend and shows nothing that is guarded."""
        return self.plan is None

    @property
    def destructive(self) -> bool:
        """True when some effect it can plan loses or overwrites something (severity 40 and up)."""
        return any(effect.severity >= 40 for effect in self.plans)

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments: flat, `$ref` inlined, no titles."""
        return tool_schema(self.input)

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        """JSON Schema of the structured result. One that writes begins with its effects, in the plan's words."""
        schema = tool_schema(self.result)
        if not self.read_only:
            effects = {"type": "array", "items": {"type": "string"}, "description": "What this call does, worst first."}
            schema["properties"] = {"effects": effects, **schema["properties"]}
        left_out = {"type": "string", "description": "What was dropped to keep the answer short."}
        schema["properties"] = {**schema["properties"], "left_out": left_out}
        return schema


AnyOperation = Operation[Any, Any, Any]


class Registry:
    """The operations of a server in a stable order: read-only ones first, then by name."""

    def __init__(self, operations: Iterable[AnyOperation]) -> None:
        ordered = sorted(operations, key=lambda one: (not one.read_only, one.name))
        self._by_name = {operation.name: operation for operation in ordered}
        if len(self._by_name) != len(ordered):
            raise TypeError("two operations have one name")

    def __iter__(self) -> Iterator[AnyOperation]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def get(self, name: str) -> AnyOperation | None:
        """The operation of that name, or None."""
        return self._by_name.get(name)


def discover(package: ModuleType) -> Registry:
    """Every operation of a package: one per module, named as the module.

    Raises `TypeError` when a module has no `OPERATION` or one of another name.
    """
    found: list[AnyOperation] = []
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.startswith("_"):
            continue
        operation = getattr(importlib.import_module(f"{package.__name__}.{module.name}"), "OPERATION", None)
        if not isinstance(operation, Operation) or operation.name != module.name:  # pyright: ignore[reportUnknownMemberType]
            raise TypeError(f"operations/{module.name}.py must end in OPERATION = Operation(name={module.name!r}, ...)")
        found.append(operation)  # pyright: ignore[reportUnknownArgumentType]
    return Registry(found)
