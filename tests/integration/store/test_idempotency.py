"""A key is used once, also when two come at once."""

from concurrent.futures import ThreadPoolExecutor

from orchestrator.store import idempotency
from orchestrator.store.database import Store
from tests.integration.store.rows import START, Clock


def use(store: Store, key: str = "k", fingerprint: str = "f", *job_ids: str) -> bool:
    with store.write() as tx:
        return idempotency.use_once(tx, "default", key, fingerprint, job_ids or ("job_1",))


def test_the_first_use_counts_and_is_remembered(store: Store) -> None:
    assert use(store, "k", "f", "job_1", "job_2")
    assert not use(store, "k", "other", "job_3")
    with store.read() as tx:
        found = idempotency.get(tx, "default", "k")
        assert idempotency.get(tx, "default", "another") is None
        assert idempotency.get(tx, "nobody", "k") is None
    assert found is not None
    assert (found.fingerprint, found.job_ids) == ("f", ("job_1", "job_2"))


def test_of_many_that_come_at_once_one_is_the_first(store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        firsts = list(threads.map(lambda number: use(store, "k", f"f-{number}"), range(8)))
    assert firsts.count(True) == 1
    with store.read() as tx:
        found = idempotency.get(tx, "default", "k")
    assert found is not None
    assert found.fingerprint == f"f-{firsts.index(True)}"


def test_a_use_that_was_rolled_back_leaves_the_key_to_others(store: Store) -> None:
    class Lost(Exception):
        pass

    try:
        with store.write() as tx:
            assert idempotency.use_once(tx, "default", "k", "f", ["job_1"])
            raise Lost
    except Lost:
        pass
    assert use(store)


def test_old_uses_are_forgotten(store: Store, clock: Clock) -> None:
    use(store, "old")
    clock.now = START + 10
    use(store, "new")
    with store.write() as tx:
        assert idempotency.prune(tx, before=START + 5) == 1
        assert idempotency.get(tx, "default", "old") is None
        assert idempotency.get(tx, "default", "new")
