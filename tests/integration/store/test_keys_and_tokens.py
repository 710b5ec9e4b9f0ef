"""Keys, tokens and tenants as rows, on both databases."""

import pytest

from orchestrator.core.access import Scope
from orchestrator.errors import NotFound
from orchestrator.store import api_keys, sessions, tenants, tokens
from orchestrator.store.api_keys import ApiKey
from orchestrator.store.database import Store
from orchestrator.store.sessions import Session
from orchestrator.store.tokens import Token
from tests.integration.store.rows import START, Clock, a_job, keep

DIGEST = bytes(range(32))


def a_key(key_id: str = "k1", tenant_id: str = "default", **facts: float | None) -> ApiKey:
    times = {"expires_at": None, "revoked_at": None, "last_used_at": None} | facts
    return ApiKey(key_id, tenant_id, "n", frozenset({Scope.READ, Scope.ADMIN}), START, **times)


def add(store: Store, *new: ApiKey) -> None:
    with store.write() as tx:
        for one in new:
            api_keys.add(tx, one, DIGEST)


def add_tenant(store: Store, name: str, **limits: object) -> None:
    with store.write() as tx:
        assert tenants.add_once(tx, name)
        tenants.change(tx, name, limits)


def test_a_key_is_read_as_it_was_kept_with_what_holds_for_its_tenant(store: Store) -> None:
    add_tenant(store, "other", requests_per_minute=7)
    add(store, a_key("k1"), a_key("k2", "other"))
    with store.read() as tx:
        one, other = api_keys.holder(tx, "k1"), api_keys.holder(tx, "k2")
        assert api_keys.holder(tx, "k3") is None
        assert [key.id for key in api_keys.of_tenant(tx, None)] == ["k1", "k2"]
        assert api_keys.of_tenant(tx, "other") == [a_key("k2", "other")]
    assert one is not None
    assert other is not None
    assert (one.key, one.digest) == (a_key("k1"), DIGEST)
    assert one.caller.scopes == {Scope.READ, Scope.ADMIN}
    assert (one.caller.requests_per_minute, other.caller.requests_per_minute) == (None, 7)


def test_a_key_ends_once_and_only_by_its_own_tenant(store: Store, clock: Clock) -> None:
    add(store, a_key())
    with store.write() as tx:
        assert api_keys.revoke_if_live(tx, "k1", "other") is None
        assert api_keys.revoke_if_live(tx, "k2", None) is None
        first = api_keys.revoke_if_live(tx, "k1", "default")
    clock.now += 5
    with store.write() as tx:
        again = api_keys.revoke_if_live(tx, "k1", None)
    assert first is not None
    assert first == again
    assert first.ended(START) == "was revoked"


def test_a_use_is_written_when_the_last_one_is_a_minute_old(store: Store, clock: Clock) -> None:
    add(store, a_key("k1"), a_key("k2"))
    written = []
    for later in (0.0, 59.0, 1.0):
        clock.now += later
        with store.write() as tx:
            written.append(api_keys.note_use(tx, ["k1"]))
    assert written == [1, 0, 1]
    with store.read() as tx:
        assert [one.last_used_at for one in api_keys.of_tenant(tx, None)] == [START + 60, None]


def test_tokens_know_their_tenant_s_pages_and_go_with_their_time_or_their_job(
    store: Store, clock: Clock
) -> None:
    add_tenant(store, "other", allowed_origins=["https://shop.example"])
    keep(store, a_job("job_1"))
    new = [
        Token("t1", "default", "job_1", None, START, START + 10),
        Token("t2", "other", None, "u", START, START + 20),
    ]
    with store.write() as tx:
        for one in new:
            tokens.add(tx, one, DIGEST)
    with store.read() as tx:
        first, second = tokens.holder(tx, "t1"), tokens.holder(tx, "t2")
        assert tokens.holder(tx, "t3") is None
    assert first is not None
    assert second is not None
    assert [one.token for one in (first, second)] == new
    assert (first.caller.job_id, first.caller.end_user, first.caller.allowed_origins) == ("job_1", None, ())
    assert second.caller.allowed_origins == ("https://shop.example",)
    with store.write() as tx:
        assert tokens.prune(tx, before=START + 15) == 1
        assert not tokens.remove(tx, "t2", "default")
        assert tokens.remove(tx, "t2", "other")


def test_a_tenant_is_added_once_and_what_is_not_said_of_it_stays(store: Store) -> None:
    add_tenant(store, "other", max_open_jobs=3, allowed_origins=["https://a.example"])
    with store.write() as tx:
        assert not tenants.add_once(tx, "other")
        changed = tenants.change(tx, "other", {"spend_cap_usd": 2.5})
        assert tenants.change(tx, "other", {}) == changed
        with pytest.raises(NotFound):
            tenants.change(tx, "nobody", {"spend_cap_usd": 1})
    assert (changed.max_open_jobs, changed.spend_cap_usd) == (3, 2.5)
    assert changed.allowed_origins == ("https://a.example",)
    with store.read() as tx:
        assert [one.id for one in tenants.every(tx)] == ["default", "other"]


def test_a_session_stands_for_its_key_and_goes_with_its_time(store: Store, clock: Clock) -> None:
    add(store, a_key())
    new = [Session("s1", "k1", START, START + 10), Session("s2", "k1", START, START + 20)]
    with store.write() as tx:
        for one in new:
            sessions.add(tx, one, DIGEST)
    with store.read() as tx:
        found = sessions.holder(tx, "s1")
        assert sessions.holder(tx, "s3") is None
    assert found is not None
    assert (found.session, found.digest, found.by_key.key) == (new[0], DIGEST, a_key())
    clock.now = START + 15
    with store.write() as tx:
        assert sessions.prune(tx, before=tx.now) == 1
        assert sessions.holder(tx, "s1") is None
        assert sessions.remove(tx, "s2")
        assert not sessions.remove(tx, "s2")
