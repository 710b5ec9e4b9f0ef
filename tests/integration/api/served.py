"""The API on a real port, and tenants with what there is to be read: jobs, outputs, dead letters."""

import itertools
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import func, select, update

from orchestrator.core.access import Scope
from orchestrator.core.events import Told
from orchestrator.core.job import HandOffState, Job, OutputSeen
from orchestrator.core.lifecycle import State
from orchestrator.core.routes import ARCHIVE, Route
from orchestrator.engine.follow_up import FollowUp
from orchestrator.engine.submit import Submission, submit
from orchestrator.store import events, hand_offs, jobs, lanes, outputs, schema
from orchestrator.web.hub import Hub
from tests.integration.access.api import Api
from tests.integration.store.rows import owe

REQUEST = {"model": "google/veo-3.1-lite", "prompt": "a red fox"}


class Served(Api):
    """An API whose follow-ups are kept for the test to see."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        super().__init__(folder, **settings)
        self.sent: list[FollowUp] = []
        self.hub = Hub(self.store)
        self.store.ring = self.hub.wake
        self.door.hub = self.hub
        self.door.send = self.sent.extend
        self._numbers = itertools.count(1)

    def close(self) -> None:
        self.hub.stop()
        super().close()

    def new_tenant(self) -> "Holder":
        """A tenant that has nothing yet, with a key for everything."""
        name = f"tenant-{next(self._numbers)}"
        self.tenant(name)
        return Holder(self, name, self.key(tenant=name))


@dataclass
class Holder:
    """Somebody with a key, or with a token."""

    api: Served
    tenant: str
    key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    # what they ask

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        if self.token is None:
            return self.api.ask(path, self.key, method=method, **more)
        query = {**(more.pop("params", None) or {}), "token": self.token}
        return self.api.ask(path, method=method, params=query, **more)

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.ask("GET", path, params=query)

    def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        given = {} if body is None else {"json": body}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", path, headers=named, **given)

    def submit(self, **facts: Any) -> dict[str, Any]:
        answer = self.post("/jobs", {"request": REQUEST, **facts})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def listed(self, **query: Any) -> list[str]:
        """The ids of all pages of a list."""
        found: list[str] = []
        while True:
            answer = self.get("/jobs", **query)
            assert answer.status_code == 200, answer.text
            found += [one["id"] for one in answer.json()["jobs"]]
            if answer.json()["next"] is None:
                return found
            query["cursor"] = answer.json()["next"]

    def only(self, *scopes: Scope) -> "Holder":
        """With a key for no more than that."""
        return Holder(self.api, self.tenant, self.api.key(*scopes, tenant=self.tenant))

    def with_token(self, **whose: Any) -> "Holder":
        """With a come-back token alone."""
        return Holder(self.api, self.tenant, "", self.api.token(tenant=self.tenant, **whose))

    # what happens to what is theirs

    def jobs(self) -> int:
        """How many they have."""
        query = select(func.count()).select_from(schema.jobs).where(schema.jobs.c.tenant_id == self.tenant)
        with self.api.store.read() as tx:
            return int(tx.execute(query).scalar_one())

    def kept(self, **facts: Any) -> Job:
        """A job that was accepted."""
        (job,), _ = submit(self.api.context, [Submission(REQUEST, tenant_id=self.tenant, **facts)])
        return job

    def move(self, job: Job, state: State, **facts: Any) -> Job:
        """Let it be in another state, whatever the way there, and tell so."""
        with self.api.store.write() as tx:
            changes = {"state": state, "state_since": tx.now, "next_seq": job.next_seq + 1, **facts}
            assert jobs.move_if_still(tx, job, changes)
            moved = jobs.require(tx, job.id)
            events.append(tx, moved, Told.STATE, {"state": state})
        return moved

    def completed(self, **facts: Any) -> Job:
        """A job with an output on its way to the archive."""
        job = self.kept(**facts)
        with self.api.store.write() as tx:
            outputs.learn_all(tx, [(job.id, OutputSeen(0, "video/mp4", 7))])
        owe(self.api.store, 0, job_id=job.id, to=ARCHIVE)
        return self.move(job, State.COMPLETED, settled_at=job.accepted_at + 1, gateway_id=f"G-{job.id}")

    def archive(self, job: Job) -> None:
        """Its output came into the archive."""
        with self.api.store.write() as tx:
            locked = jobs.lock(tx, job.id)
            outputs.note(tx, job.id, 0, {"archived_at": tx.now, "sha256": "a" * 64, "bytes": 7})
            for one in hand_offs.of_job(tx, job.id):
                statement = update(schema.hand_offs).where(schema.hand_offs.c.id == one.id)
                tx.execute(statement.values(state=HandOffState.DONE, due_at=None, done_at=tx.now))
            events.append(tx, locked, Told.OUTPUT, {"index": 0})

    def dead(self, *, to: str = "folder", status: int = 503, owed_ago: float = 0, **facts: Any) -> int:
        """A hand-off that was given up; its id."""
        job = self.kept(**facts)
        with self.api.store.write() as tx:
            lanes.open_for(tx, [replace(job, destinations=(Route(to),))])
        (key,) = owe(self.api.store, 0, job_id=job.id, to=to)
        columns = schema.hand_offs.c
        given_up: dict[str, Any] = {
            "state": HandOffState.DEAD,
            "due_at": None,
            "last_error": "no",
            "last_status": status,
        }
        given_up["created_at"] = columns.created_at - owed_ago
        statement = update(schema.hand_offs).where(columns.key == key).values(**given_up)
        with self.api.store.write() as tx:
            return int(tx.execute(statement.returning(columns.id)).scalar_one())
