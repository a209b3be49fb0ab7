"""Which way a table is loaded: a pure function of the settings and of what is there."""

from dataclasses import dataclass
from typing import Literal

from bulk_sync_local.engine.job import Mode, ResyncMode

Existing = Literal["absent", "owned", "foreign"]
"""The output as found: not there, written by this sync before, or made by somebody else."""

Read = Literal["all", "since_inclusive", "since_exclusive"]
Write = Literal["create", "recreate", "replace_rows", "merge", "append"]
Absent = Literal["keep", "mark", "remove"]
"""What happens to output rows whose key the source no longer has."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """How to load one table. `adopts` is true when a resync mode takes over the output, whatever it was."""

    read: Read
    write: Write
    absent: Absent = "keep"
    adopts: bool = False


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything the choice depends on. `has_watermark`: this output has one for the present tracking field.
    `may_adopt`: a resync mode may take over what the sync has not made."""

    mode: Mode
    resync_mode: ResyncMode | None
    keyed: bool
    tracked: bool
    has_watermark: bool
    hard_deletes: bool
    truncate_existing: bool
    existing: Existing
    may_adopt: bool = True


class Refused(Exception):
    """The table cannot be loaded this way; the text says why and what to do."""


def choose(situation: Situation) -> Strategy:
    """The way to load. Raises `Refused`."""
    s = situation
    if s.resync_mode == "refetch" and s.mode == "append":
        raise Refused(
            "A refetch overwrites rows by key, and a sync in append mode has none. "
            "Run it without a resync mode to add rows, or with resync_mode rebuild to start over."
        )
    if s.existing == "foreign" and not s.may_adopt:
        raise Refused(
            "The destination already has a table of this name that was not made by this sync, and a schedule never "
            "takes over such a table. Choose another schema, prefix or output name, or, once its owner has agreed to "
            "lose it, start a run of this table by hand with resync_mode rebuild (drops it) or resync (empties it)."
        )
    if s.resync_mode == "rebuild":
        return Strategy("all", "create" if s.existing == "absent" else "recreate", adopts=True)
    if s.existing == "absent":
        return Strategy("all", "create", adopts=s.resync_mode == "resync")
    if s.resync_mode == "resync":
        return Strategy("all", "replace_rows", adopts=True)
    if s.existing == "foreign":
        raise Refused(
            "The destination already has a table of this name that was not made by this sync. Choose another "
            "schema, prefix or output name, or, once its owner has agreed to lose it, run this table with "
            "resync_mode rebuild (drops it) or resync (empties it)."
        )
    return _ordinary(s)


def _ordinary(s: Situation) -> Strategy:
    if s.mode == "snapshot":
        return Strategy("all", "replace_rows")
    if s.mode == "append":
        return Strategy("since_exclusive" if s.tracked and s.has_watermark else "all", "append")
    if not s.keyed:
        return Strategy("all", "replace_rows" if s.truncate_existing else "recreate")
    if s.tracked and s.has_watermark and s.resync_mode is None:
        return Strategy("since_inclusive", "merge")
    return Strategy("all", "merge", "remove" if s.hard_deletes else "mark")
