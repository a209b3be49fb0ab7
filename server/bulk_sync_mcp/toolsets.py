"""Which tools are on: chosen by toolset and by name. What is taken out stays out, and so does what access refuses."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from bulk_sync_mcp.core.operation import AnyOperation, Registry, Toolset
from bulk_sync_mcp.settings import Settings, SettingsError

TOOLSETS: tuple[str, ...] = get_args(Toolset)
ALL = "all"


@dataclass(frozen=True)
class Choice:
    """The tools that are on, and for each that is not, how a person can switch it on, or why nobody can."""

    on: Registry
    off: Mapping[str, str]
    missing: tuple[str, ...]
    """Toolsets of which nothing is on, although it could be."""


def choose(every: Registry, settings: Settings, *, read_only: bool) -> Choice:
    """The tools of `every` that the settings switch on.

    `tools` adds to the toolsets; without any toolset named, it is exactly those. Raises `SettingsError` for a name
    that does not exist, and when nothing is left.
    """
    names = [one.name for one in every]
    toolsets = _toolsets(settings, names)
    for key, given in (("tools", settings.tools), ("exclude_tools", settings.exclude_tools)):
        for name in given:
            _known(name, names, key, "tool")
    chosen: list[AnyOperation] = []
    off: dict[str, str] = {}
    for one in every:
        if one.name in settings.exclude_tools:
            off[one.name] = "this server is configured without it (exclude_tools)"
        elif read_only and not one.read_only:
            off[one.name] = "access is read-only"
        elif one.toolset in toolsets or one.name in settings.tools:
            chosen.append(one)
        else:
            off[one.name] = f"a person can switch it on with {_switch(one.toolset, toolsets, settings)}"
    if not chosen:
        raise SettingsError("no tool is left on: toolsets, tools, exclude_tools and access take out every one")
    present = {one.toolset for one in chosen}
    could = {one.toolset for one in every if not read_only or one.read_only}
    missing = tuple(name for name in TOOLSETS if name not in present and name not in toolsets and name in could)
    return Choice(Registry(chosen), off, missing)


def _toolsets(settings: Settings, tools: Sequence[str]) -> tuple[str, ...]:
    given = settings.toolsets
    if given is None:
        return () if settings.tools else ("default",)
    for name in given:
        if name in tools:
            raise SettingsError(f"toolsets: `{name}` is a tool, not a toolset; name it in `tools`")
        _known(name, [*TOOLSETS, ALL], "toolsets", "toolset")
    return TOOLSETS if ALL in given else given


def _switch(toolset: str, toolsets: Iterable[str], settings: Settings) -> str:
    """The flag that adds one toolset to what is on."""
    kept = [*toolsets, toolset]
    tools = f" --tools {','.join(settings.tools)}" if settings.tools else ""
    return f"--toolsets {','.join(kept)}{tools}"


def _known(name: str, known: Sequence[str], key: str, what: str) -> None:
    if name in known:
        return
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"known: {', '.join(known)}"
    raise SettingsError(f"{key}: there is no {what} `{name}`; {hint}")
