"""Histories: a sync, its source tables, and what happens to both between runs, as Hypothesis makes them up."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from local.oracle import mapping, values
from local.oracle.sources import Column

INTEGERS = {
    "sqlite": ("INTEGER", "BIGINT"),
    "duckdb": ("SMALLINT", "INTEGER", "BIGINT", "HUGEINT"),
    "postgresql": ("smallint", "integer", "bigint"),
}
TEXTS = {"sqlite": "TEXT", "duckdb": "VARCHAR", "postgresql": "text"}

TABLE_NAMES = ("orders", "Order Lines", "group", "Größe 表", "a.b", "it's")
PLAIN_NAMES = {
    # name: as it is normalised, and by the legacy rule
    "id": ("id", "id"),
    "Order Lines": ("order_lines", "Order_Lines"),
    "select": ("select", "select"),
    "rowid": ("rowid", "rowid"),
    "Größe": ("grosse", "Gr__e"),
    "a.b": ("a_b", "a_b"),
    'na"me': ("na_me", "na_me"),
    "it's": ("it_s", "it_s"),
    "2nd": ("_2nd", "2nd"),
    "naïveCase": ("naive_case", "na_veCase"),
    "表": ("_", "_"),
    "c0": ("c0", "c0"),
    "o": ("o", "o"),
    "s": ("s", "s"),
    "__hidden_0": ("__hidden_0", "__hidden_0"),
    "user": ("user", "user"),
    "order": ("order", "order"),
    "place": ("place", "place"),
    "source": ("source", "source"),
    "old0": ("old0", "old0"),
    "x" * 60: ("x" * 60, "x" * 60),
}
"""Names of columns with what they are called at the destination: data, so that nothing is computed twice."""

KEYS = {
    "sqlite": ("INTEGER", "BIGINT", "TEXT", "VARCHAR(20)", "BLOB", "DATE", "TIMESTAMP", "DECIMAL(10,2)", "REAL", ""),
    "duckdb": (
        "BIGINT", "INTEGER", "VARCHAR", "UUID", "DATE", "TIMESTAMP", "TIMESTAMP_NS", "DECIMAL(15,6)", "DECIMAL(38,10)",
        "DOUBLE", "FLOAT", "BLOB", "HUGEINT", "UBIGINT", "BOOLEAN", "TIMESTAMP WITH TIME ZONE", "TIME",
    ),
    "postgresql": (
        "bigint", "integer", "text", "uuid", "date", "timestamp without time zone", "timestamp with time zone",
        "numeric(10,2)", "numeric(38,10)", "numeric", "double precision", "real", "bytea", "boolean", "interval",
        "time with time zone", "character(5)", "inet", "time without time zone",
    ),
}  # fmt: skip
TRACKED = {
    "sqlite": ("INTEGER", "TIMESTAMP", "DATE", "TEXT", "REAL", "DECIMAL(10,2)", "TIMESTAMPTZ", "NUMERIC(30,4)", "TIME"),
    "duckdb": (
        "BIGINT", "SMALLINT", "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_S", "DATE", "VARCHAR", "DOUBLE", "FLOAT", "HUGEINT", "UBIGINT",
        "DECIMAL(18,3)", "TIMESTAMP WITH TIME ZONE", "TIME", "UUID", "DECIMAL(38,10)",
    ),
    "parquet": ("BIGINT", "TIMESTAMP", "DATE", "VARCHAR", "DOUBLE", "TIMESTAMP_NS", "DECIMAL(38,10)"),
    "csv": ("whole numbers", "numbers", "dates", "dates and times", "anything else"),
    "postgresql": (
        "bigint", "smallint", "timestamp without time zone", "timestamp with time zone", "date", "text",
        "double precision", "real", "numeric(10,2)", "numeric(38,10)", "uuid", "money", "oid", "character(5)",
        "time without time zone",
    ),
}  # fmt: skip


DIGESTED = ("INTEGER", "BIGINT", "TEXT", "VARCHAR", "BLOB", "DATE", "bigint", "text", "bytea", "date", "whole numbers")
"""Types to obfuscate: the digest is of their bytes, or of a text that leaves no choice."""


FILTERED: dict[str, type] = {
    "INTEGER": int, "BIGINT": int, "bigint": int, "integer": int, "whole numbers": int, "SMALLINT": int,
    "TEXT": str, "VARCHAR": str, "text": str, "anything else": str,
}  # fmt: skip
NUMERIC = ("Equality", "Inequality", "GreaterThan", "LessThanEqual", "IsNull", "IsNotNull")
TEXTUAL = (
    "Equality",
    "Inequality",
    "GreaterThan",
    "StringContains",
    "StringDoesNotStartWith",
    "StringEndsWith",
    "IsNotNull",
)
CUTOFF = "1999-12-31T23:00:00-01:00"
"""The first moment of 2000; a date is compared by the day this falls on in UTC."""
CUT = ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE", "DATE")


@dataclass(frozen=True)
class TableSetup:
    """A source table and what the sync says about it.

    `fields` are those the sync names, None when it names those alone of which it has something to say; all others are
    selected if `new_fields`.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    tracking: str | None = None
    user_output_name: str | None = None
    deselected: tuple[str, ...] = ()
    obfuscated: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    filters: tuple[tuple[str, str, Any], ...] = ()
    cutoff: str | None = None
    enabled: bool = True
    fields: tuple[str, ...] | None = None
    new_fields: bool = True


