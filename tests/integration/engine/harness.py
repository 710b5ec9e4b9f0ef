"""The use-cases of one process against a real store and a real sandbox; the test tells the time."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import select

from orchestrator import fault_points, wiring
from orchestrator.core.job import HandOff, HandOffKind, HandOffState, Job, Output
from orchestrator.core.lifecycle import State
from orchestrator.core.routes import ARCHIVE
from orchestrator.engine.catalogue import Catalogue
from orchestrator.engine.create import create
from orchestrator.engine.follow_up import FollowUp
from orchestrator.engine.hand_off import hand_off
from orchestrator.engine.housekeeping import keep_house
from orchestrator.engine.look import look
from orchestrator.engine.receive import receive
from orchestrator.engine.submit import Submission, submit
from orchestrator.engine.sweep import sweep
from orchestrator.engine.take import Receipt
from orchestrator.fault_points import FaultPoint
from orchestrator.settings import load
from orchestrator.sinks import Sink
from orchestrator.sinks.folder import FolderSink
from orchestrator.store import attempts, hand_offs, jobs, observations, outputs, schema, workers
from orchestrator.store.attempts import Attempt, Result
from orchestrator.store.database import Store
from orchestrator.store.observations import Recorded
from tests.migrated import put_migrated
from tests.patience import LONG
from tests.sandbox.harness import KEY, Hook

MODEL = "google/veo-3.1-lite"


class Engine:
    """One process's worth of orchestrator. Time stands still until `later`."""

    def __init__(self, folder: Path, gateway_url: str, **settings: Any) -> None:
        self.folder = folder / "out"
        self.now = time.time()
        given = {"data_dir": folder, "output_dir": self.folder, "gateway_url": gateway_url}
        given |= {"secret_keys": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}
        self.settings = load({}, gateway_api_key=KEY, **given | settings)
        database = folder / "orchestrator.db"
        put_migrated(database)
        self.store = Store(f"sqlite:///{database}", clock=lambda: self.now)
        self.context = wiring.build(self.settings, self.store)
        self.context.random = lambda: 0.0
        with self.store.write() as tx:
            workers.join(tx, self.context.worker, host="here", pid=1)

    def close(self) -> None:
        self.context.close()
        self.store.close()

    def later(self, seconds: float) -> None:
        """Let time pass; the worker has beaten meanwhile."""
        self.now += seconds
        with self.store.write() as tx:
            workers.beat(tx, self.context.worker)

    def sweep_by_another(self) -> list[FollowUp]:
        """A sweep of another process, which says nothing of whether this one lives."""
        ours, self.context.worker = self.context.worker, wiring.new_id()
        try:
            return self.sweep()
        finally:
            self.context.worker = ours

    def die_and_start_again(self) -> None:
        """What a new process does that finds the database for itself alone."""
        self.context.worker = wiring.new_id()
        with self.store.write() as tx:
            workers.leave_all(tx)
            workers.join(tx, self.context.worker, host="here", pid=2)

    # use-cases

    def submit(self, request: dict[str, Any] | None = None, **wanted: Any) -> str:
        """Keep a job; what is no field of a submission is a switch of the sandbox."""
        names = Submission.__slots__
        fields = {name: value for name, value in wanted.items() if name in names}
        switches = {name: value for name, value in wanted.items() if name not in names}
        asked = {"model": MODEL, "prompt": "p", "provider_params": {"sandbox": {"duration": 0, **switches}}}
        (job,), _ = submit(self.context, [Submission(asked | (request or {}), **fields)])
        return job.id

    def created(self, request: dict[str, Any] | None = None, **wanted: Any) -> str:
        """The id of a job that the gateway was asked to make."""
        job_id = self.submit(request, **wanted)
        assert self.create() is not None
        return job_id

    def create(self) -> list[FollowUp] | None:
        return create(self.context)

    def look(self) -> list[FollowUp] | None:
        return look(self.context)

    def sweep(self) -> list[FollowUp]:
        return sweep(self.context)

    def keep_house(self) -> None:
        keep_house(self.context)

    def archive(self) -> list[FollowUp] | None:
        """One hand-off of any kind: where nothing else is due, one to the archive."""
        return hand_off(self.context)

    def hand_off(self) -> list[FollowUp] | None:
        """One hand-off to a destination, with what the archive must be brought before it."""
        while (follow_ups := hand_off(self.context)) is not None and self._archived_last():
            pass
        return follow_ups

    def _archived_last(self) -> bool:
        with self.store.read() as tx:
            last = tx.execute(select(schema.attempts).order_by(schema.attempts.c.id.desc()).limit(1)).first()
        return last is not None and (last.destination, last.result) == (ARCHIVE, Result.DONE)

    def attempts(self, job_id: str) -> list[Attempt]:
        """Every attempt at a hand-off of a job."""
        with self.store.read() as tx:
            return attempts.of_job(tx, job_id)

    def hand_off_all(self) -> int:
        """Do all that is due; how many attempts that took."""
        attempts = 0
        while self.hand_off() is not None:
            attempts += 1
        return attempts

    def look_when_due(self, job_id: str) -> Job:
        """Let time pass to the job's next look, and look."""
        due_at = self.job(job_id).due_at
        assert due_at is not None
        self.later(max(0.0, due_at - self.now))
        assert self.look() is not None
        return self.job(job_id)

    def receive(self, hook: Hook) -> Receipt:
        return receive(self.context, "default", hook.headers, hook.raw, hook.at)

    # what is there

    def job(self, job_id: str) -> Job:
        with self.store.read() as tx:
            found = jobs.get(tx, job_id)
        assert found is not None
        return found

    def timeline(self, job_id: str) -> list[Recorded]:
        with self.store.read() as tx:
            return observations.of_job(tx, job_id)

    @property
    def sinks(self) -> dict[str, Sink]:
        """The destinations, of which nothing else is said."""
        return {name: one.sink for name, one in self.context.destinations.items()}

    @sinks.setter
    def sinks(self, sinks: Mapping[str, Sink]) -> None:
        self.context.destinations = Catalogue.of(sinks)

    def with_folders(self, *names: str) -> None:
        """Further destinations, each a folder of its own."""
        self.sinks = self.sinks | {name: FolderSink(self.folder.parent / name) for name in names}
        for name in names:
            (self.folder.parent / name).mkdir()

    def files_of(self, name: str) -> dict[str, bytes]:
        """What is in one of them."""
        return {file.name: file.read_bytes() for file in sorted((self.folder.parent / name).iterdir())}

    def told(self, name: str, file: str) -> dict[str, Any]:
        """A document that one of them was brought."""
        found: dict[str, Any] = json.loads(self.files_of(name)[file])
        return found

    def archived_files(self) -> list[Path]:
        """What the archive keeps."""
        return sorted(file for file in (self.folder.parent / "archive").glob("??/*") if file.is_file())

    def owed(self, job_id: str) -> list[HandOff]:
        """What is owed to destinations."""
        return [one for one in self.hand_offs(job_id) if one.kind is not HandOffKind.ARCHIVE]

    def archiving(self, job_id: str) -> list[HandOff]:
        """What is to come into the archive."""
        return [one for one in self.hand_offs(job_id) if one.kind is HandOffKind.ARCHIVE]

    def hand_offs(self, job_id: str) -> list[HandOff]:
        with self.store.read() as tx:
            return hand_offs.of_job(tx, job_id)

    def states(self, job_id: str) -> list[HandOffState]:
        return [one.state for one in self.owed(job_id)]

    def outputs(self, job_id: str) -> list[Output]:
        with self.store.read() as tx:
            return outputs.of_job(tx, job_id)

    def files(self) -> dict[str, bytes]:
        with suppress(FileNotFoundError):
            return {file.name: file.read_bytes() for file in sorted(self.folder.iterdir())}
        return {}


