"""The policy file: TOML that tightens, read strictly. A wrong file stops the server with the line and the remedy."""

import difflib
import re
import tomllib
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any, cast

from bulk_sync_mcp.guard.policy import DEFAULTS, Evidence
from bulk_sync_mcp.guard.rules import Allowance, Budget, Match, Policy, Rule
from bulk_sync_mcp.guard.secret import well_formed

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TOP = ("access", "operator_secret_hash", "effects", "tools", "rules", "protected", "budget", "unattended")


class PolicyError(Exception):
    """The file cannot be used; the text names file, line and remedy."""


class _Reader:
    """Reads the parsed file, and finds the line of what is wrong in its text."""

    def __init__(self, path: Path, text: str, tools: Iterable[str]) -> None:
        self._path = path
        self._lines = text.splitlines()
        self._tools = tuple(tools)
        self._rules = tuple(sorted({*DEFAULTS, *(rule.partition(":")[0] for rule in DEFAULTS)}))
        self._header: int | None = None
        """How many lines come before the header of the table that is being read."""

    def wrong(self, token: str, message: str) -> PolicyError:
        """The error about `token`, with the first line of the table being read that it stands on."""
        begin = self._header or 0
        here = enumerate(self._lines[begin:], begin + 1)
        number = next((at for at, line in here if token and token in line.split("#")[0]), None)
        number = begin + 1 if number is None and self._header is not None else number
        where = f"{self._path}, line {number}" if number else str(self._path)
        return PolicyError(f"{where}: {message}")

    def known(self, name: str, allowed: Iterable[str], what: str) -> str:
        """`name` if it is among `allowed`; else the error with the nearest match."""
        options = list(allowed)
        if name in options:
            return name
        close = difflib.get_close_matches(name, options, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"known: {', '.join(options)}"
        raise self.wrong(name, f"unknown {what} `{name}`; {hint}")

    def table(self, value: object, name: str) -> dict[str, Any]:
        """The table `[name]`, from whose line on mistakes are looked for."""
        self._header = next(iter(self._headers(rf"\[\s*{name}\s*\]")), None)
        if not isinstance(value, dict):
            raise self.wrong(name, f"`{name}` must be a table")
        return cast("dict[str, Any]", value)

    def tables(self, value: object, name: str) -> Generator[dict[str, Any]]:
        """Each `[[name]]` in turn; while one is read, mistakes are looked for from its line on."""
        self._header = None
        if not isinstance(value, list):
            raise self.wrong(name, f"`{name}` must be written [[{name}]]")
        begins = self._headers(rf"\[\[\s*{name}\s*\]\]")
        for at, item in enumerate(cast("list[object]", value)):
            self._header = begins[at] if at < len(begins) else None
            if not isinstance(item, dict):
                raise self.wrong(name, f"`{name}` must be written [[{name}]]")
            yield cast("dict[str, Any]", item)

    def _headers(self, pattern: str) -> list[int]:
        """How many lines come before each header of this form."""
        return [at for at, line in enumerate(self._lines) if re.fullmatch(pattern, line.split("#")[0].strip())]

    def evidence(self, value: object, name: str, *, at_least: Evidence = Evidence.none) -> Evidence:
        """An evidence level that tightens; one below the default is an error that names the way to loosen."""
        levels = [level.name for level in Evidence]
        if not isinstance(value, str):
            raise self.wrong(name, f"`{name}` must be one of {', '.join(levels)}")
        level = Evidence[self.known(value, levels, "evidence")]
        if level < at_least:
            raise self.wrong(
                name,
                f"`{name}` requires {at_least.name} by default, and this file can only tighten; "
                "to loosen, see [[unattended]] in server/docs/policy.md",
            )
        return level

    def effect(self, name: str) -> str:
        return self.known(name, self._rules, "effect")

    def tool(self, name: str) -> str:
        return self.known(name, self._tools, "tool")

    def effects(self, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(one, str) for one in cast("list[object]", value)):
            raise self.wrong("effects", "`effects` must be a list of effect names")
        return tuple(self.effect(one) for one in cast("list[str]", value))

    def pattern(self, entry: dict[str, Any], allowed: tuple[str, ...], where: str) -> Match:
        """The patterns of a rule, at least one; its other keys must be among `allowed`."""
        for key in entry:
            self.known(key, ("sync", "destination", *allowed), f"key in [[{where}]]")
        for key in ("sync", "destination"):
            if key in entry and not (isinstance(entry[key], str) and entry[key]):
                raise self.wrong(key, f"`{key}` must be a name, an id or a pattern")
        if not {"sync", "destination"} & set(entry):
            raise self.wrong(f"[[{where}]]", f"[[{where}]] needs `sync` or `destination`")
        return Match(entry.get("sync"), entry.get("destination"))

    def number(self, value: object, name: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.wrong(name, f"`{name}` must be a whole number, 0 or more")
        return value


def _least(name: str) -> Evidence:
    """The default of a rule, or the strictest default of a kind with several."""
    return max(level for rule, level in DEFAULTS.items() if name in (rule, rule.partition(":")[0]))


def read_policy(path: Path, tools: Iterable[str], *, unattended: bool = False) -> Policy:
    """The policy in a file. Raises `PolicyError`; `unattended` is the switch at the command line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: {error}") from None
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        last = max(1, len(text.splitlines()))
        raise PolicyError(f"{path}: {str(error).replace('at end of document', f'at the end, line {last}')}") from None
    read = _Reader(path, text, tools)
    for key in raw:
        read.known(key, _TOP, "key")
    access = raw.get("access", "full")
    if access not in ("full", "read-only"):
        raise read.wrong("access", '`access` must be "full" or "read-only"')
    secret = raw.get("operator_secret_hash")
    if secret is not None and not (isinstance(secret, str) and well_formed(secret)):
        raise read.wrong("operator_secret_hash", "make this line with `bulk-sync-mcp policy hash-secret`")
    return Policy(
        access=access,
        operator_secret_hash=secret,
        effects=_levels(read, raw, "effects", read.effect, _least),
        tools=_levels(read, raw, "tools", read.tool, lambda _name: Evidence.none),
        rules=tuple(_rule(read, one) for one in read.tables(raw.get("rules", []), "rules")),
        protected=tuple(
            read.pattern(one, (), "protected") for one in read.tables(raw.get("protected", []), "protected")
        ),
        budget=_budget(read, read.table(raw.get("budget", {}), "budget")),
        allowances=tuple(_allowance(read, one) for one in read.tables(raw.get("unattended", []), "unattended")),
        unattended=unattended,
    )


def _levels(
    read: _Reader, raw: dict[str, Any], section: str, checked: Callable[[str], str], least: Callable[[str], Evidence]
) -> dict[str, Evidence]:
    entries = read.table(raw.get(section, {}), section)
    return {checked(name): read.evidence(value, name, at_least=least(name)) for name, value in entries.items()}


def _rule(read: _Reader, entry: dict[str, Any]) -> Rule:
    match = read.pattern(entry, ("evidence", "effects"), "rules")
    if "evidence" not in entry:
        raise read.wrong("[[rules]]", "[[rules]] needs `evidence`")
    effects = read.effects(entry.get("effects", []))
    return Rule(match, read.evidence(entry["evidence"], "evidence"), effects)


def _budget(read: _Reader, entry: dict[str, Any]) -> Budget:
    for key in entry:
        read.known(key, ("destructive_per_hour", "tables_per_call"), "key in [budget]")
    return Budget(**{key: read.number(value, key) for key, value in entry.items()})


def _allowance(read: _Reader, entry: dict[str, Any]) -> Allowance:
    for key in entry:
        read.known(key, ("sync", "effects"), "key in [[unattended]]")
    sync = entry.get("sync")
    if not isinstance(sync, str) or _UUID.fullmatch(sync) is None:
        raise read.wrong("[[unattended]]", "[[unattended]] needs `sync`, the id of one sync; names can change hands")
    effects = read.effects(entry.get("effects", []))
    if not effects:
        raise read.wrong("[[unattended]]", "[[unattended]] needs `effects`, each named")
    return Allowance(sync, effects)
