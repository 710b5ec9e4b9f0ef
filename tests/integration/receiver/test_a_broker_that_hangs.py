"""A broker that takes connections and answers nothing: webhooks are kept and answered all the same."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

import httpx
import pytest

from orchestrator.core.lifecycle import State
from orchestrator.tasks.sending import Courier
from tests.integration.receiver.door import Door, example
from tests.patience import LONG

MANY = 60
SENDERS = 8


class Hanging:
    """A broker that takes the first message and does not come back until it is told to."""

    def __init__(self) -> None:
        self.asked, self.goes_on = threading.Event(), threading.Event()

    def send_task(self, *_: Any, **__: Any) -> None:
        self.asked.set()
        assert self.goes_on.wait(LONG)


@pytest.fixture
def broker() -> Hanging:
    return Hanging()


@pytest.fixture
def door(closed_door: Door, broker: Hanging) -> Iterator[Door]:
    courier = Courier(broker, monotonic)  # type: ignore[arg-type]
    closed_door.open(courier)
    yield closed_door
    broker.goes_on.set()
    closed_door.close()
    courier.close()


def test_every_webhook_is_kept_and_answered_while_it_hangs(door: Door, broker: Hanging) -> None:
    names = {f"G-{number}": f"job_{number}" for number in range(MANY)}
    for gateway_id, job in names.items():
        door.knows(gateway_id, id=job, session_id=f"{job}.1")

    # Connections that are kept, as the gateway keeps them: the next answer may not wait for what follows one.
    with (
        httpx.Client(timeout=LONG, trust_env=False, verify=False) as gateway,
        ThreadPoolExecutor(SENDERS) as senders,
    ):

        def tell(gateway_id: str) -> int:
            body = example("video.completed") | {"id": f"evt_{gateway_id}"}
            told = door.delivery(body | {"data": body["data"] | {"id": gateway_id}})
            url = f"http://127.0.0.1:{door.port}/webhooks/gateway/default"
            return gateway.post(url, content=told.body, headers=told.headers).status_code

        assert set(senders.map(tell, names)) == {200}
    assert broker.asked.wait(LONG)
    assert not broker.goes_on.is_set()
    assert {door.job(job).state for job in names.values()} == {State.COMPLETED}
