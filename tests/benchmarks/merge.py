"""Measures merging 100,000 changed rows (one in ten new) from SQLite into a table of 5 million.

    python tests/benchmarks/merge.py [duckdb|postgresql] [--rows 5000000] [--changed 100000] [--repetitions 3]

The limit is the destination itself on the same table. DuckDB: DELETE USING and INSERT from a native Parquet file
in one transaction, on a copy of the file. PostgreSQL: binary COPY from a file into a temporary table, then INSERT ...
ON CONFLICT DO UPDATE by primary key; the table is loaded anew for every measurement. Each measurement runs in a
process of its own. Prints the figures, and exits with 1 when the median ratio is above 2 or the merge takes more
than 750 MB (PostgreSQL: 300 MB).
"""

import argparse
import shutil
import sys
import tempfile
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
    postgres_table,
    run,
    sqlite_file,
)

MAX_RATIO = 2.0
# Spread over the whole table, as changes are.
CHANGED = """
SELECT * REPLACE (CASE WHEN row % 10 = 0 THEN {rows} + row ELSE id END AS id, 'changed ' || note AS note,
  TIMESTAMP '2026-01-01' AS updated_at)
FROM (SELECT *, row_number() OVER (ORDER BY id) AS row FROM ({orders}) WHERE id % {step} = 0 LIMIT {changed})
"""


def delete_and_insert(folder: Path) -> None:
    columns = ", ".join(COLUMNS)
    with duckdb_file(folder / "limit.duckdb") as con:
        con.execute("BEGIN")
        con.execute(f"CREATE TEMP TABLE delta AS SELECT {columns} FROM '{folder / 'changed.parquet'}'")
        con.execute("DELETE FROM orders USING delta WHERE orders.id = delta.id")
        con.execute(f"INSERT INTO orders ({columns}) SELECT {columns} FROM delta")
        con.execute("COMMIT")


def full_load(folder: Path) -> None:
    run(folder, ("sqlite", {"path": "orders.db"}), tracking_field="updated_at")


def merge(folder: Path) -> None:
    """The source has only the changed rows: what is measured is the merge, not the search for what changed."""
    run(folder, ("sqlite", {"path": "changed.db"}), tracking_field="updated_at")


def copy_and_upsert(folder: Path) -> None:
    columns = ", ".join(COLUMNS)
    updated = ", ".join(f"{one} = excluded.{one}" for one in COLUMNS if one != "id")
    postgres.psql(
        folder,
        "CREATE TEMP TABLE delta (LIKE shop.orders)",
        f"\\copy delta FROM '{folder / 'changed.binary'}' (FORMAT binary)",
        f"INSERT INTO shop.orders ({columns}) SELECT {columns} FROM delta ON CONFLICT (id) DO UPDATE SET {updated}",
    )


def full_load_postgresql(folder: Path) -> None:
    run(
        folder,
        ("sqlite", {"path": "orders.db"}),
        ("postgresql", postgres.settings(folder)),
        tracking_field="updated_at",
    )


def merge_postgresql(folder: Path) -> None:
    run(
        folder,
        ("sqlite", {"path": "changed.db"}),
        ("postgresql", postgres.settings(folder)),
        tracking_field="updated_at",
    )


def into_duckdb(folder: Path, repetitions: int, verdict: Verdict) -> None:
    measured(full_load, folder)
    (folder / "out.duckdb").rename(folder / "base.duckdb")
    for _ in range(repetitions):
        for copy in ("limit.duckdb", "out.duckdb"):
            shutil.copyfile(folder / "base.duckdb", folder / copy)
        alone = measured(delete_and_insert, folder)
        verdict.add({"DuckDB alone": alone}, measured(merge, folder))


def into_postgresql(folder: Path, repetitions: int, verdict: Verdict) -> None:
    with postgres.running(folder) as server:
        server.sql("CREATE SCHEMA shop")
        postgres_table(folder, "shop.changed", folder / "changed.parquet", key=False)
        postgres.psql(folder, "COPY shop.changed TO STDOUT (FORMAT binary)", out=folder / "changed.binary")
        for _ in range(repetitions):
            postgres_table(folder, "shop.orders", folder / "orders.parquet", key=True)
            server.sql("CHECKPOINT")
            alone = measured(copy_and_upsert, folder)
            server.sql("DROP TABLE shop.orders", "DROP SCHEMA IF EXISTS loaded CASCADE")
            measured(full_load_postgresql, folder)
            server.sql("CHECKPOINT")
            verdict.add({"PostgreSQL alone": alone}, measured(merge_postgresql, folder))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("destination", nargs="?", choices=("duckdb", "postgresql"), default="duckdb")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--changed", type=int, default=100_000)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    into, peak = {
        "duckdb": (into_duckdb, MAX_RSS_MB),
        "postgresql": (into_postgresql, MAX_RSS_MB_POSTGRESQL),
    }[options.destination]
    verdict = Verdict(MAX_RATIO, peak)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        parquet_file(folder / "orders.parquet", orders(options.rows))
        sqlite_file(folder / "orders.db", folder / "orders.parquet")
        step = options.rows // options.changed
        changed = CHANGED.format(rows=options.rows, orders=orders(options.rows), step=step, changed=options.changed)
        parquet_file(folder / "changed.parquet", f"SELECT {', '.join(COLUMNS)} FROM ({changed})")
        sqlite_file(folder / "changed.db", folder / "changed.parquet")
        into(folder, options.repetitions, verdict)
    return 0 if verdict.passed() else 1


if __name__ == "__main__":
    sys.exit(main())
