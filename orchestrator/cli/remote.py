"""Jobs behind the API of an orchestrator elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from pydantic import BaseModel, SecretStr

from orchestrator.cli import told
from orchestrator.cli.keys import require_no_tenant
from orchestrator.cli.reached import Decided, Kept, Letters, Listed, Some, Wanted, Which, Whole
from orchestrator.client import Client, NotFound, asked
from orchestrator.client.asked import checked
from orchestrator.core.job import Job, Output
from orchestrator.core.lifecycle import SETTLED, State
from orchestrator.engine.standing import Standing
from orchestrator.errors import SettingError
from orchestrator.wire.events import Event
from orchestrator.wire.jobs import DeadLetter, NewJob, NewRoute
from orchestrator.wire.jobs import Job as JobTold

ENDED_LATELY = 1_000  # jobs: the newest ones that ended, among which are those that are not handed off yet


def connected(url: str, key: SecretStr) -> Client:
    """The client for this URL. Raises SettingError without a key."""
    if not key.get_secret_value():
        raise SettingError(
            "there is no API key",
            hint="put it into ORCHESTRATOR_API_KEY; `orchestrator keys make` makes one beside the database",
        )
    return Client(url, key)


class RemoteJobs:
    """The API, asked. A name is an id or a reference there. `clock` has epoch seconds."""

    every = 1.0

    def __init__(self, client: Client, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock

    def keep(self, wanted: Wanted, count: int) -> list[Kept]:
        about = {
            "request": wanted.request,
            "reference": wanted.reference,
            "end_user": wanted.end_user,
            "account": wanted.account,
            "metadata": wanted.metadata,
            "updates": wanted.updates,
            "destinations": tuple(_route(one, wanted) for one in wanted.to) or None,
            "deadline_seconds": wanted.deadline,
        }
        job = checked(NewJob, about)
        return [_kept(one) for one in self._client.submit_many([job] * count)]

    def find(self, name: str) -> Job:
        return told.job(self._find(name))

    def _find(self, name: str) -> JobTold:
        for ask in (self._client.job, self._client.by_reference) if name else ():
            try:
                return ask(name)
            except NotFound:
                continue
        raise NotFound(
            f"there is no job {name}",
            hint="name its whole id or your reference; `orchestrator jobs` lists them",
        )

    def unfinished(self, limit: int) -> list[str]:
        going = [state for state in State if state not in SETTLED]
        found = list(islice(self._client.jobs(states=going), limit))
        # After the others: what settles in between is in both, and not in neither.
        ended = islice(self._client.jobs(states=sorted(SETTLED)), ENDED_LATELY)
        found += [job for job in ended if not job.over]
        return sorted({job.id for job in found})[:limit]

    def standings(self, job_ids: Sequence[str]) -> Sequence[Standing]:
        return [told.standing(self._client.job(job_id), self._clock()) for job_id in job_ids]

    def latest(self, which: Some, limit: int) -> Listed:
        meant = self._client.jobs(
            states=which.states, reference=which.reference, end_user=which.end_user, blame=which.blame
        )
        found = list(islice(meant, limit + 1))
        beyond = f"the newest {limit}" if len(found) > limit else ""
        shown = found[:limit]
        held = {job.id: job.held for job in shown if job.held}
        return Listed([told.job(job) for job in shown], held, beyond, self._clock(), _documents(shown))

    def whole(self, name: str, *, raw: bool) -> Whole:
        found = self._find(name)
        entries = self._client.timeline(found.id)
        timeline = [told.recorded(found.id, entry) for entry in entries]
        wrong = self._client.findings(found.id)
        document = {
            "job": _document(found),
            "timeline": _documents(entries),
            "findings": _documents(wrong),
        }
        findings = [told.finding(one) for one in wrong]
        return Whole(told.standing(found, self._clock()), timeline, (), findings, document)

    def cancel(self, job_id: str) -> None:
        self._client.cancel(job_id)

    def retry(self, job_id: str) -> Kept:
        return _kept(self._client.retry(job_id))

    def adopt(self, job_id: str, gateway_id: str) -> None:
        self._client.resolve(job_id, adopt=gateway_id)

    def resubmit(self, job_id: str) -> None:
        self._client.resolve(job_id, resubmit=True)

    def give_up(self, job_id: str) -> None:
        self._client.resolve(job_id, give_up=True)

    def decided(self, job_id: str) -> Decided:
        found = self._client.job(job_id)
        return Decided(told.standing(found, self._clock()), _document(found))

    def dead_letters(self, which: Which, limit: int) -> Letters:
        found = list(islice(self._dead(which), limit + 1))
        beyond = f"the latest {limit}" if len(found) > limit else ""
        letters = [told.hand_off(one.job_id, one) for one in found[:limit]]
        return Letters(letters, beyond, self._clock(), _documents(found[:limit]))

    def count_dead(self, which: Which) -> int:
        return sum(1 for _ in self._dead(which))

    def _dead(self, which: Which) -> Iterator[DeadLetter]:
        return self._client.dead_letters(**_asked(which))

    def replay_dead(self, which: Which, *, as_new: bool) -> int:
        return self._client.replay(as_new=as_new, **_asked(which))

    def replay_hand_off(self, hand_off_id: int, *, as_new: bool) -> None:
        self._client.replay_hand_off(hand_off_id, as_new=as_new)

    def outputs(self, job_id: str) -> Sequence[Output]:
        return told.standing(self._client.job(job_id), self._clock()).outputs

    def content(self, job_id: str, output: Output) -> Iterator[bytes]:
        return self._client.output(job_id, output.index)

    def events(self, job_id: str | None, tenant: str) -> Iterator[Event]:
        require_no_tenant(tenant)
        with self._client.events(job_id) as events:
            yield from events


def _route(named: str, wanted: Wanted) -> NewRoute | str:
    """A destination with what was said of it, the rest being as it is configured there."""
    name, found, how = named.partition(":")
    if not found and not wanted.on:
        return name
    deliver = {"links": "link", "files": "files"}.get(how) if found else None
    return checked(NewRoute, {"to": name, "deliver": deliver, "outcomes": tuple(wanted.on) or None})


def _asked(which: Which) -> asked.Which:
    return {
        "destination": which.destination,
        "outcome": which.outcome,
        "status": which.status,
        "within_seconds": which.within,
    }


def _kept(job: JobTold) -> Kept:
    return Kept(job.id, _document(job))


def _document(told: BaseModel) -> dict[str, Any]:
    return told.model_dump(mode="json")


def _documents(told: Sequence[BaseModel]) -> list[dict[str, Any]]:
    return [_document(one) for one in told]
