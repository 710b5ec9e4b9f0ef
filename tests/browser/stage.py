"""An orchestrator on a sandbox gateway with a job in every condition, for browsers and for screenshots.

Whatever an action changes is there several times: once for each browser that does it.
"""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator import wiring
from orchestrator.core.access import Scope
from orchestrator.core.lifecycle import State
from orchestrator.core.vault import new_key
from orchestrator.engine import granting
from orchestrator.engine.submit import Submission
from orchestrator.store import dead_letters, destinations, inbox, tenants
from orchestrator.store.dead_letters import Matching
from orchestrator.store.inbox import EntryState
from orchestrator.store.schema import DEFAULT
from tests.acceptance import callers, hooks
from tests.acceptance.database import Database, wanted
from tests.acceptance.orchestrator import Orchestrator
from tests.acceptance.receiving import SignedCalls
from tests.acceptance.sandbox import SECRET, Sandbox
from tests.acceptance.waiting import until
from tests.signing import signature

SIGNED_WITH = "whsec_" + base64.b64encode(b"k" * 32).decode()
RECEIVERS = ("pipeline", "partner")  # one for each browser
FEW, FOR_MANY = "studio", "printer"  # fail too, and too seldom to be shut
UNCERTAIN = 7
PROMPTS = ("A red fox in the snow at dawn", "Waves at a lighthouse", "A paper boat in the rain")


@dataclass
class Stage:
    """What runs, and the ids of what was put there, by the names of their conditions."""

    sandbox: Sandbox
    orchestrator: Orchestrator
    receivers: dict[str, SignedCalls]
    operator: str = field(repr=False, default="")
    reader: str = field(repr=False, default="")
    jobs: dict[str, list[str]] = field(default_factory=dict)
    entries: dict[str, list[int]] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        return self.orchestrator.database

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.orchestrator.port}"

    def one(self, condition: str) -> str:
        """A job in this condition that no test changes."""
        return self.jobs[condition][0]

    def take(self, condition: str) -> str:
        """A job in this condition, to be changed: nobody else gets it."""
        return self.jobs[condition].pop()

    def take_entry(self, kind: str) -> int:
        """An entry of the inbox, or a rejected one, to be replayed: nobody else gets it."""
        return self.entries[kind].pop()


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """The stage, set up, until this is left."""
    receivers = {name: SignedCalls(SIGNED_WITH) for name in (*RECEIVERS, FEW, FOR_MANY)}
    sandbox = Sandbox(folder, "sandbox")
    orchestrator = Orchestrator(
        folder,
        sandbox.url,
        destinations_file=_destinations(folder, receivers),
        secret_keys=new_key(),
        hand_off_attempts=2,
        uncertain_wait_seconds=0.5,
    )
    stage = Stage(sandbox, orchestrator, receivers)
    try:
        sandbox.call(orchestrator.receiver)
        orchestrator.start()
        _fill(stage)
        yield stage
    finally:
        orchestrator.end()
        sandbox.end()
        for one in receivers.values():
            one.close()


def _destinations(folder: Path, receivers: dict[str, SignedCalls]) -> Path:
    secret = folder / "secret"
    secret.write_text(SIGNED_WITH)
    tables = [f'[destinations.videos]\ntype = "folder"\npath = "{folder / "outputs"}"\n']
    tables += [
        f'[destinations.{name}]\ntype = "webhook"\nurl = "{one.url}?token=nobody-may-see-it"\n'
        f'secrets = [{{ file = "{secret}" }}]\nallow = ["127.0.0.0/8"]\nallow_http = true\ndefault = false\n'
        for name, one in receivers.items()
    ]
    (folder / "outputs").mkdir()
    path = folder / "destinations.toml"
    path.write_text("\n".join(tables))
    return path


def _fill(stage: Stage) -> None:
    database = stage.database
    stage.operator = _key(database)
    stage.reader = callers.new_key(database, [Scope.READ])
    with database.store.write() as tx:
        tenants.add_once(tx, "acme")
    for receiver in stage.receivers.values():
        receiver.refuse = 10**6
    stage.sandbox.create(outcome="never")  # a job of the gateway's that is none of ours
    _submit(stage)
    _receive(stage)
    _wait(stage)


def _key(database: Database) -> str:
    """For everything, of somebody with a name."""
    _, whole = granting.make_key(database.store, wiring.chance, DEFAULT, name="Robin", scopes=tuple(Scope))
    return whole.get_secret_value()


