"""Row filters, cutoffs and watermarks as conditions on typed values.

A NULL satisfies no comparison; the negative functions (`Inequality`, `StringDoesNot...`, `StringNot...`)
keep NULLs, since a NULL does not equal or contain anything. Text is compared with regard to case.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from bulk_sync_local.engine.sql import text


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on one source column of carried type `type`; `values` are texts that cast to that type.

    `keep_nulls` lets NULLs through a comparison, as a cutoff does: an unknown time is not an old one.
    """

    column: str
    type: str
    function: str
    values: tuple[str, ...] = ()
    keep_nulls: bool = False

    def sql(self, expression: str) -> str:
        """The condition in DuckDB's SQL, on `expression` of the column's type; never NULL."""
        row = FUNCTIONS[self.function]
        subject = f"CAST({expression} AS VARCHAR)" if row.textual else expression
        kind = "VARCHAR" if row.textual else self.type
        test = row.sql(subject, [f"CAST({_literal(value)} AS {kind})" for value in self.values])
        on_null = "true" if self.keep_nulls or row.keeps_nulls else "false"
        if row.function in ("IsNull", "IsNotNull"):
            return f"({test})"
        return f"(CASE WHEN {expression} IS NULL THEN {on_null} ELSE {test} END)"


def _literal(value: str) -> str:
    """`value` in DuckDB's SQL, whose literals end at a NUL character."""
    return "(" + " || chr(0) || ".join(text(part) for part in value.split("\0")) + ")"


@dataclass(frozen=True, slots=True)
class Function:
    """A filter function: how many values it takes (-1: one or more) and its test."""

    function: str
    values: int
    sql: Callable[[str, list[str]], str]
    textual: bool = False
    keeps_nulls: bool = False


def _binary(operator: str) -> Callable[[str, list[str]], str]:
    return lambda subject, values: f"{subject} {operator} {values[0]}"


def _call(name: str, *, negated: bool = False) -> Callable[[str, list[str]], str]:
    prefix = "NOT " if negated else ""
    return lambda subject, values: f"{prefix}{name}({subject}, {values[0]})"


def _among(*, negated: bool = False) -> Callable[[str, list[str]], str]:
    word = "NOT IN" if negated else "IN"
    return lambda subject, values: f"{subject} {word} ({', '.join(values)})"


_ROWS = (
    Function("Equality", 1, _binary("=")),
    Function("Inequality", 1, _binary("<>"), keeps_nulls=True),
    Function("IsNull", 0, lambda subject, _: f"{subject} IS NULL"),
    Function("IsNotNull", 0, lambda subject, _: f"{subject} IS NOT NULL"),
    Function("True", 0, lambda subject, _: subject),
    Function("False", 0, lambda subject, _: f"NOT {subject}"),
    Function("OnOrAfter", 1, _binary(">=")),
    Function("OnOrBefore", 1, _binary("<=")),
    Function("GreaterThan", 1, _binary(">")),
    Function("GreaterThanEqual", 1, _binary(">=")),
    Function("LessThan", 1, _binary("<")),
    Function("LessThanEqual", 1, _binary("<=")),
    Function("Between", 2, lambda subject, values: f"{subject} BETWEEN {values[0]} AND {values[1]}"),
    Function("StringContains", 1, _call("contains"), textual=True),
    Function("StringStartsWith", 1, _call("starts_with"), textual=True),
    Function("StringEndsWith", 1, _call("suffix"), textual=True),
    Function("StringDoesNotContain", 1, _call("contains", negated=True), textual=True, keeps_nulls=True),
    Function("StringDoesNotStartWith", 1, _call("starts_with", negated=True), textual=True, keeps_nulls=True),
    Function("StringDoesNotEndWith", 1, _call("suffix", negated=True), textual=True, keeps_nulls=True),
    Function("StringOneOf", -1, _among(), textual=True),
    Function("StringNotOneOf", -1, _among(negated=True), textual=True, keeps_nulls=True),
    Function("StringLike", 1, _binary("LIKE"), textual=True),
    Function("StringNotLike", 1, _binary("NOT LIKE"), textual=True, keeps_nulls=True),
    Function("StringMatchesTrimmed", 1, lambda subject, values: f"trim({subject}) = trim({values[0]})", textual=True),
)
FUNCTIONS = {row.function: row for row in _ROWS}
"""The filter functions of api/README.md 6 that make sense for tables, by name."""

ORDERING = frozenset(
    {"OnOrAfter", "OnOrBefore", "GreaterThan", "GreaterThanEqual", "LessThan", "LessThanEqual", "Between"}
)
"""Those that compare by order."""


class BadFilter(Exception):
    """A row filter that cannot be applied; the text says why."""


def condition(column: str, kind: str, function: str, value: object) -> Condition:
    """The row filter as a condition. Raises `BadFilter`."""
    row = FUNCTIONS.get(function)
    if row is None:
        raise BadFilter(
            f"The filter function {function} on the field {column} is not offered for tables. "
            f"Use one of: {', '.join(sorted(FUNCTIONS))}."
        )
    if function in ("True", "False") and kind != "BOOLEAN":
        raise BadFilter(f"The filter function {function} needs a boolean field, and {column} is {kind}.")
    values = _values(column, row, value)
    return Condition(column, kind, function, values)


def _values(column: str, row: Function, value: object) -> tuple[str, ...]:
    if row.values == 0:
        return ()
    # A filter's value comes from JSON: a list of anything, or a single value.
    given: list[object] = list(cast("list[object]", value)) if isinstance(value, list | tuple) else [value]
    wanted = "at least one value" if row.values == -1 else f"{row.values} value(s)"
    if any(one is None for one in given) or not given or (row.values != -1 and len(given) != row.values):
        raise BadFilter(f"The filter function {row.function} on the field {column} needs {wanted}, not null.")
    for one in given:
        if not isinstance(one, str | int | float | bool):
            raise BadFilter(f"The filter on the field {column} holds a value that is not text, number or boolean.")
    return tuple(str(one).lower() if isinstance(one, bool) else str(one) for one in given)
