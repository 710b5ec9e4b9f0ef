"""The receiver of the guide, as it stands there, in a process of its own, also killed in mid-call."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.errors import DestinationError
from orchestrator.sinks import Parcel
from orchestrator.sinks.webhook import WebhookSink
from tests.integration.sinks.guided_receiver import Guided
from tests.integration.sinks.receivers import DOCUMENT, FOREIGN, NEW, OLD, PARCEL, made, publish, tools
from tests.patience import LONG


@pytest.fixture
def guided(tmp_path: Path) -> Iterator[Guided]:
    receiver = Guided(tmp_path)
    yield receiver
    receiver.kill()


@pytest.fixture
def sink(guided: Guided) -> Iterator[WebhookSink]:
    url = f"http://127.0.0.1:{guided.port}/hook"
    with tools() as by, made(by, url, headers={"Authorization": "Bearer not-needed"}) as sink:
        yield sink


def test_the_receiver_of_the_guide_takes_each_call_once(guided: Guided, sink: WebhookSink) -> None:
    guided.start()
    sink.check()
    other = Parcel("job_2-failed", event="job.failed", at=PARCEL.at)
    for parcel in (PARCEL, other, PARCEL, other):
        assert publish(sink, DOCUMENT, parcel).status == 204
    assert [name for name, _ in guided.effects() if not name.startswith("probe-")] == [
        PARCEL.name,
        other.name,
    ]


@pytest.mark.parametrize("secret", [NEW, OLD])
def test_either_secret_will_do_while_both_are_live(guided: Guided, sink: WebhookSink, secret: str) -> None:
    guided.start(secret=secret)
    publish(sink)
    assert len(guided.effects()) == 1


def test_a_secret_that_is_not_live_will_not_do(guided: Guided, sink: WebhookSink) -> None:
    guided.start(secret=FOREIGN)
    with pytest.raises(DestinationError, match="answered 401") as raised:
        publish(sink)
    assert raised.value.preview == "not signed by us"
    assert guided.effects() == []


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_receiver_killed_in_mid_call_takes_the_call_once(
    guided: Guided, sink: WebhookSink, where: str
) -> None:
    guided.start(where)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(publish, sink)
        guided.wait_for(where)
        guided.kill()
        with pytest.raises(DestinationError, match="it closed the connection before it answered") as raised:
            first.result(LONG)
    assert raised.value.retry.again
    with pytest.raises(DestinationError, match="connection refused"):
        publish(sink)
    assert len(guided.effects()) == (1 if where == "after" else 0)

    guided.start()
    told = publish(sink)
    publish(sink)
    ((name, event),) = guided.effects()
    assert (name, len(event)) == (PARCEL.name, told.bytes)
