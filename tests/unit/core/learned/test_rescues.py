"""The alarm about ends that looks find: what is lost rings, whatever the plans have got used to."""

from random import Random

import pytest

from orchestrator.core.learned.endings import Endings
from orchestrator.core.learned.estimate import schedule_of
from orchestrator.core.learned.hooks import Hooks
from orchestrator.core.learned.plan import Plan
from orchestrator.core.learned.rescues import Rescues, left_to_looks
from orchestrator.core.learned.spans import Spans

PLANNED_EVERY = 5  # jobs


def endings() -> Endings:
    random, known = Random(1), Endings()
    for number in range(100):
        age = random.gauss(90.0, 8.0)
        known.learn(began_at=float(number), low=age, high=age, narrow=True)
    return known


ENDINGS = endings()


def planned(hooks: Hooks, now: float) -> Plan | None:
    hooks.judge(now)
    made = schedule_of(ENDINGS, hooks, now=now, floor=20.0, request_seconds=20.0, longest=900.0)
    return made.pace.plan


def follow(rescues: Rescues, hooks: Hooks, jobs: int, *, lost: float, late: float = 0.2) -> list[bool]:
    """Whether it is ill after each of so many jobs, planned by what was learned of those before."""
    random, ill, plan = Random(2), [], None
    for number in range(jobs):
        if number % PLANNED_EVERY == 0:
            plan = planned(hooks, float(number))
        missed = random.random() < lost
        if plan is not None and plan.lost is not None:
            by_look = missed or (late > 60.0 and random.random() < plan.rescues)
            rescues.learn(by_look=by_look, chance=left_to_looks(plan))
        delay = Spans()
        delay.add(late, late)
        hooks.learn_missed() if missed else hooks.learn_came(float(number))
        hooks.learn_delay(delay)
        ill.append(rescues.ill)
    return ill


@pytest.mark.parametrize(("lost", "within"), [(0.3, 60), (0.5, 40)])
def test_webhooks_of_which_many_are_lost_ring_and_go_on_to_though_plans_foresee_it(
    lost: float, within: int
) -> None:
    rescues, hooks = Rescues(), Hooks()
    assert not any(follow(rescues, hooks, 300, lost=0.0))
    ill = follow(rescues, hooks, 300, lost=lost)
    assert ill.index(True) < within
    assert all(ill[150:])


@pytest.mark.parametrize(("lost", "late"), [(0.0, 0.2), (0.02, 0.2), (0.0, 200.0)])
def test_a_channel_that_is_well_and_one_that_is_only_late_never_ring(lost: float, late: float) -> None:
    assert not any(follow(Rescues(), Hooks(), 600, lost=lost, late=late))


def test_what_late_webhooks_leave_to_looks_is_foreseen() -> None:
    rescues, hooks = Rescues(), Hooks()
    follow(rescues, hooks, 200, lost=0.0, late=200.0)
    assert rescues.foreseen > 0.5 * rescues.followed
