"""Takes secrets out of what is written down: the arguments in the audit log, and every line of the server's log.

Threat: a password, key or signed address given to a tool, or put into an error message by a library, that then lies
in a file which is copied, mailed and kept for years. The rules are tables, tried in this order:

    known       the secrets this server was configured with, wherever they stand
    names       what a name says: `password`, `api_key`, `credentials`, `confirmation`, …
    settings    below a `…configuration`, only settings known to be harmless are shown
    texts       addresses with credentials or a query, keys in PEM, authorization headers, tokens, random-looking words

What a person chooses as a plain word and puts into a plain field (a password used as a name) cannot be told apart.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, cast

from pydantic import BaseModel, SecretStr

from bulk_sync_mcp.core.text import clean

REMOVED = "[removed]"
LONGEST = 500
"""Characters of one text that are kept."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SECRET_WORDS = _words(
    "password passwd pwd passphrase pass secret secrets token tokens key keys apikey credential credentials private "
    "auth authorization bearer cookie cookies session signature sig sas confirmation confirmations pin otp jwt pem "
    "certificate cert dsn"
)
"""A name one of whose words is among these has its value removed."""

HARMLESS_NAMES = _words(
    "partition_key primary_key primary_keys key_field key_fields key_columns tracking_field is_primary_key"
)
"""Names that would fall under `SECRET_WORDS` and name columns instead."""

HARMLESS_SETTINGS = _words(
    "schema schemas table_prefix prefix hard_deletes truncate_existing mirror_schemas path paths directory delimiter "
    "header quote encoding format compression advanced database catalog dataset warehouse region location type "
    "normalize_names output_schema schema_name file_format"
)
"""Settings of a connection or of a sync's side whose values are shown."""

TEXTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [^-]*-----.*?(?:-----END [^-]*-----|\Z)", re.DOTALL), REMOVED),
    (
        re.compile(r"(?i)\b(authorization|proxy-authorization|cookie|set-cookie|x-api-key)(['\"]?\s*[:=]\s*)[^\r\n]+"),
        rf"\1\2{REMOVED}",
    ),
    (re.compile(r"((?i:\bbearer|\bbasic))\s+(?=\S*[0-9+/=_A-Z-])[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {REMOVED}"),
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20}://)[^\s\"<>]*@"), rf"\1{REMOVED}@"),
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20}://[^\s?#\"'<>]*)[?#][^\s\"'<>]+"), rf"\1?{REMOVED}"),
    (
        re.compile(
            r"(?i)\b((?:[a-z0-9]+[_-])*(?:password|passwd|pwd|passphrase|secret|token|api_?key|access_?key|private_?key|confirmation|credentials?))"
            r"(['\"`]?\s*[:=]\s*['\"]?)(?!\[removed\])[^\s'\",;&]+"
        ),
        rf"\1\2{REMOVED}",
    ),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?"), REMOVED),
    (re.compile(r"\b(?:sk|pk|rk|ghp|gho|ghs|ghu|glpat|xox[abpsr]|pypi|npm)[_-][\w-]{12,}"), REMOVED),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"), REMOVED),
)
"""What is replaced inside a text, whatever it is called."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_WORD = re.compile(r"[A-Za-z0-9+/=_-]{20,}")
_HEX = re.compile(r"[0-9a-fA-F]{32,}")
_PIECES = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_CONFIGURATION = re.compile(r"(?:^|_)(?:configuration|config)$")
_DENSE = 0.2
"""Changes of kind for each character, from which on a word looks random. `CustomerOrders2024ArchiveTable` has 0.13;
of random 22-character tokens 99 in 100 have more."""
_UNBROKEN = 16
"""Characters without a break from which on a word of two kinds is judged: `s3_us_east_1_b2b_v3_q4` is a name."""


def secrets_of(settings: BaseModel) -> list[str]:
    """The secrets among settings."""
    values = (getattr(settings, name) for name in type(settings).model_fields)
    return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]


class Redactor:
    """Removes secrets. `known` are secrets to be removed wherever they stand; short ones are not looked for."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = sorted({one for one in known if len(one) >= 8}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """`text` without what looks like a secret; line breaks stay."""
        for secret in self._known:
            text = text.replace(secret, REMOVED)
        for pattern, replacement in TEXTS:
            text = pattern.sub(replacement, text)
        return _WORD.sub(_judged, text)

    def arguments(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of a call's arguments without secrets, on one line each and of bounded length."""
        return {self._name(name): self._value(name, value, settings=False) for name, value in arguments.items()}

    def _name(self, name: str) -> str:
        return name if _NAME.fullmatch(name) and self.text(name) == name else REMOVED

    def _value(self, name: str, value: Any, *, settings: bool) -> Any:
        # Whether something is on, off or cleared is no secret, and says most of what a change was about.
        if value is None or isinstance(value, bool):
            return value
        if is_secret_name(name):
            return REMOVED
        below = settings or _CONFIGURATION.search(name.lower()) is not None
        if isinstance(value, Mapping):
            items = cast("Mapping[str, Any]", value)  # arguments are JSON
            return {self._name(key): self._value(key, item, settings=below) for key, item in items.items()}
        if isinstance(value, list | tuple):
            entries = cast("Iterable[Any]", value)
            return [self._value(name, item, settings=below) for item in entries]
        if below and name not in HARMLESS_SETTINGS:
            return REMOVED
        return value if isinstance(value, int | float) else clean(self.text(str(value)), LONGEST)


def is_secret_name(name: str) -> bool:
    """Whether a name promises a secret, in snake, kebab or camel case."""
    words = [word.lower() for word in _PIECES.findall(name)]
    return name not in HARMLESS_NAMES and (not SECRET_WORDS.isdisjoint(words) or "".join(words) in SECRET_WORDS)


def _judged(found: re.Match[str]) -> str:
    word = found.group()
    if _UUID.search(word):
        # Ids are what an audit log is for.
        return "".join(
            part if _UUID.fullmatch(part) else _WORD.sub(_judged, part) for part in re.split(f"({_UUID.pattern})", word)
        )
    return REMOVED if _looks_random(word) else word


def _looks_random(word: str) -> bool:
    """Long hexadecimal; or small letters, capitals and digits in a wild mixture, or two of them without a break."""
    if _HEX.fullmatch(word) and any(char.isdigit() for char in word):
        return True
    if len({_kind(char) for char in word if char.isalnum()}) == 3:
        return _density(word) >= _DENSE
    return any(len(part) >= _UNBROKEN and _density(part) >= _DENSE for part in re.split(r"[-_/=+]", word))


def _kind(char: str) -> str:
    return "digit" if char.isdigit() else "capital" if char.isupper() else "small"


def _density(word: str) -> float:
    """Changes of kind for each character; a capital that begins a word is one change, not two."""
    kinds = [_kind(char) for char in word if char.isalnum()]
    changes = [pair for pair in pairwise(kinds) if pair[0] != pair[1] and pair != ("capital", "small")]
    return len(changes) / len(kinds)
