"""Measures a full load SQLite → DuckDB through the engine against what the machine can do.

    python tests/benchmarks/load.py [--rows 5000000] [--repetitions 3]

The limit of the move is the slower of reading alone (SQLite in C, touching every column of every row) and
writing alone (DuckDB making the same table from a native Parquet file), taken in the same repetition: what
perfect pipelining would take. Each measurement runs in a process of its own. Prints the figures, and exits
with 1 when the median ratio is above 2.5 or the load takes more than 750 MB.
"""

import argparse
import multiprocessing
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "server"))

MAX_RATIO = 2.5
MAX_RSS_MB = 750.0
COLUMNS = {
    "id": "INTEGER PRIMARY KEY",
    "customer_id": "INTEGER",
    "quantity": "INTEGER",
    "price": "REAL",
    "discount": "REAL",
    "status": "TEXT",
    "note": "TEXT",
    "reference": "TEXT",
    "is_paid": "BOOLEAN",
    "created_at": "TIMESTAMP",
    "updated_at": "TIMESTAMP",
}
ORDERS = """
SELECT range::BIGINT AS id, (hash(range) % 100000)::INTEGER AS customer_id, (hash(range + 1) % 50)::INTEGER AS quantity,
  round((hash(range + 2) % 1000000) / 100.0, 2)::DOUBLE AS price,
  CASE WHEN hash(range + 3) % 4 > 0 THEN (hash(range + 4) % 10000) / 997.0 END::DOUBLE AS discount,
  'status-' || (hash(range + 5) % 7) AS status, 'customer note ' || md5(range::VARCHAR) AS note,
  CASE WHEN hash(range + 6) % 5 > 0 THEN 'ref' || range END AS reference, hash(range + 7) % 2 = 0 AS is_paid,
  TIMESTAMP '2020-01-01' + to_seconds(range * 17) AS created_at,
  TIMESTAMP '2021-01-01' + to_seconds((hash(range + 8) % 100000000)::BIGINT) AS updated_at
FROM range({rows})
"""


class Quiet:
    """A reporter that keeps only how the table ended."""

    outcome: Any = None

    def table_started(self, schema_id: str, output_name: str) -> None: ...
    def table_progress(self, schema_id: str, records: int) -> None: ...
    def log(self, schema_id: str | None, level: Literal["info", "warning", "error"], message: str) -> None: ...
    def cancel_requested(self, schema_id: str) -> bool:
        return False

    def table_finished(self, schema_id: str, outcome: Any) -> None:
        self.outcome = outcome


def generate(folder: Path, rows: int) -> None:
    import adbc_driver_sqlite.dbapi
    import duckdb

    con = duckdb.connect()
    con.execute("SET enable_progress_bar = false")
    parquet = folder / "orders.parquet"
    con.execute(f"COPY ({ORDERS.format(rows=rows)}) TO '{parquet}'")
    as_sqlite = "is_paid::INTEGER AS is_paid, created_at::VARCHAR AS created_at, updated_at::VARCHAR AS updated_at"
    reader = con.sql(f"SELECT * REPLACE ({as_sqlite}) FROM '{parquet}'").to_arrow_reader(65_536)
    with adbc_driver_sqlite.dbapi.connect(str(folder / "orders.db")) as sqlite, sqlite.cursor() as cursor:
        columns = ", ".join(f"{column} {kind}" for column, kind in COLUMNS.items())
        cursor.execute(f"CREATE TABLE orders ({columns})")
        cursor.adbc_ingest("orders", reader, mode="append")
        sqlite.commit()


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
    import duckdb

    out = folder / "limit.duckdb"
    out.unlink(missing_ok=True)
    with duckdb.connect(str(out), config={"storage_compatibility_version": "v1.2.0"}) as con:
        con.execute("SET enable_progress_bar = false")
        con.execute(f"CREATE TABLE orders AS FROM '{folder / 'orders.parquet'}'")


def load(folder: Path) -> None:
    from bulk_sync_local.connectors.base import Confinement
    from bulk_sync_local.engine.job import Endpoint, RunJob, TableJob
    from bulk_sync_local.engine.runner import run_job

    (folder / "out.duckdb").unlink(missing_ok=True)
    reporter = Quiet()
    job = RunJob(
        "execution",
        "sync",
        Endpoint("sqlite", {"path": "orders.db"}),
        Endpoint("duckdb", {"path": "out.duckdb"}),
        (TableJob("orders"),),
    )
    run_job(job, reporter, Confinement((folder,), folder))
    if reporter.outcome is None or reporter.outcome.status != "completed":
        raise SystemExit(f"The load did not complete: {reporter.outcome}")


def _child(work: Callable[[Path], None], folder: Path, answers: Any) -> None:
    begun = time.perf_counter()
    work(folder)
    seconds = time.perf_counter() - begun
    answers.put((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def measured(work: Callable[[Path], None], folder: Path) -> tuple[float, float]:
    """Seconds, and peak resident memory in MB, of `work` in a new process."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    child = context.Process(target=_child, args=(work, folder, answers))
    child.start()
    child.join()
    if child.exitcode != 0:
        raise SystemExit(f"{work.__name__} ended with {child.exitcode}")
    return answers.get()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        generate(folder, options.rows)
        ratios: list[float] = []
        peaks: list[float] = []
        for _ in range(options.repetitions):
            read, _unused = measured(read_alone, folder)
            write, _unused = measured(write_alone, folder)
            took, peak = measured(load, folder)
            ratios.append(took / max(read, write))
            peaks.append(peak)
            print(
                f"read alone {read:.2f} s, write alone {write:.2f} s, load {took:.2f} s "
                f"({options.rows / took:,.0f} rows/s), ratio {ratios[-1]:.2f}, peak {peak:.0f} MB"
            )
    ratio, peak = statistics.median(ratios), max(peaks)
    print(f"median ratio {ratio:.2f} (limit {MAX_RATIO}), peak memory {peak:.0f} MB (limit {MAX_RSS_MB:.0f})")
    return 0 if ratio <= MAX_RATIO and peak <= MAX_RSS_MB else 1


if __name__ == "__main__":
    sys.exit(main())
