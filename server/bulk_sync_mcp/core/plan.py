"""A plan of effects: what a call would do, as frozen data.

One plan feeds the decision, the question, the result, the audit and the tests. Each effect separates what it *is*
(`identity`: digested, so that a confirmation binds to it) from what was merely *seen* (`observed`: counts, times,
names; shown, never digested). The kinds of effect are in `effects.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Generic, TypeVar

from bulk_sync_mcp.core.text import digest, plural, quoted

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
        raise NotImplementedError  # every kind says it; tests/guard/test_policy.py walks them all


def kinds() -> tuple[type[Effect], ...]:
    """Every concrete kind of effect that has been imported (`effects.py` holds them all), in name order."""

    def below(cls: type[Effect]) -> list[type[Effect]]:
        return [kind for child in cls.__subclasses__() for kind in [child, *below(child)]]

    return tuple(sorted((kind for kind in below(Effect) if "line" in vars(kind)), key=lambda kind: kind.__name__))


@dataclass(frozen=True, slots=True)
class Subject:
    """What a call acts on, for rules that look at ids and names. An update has two: before and after."""

    sync_id: str = ""
    sync_name: str = ""
    connection_id: str = ""
    connection_name: str = ""


@dataclass(frozen=True, slots=True)
class PreImage:
    """The configuration of a sync as it was read for a plan that changes it, so that it can be put back.

    Everything is as the backend told it. `enabled` are the tables that were switched on, None when they were not
    listed; `tables` are those that were read whole, by id.
    """

    sync_id: str
    sync: Mapping[str, Any]
    enabled: tuple[str, ...] | None = None
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    error_handling: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Plan(Generic[PreparedT]):
    """What a call would do. `prepared` is what `run` needs of the reads the plan was made from.

    `phrase` is what a form asks to have typed when an effect requires the name; `title` heads the preview.
    `subjects` are what configured rules are matched against; a plan without any matches every rule.
    `pre_images` are the configurations the call changes or deletes, kept before it is sent.
    """

    effects: tuple[Effect, ...]
    prepared: PreparedT
    title: str = ""
    phrase: str = ""
    undo: str = ""
    subjects: tuple[Subject, ...] = ()
    pre_images: tuple[PreImage, ...] = ()

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


def difference(before: list[dict[str, Any]], after: "Plan[Any]") -> list[str]:
    """What differs between effects shown earlier (`Plan.shown`) and a newer plan, in words; empty when nothing."""
    old = {digest(item["identity"]): str(item["text"]) for item in before}
    new = {digest(effect.identity()): effect.line() for effect in after.effects}
    gone = [f"No longer: {text}" for key, text in old.items() if key not in new]
    return gone + [f"New: {text}" for key, text in new.items() if key not in old]
