"""Shows that the size of a sync is no matter: memory by rows, long texts, a key of texts, many tables, a wide table.

    python tests/benchmarks/scale.py memory [INTO] [--rows 1000000 5000000 20000000]
    python tests/benchmarks/scale.py keys [INTO] [--rows 5000000]
    python tests/benchmarks/scale.py texts [INTO] [--rows 200000] [--length 10000]
    python tests/benchmarks/scale.py tables [INTO] [--tables 400]
    python tests/benchmarks/scale.py columns [INTO] [--columns 1000] [--rows 200000]

From SQLite into duckdb, postgresql, sqlite or parquet. `keys` is the usual table with a text for its key, `texts`
one of short rows and then as many with a long text. Each load runs in a process of its own. Prints seconds, CPU
seconds and peak memory, and exits with 1 when a load takes more than 750 MB (into PostgreSQL: 300 MB), or, for
`memory`, when the largest takes more than 1.2 times what the one before it takes.
"""

import argparse
import shutil
import sqlite3
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import postgres
from measuring import (
    COLUMNS,
    MAX_RSS_MB,
    MAX_RSS_MB_POSTGRESQL,
    Measured,
    Place,
    measured,
    orders,
    parquet_file,
    run,
    sqlite_file,
)

MAX_GROWTH = 1.2
SMALL = 1_000  # rows of each of many tables


def destination(folder: Path, into: str) -> Place:
    if into == "postgresql":
        postgres.psql(folder, "DROP SCHEMA IF EXISTS loaded CASCADE")
        return "postgresql", postgres.settings(folder)
    if into == "parquet":
        shutil.rmtree(folder / "out", ignore_errors=True)
        return "parquet", {"path": "out"}
    (folder / f"out.{into}").unlink(missing_ok=True)
    return into, {"path": f"out.{into}"}


def load(into: str, source: str, tables: tuple[str, ...], folder: Path) -> None:
    run(folder, ("sqlite", {"path": source}), destination(folder, into), tables=tables)


def by_rows(folder: Path, into: str, options: argparse.Namespace) -> list[Measured]:
    found: list[Measured] = []
    for rows in options.rows or (1_000_000, 5_000_000, 20_000_000):
        parquet_file(folder / "orders.parquet", orders(rows))
        sqlite_file(folder / "orders.db", folder / "orders.parquet")
        (folder / "orders.parquet").unlink()
        found.append(measured(partial(load, into, "orders.db", ("orders",)), folder))
        print(f"{rows:,} rows: {found[-1]}, peak {found[-1].peak:.0f} MB", flush=True)
        (folder / "orders.db").unlink()
    growth = found[-1].peak / found[-2].peak if len(found) > 1 else 1.0
    print(f"the last takes {growth:.2f} times the memory of the one before (limit {MAX_GROWTH})", flush=True)
    if growth > MAX_GROWTH:
        raise SystemExit(1)
    return found


def by_keys(folder: Path, into: str, options: argparse.Namespace) -> list[Measured]:
    rows = (options.rows or [5_000_000])[0]
    parquet_file(folder / "orders.parquet", f"SELECT 'order-' || id AS code, * EXCLUDE id FROM ({orders(rows)})")
    columns = {"code": "TEXT PRIMARY KEY", **{column: kind for column, kind in COLUMNS.items() if column != "id"}}
    sqlite_file(folder / "orders.db", folder / "orders.parquet", declared=columns)
    found = measured(partial(load, into, "orders.db", ("orders",)), folder)
    print(f"{rows:,} rows with a text for a key: {found}, peak {found.peak:.0f} MB", flush=True)
    return [found]


def by_texts(folder: Path, into: str, options: argparse.Namespace) -> list[Measured]:
    rows = (options.rows or [200_000])[0]
    long = f"hex(randomblob({options.length // 2}))"
    with sqlite3.connect(folder / "texts.db") as db:
        db.execute("CREATE TABLE texts (id INTEGER PRIMARY KEY, name TEXT, body TEXT)")
        db.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {2 * rows}) "
            f"INSERT INTO texts SELECT i, 'text ' || i, CASE WHEN i > {rows} THEN {long} ELSE 'short' END FROM n"
        )
    db.close()
    found = measured(partial(load, into, "texts.db", ("texts",)), folder)
    print(f"{rows:,} texts of {options.length:,} bytes: {found}, peak {found.peak:.0f} MB", flush=True)
    return [found]


def by_tables(folder: Path, into: str, options: argparse.Namespace) -> list[Measured]:
    names = tuple(f"table_{number}" for number in range(options.tables))
    with sqlite3.connect(folder / "many.db") as db:
        for one in names:
            db.execute(f"CREATE TABLE {one} (id INTEGER PRIMARY KEY, name TEXT, amount REAL, at TIMESTAMP)")
            db.executemany(
                f"INSERT INTO {one} VALUES (?, ?, ?, '2026-01-01 10:00:00')",
                ((number, f"name {number}", number / 7) for number in range(SMALL)),
            )
    db.close()
    found = measured(partial(load, into, "many.db", names), folder)
    print(f"{options.tables} tables of {SMALL:,} rows: {found}, peak {found.peak:.0f} MB", flush=True)
    return [found]


def by_columns(folder: Path, into: str, options: argparse.Namespace) -> list[Measured]:
    kinds = ("INTEGER", "REAL", "TEXT", "BOOLEAN", "TIMESTAMP")
    columns = [f"c{number} {kinds[number % 5]}" for number in range(options.columns - 1)]
    # A row of PostgreSQL has to fit on a page, with 8 bytes for nearly every value.
    values = ("{0} % 1000", "{0} / 7.0", "'no ' || ({0} % 50)", "{0} % 2", "'2026-01-01 10:00:00'")
    selected = ", ".join(values[number % 5].format("i") for number in range(options.columns - 1))
    rows = (options.rows or [200_000])[0]
    with sqlite3.connect(folder / "wide.db") as db:
        db.execute(f"CREATE TABLE wide (id INTEGER PRIMARY KEY, {', '.join(columns)})")
        db.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) "
            f"INSERT INTO wide SELECT i, {selected} FROM n"
        )
    db.close()
    found = measured(partial(load, into, "wide.db", ("wide",)), folder)
    print(f"{options.columns:,} columns, {rows:,} rows: {found}, peak {found.peak:.0f} MB", flush=True)
    return [found]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = {"memory": by_rows, "keys": by_keys, "texts": by_texts, "tables": by_tables, "columns": by_columns}
    parser.add_argument("what", choices=what)
    parser.add_argument("into", nargs="?", choices=("duckdb", "postgresql", "sqlite", "parquet"), default="duckdb")
    parser.add_argument("--rows", type=int, nargs="+")
    parser.add_argument("--length", type=int, default=10_000)
    parser.add_argument("--tables", type=int, default=400)
    parser.add_argument("--columns", type=int, default=1_000)
    options = parser.parse_args()
    limit = MAX_RSS_MB_POSTGRESQL if options.into == "postgresql" else MAX_RSS_MB
    with tempfile.TemporaryDirectory() as made, ExitStack() as stack:
        folder = Path(made)
        if options.into == "postgresql":
            stack.enter_context(postgres.running(folder))
        found = what[options.what](folder, options.into, options)
    return 0 if all(one.peak <= limit for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
