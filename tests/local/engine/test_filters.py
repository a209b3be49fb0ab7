"""Row filters against what Python says of the same rows, from each kind of source."""

from collections.abc import Callable
from typing import Any

import pytest

from bulk_sync_local.engine.job import Endpoint, RowFilter, TableJob
from local.engine.kit import Workspace

ROWS = [
    (1, "apple pie", 1.5, 1, "2024-01-01 00:00:00"),
    (2, "Banana", 2.5, 0, "2024-01-02 12:00:00"),
    (3, " apple ", None, None, "2024-01-03 00:00:00"),
    (4, None, 4.5, 1, None),
    (5, "50%_off", -1.0, 0, "2024-02-01 00:00:00"),
]
Row = tuple[Any, ...]
CASES: list[tuple[str, str, Any, Callable[[Row], bool]]] = [
    ("name", "Equality", "Banana", lambda r: r[1] == "Banana"),
    ("id", "Equality", "3", lambda r: r[0] == 3),
    ("name", "Inequality", "Banana", lambda r: r[1] != "Banana"),
    ("price", "IsNull", None, lambda r: r[2] is None),
    ("price", "IsNotNull", None, lambda r: r[2] is not None),
    ("paid", "True", None, lambda r: r[3] == 1),
    ("paid", "False", None, lambda r: r[3] == 0),
    ("at", "OnOrAfter", "2024-01-02T14:00:00+02:00", lambda r: r[4] is not None and r[4] >= "2024-01-02 12:00:00"),
    ("at", "OnOrBefore", "2024-01-02", lambda r: r[4] is not None and r[4] <= "2024-01-02 00:00:00"),
    ("price", "GreaterThan", 1.5, lambda r: r[2] is not None and r[2] > 1.5),
    ("price", "GreaterThanEqual", 1.5, lambda r: r[2] is not None and r[2] >= 1.5),
    ("id", "LessThan", 3, lambda r: r[0] < 3),
    ("id", "LessThanEqual", 3, lambda r: r[0] <= 3),
    ("id", "Between", [2, 4], lambda r: 2 <= r[0] <= 4),
    ("name", "StringContains", "apple", lambda r: r[1] is not None and "apple" in r[1]),
    ("name", "StringContains", "%_", lambda r: r[1] is not None and "%_" in r[1]),
    ("name", "StringStartsWith", "apple", lambda r: r[1] is not None and r[1].startswith("apple")),
    ("name", "StringEndsWith", "pie", lambda r: r[1] is not None and r[1].endswith("pie")),
    ("name", "StringDoesNotContain", "apple", lambda r: r[1] is None or "apple" not in r[1]),
    ("name", "StringDoesNotStartWith", "apple", lambda r: r[1] is None or not r[1].startswith("apple")),
    ("name", "StringDoesNotEndWith", "pie", lambda r: r[1] is None or not r[1].endswith("pie")),
    ("name", "StringOneOf", ["Banana", "50%_off"], lambda r: r[1] in ("Banana", "50%_off")),
    ("name", "StringNotOneOf", ["Banana", "50%_off"], lambda r: r[1] not in ("Banana", "50%_off")),
    ("name", "StringLike", "%apple%", lambda r: r[1] is not None and "apple" in r[1]),
    ("name", "StringNotLike", "%apple%", lambda r: r[1] is None or "apple" not in r[1]),
    ("name", "StringMatchesTrimmed", "apple", lambda r: r[1] is not None and r[1].strip() == "apple"),
]


@pytest.fixture
def things(workspace: Workspace) -> Workspace:
    columns = "(id INTEGER PRIMARY KEY, name TEXT, price REAL, paid BOOLEAN, at TIMESTAMP)"
    workspace.sql(f"CREATE TABLE things {columns}", rows=[("INSERT INTO things VALUES (?, ?, ?, ?, ?)", ROWS)])
    return workspace


