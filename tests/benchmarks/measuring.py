"""What the benchmarks share: the table they move, runs of the engine, and measurements in processes of their own."""

import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from postgres import server_cpu

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "server"))

MAX_RSS_MB, MAX_RSS_MB_POSTGRESQL = 750.0, 300.0
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
# Row number n comes out the same whatever range it is made in.
_ORDERS = """
SELECT range::BIGINT AS id, (hash(range) % 100000)::BIGINT AS customer_id, (hash(range + 1) % 50)::BIGINT AS quantity,
  round((hash(range + 2) % 1000000) / 100.0, 2)::DOUBLE AS price,
  CASE WHEN hash(range + 3) % 4 > 0 THEN (hash(range + 4) % 10000) / 997.0 END::DOUBLE AS discount,
  'status-' || (hash(range + 5) % 7) AS status, 'customer note ' || md5(range::VARCHAR) AS note,
  CASE WHEN hash(range + 6) % 5 > 0 THEN 'ref' || range END AS reference, hash(range + 7) % 2 = 0 AS is_paid,
  TIMESTAMP '2020-01-01' + to_seconds(range * 17) AS created_at,
  TIMESTAMP '2021-01-01' + to_seconds((hash(range + 8) % 100000000)::BIGINT) AS updated_at
FROM range({rows})
"""


class _Quiet:
    """A reporter that keeps only how the tables ended."""

    def __init__(self) -> None:
        self.outcomes: list[Any] = []

    def table_started(self, schema_id: str, output_name: str) -> None: ...
    def table_progress(self, schema_id: str, records: int) -> None: ...
    def log(self, schema_id: str | None, level: Literal["info", "warning", "error"], message: str) -> None: ...
    def cancel_requested(self, schema_id: str) -> bool:
        return False

    def table_finished(self, schema_id: str, outcome: Any) -> None:
        self.outcomes.append(outcome)


def orders(rows: int) -> str:
    """A query for the table that is moved."""
    return _ORDERS.format(rows=rows)


def parquet_file(file: Path, query: str) -> None:
    import duckdb

    file.parent.mkdir(exist_ok=True)
    with duckdb.connect() as con:
        con.execute("SET enable_progress_bar = false")
        con.execute(f"COPY ({query}) TO '{file}'")


def sqlite_file(file: Path, parquet: Path, table: str = "orders", declared: Mapping[str, str] = COLUMNS) -> None:
    """A table in a SQLite database, of the rows of a Parquet file with the columns `declared`."""
    import adbc_driver_sqlite.dbapi
    import duckdb

    as_sqlite = "is_paid::INTEGER AS is_paid, created_at::VARCHAR AS created_at, updated_at::VARCHAR AS updated_at"
    with duckdb.connect() as con, adbc_driver_sqlite.dbapi.connect(str(file)) as sqlite, sqlite.cursor() as cursor:
        reader = con.sql(f"SELECT * REPLACE ({as_sqlite}) FROM '{parquet}'").to_arrow_reader(65_536)
        columns = ", ".join(f"{column} {kind}" for column, kind in declared.items())
        cursor.execute(f"CREATE TABLE {table} ({columns})")
        cursor.adbc_ingest(table, reader, mode="append")
        sqlite.commit()


def postgres_table(folder: Path, table: str, parquet: Path, *, key: bool) -> None:
    """The table `table` in the server of `folder`, of the rows of a Parquet file."""
    import adbc_driver_postgresql.dbapi
    import duckdb
    import postgres

    postgres.psql(folder, f"DROP TABLE IF EXISTS {table}", postgres_definition(table))
    to = postgres.settings(folder)
    address = f"postgresql://{to['host']}:{to['port']}/{to['database']}?user={to['username']}&password="
    schema, _, plain = table.partition(".")
    integers = "customer_id::INTEGER AS customer_id, quantity::INTEGER AS quantity"
    with (
        duckdb.connect() as con,
        adbc_driver_postgresql.dbapi.connect(address + quote(to["password"], safe="")) as database,
        database.cursor() as cursor,
    ):
        reader = con.sql(f"SELECT * REPLACE ({integers}) FROM '{parquet}'").to_arrow_reader(65_536)
        cursor.adbc_ingest(plain, reader, mode="append", db_schema_name=schema)
        database.commit()
    if key:
        postgres.psql(folder, f"ALTER TABLE {table} ADD PRIMARY KEY (id)", f"ANALYZE {table}")


