"""An account is removed by one connection while another makes jobs with it: PostgreSQL, where they race."""

import pytest

from orchestrator.errors import NotFound
from orchestrator.store import accounts, jobs
from orchestrator.store.accounts import Entry
from orchestrator.store.database import Store
from tests.integration.store.rows import START, a_job
from tests.integration.store.together import Elsewhere, ended


@pytest.fixture
def kind() -> str:
    return "postgresql"


def an_account() -> Entry:
    return Entry("a1", "default", "main", "https://g/v1", "fernet:a", None, START)


def chosen(store: Store) -> str:
    with store.write() as tx:
        return accounts.for_tenant(tx, "default", "main").id


def remove_if_unneeded(store: Store) -> bool:
    with store.write() as tx:
        found = accounts.named(tx, "default", "main")
        assert found is not None
        if accounts.needed_by(tx, found, limit=1):
            return False
        accounts.remove(tx, found.id)
    return True


def test_an_account_is_not_removed_beside_a_job_that_is_being_made_with_it(
    store: Store, elsewhere: Elsewhere
) -> None:
    with store.write() as tx:
        accounts.add_once(tx, an_account())
    with store.write() as tx:
        account = accounts.for_tenant(tx, "default", "main").id
        removed = elsewhere.begin_and_wait_for_us(lambda: remove_if_unneeded(store))
        jobs.add(tx, [a_job(account_id=account)])
    assert not ended(removed)


def test_no_job_is_made_with_an_account_that_is_being_removed(store: Store, elsewhere: Elsewhere) -> None:
    with store.write() as tx:
        accounts.add_once(tx, an_account())
    with store.write() as tx:
        assert accounts.named(tx, "default", "main") is not None
        accounts.remove(tx, "a1")
        making = elsewhere.begin_and_wait_for_us(lambda: chosen(store))
    with pytest.raises(NotFound):
        ended(making)