@dataclass(frozen=True)
class Settings:
    """The settings of a sync. The policies for what is new are the service's; so is a cutoff for all its tables."""

    mode: str = "replicate"
    hard_deletes: bool = False
    truncate_existing: bool = False
    record_timestamps: bool = True
    table_prefix: str = ""
    normalize_names: str = "enabled"
    new_fields: str = "all"
    new_objects: str = "none"
    cutoff: str | None = None


@dataclass(frozen=True)
class Step:
    """Changes at the source, changes of the sync, then a run.

    `edits` are, per table: ("insert", row), ("delete", place), ("update", place, column, value); places and columns
    count round. `schema` says how a table itself changes: ("add", column, value), ("drop", place), ("retype", place,
    type), ("rename", place), ("unkey",), ("key", place). `away` are the tables, by place, that are called otherwise
    meanwhile. `created` are new ones, with their rows. `configure` says per table how the sync is changed, see
    `configuring.py`, and `way` how that is asked for. `tables` are the tables of the run, by place; empty means all.
    """

    edits: tuple[tuple[tuple[Any, ...], ...], ...] = ()
    schema: tuple[tuple[Any, ...], ...] = ()
    settings: tuple[tuple[str, Any], ...] = ()
    resync_mode: str | None = None
    test: bool = False
    tables: tuple[int, ...] = ()
    away: tuple[int, ...] = ()
    created: tuple[tuple[TableSetup, tuple[tuple[Any, ...], ...]], ...] = ()
    configure: tuple[tuple[Any, ...], ...] = ()
    way: str = "sync"


@dataclass(frozen=True)
class History:
    settings: Settings
    tables: tuple[TableSetup, ...]
    rows: tuple[tuple[tuple[Any, ...], ...], ...]
    steps: tuple[Step, ...]
    how: str = ""
    """How the source changes, see `altering.Source`."""


def _rarely(one_in: int) -> st.SearchStrategy[bool]:
    return st.sampled_from([False] * (one_in - 1) + [True])


def _value(source: str, declared: str) -> st.SearchStrategy[Any]:
    some = values.values(source, declared)
    return st.one_of(some, some, some, st.none())


