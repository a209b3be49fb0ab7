"""A worker process: carries out one execution and ends.

    python -m bulk_sync_local.worker --state-dir DIRECTORY --execution ID

Its settings come from a file in the state directory, its job from the store, and neither from the command line.
It outlives the service that started it. Its output goes to `runs/<execution>/worker.log`.
"""

import argparse
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from bulk_sync_local import catalog, jobs, store_progress, store_syncs
from bulk_sync_local.clock import Clock, system_clock, to_text
from bulk_sync_local.config import LocalConfig, read_worker_settings
from bulk_sync_local.connectors.base import ConnectorError
from bulk_sync_local.engine.job import Endpoint, RunJob
from bulk_sync_local.reporter import StoreReporter
from bulk_sync_local.store import Store
from bulk_sync_local.store_executions import add_schema
from bulk_sync_local.supervisor import lock_path

log = logging.getLogger("bulk_sync_local.worker")

LOCK_SECONDS = 10.0
"""A service looking for dead workers holds the lock for a moment, so a worker waits this long for it."""


def main(arguments: list[str] | None = None) -> int:
    """Runs one execution; returns 0 when it was carried out, whatever became of its tables, or was taken already."""
    parser = argparse.ArgumentParser(prog="bulk_sync_local.worker", description="Carries out one execution.")
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--execution", required=True)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    config = read_worker_settings(options.state_dir, options.execution)
    store = Store(config.store_path)
    try:
        with FileLock(lock_path(config, options.execution), timeout=LOCK_SECONDS):
            carry_out(config, store, options.execution, system_clock)
    except Timeout:
        log.info("another worker has execution %s", options.execution)
    finally:
        store.close()
    return 0


def carry_out(config: LocalConfig, store: Store, execution_id: str, clock: Clock) -> None:
    """Claims the execution, runs it and records its end. The caller holds the execution's lock."""
    with store.write() as tx:
        claim = store_progress.claim(tx, execution_id, os.getpid(), to_text(clock()))
    if claim is None:
        log.info("execution %s is not waiting for a worker", execution_id)
        return
    failure = None
    with StoreReporter(store, execution_id, clock, config.batch_pause) as reporter:
        try:
            job = _bring_up_to_date(config, store, claim, clock)
            reporter.log(None, "info", f"started: {len(job.tables)} tables")
            # Here, and not above: a run whose source cannot be read must not wait for the engine's libraries.
            from bulk_sync_local.engine.runner import run_job

            run_job(job, reporter, config.confinement)
        except ConnectorError as error:
            failure = str(error)
            reporter.log(None, "error", failure)
        except Exception as error:
            log.exception("the run failed")
            failure = f"the run failed unexpectedly ({type(error).__name__}); the details are in the worker's log"
    with store.write() as tx:
        status = store_progress.finish(tx, execution_id, to_text(clock()), failure=failure)
    log.info("execution %s ended as %s", execution_id, status)


def _bring_up_to_date(config: LocalConfig, store: Store, claim: store_progress.Claim, clock: Clock) -> RunJob:
    """The job with its secrets resolved and with the source's new tables, where the sync takes them up."""
    job = claim.job
    tables = jobs.read_source(config, job.source)
    resolved = replace(job, source=_resolved(config, job.source), destination=_resolved(config, job.destination))
    if not job.test:
        from bulk_sync_local.engine.endpoints import written_among

        ours = written_among(resolved, [table.id for table in tables], config.confinement)
        now = to_text(clock())
        with store.write() as tx:
            sync = store_syncs.get(tx, job.sync_id)
            new = jobs.take_up_new_objects(tx, sync, tables, ours, read_from=job.source, now=now) if sync else []
            if sync is not None and claim.add_new_objects:
                added = [schema for schema in new if schema.enabled]
                joined = tuple(jobs.table_job(sync, schema) for schema in added)
                resolved = replace(resolved, tables=resolved.tables + joined)
                for schema in added:
                    name = jobs.name_of_output(sync, schema)
                    add_schema(tx, job.execution_id, schema.schema_id, name, now)
    return resolved


def _resolved(config: LocalConfig, endpoint: Endpoint) -> Endpoint:
    return catalog.resolve(config, endpoint.type_id, endpoint.configuration)


if __name__ == "__main__":
    sys.exit(main())
