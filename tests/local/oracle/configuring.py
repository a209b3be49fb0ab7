"""What a sync says of its tables, how that changes, and what it takes up by itself: from the documentation."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from local.oracle.histories import CUT, CUTOFF, DIGESTED, FILTERED, TRACKED, Settings, TableSetup
from local.oracle.mapping import carried_as
from local.oracle.model import World
from local.oracle.sources import Column, table_id


@dataclass
class Sync:
    """A sync: its settings, and what it says of each table. In `said` columns and key mean nothing.

    Where it `names_fields`, as the service does, it knows every field it has met.
    """

    world: World
    settings: Settings
    said: dict[str, TableSetup]
    names_fields: bool = False
    cached: dict[str, tuple[Column, ...]] = field(default_factory=dict[str, tuple[Column, ...]])
    """The columns as the service has seen them last."""

    def change(self, changes: Iterable[tuple[str, Any]]) -> bool:
        """Changes settings, those apart that two tables would share an output by; whether any did change."""
        wanted = replace(self.settings, **dict(changes))
        if wanted.cutoff and any(self._untold(one) for one in self.said.values()):
            wanted = replace(wanted, cutoff=None)
        if not self._names_differ(wanted, self.said):
            wanted = replace(
                wanted, table_prefix=self.settings.table_prefix, normalize_names=self.settings.normalize_names
            )
        changed, self.settings = wanted != self.settings, wanted
        return changed

    def configure(self, name: str, change: tuple[Any, ...], setup: TableSetup) -> bool:
        """Changes what is said of a table, whose present state is `setup`; whether it did change. Places count round.

        ("track", place), ("untrack",), ("deselect", place), ("select", place), ("obfuscate", place), ("rename", place),
        ("output", place), ("filter", place, function, value), ("unfilter",), ("cut",), ("every",), ("enable",),
        ("disable",): the third to fifth turn round what they find.
        """
        said = self.said[name]
        if not change:
            return False
        wanted = _changed(self.world.source, said, change, setup, self._seen(name, setup), self.known(name))
        if wanted is None or wanted == said:
            return False
        if self.settings.cutoff and self._untold(wanted):
            return False
        everything = {**self.said, name: wanted}
        if not any(one.enabled for one in everything.values()) or not self._names_differ(self.settings, everything):
            return False
        self.said[name] = wanted
        return True

    def known(self, name: str) -> tuple[str, ...]:
        """The fields that the source had when the service last looked; what has gone since is forgotten with a call
        that speaks of all fields."""
        return tuple(one.name for one in self.cached.get(name, ()))

    def _seen(self, name: str, setup: TableSetup) -> tuple[Column, ...]:
        if not self.names_fields:
            return setup.columns
        seen = self.cached.get(name, ())
        return tuple(one for one in seen if one in setup.columns and one.name in (self.said[name].fields or ()))

    def _untold(self, setup: TableSetup) -> bool:
        """Whether a cutoff for all tables would mean something to this one that this oracle does not know."""
        types = {one.name: carried_as(self.world.source, one.type) for one in self.cached.get(setup.name, ())}
        return types.get(setup.tracking or "") in ("VARCHAR", "TIME")

    def _names_differ(self, settings: Settings, said: Mapping[str, TableSetup]) -> bool:
        names = [self.world.output_name(settings, one).casefold() for one in said.values() if one.enabled]
        return len(set(names)) == len(names)

    def of(self, name: str, columns: Sequence[Column], key: Sequence[str]) -> TableSetup:
        """The table as a run meets it."""
        said = self.said[name]
        types = {one.name: carried_as(self.world.source, one.type) for one in columns}
        cutoff = said.cutoff or self.settings.cutoff
        return replace(
            said,
            columns=tuple(columns),
            key=tuple(key),
            cutoff=cutoff if types.get(said.tracking or "") in CUT else None,
            new_fields=self._wants_new_fields(said) if self.names_fields else said.new_fields,
        )

    def _wants_new_fields(self, said: TableSetup) -> bool:
        incremental = self.settings.mode != "snapshot" and said.tracking is not None
        return {
            "all": True, "none": False, "onlyIncremental": incremental, "onlyNonIncremental": not incremental,
        }[self.settings.new_fields]  # fmt: skip

    def take_up(self, tables: Mapping[str, tuple[Sequence[Column], Sequence[str]]]) -> list[str]:
        """What a run that is no test does first: new fields and tables become known; the tables that are new."""
        new: list[str] = []
        self.cached = {name: tuple(columns) for name, (columns, _) in tables.items()}
        for name, (columns, key) in tables.items():
            names = tuple(one.name for one in columns)
            if name not in self.said:
                wanted = self.settings.new_objects == "all"
                self.said[name] = TableSetup(name, tuple(columns), tuple(key), enabled=wanted, fields=names)
                new.append(name)
                continue
            said = self.said[name]
            more = tuple(one for one in names if one not in (said.fields or ()))
            deselected = said.deselected if self._wants_new_fields(said) else (*said.deselected, *more)
            self.said[name] = replace(said, fields=(*(said.fields or ()), *more), deselected=deselected)
        return new

    def outputs_differ(self) -> bool:
        """Whether every enabled table has an output of its own."""
        return self._names_differ(self.settings, self.said)

    def ids(self, names: Iterable[str]) -> list[str]:
        """What the API calls the tables."""
        return [table_id(self.world.source, one) for one in names]


def _changed(
    source: str,
    said: TableSetup,
    change: tuple[Any, ...],
    setup: TableSetup,
    seen: Sequence[Column],
    known: tuple[str, ...],
) -> TableSetup | None:
    def pick(columns: Sequence[Any]) -> Any:
        return columns[change[1] % len(columns)] if columns else None

    selected = [one for one in seen if one.name not in said.deselected]
    match change[0]:
        case "track":
            column = pick([one for one in seen if one.type in TRACKED[source]])
            if column is None:
                return None
            fits = carried_as(source, column.type) in CUT
            return replace(said, tracking=column.name, cutoff=said.cutoff if fits else None)
        case "untrack":
            return replace(said, tracking=None, cutoff=None)
        case "deselect":
            column = pick([one for one in selected if one.name not in setup.key])
            if column is None or len(selected) < 2:
                return None
            return replace(said, deselected=(*said.deselected, column.name))
        case "select":
            name = pick(said.deselected)
            return replace(said, deselected=tuple(one for one in said.deselected if one != name))
        case "obfuscate":
            column = pick([one for one in selected if one.type in DIGESTED])
            return None if column is None else replace(said, obfuscated=_toggled(said.obfuscated, column.name))
        case "rename":
            column = pick(selected)
            if column is None:
                return None
            return replace(said, renamed=() if said.renamed else ((column.name, 'My "col"'),))
        case "output":
            return replace(said, user_output_name=(None, f"Own näme {len(said.name)}", "orders", "it_s")[change[1] % 4])
        case "filter":
            kind = type(change[3])
            column = pick([one for one in seen if FILTERED.get(one.type) is kind])
            return None if column is None else replace(said, filters=((column.name, change[2], change[3]),))
        case "unfilter":
            return replace(said, filters=())
        case "cut":
            types = {one.name: carried_as(source, one.type) for one in seen}
            fits = types.get(said.tracking or "") in CUT
            return replace(said, cutoff=CUTOFF if fits and not said.cutoff else None)
        case "every" if said.fields is not None:
            obfuscated = tuple(one for one in said.obfuscated if one in known)
            renamed = tuple(one for one in said.renamed if one[0] in known)
            return replace(said, deselected=(), fields=known, obfuscated=obfuscated, renamed=renamed)
        case "every":
            return replace(said, deselected=())
        case _:
            return replace(said, enabled=change[0] == "enable")


def _toggled(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(one for one in names if one != name) if name in names else (*names, name)