def row(source: str, columns: Sequence[Column]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(*(_value(source, one.type) for one in columns))


@st.composite
def tables(draw: st.DrawFn, source: str, target: str, name: str) -> TableSetup:
    usable = sorted(set(PLAIN_NAMES) - {name})
    names = iter(draw(st.lists(st.sampled_from(usable), min_size=9, max_size=9, unique=True)))
    key = draw(st.sampled_from([1, 1, 1, 2, 0])) if source in KEYS else 0
    columns = [Column(next(names), draw(st.sampled_from(KEYS[source]))) for _ in range(key)]
    tracked = draw(st.sampled_from([True, False]))
    if tracked:
        columns.append(Column(next(names), draw(st.sampled_from(TRACKED[source]))))
    every = sorted({declared for declared, _ in mapping.columns(source)})
    columns += [Column(next(names), draw(st.sampled_from(every))) for _ in range(draw(st.integers(1, 4)))]
    setup = TableSetup(
        name,
        tuple(columns),
        tuple(one.name for one in columns[:key]),
        tracking=columns[key].name if tracked else None,
    )
    if draw(_rarely(4)):
        setup = replace(setup, user_output_name=f"Own näme {len(name)}")
    if draw(_rarely(4)):
        rest = [one.name for one in columns[key:]]
        setup = replace(setup, deselected=(draw(st.sampled_from(rest)),)) if len(columns) > 1 and rest else setup
    if draw(_rarely(4)):
        digested = [one.name for one in columns if one.type in DIGESTED and one.name not in setup.deselected]
        setup = replace(setup, obfuscated=(draw(st.sampled_from(digested)),)) if digested else setup
    if draw(_rarely(4)):
        renamed = draw(st.sampled_from(columns)).name
        setup = replace(setup, renamed=((renamed, 'My "col"'),)) if renamed not in setup.deselected else setup
    if draw(_rarely(4)) and (comparable := [one for one in columns if one.type in FILTERED]):
        column = draw(st.sampled_from(comparable))
        value = draw(_compared(column.type))
        function = draw(st.sampled_from(TEXTUAL if isinstance(value, str) else NUMERIC))
        setup = replace(setup, filters=((column.name, function, value),))
    if tracked and draw(_rarely(4)) and mapping.carried_as(source, columns[key].type) in CUT:
        setup = replace(setup, cutoff=CUTOFF)
    return setup


def _compared(declared: str) -> st.SearchStrategy[Any]:
    if FILTERED[declared] is int:
        return st.sampled_from([0, 1, -1, 7, 100])
    return st.sampled_from(["", "a", "x", "x" * 70_000, "some", "'", "%_"])


def _edits(source: str, setup: TableSetup) -> st.SearchStrategy[tuple[tuple[Any, ...], ...]]:
    place = st.integers(0, 7)
    update = st.integers(0, len(setup.columns) - 1).flatmap(
        lambda column: st.tuples(st.just("update"), place, st.just(column), _value(source, setup.columns[column].type))
    )
    insert = st.tuples(st.just("insert"), row(source, setup.columns))
    delete = st.tuples(st.just("delete"), place)
    return st.lists(st.one_of(update, update, insert, delete), min_size=1, max_size=4).map(tuple)


SETTINGS: tuple[tuple[str, Any], ...] = (
    ("mode", "replicate"), ("mode", "replicate"), ("mode", "append"), ("mode", "snapshot"), ("hard_deletes", True),
    ("hard_deletes", False), ("record_timestamps", False), ("record_timestamps", True), ("truncate_existing", True),
    ("truncate_existing", False), ("table_prefix", ""), ("table_prefix", "raw_"), ("normalize_names", "enabled"),
    ("normalize_names", "legacy"), ("normalize_names", "disabled"),
)  # fmt: skip
KEPT_BY_THE_SERVICE: tuple[tuple[str, Any], ...] = (
    ("new_fields", "all"), ("new_fields", "none"), ("new_fields", "onlyIncremental"),
    ("new_fields", "onlyNonIncremental"), ("new_objects", "all"), ("new_objects", "none"), ("cutoff", CUTOFF),
    ("cutoff", None),
)  # fmt: skip


def _change(source: str, how: str) -> st.SearchStrategy[tuple[Any, ...]]:
    """How a table itself changes."""
    place = st.integers(0, 5)
    every = sorted({declared for declared, _ in mapping.columns(source)})

    def added(declared: str) -> st.SearchStrategy[tuple[Any, ...]]:
        column = Column(f"later {every.index(declared)}", declared)
        return st.tuples(st.just("add"), st.just(column), _value(source, declared))

    kinds: list[st.SearchStrategy[tuple[Any, ...]]] = [
        st.sampled_from(every).flatmap(added),
        st.tuples(st.just("drop"), place),
        st.tuples(st.just("retype"), place, st.sampled_from(every)),
    ]
    if how:
        wider = st.sampled_from([*INTEGERS[source], TEXTS[source]])
        kinds += [
            st.tuples(st.just("retype"), place, wider),
            st.tuples(st.just("rename"), place),
            st.just(("unkey",)),
            st.tuples(st.just("key"), place),
        ]
    return _rarely(4).flatmap(lambda some: st.one_of(kinds) if some else st.just(()))


def _configuration() -> st.SearchStrategy[tuple[Any, ...]]:
    """How what the sync says of a table changes, see `configuring.py`."""
    kinds = ("track", "deselect", "select", "obfuscate", "rename", "output")
    at_a_place = st.tuples(st.sampled_from(kinds), st.integers(0, 5))
    filtered = st.one_of(
        st.tuples(st.just("filter"), st.integers(0, 5), st.sampled_from(NUMERIC), _compared("INTEGER")),
        st.tuples(st.just("filter"), st.integers(0, 5), st.sampled_from(TEXTUAL), _compared("TEXT")),
    )
    plain = st.sampled_from(["untrack", "unfilter", "cut", "every", "disable", "enable"]).map(lambda one: (one,))
    some = st.one_of(at_a_place, at_a_place, filtered, plain)
    return _rarely(3).flatmap(lambda changes: some if changes else st.just(()))


@st.composite
def steps(draw: st.DrawFn, source: str, target: str, setups: Sequence[TableSetup], how: str, *, service: bool) -> Step:
    settings = ()
    if draw(_rarely(4 if service else 8)):
        # The service refuses what a destination does not offer; the engine is not asked for it.
        refused = ("truncate_existing", True) if target == "parquet" else None
        offered = SETTINGS + KEPT_BY_THE_SERVICE if service else [one for one in SETTINGS if one != refused]
        settings = (draw(st.sampled_from(offered)),)
    resync = draw(st.sampled_from([None, None, None, None, "refetch", "resync", "rebuild"]))
    places = st.integers(0, len(setups) - 1)
    created: tuple[Any, ...] = ()
    if service and draw(_rarely(3)):
        new = draw(tables(source, "", draw(st.sampled_from(TABLE_NAMES))))
        created = ((new, tuple(draw(st.lists(row(source, new.columns), min_size=1, max_size=3)))),)
    return Step(
        edits=tuple(draw(_edits(source, one)) for one in setups),
        schema=tuple(draw(_change(source, how)) for _ in setups),
        settings=settings,
        resync_mode=resync,
        test=draw(_rarely(12)) and not (service and resync),
        tables=(draw(places),) if len(setups) > 1 and draw(_rarely(5)) else (),
        away=(draw(places),) if how and draw(_rarely(8)) else (),
        created=created,
        configure=tuple(draw(_configuration()) for _ in setups),
        way=draw(st.sampled_from(["sync", "schemas", "patch"])) if service else "",
    )


@st.composite
def histories(draw: st.DrawFn, source: str, target: str, how: str = "", *, service: bool = False) -> History:
    """`how` the source changes, see `altering.Source`; `service` adds what only a service can be told or notice."""
    count = draw(st.sampled_from([2, 1]))
    names = draw(
        st.lists(
            st.sampled_from(TABLE_NAMES),
            min_size=count,
            max_size=count,
            unique=True,
        )
    )
    setups = tuple(draw(tables(source, target, name)) for name in names)
    mode = draw(st.sampled_from(["replicate", "replicate", "replicate", "snapshot", "append"]))
    settings = Settings(
        mode=mode,
        hard_deletes=draw(st.booleans()),
        truncate_existing=target != "parquet" and draw(st.booleans()),
        record_timestamps=not draw(_rarely(4)),
        table_prefix=draw(st.sampled_from(["", "", "raw_", "é "])),
        normalize_names=draw(st.sampled_from(["enabled", "enabled", "legacy", "disabled"])),
    )
    rows = tuple(tuple(draw(st.lists(row(source, one.columns), min_size=2, max_size=6))) for one in setups)
    if service:
        settings = replace(
            settings,
            new_fields=draw(st.sampled_from(["all", "none", "onlyIncremental", "onlyNonIncremental"])),
            new_objects=draw(st.sampled_from(["all", "none"])),
        )
        setups = tuple(replace(one, fields=tuple(column.name for column in one.columns)) for one in setups)
    elif draw(_rarely(4)):
        new = draw(st.booleans())
        setups = tuple(
            replace(one, fields=tuple(column.name for column in one.columns), new_fields=new) for one in setups
        )
    play = draw(st.lists(steps(source, target, setups, how, service=service), min_size=3, max_size=7 if service else 5))
    return History(settings, setups, rows, tuple(play), how)
