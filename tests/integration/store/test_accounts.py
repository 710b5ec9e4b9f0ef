"""Gateway accounts of tenants: found by name or age, kept once, needed by what is not over yet."""

from typing import Any

import pytest

from orchestrator.core.lifecycle import State
from orchestrator.core.routes import ARCHIVE
from orchestrator.errors import NotFound
from orchestrator.store import accounts, jobs, schema
from orchestrator.store.accounts import Entry
from orchestrator.store.database import Store
from tests.integration.store.rows import START, Clock, a_job, keep, owe


@pytest.fixture(autouse=True)
def tenants(store: Store) -> None:
    with store.write() as tx:
        tx.execute(schema.tenants.insert(), [{"id": name, "name": name} for name in ("acme", "other")])


def an_account(account_id: str = "a1", tenant_id: str = "acme", **facts: Any) -> Entry:
    standard: dict[str, Any] = {"name": "main", "base_url": "https://g/v1", "secrets": "fernet:a"}
    standard |= {"webhook_endpoint_id": None, "changed_at": START}
    return Entry(account_id, tenant_id, **standard | facts)


def add(store: Store, *new: Entry) -> bool:
    with store.write() as tx:
        return all(accounts.add_once(tx, one) for one in new)


def chosen(store: Store, tenant: str, name: str | None = None) -> str:
    with store.write() as tx:
        return accounts.for_tenant(tx, tenant, name).id


def needed(store: Store, entry: Entry, limit: int = 100) -> int:
    with store.read() as tx:
        return accounts.needed_by(tx, entry, limit=limit)


def change(store: Store, base_url: str) -> Entry:
    with store.write() as tx:
        accounts.change(tx, "a1", {"base_url": base_url})
        found = accounts.named(tx, "acme", "main")
    assert found is not None
    return found


def test_a_job_is_made_with_the_account_named_or_the_tenants_oldest_or_the_default_one(store: Store) -> None:
    assert add(store, an_account("a2", name="second"), an_account("a1", name="first"))
    assert add(store, an_account("a0", "other"), an_account("a3", "default", name="more"))
    assert chosen(store, "acme") == "a1"
    assert chosen(store, "acme", "second") == "a2"
    assert chosen(store, "default") == "default"
    assert chosen(store, "default", "default") == "default"
    assert chosen(store, "default", "more") == "a3"
    with store.write() as tx:
        tx.execute(schema.tenants.insert().values(id="poor", name="p"))
    assert chosen(store, "poor") == "default"


@pytest.mark.parametrize("name", ["theirs", "default", "a0", "nothing", "gone"])
def test_an_account_of_another_tenant_is_not_there_for_this_one(store: Store, name: str) -> None:
    add(store, an_account("a0", "other", name="theirs"), an_account("a1"), an_account("a2", name="gone"))
    with store.write() as tx:
        accounts.remove(tx, "a2")
    with pytest.raises(NotFound, match=f"there is no account '{name}'") as said:
        chosen(store, "acme", name)
    assert said.value.hint == "your accounts: main"


def test_a_name_is_given_once_for_each_tenant_and_again_after_its_removal(store: Store) -> None:
    assert add(store, an_account())
    assert not add(store, an_account("a2"))
    assert add(store, an_account("a3", "other"))
    with store.write() as tx:
        accounts.remove(tx, "a1")
    assert add(store, an_account("a4"))
    assert chosen(store, "acme", "main") == "a4"


def test_the_secrets_of_a_removed_account_are_forgotten(store: Store) -> None:
    add(store, an_account())
    with store.write() as tx:
        accounts.remove(tx, "a1")
        kept = tx.execute(schema.accounts.select().where(schema.accounts.c.id == "a1")).one()
    assert (kept.secrets, kept.removed_at) == (None, START)
    with store.read() as tx:
        assert [one.id for one in accounts.every(tx)] == ["default"]


def test_an_account_without_a_tenant_is_refused(store: Store) -> None:
    with pytest.raises(NotFound, match="there is no tenant nobody"):
        add(store, an_account(tenant_id="nobody"))


def test_a_change_always_shows_in_its_time(store: Store, clock: Clock) -> None:
    add(store, an_account())
    changed = [change(store, f"https://g{number}/v1") for number in (1, 2)]
    assert [one.base_url for one in changed] == ["https://g1/v1", "https://g2/v1"]
    assert START < (changed[0].changed_at or 0) < (changed[1].changed_at or 0) < START + 1


def test_the_default_account_has_a_first_change_too(store: Store) -> None:
    with store.write() as tx:
        accounts.change(tx, "default", {"webhook_endpoint_id": "e"})
        found = accounts.named(tx, "default", "default")
    assert found == Entry("default", "default", "default", None, None, "e", START)


def test_a_token_that_was_replaced_meanwhile_is_not_resealed(store: Store) -> None:
    add(store, an_account())
    with store.write() as tx:
        assert accounts.reseal_if_still(tx, an_account(), "fernet:b")
        assert not accounts.reseal_if_still(tx, an_account(), "fernet:c")
        found = accounts.named(tx, "acme", "main")
    assert found == an_account(secrets="fernet:b")


def test_no_token_is_in_what_is_printed() -> None:
    assert "fernet" not in repr(an_account())


@pytest.mark.parametrize("state", [State.ACCEPTED, State.CREATING, State.UNCERTAIN, State.WAITING])
def test_an_account_is_needed_by_jobs_that_are_not_over(store: Store, state: State) -> None:
    add(store, an_account(), an_account("a2", name="second"))
    keep(store, a_job(state=state, tenant_id="acme", account_id="a1"))
    assert needed(store, an_account()) == 1
    assert needed(store, an_account("a2", name="second")) == 0


def test_an_account_is_needed_until_outputs_are_fetched_and_reasons_are_known(store: Store) -> None:
    add(store, an_account())
    over = {"tenant_id": "acme", "account_id": "a1"}
    keep(store, a_job("job_1", State.COMPLETED, **over | {"due_at": None}))
    keep(store, a_job("job_2", State.FAILED, **over | {"due_at": None}))
    assert needed(store, an_account()) == 0
    owe(store, 0, to=ARCHIVE)
    assert needed(store, an_account()) == 1
    with store.write() as tx:
        jobs.note(tx, "job_2", {"due_at": START})  # a look for the reason
    assert needed(store, an_account()) == 2
    assert needed(store, an_account(), limit=1) == 1
