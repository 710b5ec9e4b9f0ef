"""Tenants: what may be said of them, and what is refused before anything is kept."""

from math import inf, nan

import pytest

from orchestrator import wiring
from orchestrator.engine import granting, tenants
from orchestrator.engine.purge import DAY
from orchestrator.engine.tenants import Changes
from orchestrator.errors import NotAllowed, NotFound, RequestError
from orchestrator.store import schema
from orchestrator.store.database import Store
from orchestrator.store.schema import DEFAULT
from tests.integration.engine.harness import Engine


@pytest.fixture
def store(engine: Engine) -> Store:
    return engine.store


def test_a_tenant_has_limits_and_origins_of_its_own(store: Store) -> None:
    made = tenants.add(store, "shop", Changes({"max_open_jobs": 5}, allow=("https://Shop.example/",)))
    assert (made.max_open_jobs, made.allowed_origins) == (5, ("https://shop.example",))
    changed = tenants.change(
        store,
        "shop",
        Changes(
            {"max_open_jobs": None, "requests_per_minute": 0},
            ("http://b.example",),
            ("https://shop.example",),
        ),
    )
    assert (changed.max_open_jobs, changed.requests_per_minute) == (None, 0)
    assert changed.allowed_origins == ("http://b.example",)
    assert [one.id for one in tenants.list_tenants(store)] == ["default", "shop"]
    none = tenants.change(store, "shop", Changes(forbid=("http://b.example",)))
    assert none.allowed_origins == ()


def test_a_tenant_is_added_once_and_changed_only_if_it_is_there(store: Store) -> None:
    tenants.add(store, "shop", Changes())
    with pytest.raises(NotAllowed, match="already"):
        tenants.add(store, "shop", Changes({"max_open_jobs": 1}))
    with pytest.raises(NotFound):
        tenants.change(store, "nobody", Changes({"max_open_jobs": 1}))
    assert tenants.list_tenants(store)[1].max_open_jobs is None


@pytest.mark.parametrize("name", ["", "Shop", "-x", "a/b", "a b", "a" * 65, "ä", "a\n", "\x00"])
def test_a_name_that_is_none_is_refused(store: Store, name: str) -> None:
    with pytest.raises(RequestError, match="not a valid tenant name"):
        tenants.add(store, name, Changes())
    assert len(tenants.list_tenants(store)) == 1


@pytest.mark.parametrize(
    "changes",
    [
        Changes({"max_open_jobs": -1}),
        Changes({"max_open_jobs": 2**31}),
        Changes({"spend_cap_usd": nan}),
        Changes({"spend_cap_usd": inf}),
        Changes({"requests_per_minute": 10**30}),
        Changes(allow=("*",)),
        Changes(forbid=("https://shop.example/path",)),
    ],
)
def test_a_limit_or_origin_that_is_none_is_refused_and_nothing_is_kept(
    store: Store, changes: Changes
) -> None:
    for act in (tenants.add, tenants.change):
        with pytest.raises(RequestError):
            act(store, "shop" if act is tenants.add else "default", changes)
    assert [one.id for one in tenants.list_tenants(store)] == ["default"]


def test_housekeeping_removes_tokens_a_day_after_their_end(engine: Engine) -> None:
    for lasts in (10.0, 10.0 + DAY):
        granting.make_token(engine.store, wiring.chance, DEFAULT, lasts=lasts, end_user="u")
    engine.later(11 + DAY)
    engine.keep_house()
    with engine.store.read() as tx:
        (left,) = tx.execute(schema.tokens.select())
    assert left.expires_at > engine.now - DAY
