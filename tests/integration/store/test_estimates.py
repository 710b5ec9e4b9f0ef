"""What was learned: one row for each thing, merged by whoever holds it."""

from typing import Any

import pytest

from orchestrator.core.learned.hooks import Health, Hooks
from orchestrator.store import estimates
from orchestrator.store.database import Store
from orchestrator.store.estimates import EstimateKind
from tests.integration.store.rows import START, Clock
from tests.integration.store.together import Elsewhere, ended

ENDINGS, HOOKS = EstimateKind.ENDINGS, EstimateKind.HOOKS


def count_up(store: Store, name: str = "a") -> None:
    with store.write() as tx:
        data = estimates.lock(tx, ENDINGS, name)
        estimates.write(tx, ENDINGS, name, {"count": data.get("count", 0) + 1})


def test_two_who_learn_at_once_lose_nothing(store: Store, elsewhere: Elsewhere) -> None:
    def count_on() -> None:
        for _ in range(10):
            count_up(store)

    for future in [elsewhere.begin(count_on) for _ in range(3)]:
        ended(future)
    with store.read() as tx:
        assert estimates.get(tx, ENDINGS, "a") == {"count": 30}


def test_it_is_told_what_changed_since(store: Store, clock: Clock) -> None:
    count_up(store, "a")
    clock.now += 5
    count_up(store, "b")
    with store.read() as tx:
        assert estimates.changes_since(tx, START + 5) == {(ENDINGS, "b"): START + 5}
        assert set(estimates.changes_since(tx, START)) == {(ENDINGS, "a"), (ENDINGS, "b")}
        both = estimates.several(tx, {(ENDINGS, "a"), (HOOKS, "b"), (ENDINGS, "c")})
        assert both == {(ENDINGS, "a"): {"count": 1}}
        assert estimates.several(tx, set()) == {}
        assert estimates.names(tx, ENDINGS) == ["a", "b"]
        assert estimates.get(tx, ENDINGS, "c") == {}


def test_what_nothing_more_was_learned_about_is_forgotten(store: Store, clock: Clock) -> None:
    count_up(store, "a")
    clock.now += 5
    count_up(store, "b")
    with store.write() as tx:
        assert estimates.prune(tx, before=START + 5) == 1
        estimates.remove(tx, ENDINGS, "b")
        assert estimates.names(tx, ENDINGS) == []


@pytest.mark.parametrize(
    ("facts", "overdue"),
    [
        ({}, True),
        ({"per_second": 0.7}, False),
        ({"last_came_at": START - 7}, False),
        ({"last_came_at": None}, False),
        ({"health": Health.SILENT}, False),
    ],
)
def test_an_endpoint_is_overdue_by_its_own_rate(store: Store, facts: dict[str, Any], overdue: bool) -> None:
    known = Hooks(per_second=1.0, last_came_at=START - 8, health=Health.HEALTHY)
    data = known.as_json() | facts
    with store.write() as tx:
        for name in ("default|*", "default|google"):
            estimates.lock(tx, HOOKS, name)
            estimates.write(tx, HOOKS, name, data)
        estimates.lock(tx, HOOKS, "other|*")  # nothing is known of it yet
        assert estimates.overdue_endpoints(tx, expected=8.0) == (["default|*"] if overdue else [])
