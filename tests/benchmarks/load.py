"""Measures a full load through the engine against what the machine can do.

    python tests/benchmarks/load.py [PAIR] [--rows 5000000] [--repetitions 3]

PAIR is sqlite-duckdb (as given), parquet-duckdb, postgresql-duckdb or sqlite-postgresql. The limit is the slower
of reading alone (SQLite in C, touching every column of every row; PostgreSQL's binary COPY to nowhere) and writing
alone (DuckDB making the same table from a native Parquet file; PostgreSQL's binary COPY from a file, then the
primary key), taken in the same repetition: what perfect pipelining would take. That of Parquet → DuckDB is DuckDB
doing the whole of it itself: the same columns, the engine's time stamps among them, made as a stage and renamed,
in one transaction. Each measurement runs in a process of its own; a PostgreSQL server is started for the purpose.
Prints the figures, and exits with 1 when the median ratio or the memory is above the pair's limit.
"""

import argparse
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import postgres
from measuring import (
    COLUMNS,
    MAX_RSS_MB,
    MAX_RSS_MB_POSTGRESQL,
    Verdict,
    duckdb_file,
    measured,
    orders,
    parquet_file,
    postgres_definition,
    postgres_table,
    run,
    sqlite_file,
)

PARQUET = Path("parquet") / "orders.parquet"
BINARY = "orders.binary"


def read_sqlite(folder: Path) -> None:
    # Numbers are summed as they are: length() would first print them as text, which no load does.
    whole = {name: kind in ("TEXT", "TIMESTAMP") for name, kind in COLUMNS.items()}
    touched = ", ".join(f"sum(length({name}))" if text else f"sum({name})" for name, text in whole.items())
    query = f"SELECT {touched} FROM orders"
    command = shutil.which("sqlite3")
    if command:
        subprocess.run([command, str(folder / "orders.db"), query], check=True, stdout=subprocess.DEVNULL)
        return
    with sqlite3.connect(folder / "orders.db") as db:
        db.execute(query).fetchall()


def read_postgresql(folder: Path) -> None:
    postgres.psql(folder, "COPY shop.orders TO STDOUT (FORMAT binary)")


def write_duckdb(folder: Path) -> None:
    out = folder / "limit.duckdb"
    out.unlink(missing_ok=True)
    with duckdb_file(out) as con:
        con.execute(f"CREATE TABLE orders AS FROM '{folder / PARQUET}'")


def write_postgresql(folder: Path) -> None:
    postgres.psql(
        folder,
        postgres_definition("shop.written"),
        f"\\copy shop.written FROM '{folder / BINARY}' (FORMAT binary)",
        "ALTER TABLE shop.written ADD PRIMARY KEY (id)",
    )


def stage_and_swap(folder: Path) -> None:
    out = folder / "limit.duckdb"
    out.unlink(missing_ok=True)
    now = "TIMESTAMP '2026-01-01' AS created, TIMESTAMP '2026-01-01' AS updated"
    with duckdb_file(out) as con:
        con.execute("BEGIN")
        con.execute(f"CREATE TABLE stage AS SELECT *, {now} FROM '{folder / PARQUET}'")
        con.execute("ALTER TABLE stage RENAME TO orders")
        con.execute("COMMIT")


def sqlite_duckdb(folder: Path) -> None:
    (folder / "out.duckdb").unlink(missing_ok=True)
    run(folder, ("sqlite", {"path": "orders.db"}))


def parquet_duckdb(folder: Path) -> None:
    (folder / "out.duckdb").unlink(missing_ok=True)
    run(folder, ("parquet", {"path": "parquet"}))


def postgresql_duckdb(folder: Path) -> None:
    (folder / "out.duckdb").unlink(missing_ok=True)
    run(folder, ("postgresql", postgres.settings(folder)))


def sqlite_postgresql(folder: Path) -> None:
    run(folder, ("sqlite", {"path": "orders.db"}), ("postgresql", postgres.settings(folder)))


@dataclass(frozen=True, slots=True)
class Pair:
    """What one load is held to, and what the machine is measured by."""

    load: Callable[[Path], None]
    alone: dict[str, Callable[[Path], None]]
    max_ratio: float
    max_peak: float = MAX_RSS_MB


PAIRS = {
    "sqlite-duckdb": Pair(sqlite_duckdb, {"read alone": read_sqlite, "write alone": write_duckdb}, 2.5),
    "parquet-duckdb": Pair(parquet_duckdb, {"DuckDB alone": stage_and_swap}, 1.15),
    "postgresql-duckdb": Pair(postgresql_duckdb, {"read alone": read_postgresql, "write alone": write_duckdb}, 2.2),
    "sqlite-postgresql": Pair(
        sqlite_postgresql, {"read alone": read_sqlite, "write alone": write_postgresql}, 2.0, MAX_RSS_MB_POSTGRESQL
    ),
}


def prepare(pair: str, folder: Path, rows: int, stack: ExitStack) -> Callable[[], None]:
    """Makes what is read; returns what clears the way for a repetition."""
    parquet_file(folder / PARQUET, orders(rows))
    if pair.startswith("sqlite"):
        sqlite_file(folder / "orders.db", folder / PARQUET)
    if "postgresql" not in pair:
        return lambda: None
    server = stack.enter_context(postgres.running(folder))
    server.sql("CREATE SCHEMA shop")
    postgres_table(folder, "shop.orders", folder / PARQUET, key=True)
    if pair.startswith("sqlite"):
        postgres.psql(folder, "COPY shop.orders TO STDOUT (FORMAT binary)", out=folder / BINARY)
        server.sql("DROP TABLE shop.orders")

    def clear() -> None:
        server.sql("DROP TABLE IF EXISTS shop.written", "DROP SCHEMA IF EXISTS loaded CASCADE", "CHECKPOINT")

    return clear


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pair", nargs="?", choices=PAIRS, default="sqlite-duckdb")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    pair = PAIRS[options.pair]
    verdict = Verdict(pair.max_ratio, pair.max_peak)
    with tempfile.TemporaryDirectory() as made, ExitStack() as stack:
        folder = Path(made)
        clear = prepare(options.pair, folder, options.rows, stack)
        for _ in range(options.repetitions):
            clear()
            alone = {what: measured(work, folder) for what, work in pair.alone.items()}
            clear()
            verdict.add(alone, measured(pair.load, folder))
    return 0 if verdict.passed() else 1


if __name__ == "__main__":
    sys.exit(main())
