"""The URLs and events of webhook endpoints, compared as the gateway takes them."""

import pytest

from orchestrator.engine.create import EVENTS
from orchestrator.engine.endpoint import missing, same_url


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
