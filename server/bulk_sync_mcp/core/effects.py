"""What a call would do, as frozen data: the one plan that feeds decision, question, result, audit and tests.

Each effect separates what it *is* (`identity`: digested, so that a confirmation binds to it) from what was
merely *seen* (`observed`: counts, times, names; shown, never digested). `Effect.rule` is the row of the policy
table that applies (guard/policy.py). A new kind of effect is a new class here and a new row there; a kind
without a row is denied.
"""

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Generic, Literal, TypeVar

from bulk_sync_mcp.core.text import clean, digest, plural, quoted

PreparedT = TypeVar("PreparedT", covariant=True)

_OBSERVED = {"observed": True}
SHOWN_ITEMS = 12


def observed(default: Any = None) -> Any:
    """A field that is shown but not digested. Returns a dataclass field, typed as its default."""
    return field(default=default, metadata=_OBSERVED)


def some(items: tuple[str, ...], limit: int = SHOWN_ITEMS) -> str:
    """The items quoted and joined, at most `limit` of them, with how many were left out."""
    shown = ", ".join(quoted(item) for item in items[:limit])
    return shown if len(items) <= limit else f"{shown} and {len(items) - limit} more"


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One consequence of a call. `severity` orders a preview, worst first (api/README.md 8)."""

    severity: ClassVar[int] = 0
    rules: ClassVar[tuple[str, ...]] = ()
    names_required: ClassVar[bool] = False
    """True when a form must have the sync's name typed (dropped output, deletions)."""

    @property
    def kind(self) -> str:
        """The name of the effect, such as `DropsOutput`."""
        return type(self).__name__

    @property
    def rule(self) -> str:
        """The key of the policy row that applies to this effect."""
        return self.kind

    @classmethod
    def all_rules(cls) -> tuple[str, ...]:
        """Every policy key this kind of effect can have."""
        return tuple(f"{cls.__name__}:{rule}" for rule in cls.rules) or (cls.__name__,)

    def identity(self) -> dict[str, Any]:
        """What is digested: kind, rule and every field that is not merely observed."""
        known = {item.name: getattr(self, item.name) for item in fields(self) if "observed" not in item.metadata}
        return {"rule": self.rule, **known}

    def sights(self) -> dict[str, Any]:
        """What was seen when the plan was made, None left out."""
        seen = {item.name: getattr(self, item.name) for item in fields(self) if "observed" in item.metadata}
        return {name: value for name, value in seen.items() if value is not None}

    def line(self) -> str:
        """The effect in one sentence for a person, backend text quoted."""
        raise NotImplementedError  # every kind says it; test_effects.py walks all kinds


@dataclass(frozen=True, kw_only=True)
class OnSync(Effect):
    """An effect on one bulk sync. The name is observed, so that a rename alone does not void a confirmation."""

    sync_id: str
    sync_name: str = observed("")


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
            else " Rows written so far stay."
        )
        return f"CANCELS the running execution {self.execution_id}{seen}.{after}"


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
        return f"Activates schedules, which start runs unattended: {'; '.join(clean(item) for item in self.schedules)}."


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
        return f"Changes {self.setting}: {quoted(self.before, 120)} → {quoted(self.after, 120)}."


