"""Uncertain creates by age, of one tenant or of all, and what the latest search for them met."""

from orchestrator.core.lifecycle import State
from orchestrator.store import searches, tenants, uncertain_creates
from orchestrator.store.database import Store
from orchestrator.store.searches import MOST_STRANGERS, Search, Stranger
from tests.integration.store.rows import START, Clock, a_job, keep


def ids(
    store: Store, tenant: str | None, *, needs_person: bool = True, after: str | None = None
) -> list[str]:
    with store.read() as tx:
        found = uncertain_creates.oldest(tx, tenant, needs_person=needs_person, limit=9, after=after)
        count = uncertain_creates.count(tx, tenant, needs_person=needs_person, most=9)
    if after is None:
        assert count == len(found)
    return [one.id for one in found]


def test_those_of_a_tenant_or_of_all_stand_in_the_order_of_their_age(store: Store) -> None:
    with store.write() as tx:
        tenants.add_once(tx, "acme")
    keep(
        store,
        a_job("job_2", State.UNCERTAIN, needs_person=True),
        a_job("job_1", State.UNCERTAIN, needs_person=True),
        a_job("job_3", State.UNCERTAIN, needs_person=True, tenant_id="acme"),
        a_job("job_4", State.UNCERTAIN),
        a_job("job_5", State.WAITING),
    )
    assert ids(store, "default") == ["job_1", "job_2"]
    assert ids(store, None) == ["job_1", "job_2", "job_3"]
    assert ids(store, None, after="job_1") == ["job_2", "job_3"]
    assert ids(store, "acme") == ["job_3"]
    assert ids(store, None, needs_person=False) == ["job_4"]
    with store.read() as tx:
        assert uncertain_creates.count(tx, None, needs_person=True, most=2) == 2


def test_the_latest_search_of_an_account_takes_the_place_of_the_one_before(
    store: Store, clock: Clock
) -> None:
    with store.write() as tx:
        assert searches.of_account(tx, "default") is None
        searches.note(tx, "default", listed=None, whole=False, problem="away", strangers=[])
    clock.now += 5
    some = [Stranger(f"G-{number}", opened=True, session_id="s.1") for number in range(MOST_STRANGERS + 1)]
    with store.write() as tx:
        searches.note(tx, "default", listed=101, whole=True, problem=None, strangers=some)
        kept = searches.of_account(tx, "default")
    assert kept == Search("default", START + 5, 101, True, None, tuple(some[:MOST_STRANGERS]))
