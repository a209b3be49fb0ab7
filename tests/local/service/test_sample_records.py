"""Sample records of a source: a few rows, in a form JSON can hold."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from local.service.harness import Api

pytestmark = pytest.mark.anyio
NOBODY = "00000000-0000-4000-8000-000000000000"


def _path(connection_id: str, table: str) -> str:
    return f"/api/connections/{connection_id}/schemas/{table}/records"


async def test_at_most_ten_rows_come_keyed_by_column(api: Api, workspace: Path) -> None:
    with closing(sqlite3.connect(workspace / "many.sqlite")) as db, db:
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, total REAL)")
        db.executemany("INSERT INTO orders VALUES (?, ?)", [(number, number / 2) for number in range(40)])
    connection = await api.connection("sqlite", "many.sqlite")
    rows = await api.ok("GET", _path(connection, "orders"))
    assert rows == [{"id": number, "total": number / 2} for number in range(10)]


async def test_every_kind_of_value_can_be_told(api: Api, workspace: Path) -> None:
    import duckdb

    with duckdb.connect(str(workspace / "kinds.duckdb")) as db:
        db.execute(
            "CREATE TABLE kinds AS SELECT 'á'::VARCHAR AS text, NULL::INTEGER AS nothing, '\\xFF'::BLOB AS bytes, "
            "1.10::DECIMAL(9,2) AS price, 'nan'::DOUBLE AS odd, TIMESTAMP '2026-01-02 03:04:05' AS at, "
            "[1, 2] AS list, {'a': DATE '2026-01-02'} AS parts, 170141183460469231731687303715884105727::HUGEINT AS big"
        )
    connection = await api.connection("duckdb", "kinds.duckdb")
    table = (await api.ok("GET", f"/api/connections/{connection}/bulksync/source"))["schemas"][0]["id"]
    (row,) = await api.ok("GET", _path(connection, table))
    assert row == {
        "text": "á",
        "nothing": None,
        "bytes": "/w==",
        "price": "1.10",
        "odd": "nan",
        "at": "2026-01-02T03:04:05",
        "list": [1, 2],
        "parts": {"a": "2026-01-02"},
        "big": 170141183460469231731687303715884105727,
    }


async def test_a_value_that_does_not_fit_its_column_is_told_as_nothing(api: Api, workspace: Path) -> None:
    with closing(sqlite3.connect(workspace / "odd.sqlite")) as db, db:
        db.execute("CREATE TABLE odd (id INTEGER PRIMARY KEY, count INTEGER)")
        db.executemany("INSERT INTO odd VALUES (?, ?)", [(1, 5), (2, "many")])
    connection = await api.connection("sqlite", "odd.sqlite")
    assert await api.ok("GET", _path(connection, "odd")) == [{"id": 1, "count": 5}, {"id": 2, "count": None}]


async def test_files_are_sources_too_and_an_empty_table_has_no_rows(api: Api, workspace: Path) -> None:
    (workspace / "files").mkdir()
    (workspace / "files" / "people.csv").write_text("id,name\n1,Ada\n")
    (workspace / "files" / "none.csv").write_text("id,name\n")
    connection = await api.connection("csv", "files")
    assert await api.ok("GET", _path(connection, "people")) == [{"id": 1, "name": "Ada"}]
    assert await api.ok("GET", _path(connection, "none")) == []


async def test_what_is_not_there_is_not_found_and_what_went_since_is_named(api: Api, workspace: Path) -> None:
    connection = await api.connection("sqlite", "shop.sqlite")
    assert "nothing_here" in await api.refused(404, "GET", _path(connection, "nothing_here"))
    await api.refused(404, "GET", _path(NOBODY, "orders"))
    with closing(sqlite3.connect(workspace / "shop.sqlite")) as db, db:
        db.execute("DROP TABLE orders")
    assert "no table orders" in await api.refused(400, "GET", _path(connection, "orders"))
    (workspace / "shop.sqlite").unlink()
    assert "could not be read" in await api.refused(400, "GET", _path(connection, "orders"))
