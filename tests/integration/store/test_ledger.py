"""The ledger: sums by tenant, model and day, and the open jobs that bear on what is learned."""

from typing import Any

import pytest

from orchestrator.core.job import Updates
from orchestrator.core.lifecycle import State
from orchestrator.store import ledger, open_jobs
from orchestrator.store.database import Store
from orchestrator.store.ledger import Sums
from tests.integration.store.rows import START, a_job, claim, join, keep, read
from tests.integration.store.together import Elsewhere, ended

PAGE = ("default", "veo", 11)
WEBHOOKED: dict[str, Any] = {
    "created_at": START - 50,
    "hooked": True,
    "ending_class": "google|veo|8s",
    "provider": "google",
}


def test_what_is_added_is_summed_by_page(store: Store, elsewhere: Elsewhere) -> None:
    other = ("default", "sora", 12)

    def add() -> None:
        for _ in range(10):
            with store.write() as tx:
                ledger.add(tx, {other: Sums(lists=1), PAGE: Sums(1, 2.0, 0.0, 5.5, 1.5, 10.0, 1, 1)})

    for future in [elsewhere.begin(add) for _ in range(2)]:
        ended(future)
    with store.read() as tx:
        pages = ledger.read(tx, since_day=11)
        assert pages == {PAGE: Sums(20, 40.0, 0.0, 110.0, 30.0, 200.0, 20, 20), other: Sums(lists=20)}
        assert set(ledger.read(tx, since_day=12)) == {other}
        assert ledger.read(tx, since_day=0, tenant_id="nobody") == {}
        assert ledger.total(tx).guidance_looks == 110.0
        assert ledger.total(tx, since_day=13) == Sums()
    assert ledger.day_of(11 * 86_400 - 0.1) == 10


def test_open_jobs_count_to_the_age_at_which_they_were_seen_running(store: Store) -> None:
    keep(
        store,
        a_job("job_1", seen_running_at=START - 10, **WEBHOOKED),
        a_job("job_2", **WEBHOOKED),
        a_job("job_3", State.COMPLETED, seen_running_at=START - 10, **WEBHOOKED),
    )
    with store.read() as tx:
        assert open_jobs.ages_of_newest(tx) == {"google|veo|8s": {START - 50: 40.0}}


def latest(store: Store, **bounds: float) -> list[str]:
    given = {"due_after": START, "due_before": 1e18} | bounds
    with store.write() as tx:
        held = open_jobs.hold_latest(tx, "default", "default", limit=2, **given)
        assert all(one.channel == "default|google" for one in held)
        return [one.id for one in held]


def test_jobs_are_brought_forward_the_last_first_and_never_put_off(store: Store) -> None:
    keep(store, *(a_job(f"job_{n}", due_at=START + 100 * n, **WEBHOOKED) for n in range(4)))
    assert latest(store) == ["job_3", "job_2"]
    assert latest(store, due_before=START + 199) == ["job_1"]
    with store.write() as tx:
        assert open_jobs.hold_latest(tx, "other", "default", due_after=START, due_before=1e18, limit=9) == []
        assert open_jobs.next_tenant(tx, after="", due_after=START) == "default"
        assert open_jobs.next_tenant(tx, after="default", due_after=START) is None
        assert open_jobs.next_tenant(tx, after="", due_after=START + 300) is None
        assert [
            one.id for one in open_jobs.hold_soonest(tx, "default", "default", due_after=START, limit=1)
        ] == ["job_1"]
        assert open_jobs.bring_forward(tx, {}) == 0
        assert open_jobs.bring_forward(tx, {"job_3": START + 7.25, "job_1": START + 500}) == 1
    assert read(store, "job_3").due_at == START + 7.25
    assert read(store, "job_1").due_at == START + 100


@pytest.mark.parametrize(
    "facts",
    [
        {"hooked": False},
        {"without_webhook": True},
        {"updates": Updates.POLL},
        {"updates": Updates.SHADOW},
        {"look_errors": 1},
        {"state": State.COMPLETED},
        {"due_at": None},
    ],
)
def test_only_jobs_are_brought_forward_of_which_a_webhook_was_to_tell(
    store: Store, facts: dict[str, Any]
) -> None:
    keep(store, a_job("job_1", **{"due_at": START + 100, **WEBHOOKED, **facts}))
    assert latest(store) == []


def test_what_somebody_looks_at_is_left_to_them(store: Store) -> None:
    keep(store, a_job("job_1", due_at=START, **WEBHOOKED))
    join(store, "worker")
    claim(store, "worker")
    assert latest(store, due_after=START - 1) == []


def test_the_floor_is_kept_in_the_row() -> None:
    row = open_jobs.Running("job_1", START, START - 50, None, None, None, None, "default|google")
    assert row.floor(20.0) == START - 30
    looked = open_jobs.Running("job_1", START, START - 50, START - 5, None, 8.0, None, "default|google")
    assert looked.floor(20.0) == START + 3
