"""Every hostile input through a real client, in both protocol revisions: none runs, none crashes, each answer is clear."""

from collections import Counter

import pytest

from safety.hostile.attack import READ, Attack, filled
from safety.hostile.corpus import ATTACKS, BASE, WRITES
from safety.hostile.stage import Stage, problems, sent
from support import ERAS

pytestmark = pytest.mark.anyio


def _named() -> list[str]:
    """A name for each attack: its family, its place in it, its tool."""
    counts: Counter[str] = Counter()
    names: list[str] = []
    for attack in ATTACKS:
        counts[attack.family] += 1
        tool = attack.tool if attack.tool in BASE else "no_such_tool"
        names.append(f"{attack.family.replace(' ', '_')}-{counts[attack.family]:02}-{tool}")
    return names


def test_the_corpus_is_large_and_spares_no_tool() -> None:
    families = Counter(attack.family for attack in ATTACKS)
    assert len(ATTACKS) >= 340
    assert len(families) >= 14
    assert {attack.tool for attack in ATTACKS} >= set(BASE)
    assert all(READ not in attack.codes for attack in ATTACKS if attack.tool in WRITES)
    assert len({repr(attack) for attack in ATTACKS}) == len(ATTACKS)


@pytest.mark.parametrize(("number", "attack"), list(enumerate(ATTACKS)), ids=_named())
async def test_a_hostile_call_changes_nothing_and_is_answered_clearly(
    stage: Stage, number: int, attack: Attack
) -> None:
    """Every other input in the one protocol revision, the rest in the other: families and tools see both."""
    workshop = stage.workshop
    workshop.api.calls.clear()
    async with workshop.tools(ERAS[number % len(ERAS)]) as tools:
        answer = await sent(tools, attack.tool, filled(attack.arguments, stage.ids))
        after = await tools.list_bulk_syncs()
    assert not after.error, f"the next call failed: {after.text}"
    assert await stage.unchanged(), f"{attack.intention}: {workshop.api.mutations}"
    wrong = problems(attack, answer)
    assert wrong == [], f"{attack.intention}: the answer {'; '.join(wrong)}\n{answer.text[:1_500]}"
