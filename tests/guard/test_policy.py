"""The policy table is total, and what it does not know it denies."""

import dataclasses
import itertools
from typing import Any, get_args, get_type_hints

import pytest

import bulk_sync_mcp.core.connection_effects  # kinds() walks what is imported
import bulk_sync_mcp.core.effects  # noqa: F401
from bulk_sync_mcp import operations
from bulk_sync_mcp.core.operation import AnyOperation, discover
from bulk_sync_mcp.core.plan import Effect, Plan, kinds
from bulk_sync_mcp.guard.decide import decide
from bulk_sync_mcp.guard.policy import DEFAULTS, Evidence, required
from bulk_sync_mcp.guard.rules import Policy

OPERATIONS = list(discover(operations))
WRITING = [operation for operation in OPERATIONS if not operation.read_only]
RULES = sorted(rule for kind in kinds() for rule in kind.all_rules())


def sample(kind: type[Effect], **values: Any) -> Effect:
    """An effect of a kind with made-up values of the right types."""
    made: dict[str, Any] = {}
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        if field.name in values:
            made[field.name] = values[field.name]
        elif hint in (tuple[str, ...],):
            made[field.name] = ("orders",)
        elif hint is bool:
            made[field.name] = False
        elif hint is str or str in get_args(hint):
            made[field.name] = f"some {field.name}"
        elif get_args(hint) and isinstance(get_args(hint)[0], str):
            made[field.name] = get_args(hint)[0]
    return kind(**made)


def variants(kind: type[Effect]) -> list[Effect]:
    """An effect for each policy rule of its kind."""
    fields = {field.name for field in dataclasses.fields(kind)}
    if "cause" in fields:
        return [sample(kind, cause=cause) for cause in get_args(get_type_hints(kind)["cause"])]
    if "firing" in fields:
        return [sample(kind, firing=firing) for firing in (False, True)]
    return [sample(kind)]


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_of_every_effect_has_a_row(rule: str) -> None:
    assert rule in DEFAULTS


def test_every_row_belongs_to_an_effect() -> None:
    assert sorted(DEFAULTS) == RULES


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_the_rules_an_effect_names_are_the_rules_it_can_have(kind: type[Effect]) -> None:
    assert sorted({effect.rule for effect in variants(kind)}) == sorted(kind.all_rules())


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_effect_says_what_it_does_on_one_line(kind: type[Effect]) -> None:
    for effect in variants(kind):
        line = effect.line()
        assert line
        assert "\n" not in line


@pytest.mark.parametrize("operation", WRITING, ids=lambda one: one.name)
@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_an_operation_is_denied_effects_it_does_not_declare(operation: AnyOperation, kind: type[Effect]) -> None:
    for effect in variants(kind):
        decision = decide(Plan(effects=(effect,), prepared=None), operation.plans)
        expected = required(effect.rule) if kind in operation.plans else Evidence.deny
        assert decision.evidence == expected
        assert decision.because == (effect,)


def test_a_plan_without_effects_is_denied() -> None:
    assert decide(Plan(effects=(), prepared=None), kinds()).evidence == Evidence.deny


def test_an_effect_without_a_row_is_denied() -> None:
    class Explodes(Effect):
        def line(self) -> str:
            return "Explodes."

    try:
        assert decide(Plan(effects=(Explodes(),), prepared=None), (Explodes,)).evidence == Evidence.deny
    finally:
        # kinds() walks the living subclasses; this one must not be among them for other tests.
        del Explodes
        import gc

        gc.collect()


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_taking_a_row_out_denies_the_effect(kind: type[Effect]) -> None:
    for effect in variants(kind):
        table = {rule: evidence for rule, evidence in DEFAULTS.items() if rule != effect.rule}
        assert decide(Plan(effects=(effect,), prepared=None), (kind,), Policy(table=table)).evidence == Evidence.deny


def test_the_strictest_effect_of_a_plan_decides() -> None:
    effects = [effect for kind in kinds() for effect in variants(kind)]
    for one, other in itertools.combinations(effects, 2):
        decision = decide(Plan(effects=(one, other), prepared=None), kinds())
        assert decision.evidence == max(required(one.rule), required(other.rule))


SEVERE = 40


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_effects_that_lose_something_never_run_unasked_at_first(kind: type[Effect]) -> None:
    """A repeat run does what the last one did, and a cancel asked for by name is what was asked."""
    harmless = {"repeat_run", "asked"}
    for effect in variants(kind):
        if effect.severity >= SEVERE and effect.rule.partition(":")[2] not in harmless:
            assert required(effect.rule) >= Evidence.confirm


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_what_was_merely_seen_does_not_change_the_digest(kind: type[Effect]) -> None:
    for effect in variants(kind):
        seen = {field.name for field in dataclasses.fields(kind) if "observed" in field.metadata}
        changed = dataclasses.replace(effect, **dict.fromkeys(seen, "something else"))
        same = Plan(effects=(effect,), prepared=None).digest() == Plan(effects=(changed,), prepared=None).digest()
        assert same


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_identity_field_changes_the_digest(kind: type[Effect]) -> None:
    for effect in variants(kind):
        before = Plan(effects=(effect,), prepared=None).digest()
        for field in dataclasses.fields(kind):
            if "observed" not in field.metadata:
                changed = dataclasses.replace(effect, **{field.name: ("something", "else")})
                assert Plan(effects=(changed,), prepared=None).digest() != before, field.name


def test_the_order_of_effects_does_not_change_the_digest() -> None:
    effects = tuple(effect for kind in kinds() for effect in variants(kind))
    assert Plan(effects=effects, prepared=None).digest() == Plan(effects=effects[::-1], prepared=None).digest()
