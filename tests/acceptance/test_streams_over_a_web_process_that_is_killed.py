"""Streams on two web processes, one of which is killed while jobs go on: nobody misses an event.

Whoever was connected to it goes on at the other one from the last event that they have.
"""

import secrets
import threading

import httpx

from orchestrator.core.access import Scope
from orchestrator.engine import granting
from orchestrator.store import events
from orchestrator.store.events import START
from tests.acceptance.conftest import Deploy
from tests.acceptance.database import wanted
from tests.acceptance.fleet import Fleet
from tests.acceptance.processes import free_port
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until
from tests.listening import Heard, Listener

MANY = 6


class Client:
    """Follows a stream wherever it can be had, and goes on from the last event that came."""

    def __init__(self, path: str, key: str, ports: list[int], **query: str) -> None:
        self.path, self.key, self.ports, self.query = path, key, ports, query
        self.heard: list[Heard] = []
        self.came_back = 0
        self._over = threading.Event()
        self._last = ""
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()

    @property
    def ended(self) -> bool:
        """Whether the server said that nothing more comes."""
        return any(one.type == "end" for one in self.heard)

    def places(self) -> list[tuple[str, int]]:
        return [(one.data["job_id"], one.data["seq"]) for one in self.heard if one.type != "end"]

    def _follow(self) -> None:
        while not self._over.is_set() and not self.ended:
            for port in self.ports:
                self._listen(port)

    def _listen(self, port: int) -> None:
        try:
            listener = Listener(
                f"http://127.0.0.1:{port}/v1", self.path, key=self.key, last=self._last, **self.query
            )
        except httpx.HTTPError:
            return  # nobody listens there
        before = len(self.heard)
        while not listener.over and not self._over.is_set() and not self.ended:
            self._over.wait(0.02)
            self.heard[before:] = list(listener.heard)
            self._last = listener.last_id
        self.heard[before:] = list(listener.heard)
        self._last = listener.last_id
        self.came_back += 1
        listener.close()


def test_who_was_connected_to_it_goes_on_at_the_other_and_misses_nothing(
    deploy: Deploy, sandbox: Sandbox
) -> None:
    fleet = deploy(sandbox)
    second = free_port()
    fleet.start_all(workers=1)
    other = fleet.start("web", port=second)
    sandbox.faults(duration=3.0)
    key = _key(fleet)
    jobs = fleet.database.submit(*(wanted() for _ in range(MANY)))
    ports = [second, fleet.port]
    clients = [Client(f"/jobs/{job}/events", key, ports) for job in jobs]
    everything = Client("/events", key, ports, **{"from": "start"})
    until("all hear something", lambda: all(client.heard for client in [*clients, everything]))
    other.kill()
    until("all jobs are over", lambda: all(client.ended for client in clients))

    for job, client in zip(jobs, clients, strict=True):
        assert client.places() == [(job, seq) for seq in range(1, len(client.places()) + 1)]
    # A stream of one job tells what is committed; one over all jobs, what nothing can come before any more.
    places = sorted(place for client in clients for place in client.places())
    until("all that was told is settled", lambda: len(_rows(fleet)) >= len(places))
    rows = _rows(fleet)
    until("the stream over all has it all", lambda: len(everything.places()) >= len(rows))
    everything.close()
    assert everything.places() == rows
    assert places == sorted(rows)
    assert everything.came_back
    assert all(client.came_back for client in clients)


def _key(fleet: Fleet) -> str:
    _, whole = granting.make_key(
        fleet.database.store,
        secrets.token_bytes,
        "default",
        name="k",
        scopes=frozenset({Scope.READ}),
        lasts=None,
    )
    return whole.get_secret_value()


def _rows(fleet: Fleet) -> list[tuple[str, int]]:
    with fleet.database.store.read() as tx:
        return [(one.job_id, one.seq) for one in events.of_tenant(tx, "default", after=START, limit=10_000)]
