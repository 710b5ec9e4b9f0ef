"""One installation for the whole folder, with new tenants for each test; and visitors of its dashboard."""

from collections.abc import Callable, Iterator

import pytest

from orchestrator.core.access import Scope
from tests.integration.api.conftest import NewApi, api, new_api, them, us
from tests.integration.api.served import Holder, Served
from tests.integration.dashboard.visitor import Visitor

__all__ = ["api", "new_api", "them", "us"]

SignedIn = Callable[..., Visitor]
SECRET = "whsec_" + "s" * 44  # of the gateway's webhooks


@pytest.fixture(scope="session")
def running(new_api: NewApi) -> Served:
    return new_api(requests_per_minute=0, webhook_secrets=SECRET)


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
