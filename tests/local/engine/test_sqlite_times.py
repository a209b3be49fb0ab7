"""Texts read quickly as times mean what the careful cast makes of them."""

import random
from datetime import datetime

import duckdb
import pyarrow as pa
import pytest

from bulk_sync_local.connectors import sqlite_types
from bulk_sync_local.connectors.sqlite_times import plain_times
from local.engine.kit import Workspace

TEXTS = 4_000
SEED = 20_260_101
_LETTERS = "0123456789-:. TZ+z/,"


def written(chance: random.Random) -> str:
    """A time of one of the days and moments that calendars and clocks get wrong, at times misspelt."""
    year = chance.choice([0, 1, 999, 1582, 1900, 1969, 2000, 2023, 2024, 9999])
    month, day = chance.choice([0, 1, 2, 4, 12, 13]), chance.choice([0, 1, 28, 29, 30, 31, 32])
    clock = [chance.choice([0, 23, 24]), chance.choice([0, 59, 60]), chance.choice([0, 59, 60])]
    text = f"{year:04d}-{month:02d}-{day:02d}{chance.choice(' T')}" + ":".join(f"{part:02d}" for part in clock)
    text += chance.choice(["", "", ".", ".0", ".5", ".123456", ".1234567", "Z", "+01", "+01:00", "-0330", " UTC"])
    for _ in range(chance.choice([0, 0, 0, 1, 2])):
        place = chance.randrange(len(text))
        text = text[:place] + chance.choice(["", *_LETTERS]) + text[place + chance.choice([0, 1]) :]
    return text


@pytest.mark.parametrize("kind", ["TIMESTAMP", "DATE"])
def test_what_is_taken_for_plain_is_what_the_cast_makes_of_it(kind: str) -> None:
    chance = random.Random(SEED)
    texts = [written(chance)[: 10 if kind == "DATE" else None] for _ in range(TEXTS)]
    texts += ["2024-02-29", "2024-02-29 23:59:59", "0001-01-01T00:00:00.000001", "9999-12-31 23:59:59.999999"]
    cast = sqlite_types.reader("t", kind, kind, careful=False).restore.format("t")
    with duckdb.connect() as con:
        con.execute("LOAD icu; SET TimeZone = 'UTC'")
        rows = pa.table({"t": texts, "i": range(len(texts))})  # noqa: F841  # DuckDB finds it by its name
        slow = dict(con.sql(f"SELECT i, epoch_us(CAST({cast} AS TIMESTAMP)) FROM rows").fetchall())
    plain = 0
    for index, text in enumerate(texts):
        quick = plain_times(pa.array([text]), kind)
        if quick is not None:
            plain += 1
            assert quick.cast(pa.timestamp("us")).cast(pa.int64())[0].as_py() == slow[index], (text, SEED)
    assert plain > TEXTS // 100


@pytest.mark.parametrize(
    "late", ["2024-01-02T00:00:00Z", "2024-01-02", "20240102T000000", "2024-01-02 00:00:00.0000001"]
)
def test_a_column_that_is_plain_only_at_first_is_read_again_with_care(workspace: Workspace, late: str) -> None:
    workspace.sql(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, at TIMESTAMP)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 123000) "
        "INSERT INTO t SELECT i, '2024-01-01 10:00:00' FROM n",
        f"INSERT INTO t VALUES (200000, '{late}')",
    )
    recorder = workspace.load("duckdb", "t")
    assert recorder.said("reading again with care")
    (row,) = workspace.query(
        "duckdb", 'SELECT "at", (SELECT count("at") FROM {0}) AS n FROM {0} WHERE id = 200000', "t"
    )
    fits = late != "20240102T000000"
    assert row == {"at": datetime(2024, 1, 2) if fits else None, "n": 123_000 + int(fits)}
    assert recorder.finished["t"].warnings == int(not fits)
