"""Everything that the API does, as methods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from orchestrator.client import asked, downloads
from orchestrator.client.asked import About, JobFilter, Told, Which
from orchestrator.client.connection import Answer, Call, Connection, Query
from orchestrator.client.event_stream import EventStream
from orchestrator.client.problems import NotFound
from orchestrator.client.surroundings import Surroundings
from orchestrator.core.access import Scope
from orchestrator.wire.access import Key, Keys, MadeKey, MadeToken, NewKey, NewToken, Whoami
from orchestrator.wire.jobs import (
    Cancelled,
    DeadLetter,
    DeadLetters,
    Finding,
    Findings,
    Job,
    JobPage,
    Jobs,
    NewJob,
    NewJobs,
    Replay,
    Replayed,
    ReplayOne,
    Resolution,
    Timeline,
    TimelineEntry,
)

LONGEST_POLL = 30.0  # seconds that the API is asked to hold back an answer
SHORTEST_POLL = 1.0  # seconds between two that it did not hold back
PAGE = 200


class Client:
    """The API at `url`, used with the key `key`; many threads may share one.

    `timeout` is in seconds, for each step of a request. What only reads, and what has an idempotency key, is
    sent up to five times where no answer comes, or 429, 502, 503 or 504. `traceparent` is asked before each
    request. Every method raises ApiError, which has a message, a hint and the API's code, or RequestError for
    what makes no sense.
    """

    def __init__(
        self,
        url: str,
        key: str | SecretStr,
        *,
        timeout: float = 30.0,
        transport: httpx.BaseTransport | None = None,
        traceparent: Callable[[], str | None] | None = None,
        around: Surroundings | None = None,
    ) -> None:
        self._around = around or Surroundings()
        self._connection = Connection(
            url,
            key if isinstance(key, SecretStr) else SecretStr(key),
            timeout=timeout,
            transport=transport,
            around=self._around,
            traceparent=traceparent,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._connection.close()

    def submit(
        self,
        request: Mapping[str, Any] | NewJob,
        *,
        idempotency_key: str | None = None,
        **about: Unpack[About],
    ) -> Job:
        """Submit one job. With an idempotency key of your own, the same call later returns the same job."""
        job = asked.new_job(request, about)
        return self._connection.ask(self._submission(job, idempotency_key), Job)

    def submit_many(self, jobs: Iterable[NewJob], *, idempotency_key: str | None = None) -> Iterator[Job]:
        """Submit many jobs while you read the result, a thousand per request, each all or nothing."""
        key = idempotency_key or self._around.new_key()
        for number, part in enumerate(asked.in_parts(jobs)):
            call = self._submission(NewJobs(jobs=part), f"{key}.{number}")
            yield from self._connection.ask(call, Jobs).jobs

    def job(self, job_id: str) -> Job:
        """One job."""
        return self._get(_job(job_id), Job)

    def by_reference(self, reference: str) -> Job:
        """The newest job with this reference of yours."""
        return self._get(f"/v1/jobs/by-reference/{_step(reference)}", Job)

    def jobs(self, **which: Unpack[JobFilter]) -> Iterator[Job]:
        """All jobs that match, the newest first; pages are fetched as needed."""
        query: dict[str, Any] = {**asked.query_of(which), "limit": PAGE}
        while True:
            page = self._get("/v1/jobs", JobPage, query)
            yield from page.jobs
            if page.next is None:
                return
            query["cursor"] = page.next

    def wait(self, job_id: str, timeout: float | None = None) -> Job:
        """The job, once it has ended and its outputs can be read, or a person must decide about it.

        After `timeout` seconds it returns the job as it is then: see `ready`.
        """
        clock, began = self._around.clock, self._around.clock()
        while True:
            asked_at = clock()
            left = LONGEST_POLL if timeout is None else max(0.0, timeout - (asked_at - began))
            seconds = min(left, LONGEST_POLL)
            call = Call("GET", _job(job_id), {"wait": f"{seconds:.3f}"}, repeatable=True, wait=seconds)
            job = self._connection.ask(call, Job)
            if job.ready or job.needs_person or seconds == left < LONGEST_POLL:
                return job
            if clock() - asked_at < SHORTEST_POLL:
                self._around.sleep(SHORTEST_POLL)

    def cancel(self, job_id: str) -> Cancelled:
        """Cancel a job. If the gateway already has it, it runs on and is billed: `billed` says so."""
        return self._connection.ask(Call("POST", f"{_job(job_id)}/cancel"), Cancelled)

    def retry(self, job_id: str, *, idempotency_key: str | None = None) -> Job:
        """Submit a job that did not complete again, as a new one."""
        headers = asked.idempotency(idempotency_key or self._around.new_key())
        call = Call("POST", f"{_job(job_id)}/retry", headers=headers, repeatable=True)
        return self._connection.ask(call, Job)

    def resolve(
        self, job_id: str, *, adopt: str | None = None, resubmit: bool = False, give_up: bool = False
    ) -> Job:
        """Settle an uncertain create with exactly one of the three. `resubmit` may pay twice."""
        said = {"adopt": adopt, "resubmit": resubmit or None, "give_up": give_up or None}
        wanted = {name: value for name, value in said.items() if value is not None}
        decision = asked.checked(Resolution, wanted)
        return self._connection.ask(Call("POST", f"{_job(job_id)}/resolve", body=asked.body(decision)), Job)

    def timeline(self, job_id: str) -> tuple[TimelineEntry, ...]:
        """Everything that was learned about a job, the oldest first."""
        return self._get(f"{_job(job_id)}/timeline", Timeline).entries

    def findings(self, job_id: str) -> tuple[Finding, ...]:
        """Everything that went wrong with a job, whose fault it was, and a text for support."""
        return self._get(f"{_job(job_id)}/findings", Findings).findings

    def events(
        self, job_id: str | None = None, *, last_event_id: str | None = None, **which: Unpack[Told]
    ) -> EventStream:
        """What happens to a job, from its beginning until it is over; or to all jobs, or some, from now on.

        With `last_event_id`, it continues after that event. Close it, or use it in a `with`.
        """
        path = "/v1/events" if job_id is None else f"{_job(job_id)}/events"
        return EventStream(self._connection, path, asked.query_of_events(which), last_event_id)

    def output(self, job_id: str, index: int = 0) -> Iterator[bytes]:
        """The bytes of an output, in order; ContentError at their end if they are not what they should be."""
        found = next((one for one in self.job(job_id).outputs if one.index == index), None)
        if found is None:
            raise NotFound(f"job {job_id} has no output {index}", hint="not yet, or it will never have one")
        yield from downloads.chunks(self._connection, f"{_job(job_id)}/outputs/{index}", found)

    def save_output(self, job_id: str, index: int, path: str | Path) -> Path:
        """Save an output as a file, complete and checked, or not at all. An older file there is replaced."""
        downloads.save(self.output(job_id, index), Path(path))
        return Path(path)

    def dead_letters(self, **which: Unpack[Which]) -> Iterator[DeadLetter]:
        """Hand-offs that were given up, the latest first."""
        query: dict[str, Any] = {**which, "limit": PAGE}
        while True:
            page = self._get("/v1/dead-letters", DeadLetters, query)
            yield from page.dead_letters
            if page.next is None:
                return
            query["cursor"] = page.next

    def replay(self, *, as_new: bool = False, **which: Unpack[Which]) -> int:
        """Retry hand-offs that were given up, all or some. Returns how many."""
        said = {**which, "as_new": as_new}
        call = Call("POST", "/v1/dead-letters/replay", body=asked.body(asked.checked(Replay, said)))
        replayed, more = 0, True
        while more:
            part = self._connection.ask(call, Replayed)
            replayed, more = replayed + part.replayed, part.more
        return replayed

    def replay_hand_off(self, hand_off_id: int, *, as_new: bool = False) -> None:
        """Retry one hand-off; with `as_new` also one that was done, as something new."""
        body = asked.body(ReplayOne(as_new=as_new))
        self._connection.send(Call("POST", f"/v1/hand-offs/{hand_off_id}/replay", body=body))

    def keys(self) -> tuple[Key, ...]:
        """The keys of your tenant, including revoked ones."""
        return self._get("/v1/keys", Keys).keys

    def make_key(
        self, name: str, scopes: Iterable[Scope], *, expires_in_seconds: float | None = None
    ) -> MadeKey:
        """Make an API key. Its secret, `key`, is shown only this once."""
        values = {"name": name, "scopes": frozenset(scopes), "expires_in_seconds": expires_in_seconds}
        call = Call("POST", "/v1/keys", body=asked.body(asked.checked(NewKey, values)))
        return self._connection.ask(call, MadeKey)

    def revoke_key(self, key_id: str) -> Key:
        """Revoke a key."""
        return self._connection.ask(Call("DELETE", f"/v1/keys/{_step(key_id)}"), Key)

    def make_token(
        self, *, job_id: str | None = None, end_user: str | None = None, expires_in_seconds: float = 86_400
    ) -> MadeToken:
        """Make a come-back token, for one job or for all jobs of one end user. It is shown only this once."""
        values = {"job_id": job_id, "end_user": end_user, "expires_in_seconds": expires_in_seconds}
        call = Call("POST", "/v1/tokens", body=asked.body(asked.checked(NewToken, values)))
        return self._connection.ask(call, MadeToken)

    def revoke_token(self, token_id: str) -> None:
        """Revoke a token."""
        self._connection.send(Call("DELETE", f"/v1/tokens/{_step(token_id)}"))

    def whoami(self) -> Whoami:
        """Whose key this is, and what it may be used for."""
        return self._get("/v1/whoami", Whoami)

    def _submission(self, what: NewJob | NewJobs, key: str | None) -> Call:
        headers = asked.idempotency(key or self._around.new_key())
        return Call("POST", "/v1/jobs", body=asked.body(what), headers=headers, repeatable=True)

    def _get(self, path: str, kind: type[Answer], query: Query | None = None) -> Answer:
        return self._connection.ask(Call("GET", path, query or {}, repeatable=True), kind)


def _job(job_id: str) -> str:
    return f"/v1/jobs/{_step(job_id)}"


def _step(name: str) -> str:
    """One step of a path, whatever it is: `..` would lead elsewhere."""
    return quote(name, safe="").replace(".", "%2E")