@dataclass(frozen=True, kw_only=True)
class RedirectsOutput(OnSync):
    """Later runs write somewhere else; what was written so far is left behind."""

    severity = 65

    setting: str
    before: str
    after: str

    def line(self) -> str:
        return (
            f"REDIRECTS output: {self.setting} {quoted(self.before, 120)} → {quoted(self.after, 120)}. Later runs write "
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
            f"CHANGES HOW ROWS ARE WRITTEN: {self.setting} {quoted(self.before, 120)} → {quoted(self.after, 120)}. "
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
    """Somebody is no longer told of failures."""

    severity = 35

    subscribers: tuple[str, ...]

    def line(self) -> str:
        return f"SILENCES failure alerts for {some(self.subscribers)}."


@dataclass(frozen=True, kw_only=True)
class OnConnection(Effect):
    """An effect on one connection."""

    connection_id: str
    connection_name: str = observed("")


class DeletesConnection(OnConnection):
    """A connection goes, with its credentials."""

    severity = 95
    names_required = True

    def line(self) -> str:
        return f"DELETES the connection {quoted(self.connection_name)} with its credentials."


class ReplacesCredentials(OnConnection):
    """Stored credentials are overwritten and cannot be read back."""

    severity = 68

    def line(self) -> str:
        return f"REPLACES settings and credentials of the connection {quoted(self.connection_name)}."


class UsesCredentials(OnConnection):
    """Stored credentials are used against the service."""

    severity = 5

    def line(self) -> str:
        return f"Uses the stored credentials of {quoted(self.connection_name)} against its service."


class RefreshesSchemas(OnConnection):
    """The source is read for its tables and columns; policies may add what is found to syncs."""

    severity = 12

    def line(self) -> str:
        return f"Refreshes the known tables of {quoted(self.connection_name)}; new ones may join syncs by their policy."


class ExposesRecords(OnConnection):
    """Rows of the source are shown."""

    severity = 14

    def line(self) -> str:
        return f"Shows rows of {quoted(self.connection_name)} in this conversation."


@dataclass(frozen=True, kw_only=True)
class CreatesConnection(Effect):
    """Credentials are stored under a new connection."""

    severity = 8

    name: str
    type: str

    def line(self) -> str:
        return f"Creates the {clean(self.type)} connection {quoted(self.name)}."


@dataclass(frozen=True)
class Plan(Generic[PreparedT]):
    """What a call would do. `prepared` is what `run` needs of the reads the plan was made from.

    `phrase` is what a form asks to have typed when an effect requires the name; `title` heads the preview.
    """

    effects: tuple[Effect, ...]
    prepared: PreparedT
    title: str = ""
    phrase: str = ""
    undo: str = ""

    def ordered(self) -> tuple[Effect, ...]:
        """The effects, worst first; equal ones in a stable order."""
        return tuple(sorted(self.effects, key=lambda effect: (-effect.severity, effect.line())))

    def digest(self) -> str:
        """Digest of the identities alone: equal plans have equal digests whatever was observed."""
        return digest(sorted((effect.identity() for effect in self.effects), key=lambda one: digest(one)))

    def lines(self, limit: int = 20) -> list[str]:
        """The effects in words, worst first, at most `limit` of them with a count of the rest."""
        lines = [effect.line() for effect in self.ordered()]
        if len(lines) > limit:
            lines = [*lines[:limit], f"… and {plural(len(lines) - limit, 'more effect')}."]
        return lines

    def shown(self) -> list[dict[str, Any]]:
        """The effects as plain data, worst first: `effect`, `text`, `identity` and `observed` of each."""
        return [
            {
                "effect": effect.kind,
                "text": effect.line(),
                "identity": effect.identity(),
                "observed": effect.sights(),
            }
            for effect in self.ordered()
        ]


def kinds() -> tuple[type[Effect], ...]:
    """Every concrete kind of effect, in name order."""

    def below(cls: type[Effect]) -> list[type[Effect]]:
        return [kind for child in cls.__subclasses__() for kind in [child, *below(child)]]

    return tuple(sorted((kind for kind in below(Effect) if "line" in vars(kind)), key=lambda kind: kind.__name__))


def difference(before: list[dict[str, Any]], after: "Plan[Any]") -> list[str]:
    """What differs between effects shown earlier (`Plan.shown`) and a newer plan, in words; empty when nothing."""
    old = {digest(item["identity"]): str(item["text"]) for item in before}
    new = {digest(effect.identity()): effect.line() for effect in after.effects}
    gone = [f"No longer: {text}" for key, text in old.items() if key not in new]
    return gone + [f"New: {text}" for key, text in new.items() if key not in old]
