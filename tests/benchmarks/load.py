"""Measures a full load through the engine against what the machine can do.

    python tests/benchmarks/load.py [--pair sqlite-duckdb|parquet-duckdb] [--rows 5000000] [--repetitions 3]

The limit of SQLite → DuckDB is the slower of reading alone (SQLite in C, touching every column of every row)
and writing alone (DuckDB making the same table from a native Parquet file), taken in the same repetition: what
perfect pipelining would take. That of Parquet → DuckDB is DuckDB doing the whole of it itself: the same columns,
the engine's time stamps among them, made as a stage and renamed, in one transaction. Each measurement runs in a
process of its own. Prints the figures, and exits with 1 when the median ratio is above 2.5 (Parquet: 1.15) or
the load takes more than 750 MB.
"""

import argparse
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import COLUMNS, Verdict, duckdb_file, measured, orders, parquet_file, run, sqlite_file

MAX_RATIO = {"sqlite-duckdb": 2.5, "parquet-duckdb": 1.15}
PARQUET = Path("parquet") / "orders.parquet"


def read_alone(folder: Path) -> None:
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


def write_alone(folder: Path) -> None:
    out = folder / "limit.duckdb"
    out.unlink(missing_ok=True)
    with duckdb_file(out) as con:
        con.execute(f"CREATE TABLE orders AS FROM '{folder / PARQUET}'")


def stage_and_swap(folder: Path) -> None:
    out = folder / "limit.duckdb"
    out.unlink(missing_ok=True)
    now = "TIMESTAMP '2026-01-01' AS created, TIMESTAMP '2026-01-01' AS updated"
    with duckdb_file(out) as con:
        con.execute("BEGIN")
        con.execute(f"CREATE TABLE stage AS SELECT *, {now} FROM '{folder / PARQUET}'")
        con.execute("ALTER TABLE stage RENAME TO orders")
        con.execute("COMMIT")


def from_sqlite(folder: Path) -> None:
    (folder / "out.duckdb").unlink(missing_ok=True)
    run(folder, "sqlite", "orders.db")


def from_parquet(folder: Path) -> None:
    (folder / "out.duckdb").unlink(missing_ok=True)
    run(folder, "parquet", "parquet")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pair", choices=MAX_RATIO, default="sqlite-duckdb")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    verdict = Verdict(MAX_RATIO[options.pair])
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        parquet_file(folder / PARQUET, orders(options.rows))
        if options.pair == "sqlite-duckdb":
            sqlite_file(folder / "orders.db", folder / PARQUET)
        for _ in range(options.repetitions):
            if options.pair == "sqlite-duckdb":
                alone = {"read alone": measured(read_alone, folder), "write alone": measured(write_alone, folder)}
                verdict.add(alone, measured(from_sqlite, folder))
            else:
                verdict.add({"DuckDB alone": measured(stage_and_swap, folder)}, measured(from_parquet, folder))
    return 0 if verdict.passed() else 1


if __name__ == "__main__":
    sys.exit(main())
