"""Runs a sync through the engine's own entry, as the worker process does: the only module that knows the engine."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bulk_sync_local.connectors.base import Confinement
from bulk_sync_local.engine.job import Endpoint, FieldChoice, RowFilter, RunJob, TableJob, TableOutcome
from bulk_sync_local.engine.runner import run_job
from local.oracle.configuring import Sync
from local.oracle.driving import Outcome
from local.oracle.histories import Settings, Step, TableSetup
from local.oracle.sources import table_id
from local.postgres.server import ADMIN, DATABASE, PASSWORD, Server


@dataclass
class _Told:
    finished: dict[str, TableOutcome] = field(default_factory=dict[str, TableOutcome])

    def table_started(self, schema_id: str, output_name: str) -> None: ...

    def table_progress(self, schema_id: str, records: int) -> None: ...

    def table_finished(self, schema_id: str, outcome: TableOutcome) -> None:
        self.finished[schema_id] = outcome

    def log(self, schema_id: str | None, level: Literal["info", "warning", "error"], message: str) -> None: ...

    def cancel_requested(self, schema_id: str) -> bool:
        return False


def settings_of(kind: str, end: str, server: Server | None) -> dict[str, Any]:
    """The settings of a connection."""
    if kind == "postgresql":
        assert server is not None
        return {"host": "127.0.0.1", "port": server.port, "database": DATABASE, "username": ADMIN, "password": PASSWORD}
    if kind == "csv":
        return {"path": end, "delimiter": ",", "header": True}
    return {"path": end if kind == "parquet" else f"{end}.{kind}"}


_OF_A_RUN = ("mode", "hard_deletes", "truncate_existing", "record_timestamps", "table_prefix", "normalize_names")


@dataclass
class Engine:
    source: str
    target: str
    folder: Path
    server: Server | None
    names_fields: bool = False

    def configure(self, sync: Sync, before: Mapping[str, TableSetup], changed: Collection[str], way: str) -> None:
        """Nothing to keep: each run is told everything."""

    def run(self, settings: Settings, step: Step, tables: Mapping[str, TableSetup], every: bool) -> dict[str, Outcome]:
        told = _Told()
        job = RunJob(
            "execution-1",
            "sync-1",
            Endpoint(self.source, settings_of(self.source, "source", self.server)),
            Endpoint(self.target, settings_of(self.target, "output", self.server)),
            tuple(_table(self.source, one) for one in tables.values()),
            resync_mode=step.resync_mode,  # type: ignore[arg-type]
            test=step.test,
            **{one: getattr(settings, one) for one in _OF_A_RUN},
        )
        run_job(job, told, Confinement((self.folder,), self.folder))
        return {
            table: Outcome(one.status, one.records, one.errors, one.warnings, one.message)
            for table, one in told.finished.items()
        }


def _table(source: str, setup: TableSetup) -> TableJob:
    renamed = dict(setup.renamed)
    named = dict.fromkeys([*(setup.fields or ()), *setup.deselected, *setup.obfuscated, *renamed])
    choices = tuple(
        FieldChoice(one, one not in setup.deselected, one in setup.obfuscated, renamed.get(one)) for one in named
    )
    return TableJob(
        table_id(source, setup.name),
        choices,
        new_fields=setup.new_fields,
        filters=tuple(RowFilter(*one) for one in setup.filters),
        tracking_field=setup.tracking,
        data_cutoff=setup.cutoff,
        user_output_name=setup.user_output_name,
    )
