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


@pytest.mark.parametrize("attack", ATTACKS, ids=_named())
async def test_a_hostile_call_changes_nothing_and_is_answered_clearly(stage: Stage, attack: Attack) -> None:
    workshop = stage.workshop
    before = await stage.state()
    arguments = filled(attack.arguments, stage.ids)
    workshop.api.calls.clear()
    wrong: list[str] = []
    for era in ERAS:
        async with workshop.tools(era) as tools:
            answer = await sent(tools, attack.tool, arguments)
            wrong += [f"{era}: the answer {problem}\n{answer.text[:1_500]}" for problem in problems(attack, answer)]
            after = await tools.list_bulk_syncs()
            assert not after.error, f"{era}: the next call failed: {after.text}"
    assert workshop.api.mutations == [], attack.intention
    assert await stage.state() == before, attack.intention
    assert wrong == [], attack.intention
