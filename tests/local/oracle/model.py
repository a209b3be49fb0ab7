"""What the documentation says a run does, on lists of rows.

Written from `server/docs/local-service.md`, from nothing of the engine. A row is a dictionary of what the destination
shall show; a time stamp is the number of the run that set it.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from local.oracle.histories import PLAIN_NAMES, Settings, Step, TableSetup
from local.oracle.mapping import arrives_as, carried_as
from local.oracle.meanings import DAY, Clock, Day, Moment, clock_text, date_text, days_of
from local.oracle.sources import table_id
from local.oracle.values import UNFIT, carry, order, present, same_key

CREATED, UPDATED, DELETED = "_polytomic_created_at", "_polytomic_updated_at", "_polytomic_deleted_at"
STAMPS = (CREATED, UPDATED, DELETED)
TABLE_NAMES = {
    "orders": ("orders", "orders"), "Order Lines": ("order_lines", "Order_Lines"), "group": ("group", "group"),
    "Größe 表": ("grosse_", "Gr__e__"), "a.b": ("a_b", "a_b"), "it's": ("it_s", "it_s"),
    "not 0": ("not_0", "not_0"), "not 1": ("not_1", "not_1"),
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """The number of a run, in place of the moment it happened."""

    number: int


@dataclass
class Output:
    """A table at the destination: columns with their types, rows, and what columns are carried as."""

    columns: dict[str, str]
    carried: dict[str, str]
    rows: list[dict[str, Any]]


@dataclass
class Remembered:
    """What the sync knows about an output from its last run."""

    mode: str
    key: tuple[str, ...]
    columns: dict[str, str]
    tracking: str | None
    watermark: Any
    owner: str
    digested: frozenset[str]
    without: frozenset[str]


@dataclass
class Expected:
    """How a table of a run has to end; None where it is not settled."""

    status: str
    records: int | None = None
    errors: int | None = None
    warnings: int | None = None


@dataclass
class World:
    """A destination, as the semantics say."""

    source: str
    target: str
    outputs: dict[str, Output] = field(default_factory=dict[str, Output])
    remembered: dict[str, Remembered] = field(default_factory=dict[str, Remembered])
    runs: int = 0

    def run(
        self,
        settings: Settings,
        step: Step,
        tables: Mapping[str, TableSetup],
        rows: Mapping[str, Sequence[Sequence[Any]]],
    ) -> dict[str, Expected]:
        """Carries out a run over `tables`, of which those without `rows` are gone; the outcome of each, by its id in
        the API."""
        self.runs += 1
        return {
            table_id(self.source, name): (
                self._table(settings, step, setup, rows[name]) if name in rows else Expected("failed")
            )
            for name, setup in tables.items()
        }

    def output_name(self, settings: Settings, setup: TableSetup) -> str:
        if setup.user_output_name:
            return setup.user_output_name
        identity = table_id(self.source, setup.name)
        plain, legacy = TABLE_NAMES[setup.name]
        before = identity[: -len(setup.name)] if identity.endswith(setup.name) else ""
        if settings.normalize_names == "disabled":
            return settings.table_prefix + identity
        if '"' in identity:  # the quotes of the identity are characters like others
            before, plain, legacy = "shop", f"_{plain}_", f"__{legacy}_"
            return settings.table_prefix + before + (plain if settings.normalize_names == "enabled" else legacy)
        own = plain if settings.normalize_names == "enabled" else legacy
        return settings.table_prefix + before.replace(".", "_") + own

    def column_name(self, settings: Settings, setup: TableSetup, column: str) -> str:
        renamed = dict(setup.renamed)
        if column in renamed:
            return renamed[column]
        known = column.replace(" ", "_")  # what is added later
        plain, legacy = PLAIN_NAMES.get(column, (known, known))
        return {"enabled": plain, "legacy": legacy, "disabled": column}[settings.normalize_names]

    def _table(self, settings: Settings, step: Step, setup: TableSetup, rows: Sequence[Sequence[Any]]) -> Expected:
        asked = self.output_name(settings, setup)
        name = _as_found(asked, self.outputs) if self.target in ("duckdb", "sqlite") else asked
        there = {one.name for one in setup.columns}
        named = {*(setup.fields or ()), *setup.deselected, *setup.obfuscated, *dict(setup.renamed)}
        selected = [
            one
            for one in setup.columns
            if one.name not in setup.deselected and (one.name in named or not named or setup.new_fields)
        ]
        output = self.outputs.get(name)
        known = self.remembered.get(name)
        if known is not None and known.owner != setup.name:
            known = None
        resync, mode = step.resync_mode, settings.mode
        names = {one.name: self.column_name(settings, setup, one.name) for one in selected}
        if not selected or not self._names_possible(name, list(names.values())):
            return Expected("failed")
        without = named - there - set(setup.deselected)
        if without - (known.without if known else set()) and resync not in ("resync", "rebuild"):
            return Expected("failed")
        if output is not None and known is None and resync not in ("resync", "rebuild") and not step.test:
            return Expected("failed")
        key = tuple(names.get(one, "") for one in setup.key) if mode == "replicate" else ()
        if "" in key or (setup.tracking and setup.tracking not in there):
            return Expected("failed")
        if any(column not in there for column, _, _ in setup.filters):
            return Expected("failed")
        if mode == "append" and resync == "refetch":
            return Expected("failed")
        carried = {
            names[one.name]: "VARCHAR" if one.name in setup.obfuscated else carried_as(self.source, one.type)
            for one in selected
        }
        stamps = [CREATED, UPDATED] if settings.record_timestamps else []
        if key and not settings.hard_deletes:
            stamps.append(DELETED)
        types = {column: arrives_as(kind, self.target) for column, kind in carried.items()}
        types |= {stamp: arrives_as("TIMESTAMP", self.target) for stamp in stamps}
        unspoken = set(known.columns) if known and named and not setup.new_fields else set[str]()
        recreates = output is not None and (
            resync == "rebuild"
            or (resync != "resync" and mode == "replicate" and not key and not settings.truncate_existing)
        )
        if (
            output is not None
            and resync != "rebuild"
            and not self._may_load(output, known, setup, there | named | unspoken, types, key, settings, step)
        ):
            return Expected("failed")
        incremental = (
            output is not None
            and known is not None
            and resync is None
            and setup.tracking is not None
            and known.tracking == setup.tracking
            and known.watermark is not None
            and (mode == "append" or bool(key))
            and mode != "snapshot"
        )
        if output is not None and not recreates and self.target != "postgresql":
            # The columns keep the case they have.
            names = {one: _as_found(called, output.columns) for one, called in names.items()}
            types = {_as_found(one, output.columns): kind for one, kind in types.items()}
            carried = {_as_found(one, output.columns): kind for one, kind in carried.items()}
        merged_by, key = key, tuple(names[one] for one in setup.key) if key else ()
        read = self._read(setup, selected, names, key, rows, known.watermark if incremental and known else None, mode)
        if step.test:
            return Expected("completed")
        if read.broken_key:
            return Expected("failed")
        stamped = [one | {stamp: None if stamp == DELETED else Run(self.runs) for stamp in stamps} for one in read.rows]
        if output is None or recreates:
            self.outputs.pop(name, None)
            self.remembered.pop(name, None)
            name = asked
            self.outputs[name] = Output(types, carried, stamped)
        else:
            for column, kind in types.items():
                if column not in output.columns:
                    output.columns[column] = kind
                    for one in output.rows:
                        one[column] = None
            output.carried |= carried
            if mode == "snapshot" or resync == "resync" or (mode == "replicate" and not key):
                output.rows = []
                self._add(output, stamped)
            elif mode == "append":
                self._add(output, stamped)
            else:
                judged = self._judged(setup, names) if setup.cutoff else None
                self._merge(output, stamped, judged, key, settings, judges=not incremental)
        watermark = read.watermark if read.watermark is not None or not incremental else known and known.watermark
        digested = frozenset(self.column_name(settings, setup, one) for one in setup.obfuscated)
        self.remembered[name] = Remembered(
            mode, merged_by, names, setup.tracking, watermark, setup.name, digested, frozenset(without)
        )
        partly = incremental or setup.filters or setup.cutoff
        return Expected("completed", len(read.rows), read.keyless, None if partly else read.warnings)

    def _judged(self, setup: TableSetup, names: Mapping[str, str]) -> Callable[[dict[str, Any]], bool]:
        """Which rows of the output a run would read if the source still had them, where it does not read old ones."""
        if setup.tracking not in names or setup.tracking in setup.obfuscated:
            return lambda row: False
        column = names[setup.tracking]
        return lambda row: row[column] is not None and order(row[column]) >= _cutoff(row[column])

    def _names_possible(self, output: str, columns: list[str]) -> bool:
        folded = [column.casefold() for column in columns]
        if len(set(folded)) < len(folded) or set(folded) & set(STAMPS):
            return False
        if self.target == "postgresql" and any(len(one.encode()) > 63 for one in [output, *columns]):
            return False
        return not (self.target == "parquet" and set(output) & set('/\\:*?"<>|'))

    def _may_load(
        self, output: Output, known: Remembered | None, setup: TableSetup, spoken_of: set[str], types: Mapping[str, str],
        key: tuple[str, ...], settings: Settings, step: Step,
    ) -> bool:  # fmt: skip
        adopts = step.resync_mode == "resync" or known is None
        if known and not adopts and any(one not in spoken_of for one in known.columns):
            return False
        kinds = {self._folded(column): kind for column, kind in output.columns.items()}
        if any(kinds.get(self._folded(column), kind) != kind for column, kind in types.items()):
            return False
        if adopts or known is None:
            return True
        if known.key and not key and known.mode == settings.mode == "replicate":
            return False
        if settings.mode != "replicate" or not key:
            return True
        digested = {self.column_name(settings, setup, one) for one in setup.obfuscated}
        return known.mode != "append" and known.key == key and digested & set(key) == known.digested & set(key)

    def _folded(self, column: str) -> str:
        return column if self.target == "postgresql" else column.casefold()

    def _read(
        self, setup: TableSetup, selected: Sequence[Any], names: Mapping[str, str], key: tuple[str, ...],
        rows: Sequence[Sequence[Any]], watermark: Any, mode: str,
    ) -> "_Read":  # fmt: skip
        place = {one.name: index for index, one in enumerate(setup.columns)}
        carried = {one.name: carried_as(self.source, one.type) for one in setup.columns}
        watched = [*(one.name for one in selected)]
        for column in [setup.tracking, *(one[0] for one in setup.filters)]:
            if column and column not in watched:
                watched.append(column)
        read = _Read()
        kept: dict[Any, tuple[Any, int, dict[str, Any], int]] = {}
        for number, row in enumerate(rows):
            mine = 0
            values: dict[str, Any] = {}
            for column in watched:
                value = carry(self.source, setup.columns[place[column]].type, row[place[column]])
                mine += value is UNFIT
                values[column] = None if value is UNFIT else value
            read.warnings += mine
            tracked = values[setup.tracking] if setup.tracking else None
            if setup.cutoff and tracked is not None and order(tracked) < _cutoff(tracked):
                continue
            if not all(_passes(values[column], function, value) for column, function, value in setup.filters):
                continue
            if watermark is not None:
                if tracked is None or order(tracked) < order(watermark):
                    continue
                if mode == "append" and order(tracked) == order(watermark):
                    continue
            shown, changed = self._shown(setup, selected, names, values, carried)
            identity: Any = number
            if key:
                own = [values[column] for column in setup.key]
                if None in own:
                    read.keyless += 1
                    continue
                if any(names[column] in changed for column in setup.key):
                    read.broken_key = True
                identity = tuple(same_key(one) for one in own)
            rank = (tracked is not None, order(tracked) if tracked is not None else 0, number)
            if identity in kept:
                read.warnings += 1
                if rank < kept[identity][0]:
                    continue
            kept[identity] = (rank, len(changed), shown, number)
            if tracked is not None and (read.watermark is None or order(tracked) > order(read.watermark)):
                read.watermark = tracked
        for identity, (_, changes, shown, _) in kept.items():
            read.warnings += changes
            read.rows.append(shown)
            read.keys.append(identity)
        return read

    def _shown(
        self, setup: TableSetup, selected: Sequence[Any], names: Mapping[str, str], values: Mapping[str, Any],
        carried: Mapping[str, str],
    ) -> tuple[dict[str, Any], set[str]]:  # fmt: skip
        shown: dict[str, Any] = {}
        changed: set[str] = set()
        for one in selected:
            value, kind = values[one.name], carried[one.name]
            if one.name in setup.obfuscated and value is not None:
                value, kind = hashlib.sha256(_bytes(value)).hexdigest(), "VARCHAR"
            shown[names[one.name]], mended = present(self.target, kind, value)
            if mended:
                changed.add(names[one.name])
        return shown, changed

    def _add(self, output: Output, rows: Sequence[dict[str, Any]]) -> None:
        output.rows += [dict.fromkeys(output.columns) | one for one in rows]

    def _merge(
        self, output: Output, rows: Sequence[dict[str, Any]], judged: Callable[[dict[str, Any]], bool] | None,
        key: tuple[str, ...], settings: Settings, *, judges: bool,
    ) -> None:  # fmt: skip
        now = Run(self.runs)
        # By what is at the destination: a key that it keeps in another form is looked for in that form.
        place = {tuple(same_key(one[column]) for column in key): one for one in output.rows}
        seen: set[Any] = set()
        new: list[dict[str, Any]] = []
        for row in rows:
            identity = tuple(same_key(row[column]) for column in key)
            seen.add(identity)
            old = place.get(identity)
            if old is None:
                new.append(row)
                continue
            data = {column: value for column, value in row.items() if column not in STAMPS and column not in key}
            back = old.get(DELETED) is not None
            if any(same_key(old[column]) != same_key(value) for column, value in data.items()) or back:
                old |= data
                if DELETED in output.columns:
                    old[DELETED] = None
                if settings.record_timestamps:
                    old[UPDATED] = now
        if judges:
            for identity, old in place.items():
                if identity in seen or (judged is not None and not judged(old)):
                    continue
                if settings.hard_deletes:
                    output.rows.remove(old)
                elif old[DELETED] is None:
                    old[DELETED] = now
                    if settings.record_timestamps:
                        old[UPDATED] = now
        self._add(output, new)


def _as_found(name: str, there: Iterable[str]) -> str:
    """The name that is there already, but for its case."""
    return next((one for one in there if one.casefold() == name.casefold()), name)


def _cutoff(like: Any) -> int:
    """The first moment of 2000 in the unit of `like`."""
    days = days_of(2000, 1, 1)
    return days if isinstance(like, Day) else days * DAY * (1000 if isinstance(like, Moment) else 1)


_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "Equality": lambda one, other: one == other,
    "Inequality": lambda one, other: one != other,
    "GreaterThan": lambda one, other: order(one) > order(other),
    "LessThanEqual": lambda one, other: order(one) <= order(other),
    "StringContains": lambda one, other: other in one,
    "StringDoesNotStartWith": lambda one, other: not one.startswith(other),
    "StringEndsWith": lambda one, other: one.endswith(other),
}


def _passes(value: Any, function: str, other: Any) -> bool:
    """Whether a row filter lets a value through. NULL passes the functions that say what a value is not."""
    if function in ("IsNull", "IsNotNull"):
        return (value is None) == (function == "IsNull")
    if value is None:
        return function in ("Inequality", "StringDoesNotStartWith")
    return _TESTS[function](value, other)


@dataclass
class _Read:
    rows: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    keys: list[Any] = field(default_factory=list[Any])
    warnings: int = 0
    keyless: int = 0
    broken_key: bool = False
    watermark: Any = None


def _bytes(value: Any) -> bytes:
    """What is digested of an obfuscated value: its bytes, or its text."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool):
        return str(value).lower().encode()
    if isinstance(value, Day):
        return date_text(value.days, " (BC)").encode()
    if isinstance(value, Clock):
        return clock_text(value.microseconds).encode()
    return (format(value, "f") if isinstance(value, Decimal) else str(value)).encode()