@contextmanager
def held_at(point: FaultPoint, act: Callable[[], object]) -> Iterator[None]:
    """Do something in a thread of its own, which waits at this place until this is left, and then ends."""
    there, go_on = threading.Event(), threading.Event()

    def wait(here: FaultPoint) -> None:
        if here is point:
            there.set()
            assert go_on.wait(LONG)

    fault_points.watch(wait)
    acting = threading.Thread(target=act)
    acting.start()
    try:
        assert there.wait(LONG)
        yield
    finally:
        go_on.set()
        acting.join()
        fault_points.watch(None)


NewEngine = Callable[..., Engine]


def completed(engine: Engine, request: dict[str, Any] | None = None, **switches: Any) -> str:
    """The id of a job that completed and has not been handed off."""
    job_id = engine.created(request, **switches)
    assert engine.look_when_due(job_id).state is State.COMPLETED
    return job_id


def try_until_over(engine: Engine, job_id: str) -> int:
    """Let time pass from attempt to attempt; how many there were."""
    attempts = 0
    while due := [one.due_at for one in engine.hand_offs(job_id) if one.due_at is not None]:
        engine.later(max(0.0, min(due) - engine.now))
        attempts += engine.hand_off_all()
        assert attempts < 50
    return attempts


def outcome_of(engine: Engine, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(engine.files()[name])
    return found
