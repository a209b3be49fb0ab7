"""`call`: one tool call from a script. Guarded calls take two steps, as for a client that shows no forms."""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from bulk_sync_mcp.commands import settings_of
from bulk_sync_mcp.core.strict_json import RepeatedKey, read_strictly

logger = logging.getLogger(__name__)
STATUSES = {"invalid_arguments": 2, "confirmation_required": 3, "outcome_unknown": 4}
"""Exit statuses: 0 done, 1 failed, 2 wrong arguments, 3 needs a confirmation, 4 outcome unknown."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `call`."""
    parser.add_argument("tool", metavar="TOOL")
    parser.add_argument("arguments", nargs="*", metavar="KEY=VALUE", help="a value that is not text is JSON")
    parser.add_argument("--json", action="store_true", help="print the structured result, or the failure, as JSON")
    parser.add_argument(
        "--arguments-json", metavar="JSON", help="all arguments as one JSON object (- for standard input)"
    )
    parser.epilog = "Exit status: 0 done, 1 failed, 2 wrong arguments, 3 needs a confirmation, 4 outcome unknown."


@dataclass(frozen=True)
class CommandCaller:
    """A caller that cannot be asked: its two steps are two calls."""

    principal: str
    can_ask: bool = False
    can_open: bool = False
    answered: None = None

    async def ask(self, question: Any) -> Any:
        raise RuntimeError("the command line shows no forms")


def parse(pairs: Sequence[str], schema: dict[str, Any]) -> dict[str, Any]:
    """Arguments from KEY=VALUE: text where the schema wants text, else JSON. Raises `ValueError`."""
    properties: dict[str, Any] = schema.get("properties", {})
    parsed: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"`{pair}` is not KEY=VALUE")
        if key in parsed:
            raise ValueError(f"`{key}` is given twice")
        if properties.get(key, {"type": "string"}).get("type") == "string":
            parsed[key] = value
            continue
        try:
            parsed[key] = read_strictly(value)
        except RepeatedKey as error:
            raise ValueError(f"`{key}`: {error}") from None
        except (ValueError, RecursionError):
            raise ValueError(f'`{key}` must be JSON, such as true, 5 or ["orders"]; not {value}') from None
    return parsed


def parse_object(text: str) -> dict[str, Any]:
    """Arguments from one JSON object. Raises `ValueError`."""
    try:
        value: object = read_strictly(text)
    except RepeatedKey:
        raise
    except (ValueError, RecursionError) as error:
        raise ValueError(f"--arguments-json is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError("--arguments-json must hold a JSON object")  # noqa: TRY004 - told to a person as the rest
    return cast("dict[str, Any]", value)


def given_arguments(flags: argparse.Namespace, schema: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call as given on the command line. Raises `ValueError`."""
    if flags.arguments_json is None:
        return parse(flags.arguments, schema)
    if flags.arguments:
        raise ValueError("give either KEY=VALUE or --arguments-json, not both")
    return parse_object(sys.stdin.read() if flags.arguments_json == "-" else flags.arguments_json)


def run(flags: argparse.Namespace) -> int:
    """Makes the call, prints its result to standard output or its failure to standard error."""
    import anyio

    from bulk_sync_mcp.composition import command_principal, compose
    from bulk_sync_mcp.core.errors import Failure
    from bulk_sync_mcp.present.content import failure_data, failure_text, structured, text

    application = compose(settings_of(flags))
    operation = application.registry.get(flags.tool)
    if operation is None:
        off = application.hints.off.get(flags.tool)
        why = f"the tool `{flags.tool}` is off here: {off}" if off else f"there is no tool `{flags.tool}`"
        sys.stderr.write(f"bulk-sync-mcp: {why}; `bulk-sync-mcp tools` lists them\n")
        return 2
    try:
        given = given_arguments(flags, operation.input_schema)
    except ValueError as error:
        sys.stderr.write(f"bulk-sync-mcp: {error}\n")
        return 2

    def failed(failure: Failure) -> int:
        if flags.json:
            print(json.dumps(failure_data(failure, application.hints), indent=2, ensure_ascii=False))  # noqa: T201
        else:
            sys.stderr.write(failure_text(failure, application.hints) + "\n")
        return STATUSES.get(failure.code, 1)

    async def call() -> int:
        try:
            done = await application.pipeline.call(operation, given, CommandCaller(command_principal()))
        except Failure as failure:
            return failed(failure)
        except Exception:
            logger.exception("call of %s failed", operation.name)
            return failed(Failure("internal", "A fault in this program, told above.", changed="unknown"))
        finally:
            await application.api.aclose()
        content = application.hints.in_result(structured(done))
        print(json.dumps(content, indent=2, ensure_ascii=False) if flags.json else text(content))  # noqa: T201
        return 0

    return anyio.run(call)
