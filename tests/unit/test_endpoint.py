"""The URLs and events of webhook endpoints, compared as the gateway takes them."""

from typing import Any, cast

import pytest
from pydantic import SecretStr

from orchestrator.engine.create import EVENTS
from orchestrator.engine.endpoint import leads_to, missing, same_url
from orchestrator.engine.endpoint_keeping import InMemory
from orchestrator.engine.endpoint_secret import replace_secret
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.errors import BadAnswer, GatewayError, NoAnswer, Unreachable
from orchestrator.gateway.endpoints import Management


@pytest.mark.parametrize(
    ("events", "lacking"),
    [
        (EVENTS, []),
        (["video.completed", "video.failed", "video.cancelled"], ["video.created", "video.expired"]),
        (["job.completed", "failed", " Video.Canceled ", "expired", "created"], []),
        (["batch.created", "batch.expired", *EVENTS[1:4]], ["video.created", "video.expired"]),
        ([], list(EVENTS)),
    ],
)
def test_the_events_that_a_subscription_lacks_are_named(events: list[str], lacking: list[str]) -> None:
    assert missing(events) == lacking


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://h/webhooks/gateway/default", "https://h:443/webhooks/gateway/default/", True),
        ("https://H.example/x", "https://h.example/x", True),
        ("https://h/x", "http://h/x", False),
        ("https://h/x", "https://h:8443/x", False),
        ("https://h/x", "https://h/X", False),
        ("https://h/x?a=1", "https://h/x", False),
        ("https://h:none/x", "https://h/x", False),
    ],
)
def test_urls_are_the_same_if_they_lead_to_the_same_place(one: str, other: str, same: bool) -> None:
    assert same_url(one, other) is same


@pytest.mark.parametrize(
    ("url", "leads"),
    [
        ("https://h/a/webhooks/x/", True),
        ("https://h/webhooks/x?a=1", True),
        ("https://h/x", False),
        ("http://[", False),
    ],
)
def test_where_a_url_ends_is_told_wherever_it_is(url: str, leads: bool) -> None:
    assert leads_to(url, "/webhooks/x") is leads


class Noting(InMemory):
    """Tells whether the note stayed."""

    noted = False

    def begin(self) -> None:
        self.noted = True

    def forget(self) -> None:
        self.noted = False


@pytest.mark.parametrize(
    ("error", "unknown"),
    [
        (Unreachable("cannot connect"), False),
        (BadAnswer("refused", status=403), False),
        (BadAnswer("not there", status=404), False),
        (BadAnswer("too slow, says a proxy", status=408), True),
        (BadAnswer("a redirect", status=302), True),
        (BadAnswer("a fault", status=500), True),
        (BadAnswer("no secret in it", reason="no_secret"), True),
        (NoAnswer("cut off"), True),
    ],
)
def test_what_a_failed_rotation_did_is_taken_for_unknown_unless_it_surely_did_nothing(
    error: GatewayError, unknown: bool
) -> None:
    class Failing:
        async def rotate(self, _: str) -> SecretStr:
            raise error

    keeping, http = Noting(), HttpLoop()
    with pytest.raises(GatewayError) as raised:
        replace_secret(cast("Management", cast("Any", Failing())), http, keeping, "e")
    http.stop()
    assert keeping.noted is unknown
    assert ("do this again, at once" in raised.value.hint) is unknown
