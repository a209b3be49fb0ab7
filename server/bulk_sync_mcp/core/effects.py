"""Every kind of effect a call can have.

`Effect.rule` is the row of the policy table that applies (guard/policy.py). A new kind is a new class here and a new
row there; a kind without a row is denied. Severities order a preview, worst first (api/README.md 8).
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from bulk_sync_mcp.core.plan import Effect, observed, some
from bulk_sync_mcp.core.text import clean, plural, quoted


@dataclass(frozen=True, kw_only=True)
class OnSync(Effect):
    """An effect on one bulk sync. Its name is part of what was agreed to: a rename in between voids a confirmation."""

    sync_id: str
    sync_name: str = ""


Cause = Literal["resync", "first_run", "repeat_run"]
"""`resync`: asked for by a resync mode. `first_run`: an ordinary run of a sync that has not completed one since
its configuration last changed. `repeat_run`: an ordinary run doing what the last completed one did."""


@dataclass(frozen=True, kw_only=True)
class OnTables(OnSync):
    """An effect of a run on some tables of the destination."""

    rules: ClassVar[tuple[str, ...]] = ("resync", "first_run", "repeat_run")

    cause: Cause
    destination_id: str
    tables: tuple[str, ...]
    outputs: tuple[str, ...]
    destination: str = observed("")
    rows: int | None = observed()

    @property
    def rule(self) -> str:
        return f"{self.kind}:{self.cause}"

    def where(self) -> str:
        rows = "" if self.rows is None else f"; the last run counted {plural(self.rows, 'row')}"
        return f"{plural(len(self.outputs), 'table')} in {self.destination}: {some(self.outputs)}{rows}"


class DropsOutput(OnTables):
    """Destination tables dropped and created anew."""

    severity = 90
    names_required = True

    def line(self) -> str:
        return (
            f"DROPS and recreates {self.where()}. Their views and grants, and rows and columns that the source "
            "does not have, are lost."
        )


class TruncatesOutput(OnTables):
    """Destination tables emptied, then filled."""

    severity = 80

    def line(self) -> str:
        return f"EMPTIES and refills {self.where()}. Rows that are no longer at the source are lost."


class DeletesRows(OnTables):
    """Rows that are gone from the source removed from the destination for good."""

    severity = 70

    def line(self) -> str:
        return f"REMOVES rows that are gone from the source (hard deletes) from {self.where()}."


class RereadsSource(OnTables):
    """Everything read and written again, rows kept."""

    severity = 50

    def line(self) -> str:
        return f"Reads everything again and overwrites matching rows of {self.where()}. It loads the source and may take long."


@dataclass(frozen=True, kw_only=True)
class StartsRun(OnSync):
    """A run starts."""

    severity = 10

    mode: str | None
    tables: tuple[str, ...]
    fetch_mode: str | None = None
    destination: str = observed("")

    def line(self) -> str:
        kind = "run" if self.mode is None else f"{self.mode} run"
        return f"Starts one {kind} of {plural(len(self.tables), 'table')} to {self.destination}."


@dataclass(frozen=True, kw_only=True)
class WritesSample(OnSync):
    """A test run, which may write up to 5 rows a table (api/README.md 3: the sources disagree)."""

    severity = 15

    tables: tuple[str, ...]
    destination: str = observed("")

    def line(self) -> str:
        return (
            f"Starts a test run of {plural(len(self.tables), 'table')} to {self.destination}; the backend may write "
            "up to 5 rows a table."
        )


@dataclass(frozen=True, kw_only=True)
class CancelsExecution(OnSync):
    """A running execution is asked to stop; what it has written stays."""

    severity = 40
    rules = ("asked", "side_effect", "rewriting")

    execution_id: str
    cause: Literal["asked", "side_effect", "rewriting"]
    table: str = ""
    """The one table that stops; empty when all of them do."""
    status: str | None = observed()
    progress: str | None = observed()

    @property
    def rule(self) -> str:
        return f"{self.kind}:{self.cause}"

    def line(self) -> str:
        seen = f" ({clean(self.progress)})" if self.progress else ""
        after = (
            " It is emptying or rebuilding tables: they may stay partly filled."
            if self.cause == "rewriting"
            else " Rows written so far may stay."
        )
        what = f"the table {quoted(self.table)} in the" if self.table else "the"
        return f"CANCELS {what} running execution {self.execution_id}{seen}.{after}"


class DeletesSync(OnSync):
    """The sync goes, with its schedules, schema configuration and history (api/README.md 8)."""

    severity = 100
    names_required = True

    def line(self) -> str:
        return (
            f"DELETES the bulk sync {quoted(self.sync_name)} with its schedules, table selection and whole execution "
            "history. This cannot be undone. Whether destination tables stay is not documented."
        )


@dataclass(frozen=True, kw_only=True)
class CreatesSync(Effect):
    """A new sync. `firing`: active with a schedule that fires by itself."""

    severity = 30
    rules = ("idle", "firing")

    name: str
    firing: bool
    destination_id: str
    outputs: tuple[str, ...]
    destination: str = observed("")

    @property
    def rule(self) -> str:
        return f"{self.kind}:{'firing' if self.firing else 'idle'}"

    def line(self) -> str:
        tables = some(self.outputs) if self.outputs else "every table of the source"
        when = (
            "It is active and its schedule starts runs unattended, which write into tables of those names, existing ones included."
            if self.firing
            else "Nothing runs until it is started or scheduled."
        )
        return f"Creates the bulk sync {quoted(self.name)} to {self.destination} for {tables}. {when}"


@dataclass(frozen=True, kw_only=True)
class ActivatesSchedule(OnSync):
    """Schedules fire from now on."""

    severity = 30

    schedules: tuple[str, ...]
    next_run: str | None = observed()

    def line(self) -> str:
        if not self.schedules:
            return "Activates the bulk sync; it has no schedule that fires by itself."
        following = f" The next run is due {clean(self.next_run)}." if self.next_run else ""
        schedules = "; ".join(clean(item) for item in self.schedules)
        return f"Activates schedules, which start runs unattended: {schedules}.{following}"


@dataclass(frozen=True, kw_only=True)
class ArmsDestruction(OnSync):
    """A schedule with a resync mode is set or switched on: it will rewrite tables unattended."""

    severity = 85

    resync_mode: str
    schedule: str
    tables: tuple[str, ...]
    schedule_id: str | None = None

    def line(self) -> str:
        tables = some(self.tables) if self.tables else "all enabled tables"
        return (
            f"ARMS a schedule ({clean(self.schedule)}) that repeats {quoted(self.resync_mode)} on {tables} at each "
            "firing, unattended."
        )


@dataclass(frozen=True, kw_only=True)
class ChangesField(OnSync):
    """A setting changes that no other effect names."""

    severity = 20

    setting: str
    before: str
    after: str

    def line(self) -> str:
        return f"Changes {clean(self.setting, 120)}: {quoted(self.before, 120)} → {quoted(self.after, 120)}."


@dataclass(frozen=True, kw_only=True)
class RedirectsOutput(OnSync):
    """Later runs write somewhere else; what was written so far is left behind."""

    severity = 65

    setting: str
    before: str
    after: str

    def line(self) -> str:
        return (
            f"REDIRECTS output: {clean(self.setting, 120)} {quoted(self.before, 120)} → {quoted(self.after, 120)}. Later runs write "
            "to other tables, into existing ones of those names; the present ones are left behind."
        )


@dataclass(frozen=True, kw_only=True)
class ChangesWriteMode(OnSync):
    """Later runs treat rows in the destination differently."""

    severity = 75

    setting: str
    before: str
    after: str

    def line(self) -> str:
        return (
            f"CHANGES HOW ROWS ARE WRITTEN: {clean(self.setting, 120)} {quoted(self.before, 120)} → {quoted(self.after, 120)}. "
            "Later runs may replace or remove rows."
        )


@dataclass(frozen=True, kw_only=True)
class DisablesSchemas(OnSync):
    """Tables leave the sync."""

    severity = 45

    tables: tuple[str, ...]

    def line(self) -> str:
        return f"STOPS syncing {plural(len(self.tables), 'table')}: {some(self.tables)}. Their output goes stale."


@dataclass(frozen=True, kw_only=True)
class WidensFields(OnSync):
    """Tables, columns or rows that were not copied so far will be."""

    severity = 55

    what: tuple[str, ...]

    def line(self) -> str:
        return f"WIDENS what is copied: {some(self.what)}."


@dataclass(frozen=True, kw_only=True)
class RemovesObfuscation(OnSync):
    """Columns that were obfuscated are copied in the clear."""

    severity = 60

    columns: tuple[str, ...]

    def line(self) -> str:
        return f"REMOVES OBFUSCATION: copied in the clear from now on: {some(self.columns)}."


@dataclass(frozen=True, kw_only=True)
class DeletesSchedule(OnSync):
    """A schedule goes."""

    severity = 48

    schedule: str
    schedule_id: str | None = None

    def line(self) -> str:
        return f"DELETES a schedule ({clean(self.schedule)}): its runs stop."


@dataclass(frozen=True, kw_only=True)
class SilencesAlerts(OnSync):
    """Somebody is no longer told of failures, or lagging ingestion no longer counts as one."""

    severity = 35

    subscribers: tuple[str, ...] = ()
    threshold: str = ""
    """How the ingestion threshold changes, such as `900 → none`; empty when it stays."""
    left: int | None = observed()
    """How many addresses are still told."""

    def line(self) -> str:
        parts: list[str] = []
        if self.subscribers:
            rest = (
                ""
                if self.left is None
                else f"; {plural(self.left, 'address', 'addresses') if self.left else 'nobody'} left"
            )
            parts.append(f"SILENCES failure alerts for {some(self.subscribers)}{rest}.")
        if self.threshold:
            parts.append(f"SILENCES alerts on lagging ingestion: threshold {clean(self.threshold)}.")
        return " ".join(parts)


@dataclass(frozen=True, kw_only=True)
class ExportsLogs(OnSync):
    """The backend packs the logs of an execution, which hold customer data; with `mail` it also sends a message."""

    severity = 6
    rules = ("download", "mail")

    execution_id: str
    cause: Literal["download", "mail"]

    @property
    def rule(self) -> str:
        return f"{self.kind}:{self.cause}"

    def line(self) -> str:
        mail = ", and MAILS the owner of the credential when it is ready" if self.cause == "mail" else ""
        return f"Has the backend pack the logs of execution {self.execution_id} into an archive{mail}."