def postgres_definition(table: str) -> str:
    """The statement that makes the table in PostgreSQL, without its key."""
    kinds = {"INTEGER PRIMARY KEY": "bigint", "REAL": "double precision"}
    return f"CREATE TABLE {table} ({', '.join(f'{one} {kinds.get(kind, kind)}' for one, kind in COLUMNS.items())})"


def duckdb_file(file: Path) -> Any:
    """A connection to a DuckDB file, made the way the engine makes one."""
    import duckdb

    con = duckdb.connect(str(file), config={"storage_compatibility_version": "v1.2.0"})
    con.execute("SET enable_progress_bar = false")
    return con


Place = tuple[str, dict[str, Any]]
"""A connection: its type and its settings."""


def run(
    folder: Path,
    source: Place,
    destination: Place = ("duckdb", {"path": "out.duckdb"}),
    *,
    tables: Sequence[str] = ("orders",),
    at_once: int | None = None,
    **settings: Any,
) -> None:
    """Loads tables through the engine, `at_once` side by side: from a folder or file, or from the schema `shop` of a
    database; into a file, or into the schema `loaded`."""
    from bulk_sync_local.connectors.base import Confinement
    from bulk_sync_local.engine.job import Endpoint, RunJob, TableJob
    from bulk_sync_local.engine.runner import run_job

    reporter = _Quiet()
    job = RunJob(
        "execution",
        "sync",
        Endpoint(*source),
        Endpoint(*destination),
        tuple(
            TableJob(f"shop.{one}" if source[0] == "postgresql" else one, user_output_name=one, **settings)
            for one in tables
        ),
        output_schema="loaded" if destination[0] == "postgresql" else None,
        at_once=at_once,
    )
    run_job(job, reporter, Confinement((folder,), folder))
    wrong = [one for one in reporter.outcomes if one.status != "completed" or one.warnings]
    if wrong or len(reporter.outcomes) != len(tables):
        raise SystemExit(f"The load did not complete: {wrong}")


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of wall clock and of CPU (children included; the database server's apart), and peak resident
    memory in MB."""

    seconds: float
    cpu: float
    peak: float
    server: float = 0.0

    def __str__(self) -> str:
        server = f", server {self.server:.2f} s" if self.server else ""
        return f"{self.seconds:.2f} s (CPU {self.cpu:.2f} s{server})"


def _child(work: Callable[[Path], None], folder: Path, answers: Any) -> None:
    begun = time.perf_counter()
    work(folder)
    seconds = time.perf_counter() - begun
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    answers.put(Measured(seconds, cpu, _peak()))


def _peak() -> float:
    """Peak resident memory of this process in MB. Not `ru_maxrss`, which begins at what the parent had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def measured(work: Callable[[Path], None], folder: Path) -> Measured:
    """`work`, measured in a new process."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    child = context.Process(target=_child, args=(work, folder, answers))
    before = server_cpu(folder)
    child.start()
    child.join()
    if child.exitcode != 0:
        raise SystemExit(f"{getattr(work, '__name__', work)} ended with {child.exitcode}")
    return replace(answers.get(), server=server_cpu(folder) - before)


@dataclass(slots=True)
class Verdict:
    """Collects repetitions; `passed` prints their median and says whether it is within the limits."""

    max_ratio: float
    max_peak: float = MAX_RSS_MB
    ratios: list[float] = field(default_factory=list[float])
    peaks: list[float] = field(default_factory=list[float])

    def add(self, alone: dict[str, Measured], moved: Measured) -> None:
        self.ratios.append(moved.seconds / max(one.seconds for one in alone.values()))
        self.peaks.append(moved.peak)
        parts = ", ".join(f"{what} {one}" for what, one in alone.items())
        print(f"{parts}, engine {moved}, ratio {self.ratios[-1]:.2f}, peak {moved.peak:.0f} MB", flush=True)

    def passed(self) -> bool:
        ratio, peak = statistics.median(self.ratios), max(self.peaks)
        print(
            f"median ratio {ratio:.2f} (limit {self.max_ratio}), peak memory {peak:.0f} MB (limit {self.max_peak:.0f})",
            flush=True,
        )
        return ratio <= self.max_ratio and peak <= self.max_peak
