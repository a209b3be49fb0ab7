"""Measures the tables of one run loaded side by side against the same tables loaded one after another.

    python tests/benchmarks/lanes.py [PAIR] [--tables 4] [--rows 1250000] [--repetitions 3]

PAIR is sqlite-duckdb (as given), postgresql-duckdb, sqlite-postgresql or parquet-parquet. Each measurement runs in a
process of its own; the two follow each other. Prints the figures, and exits with 1 when the median ratio is above the
limit or the memory above that of one load.
"""

import argparse
import shutil
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import postgres
from measuring import (
    MAX_RSS_MB,
    MAX_RSS_MB_POSTGRESQL,
    Place,
    Verdict,
    measured,
    orders,
    parquet_file,
    postgres_table,
    run,
    sqlite_file,
)

MAX_RATIO = 1.0
"""With two cores; a single load keeps more than one of them busy, so there is no halving."""


def place(folder: Path, kind: str, *, source: bool) -> Place:
    """A connection of a kind, the destination's emptied."""
    end = "in" if source else "out"
    if kind == "postgresql":
        if not source:
            postgres.psql(folder, "DROP SCHEMA IF EXISTS loaded CASCADE", "CHECKPOINT")
        return kind, postgres.settings(folder)
    path = folder / (end if kind == "parquet" else f"{end}.{kind}")
    if not source:
        path.unlink(missing_ok=True) if path.is_file() else shutil.rmtree(path, ignore_errors=True)
    return kind, {"path": path.name}


def load(kinds: tuple[str, str], tables: tuple[str, ...], at_once: int, folder: Path) -> None:
    source, destination = place(folder, kinds[0], source=True), place(folder, kinds[1], source=False)
    run(folder, source, destination, tables=tables, at_once=at_once)


def prepare(folder: Path, kinds: tuple[str, str], tables: tuple[str, ...], rows: int, stack: ExitStack) -> None:
    file = folder / "made" / "orders.parquet"
    parquet_file(file, orders(rows))
    server = stack.enter_context(postgres.running(folder)) if "postgresql" in kinds else None
    if server is not None and kinds[0] == "postgresql":
        server.sql("CREATE SCHEMA shop")
    for table in tables:
        if kinds[0] == "sqlite":
            sqlite_file(folder / "in.sqlite", file, table)
        elif kinds[0] == "parquet":
            (folder / "in").mkdir(exist_ok=True)
            shutil.copyfile(file, folder / "in" / f"{table}.parquet")
        else:
            postgres_table(folder, f"shop.{table}", file, key=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    pairs = ("sqlite-duckdb", "postgresql-duckdb", "sqlite-postgresql", "parquet-parquet")
    parser.add_argument("pair", nargs="?", choices=pairs, default=pairs[0])
    parser.add_argument("--tables", type=int, default=4)
    parser.add_argument("--rows", type=int, default=1_250_000)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    source, _, destination = options.pair.partition("-")
    kinds = (source, destination)
    verdict = Verdict(MAX_RATIO, MAX_RSS_MB_POSTGRESQL if destination == "postgresql" else MAX_RSS_MB)
    tables = tuple(f"orders_{number}" for number in range(options.tables))
    with tempfile.TemporaryDirectory() as made, ExitStack() as stack:
        folder = Path(made)
        prepare(folder, kinds, tables, options.rows, stack)
        for _ in range(options.repetitions):
            alone = measured(partial(load, kinds, tables, 1), folder)
            verdict.add({"one after another": alone}, measured(partial(load, kinds, tables, 8), folder))
    return 0 if verdict.passed() else 1


if __name__ == "__main__":
    sys.exit(main())
