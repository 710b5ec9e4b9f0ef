"""A worker does by itself what no message asks it for, also while another one sweeps."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator import wiring
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.processes.standby import BEAT_MISSED, LocalHands, standby
from orchestrator.settings import load
from orchestrator.store import workers
from orchestrator.store.workers import Pulse
from orchestrator.tasks.sending import Sender
from tests.integration.store.rows import a_job, join, keep
from tests.migrated import put_migrated


class Taken(LocalHands):
    """Hands that only note what they were given."""

    def __init__(self) -> None:
        self.given: list[Task] = []

    def take(self, follow_ups: object) -> None:
        assert isinstance(follow_ups, list)
        self.given += [one.task for one in follow_ups if isinstance(one, FollowUp)]


class Quiet(Sender):
    """A broker that takes everything."""

    def __init__(self) -> None: ...

    broker_away = False

    def __call__(self, follow_ups: object) -> None: ...


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    """A worker that has joined, and a job that is due."""
    now = [1_800_000_000.0]
    settings = load({}, data_dir=tmp_path, output_dir=tmp_path / "outputs")
    put_migrated(tmp_path / "orchestrator.db")
    with closing(wiring.open_store(settings)) as store:
        store._clock = lambda: now[0]
        context = wiring.build(settings, store, asks_gateway=False)
        join(store, context.worker)
        keep(store, a_job(due_at=now[0] - 1))
        yield context
        context.close()


def test_it_works_by_itself_although_another_one_swept_just_now(context: Context) -> None:
    hands = Taken()
    timer = standby(context, Quiet(), hands)
    with context.store.write() as tx:
        workers.pulse(tx, Pulse.SWEEP)
    timer._act()
    assert hands.given, f"no beat for {BEAT_MISSED:g} s, and it does nothing"


def test_it_leaves_the_work_to_messages_while_beat_is_heard(context: Context) -> None:
    hands = Taken()
    timer = standby(context, Quiet(), hands)
    with context.store.write() as tx:
        workers.pulse(tx, Pulse.BEAT)
    timer._act()
    assert hands.given == []