def _submit(stage: Stage) -> None:
    quick = 0.2
    kinds: dict[str, list[Submission]] = {
        "to cancel": [replace(_asked(outcome="never"), reference=f"unwanted {n % 2}") for n in range(4)],
        "to retry": [
            replace(_asked(duration=quick, outcome="failed"), reference=f"again {n % 2}") for n in range(4)
        ],
        f"to {FEW}": [replace(_asked(duration=quick), destinations=(FEW,))] * 2,
        "by hook": [_asked(duration=quick)] * 6,
        "by look": [_asked(duration=quick, webhook_lose="all")] * 2,
        "failed": [_asked(duration=quick, outcome="failed")] * 4,
        "expired": [_asked(duration=quick, outcome="expired")],
        "rejected": [_asked(create_error="unsupported_model")],
        "waiting": [_asked(outcome="never")] * 11,
        "uncertain": [_asked(create_error="cut")] * UNCERTAIN,
        "another tenant's": [replace(_asked(duration=quick), tenant_id="acme")],
    }
    kinds[f"to {FOR_MANY}"] = [
        replace(_asked(duration=quick), destinations=(FOR_MANY,), reference=f"lost {n}") for n in range(2)
    ]
    for name in RECEIVERS:
        kinds[f"to {name}"] = [replace(_asked(duration=quick), destinations=(name,))] * 4
    asked = [(name, one) for name, some in kinds.items() for one in some]
    told = [
        replace(one, reference=one.reference or f"order {number}") for number, (_, one) in enumerate(asked, 1)
    ]
    for (name, _), job_id in zip(asked, stage.database.submit(*_various(told)), strict=True):
        stage.jobs.setdefault(name, []).append(job_id)


def _asked(**switches: Any) -> Submission:
    return wanted(**switches)


def _various(some: list[Submission]) -> list[Submission]:
    """With prompts that a person can tell apart."""
    return [
        replace(one, request={**one.request, "prompt": PROMPTS[number % len(PROMPTS)]})
        for number, one in enumerate(some)
    ]


def _receive(stage: Stage) -> None:
    """What the inbox has besides what the sandbox sends."""
    to = stage.orchestrator.receiver
    for _ in range(3):
        hooks.send(to, "whsec_" + "x" * 44, "G-01FORGED00000000000000000", "video.completed", "completed")
    hooks.send(to, SECRET, "G-01UNKNOWN0000000000000000", "video.completed", "completed")
    hooks.send(to, SECRET, "G-01BATCH000000000000000000", "batch.completed", "completed")


def _wait(stage: Stage) -> None:
    database, jobs = stage.database, stage.jobs
    ended = [
        *jobs["to retry"],
        *jobs[f"to {FEW}"],
        *jobs[f"to {FOR_MANY}"],
        *jobs["by hook"],
        *jobs["by look"],
        *jobs["failed"],
        *jobs["expired"],
        *jobs["rejected"],
    ]
    database.wait([*ended, *jobs["another tenant's"]])
    for job in jobs["uncertain"]:
        database.wait_for(job, "it waits for a person", lambda job: job.needs_person)
    for job in (*jobs["waiting"], *jobs["to cancel"]):
        database.wait_for(job, "the gateway has it", lambda job: job.state is State.WAITING)
    for name in RECEIVERS:
        until(f"{name} is shut, and has dead letters", partial(_is_shut, database, name))
    stage.entries["not applied"] = [_kept(stage, stage.take("waiting"), number) for number in range(2)]
    stage.entries["rejected"] = [_rejected(stage, stage.take("waiting"), number) for number in range(3)]


def _is_shut(database: Database, name: str) -> bool:
    with database.store.read() as tx:
        failing = destinations.failing(tx).get(name)
        dead = dead_letters.count(tx, None, Matching(name))
        return failing is not None and failing.shut_until is not None and dead > 0


def _kept(stage: Stage, job_id: str, number: int) -> int:
    """A webhook that is in the inbox, and whose effect on its job was lost, as by a restored backup."""
    job = stage.database.job(job_id)
    body = _failed(str(job.gateway_id), f"evt_lost_{number}")
    with stage.database.store.write() as tx:
        facts: dict[str, Any] = {"account_id": job.account_id, "event_key": f"evt_lost_{number}"}
        facts |= {"type": "video.failed", "gateway_id": job.gateway_id, "session_id": None, "job_id": job_id}
        facts |= {"state": EntryState.APPLIED, "headers": {"x-phaseo-attempt": "1"}, "body": body}
        return inbox.remember_all_once(tx, [facts])[0][0]


def _rejected(stage: Stage, job_id: str, number: int) -> int:
    """A webhook that was not believed, and is signed by a secret that is live by now."""
    job = stage.database.job(job_id)
    body, at = _failed(str(job.gateway_id), f"evt_refused_{number}"), str(int(time.time()))
    headers = {"x-phaseo-timestamp": at, "x-phaseo-signature": signature(SECRET, at, body).hex()}
    facts = {"account_id": job.account_id, "reason": "forged", "detail": "no live secret made this signature"}
    with stage.database.store.write() as tx:
        inbox.reject(tx, {**facts, "headers": headers, "body": body, "truncated": False}, keep=500)
        return max(one.id for one in inbox.recent_rejections(tx, limit=1))


def _failed(gateway_id: str, event: str) -> bytes:
    told = {"id": event, "type": "video.failed", "data": {"id": gateway_id, "status": "failed"}}
    return json.dumps(told).encode()
