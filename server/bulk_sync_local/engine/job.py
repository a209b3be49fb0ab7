"""The seam between the service and the engine: what a run is told, and what it reports.

The service (`store.py`, `worker.py`) turns a stored sync and a start call into a `RunJob`; the engine
(`runner.py`) carries it out and tells a `Reporter` how it goes. Neither knows more of the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Mode = Literal["replicate", "snapshot", "append"]
ResyncMode = Literal["refetch", "resync", "rebuild"]
NormalizeNames = Literal["enabled", "disabled", "legacy"]
TableStatus = Literal["completed", "failed", "canceled"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One side of a run: the connection type and its settings, secret references already resolved."""

    type_id: str
    configuration: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FieldChoice:
    """What a sync says about one source column."""

    id: str
    enabled: bool = True
    obfuscated: bool = False
    user_output_name: str | None = None


@dataclass(frozen=True, slots=True)
class RowFilter:
    """One row filter (api/README.md 6, filter functions); several are joined by AND."""

    field_id: str
    function: str
    value: object = None


@dataclass(frozen=True, slots=True)
class TableJob:
    """One source table of a run.

    `fields` is empty when every column is selected. Columns the source has and `fields` does not name are
    synced only when `new_fields` is true. The primary key and the column types are read from the source
    when the run starts, never from here.
    """

    schema_id: str
    fields: tuple[FieldChoice, ...] = ()
    new_fields: bool = True
    filters: tuple[RowFilter, ...] = ()
    tracking_field: str | None = None
    data_cutoff: str | None = None
    user_output_name: str | None = None


@dataclass(frozen=True, slots=True)
class RunJob:
    """One execution, complete: nothing else is looked up while it runs.

    Without `adopt` a resync mode leaves alone what the sync has not made, as an ordinary run does. `at_once` is how
    many tables may be loaded side by side; None leaves it to the machine.
    """

    execution_id: str
    sync_id: str
    source: Endpoint
    destination: Endpoint
    tables: tuple[TableJob, ...]
    mode: Mode = "replicate"
    resync_mode: ResyncMode | None = None
    test: bool = False
    adopt: bool = True
    output_schema: str | None = None
    table_prefix: str = ""
    normalize_names: NormalizeNames = "enabled"
    hard_deletes: bool = False
    truncate_existing: bool = False
    record_timestamps: bool = True
    at_once: int | None = None


@dataclass(frozen=True, slots=True)
class TableOutcome:
    """How one table ended. `records` counts rows read and written (rows checked, in a test run)."""

    status: TableStatus
    records: int = 0
    errors: int = 0
    warnings: int = 0
    message: str | None = None


class Reporter(Protocol):
    """Told by the engine how a run goes; called from the thread that runs the table, so from several at once."""

    def table_started(self, schema_id: str, output_name: str) -> None: ...

    def table_progress(self, schema_id: str, records: int) -> None:
        """`records` is the total so far; called after each batch (about 122,880 rows)."""
        ...

    def table_finished(self, schema_id: str, outcome: TableOutcome) -> None: ...

    def log(self, schema_id: str | None, level: Literal["info", "warning", "error"], message: str) -> None: ...

    def cancel_requested(self, schema_id: str) -> bool:
        """Asked between batches; true ends the table as `canceled` with its old output intact."""
        ...
