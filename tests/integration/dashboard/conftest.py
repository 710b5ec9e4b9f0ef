"""One installation for the whole folder, with new tenants for each test."""

from collections.abc import Callable, Iterator

import pytest

from orchestrator.core.access import Scope
from orchestrator.store.database import Store
from orchestrator.store.migrate import migrate
from tests.integration.api.served import Holder, Served
from tests.integration.dashboard.visitor import Visitor

SignedIn = Callable[..., Visitor]
SECRET = "whsec_" + "s" * 44  # of the gateway's webhooks


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    store = Store(f"sqlite:///{folder / 'orchestrator.db'}")
    migrate(store)
    store.close()
    api = Served(folder, requests_per_minute=0, webhook_secrets=SECRET)
    yield api
    api.close()


@pytest.fixture
def api(running: Served) -> Served:
    running.sent.clear()
    return running


@pytest.fixture
def us(api: Served) -> Holder:
    return api.new_tenant()


@pytest.fixture
def them(api: Served) -> Holder:
    return api.new_tenant()


@pytest.fixture
def visitor(api: Served) -> Iterator[Visitor]:
    """Somebody who did not sign in."""
    made = Visitor(api)
    yield made
    made.client.close()


@pytest.fixture
def signed_in(api: Served) -> Iterator[SignedIn]:
    """Makes visitors who signed in with a key of a tenant's that has these scopes."""
    made: list[Visitor] = []

    def make(holder: Holder, *scopes: Scope) -> Visitor:
        made.append(Visitor(api))
        answer = made[-1].sign_in(api.key(*scopes, tenant=holder.tenant))
        assert answer.status_code == 200, answer.text
        return made[-1]

    yield make
    for one in made:
        one.client.close()
