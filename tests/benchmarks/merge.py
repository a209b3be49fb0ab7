"""Measures merging 100,000 changed rows (one in ten new) from SQLite into a DuckDB table of 5 million.

    python tests/benchmarks/merge.py [--rows 5000000] [--changed 100000] [--repetitions 3]

The limit is DuckDB itself on a copy of the same file: DELETE USING and INSERT from a native Parquet file in one
transaction. Each measurement runs in a process of its own. Prints the figures, and exits with 1 when the median
ratio is above 2 or the merge takes more than 750 MB.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from measuring import COLUMNS, Verdict, duckdb_file, measured, orders, parquet_file, run, sqlite_file

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
    run(folder, "sqlite", "orders.db", tracking_field="updated_at")


def merge(folder: Path) -> None:
    """The source has only the changed rows: what is measured is the merge, not the search for what changed."""
    run(folder, "sqlite", "changed.db", tracking_field="updated_at")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--changed", type=int, default=100_000)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    verdict = Verdict(MAX_RATIO)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        parquet_file(folder / "orders.parquet", orders(options.rows))
        sqlite_file(folder / "orders.db", folder / "orders.parquet")
        step = options.rows // options.changed
        changed = CHANGED.format(rows=options.rows, orders=orders(options.rows), step=step, changed=options.changed)
        parquet_file(folder / "changed.parquet", f"SELECT {', '.join(COLUMNS)} FROM ({changed})")
        sqlite_file(folder / "changed.db", folder / "changed.parquet")
        measured(full_load, folder)
        (folder / "orders.db").unlink()
        (folder / "out.duckdb").rename(folder / "base.duckdb")
        for _ in range(options.repetitions):
            for copy in ("limit.duckdb", "out.duckdb"):
                shutil.copyfile(folder / "base.duckdb", folder / copy)
            alone = measured(delete_and_insert, folder)
            verdict.add({"DuckDB alone": alone}, measured(merge, folder))
    return 0 if verdict.passed() else 1


if __name__ == "__main__":
    sys.exit(main())