@pytest.mark.parametrize(("field", "function", "value", "keeps"), CASES, ids=[f"{one[1]}-{one[2]}" for one in CASES])
def test_a_filter_keeps_the_rows_it_says(
    things: Workspace, field: str, function: str, value: Any, keeps: Callable[[Row], bool]
) -> None:
    table = TableJob("things", filters=(RowFilter(field, function, value),))
    things.load("parquet", "things")
    for source in (Endpoint("sqlite", {"path": "source.sqlite"}), Endpoint("parquet", {"path": "out"})):
        things.load("duckdb", table, source=source, resync_mode="rebuild")
        assert [row["id"] for row in things.rows("duckdb", "things")] == [row[0] for row in ROWS if keeps(row)]


def test_filters_are_joined_by_and_and_may_use_columns_that_are_not_copied(things: Workspace) -> None:
    from bulk_sync_local.engine.job import FieldChoice

    filters = (RowFilter("id", "GreaterThan", 1), RowFilter("paid", "False"))
    fields = (FieldChoice("paid", enabled=False), FieldChoice("name", obfuscated=True))
    things.load("duckdb", TableJob("things", fields, filters=(*filters, RowFilter("name", "StringContains", "off"))))
    (row,) = things.rows("duckdb", "things")
    assert row["id"] == 5
    assert "paid" not in row
    assert len(row["name"]) == 64


def test_a_row_that_no_longer_passes_the_filter_counts_as_gone(things: Workspace) -> None:
    table = TableJob("things", filters=(RowFilter("paid", "True"),))
    things.load("duckdb", table)
    things.sql("UPDATE things SET paid = 0 WHERE id = 1")
    things.load("duckdb", table)
    assert [(row["id"], row["deleted"]) for row in things.data("duckdb", "things")] == [(1, True), (4, False)]


@pytest.mark.parametrize(
    ("row_filter", "words"),
    [
        (RowFilter("name", "ArrayContains", "x"), "ArrayContains"),
        (RowFilter("at", "InTheLast", "1 day"), "InTheLast"),
        (RowFilter("at", "RelativeOnOrAfter", "x"), "RelativeOnOrAfter"),
        (RowFilter("nosuch", "IsNull"), "nosuch"),
        (RowFilter("id", "Equality", "abc"), "not a BIGINT"),
        (RowFilter("id", "GreaterThan", 1.5), "not a BIGINT"),
        (RowFilter("id", "Between", [1]), "needs 2 value"),
        (RowFilter("id", "Equality", None), "not null"),
        (RowFilter("name", "StringOneOf", []), "at least one"),
        (RowFilter("name", "True"), "boolean"),
        (RowFilter("name", "Equality", {"a": 1}), "not text"),
    ],
)
def test_a_filter_that_cannot_be_applied_fails_the_table_by_name(
    things: Workspace, row_filter: RowFilter, words: str
) -> None:
    outcome = things.run("duckdb", TableJob("things", filters=(row_filter,))).finished["things"]
    assert outcome.status == "failed"
    assert words in (outcome.message or "")


OF_THE_API = """Equality, Inequality, IsNull, IsNotNull, True, False, OnOrAfter, OnOrBefore, GreaterThan, GreaterThanEqual,
LessThan, LessThanEqual, StringContains, StringStartsWith, StringEndsWith, StringDoesNotContain, StringDoesNotStartWith,
StringDoesNotEndWith, StringOneOf, StringNotOneOf, Between, ArrayContains, ArrayDoesNotContain, InTheLast,
RelativeOnOrBefore, RelativeOnOrAfter, StringLike, StringNotLike, StringMatchesTrimmed""".replace("\n", " ").split(", ")
"""api/README.md 6."""


def test_every_filter_function_of_the_api_is_tried_here_or_refused_by_name(things: Workspace) -> None:
    tried = {function for _, function, _, _ in CASES}
    for function in sorted(set(OF_THE_API) - tried):
        table = TableJob("things", filters=(RowFilter("name", function, "x"),))
        said = things.run("duckdb", table).finished["things"].message or ""
        assert f"The filter function {function} on the field name is not offered for tables" in said
    assert tried <= set(OF_THE_API)


def test_a_filter_value_is_never_sql(things: Workspace) -> None:
    table = TableJob("things", filters=(RowFilter("name", "Equality", "x'; DROP TABLE things; --"),))
    things.load("duckdb", table)
    assert things.rows("duckdb", "things") == []
