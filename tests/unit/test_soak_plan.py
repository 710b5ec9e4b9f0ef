"""The plan of a soak: one seed, one plan."""

from collections import Counter
from itertools import pairwise

from tests.soak.chaos import SWITCHES
from tests.soak.plan import KINDS, plan


def test_a_seed_gives_the_same_blows_again_and_another_seed_others() -> None:
    assert plan(1, 600) == plan(1, 600)
    assert plan(1, 600) != plan(2, 600)


def test_a_longer_soak_begins_like_a_shorter_one() -> None:
    assert plan(3, 600)[: len(plan(3, 180))] == plan(3, 180)


def test_no_target_is_struck_while_a_blow_on_it_lasts() -> None:
    of_target: dict[str, list[tuple[float, float]]] = {}
    for blow in plan(4, 3600):
        of_target.setdefault(blow.target, []).append((blow.at, blow.until))
    assert all(until < at for spans in of_target.values() for (_, until), (at, _) in pairwise(spans))


def test_the_minutes_of_ci_are_enough_for_every_kind() -> None:
    for seed in range(20):
        assert {blow.kind for blow in plan(seed, 180)} == set(KINDS), seed


def test_kinds_come_as_often_as_they_weigh() -> None:
    counted = Counter(blow.kind for blow in plan(5, 36_000))
    least = min(counted.values())
    assert all(abs(counted[name] / least - kind.weight) < 0.2 for name, kind in KINDS.items())


def test_every_switch_belongs_to_a_kind_and_is_taken_back() -> None:
    assert set(SWITCHES) <= set(KINDS)
    assert all(set(on) == set(off) for on, off in SWITCHES.values())
