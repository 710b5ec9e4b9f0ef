"""Jobs in a database that this machine reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from time import sleep
from typing import TYPE_CHECKING, Any

from orchestrator.cli.following import EVERY, in_database
from orchestrator.cli.reached import Decided, Kept, Letters, Listed, Some, Wanted, Which, Whole
from orchestrator.core.events import Told
from orchestrator.core.job import Job, Output
from orchestrator.core.learned.paces import Why
from orchestrator.core.lifecycle import State
from orchestrator.core.routes import Route
from orchestrator.engine import blaming, standing
from orchestrator.engine.standing import Standing
from orchestrator.errors import ContentMissing
from orchestrator.store import attempts, dead_letters, events, job_lists, observations, outputs, tenants
from orchestrator.store.database import Store, Transaction
from orchestrator.store.dead_letters import Matching
from orchestrator.store.schema import DEFAULT

if TYPE_CHECKING:
    from orchestrator.engine.context import Context
    from orchestrator.wire import events as wire

AT_ONCE = 500  # events read by one query


class LocalJobs:
    """The use-cases, called here. What they would send goes nowhere: `up` and workers notice the commit."""

    every = EVERY

    def __init__(
        self, store: Store, build: Callable[[], Context], pause: Callable[[float], object] = sleep
    ) -> None:
        self._store = store
        self._build = build
        self._pause = pause

    @cached_property
    def _context(self) -> Context:
        """Built for the first who acts: whoever only reads needs none, and loads half as much."""
        return self._build()

    def keep(self, wanted: Wanted, count: int) -> list[Kept]:
        from orchestrator.engine.submit import Submission, submit

        submission = Submission(
            request=wanted.request,
            reference=wanted.reference,
            end_user=wanted.end_user,
            account=wanted.account,
            metadata=wanted.metadata,
            updates=wanted.updates,
            destinations=tuple(self._route(one, wanted) for one in wanted.to) or None,
            deadline_seconds=wanted.deadline,
        )
        made, _ = submit(self._context, [submission] * count)
        return [_kept(job) for job in made]

    def _route(self, named: str, wanted: Wanted) -> Route | str:
        name, found, how = named.partition(":")
        known = self._context.destinations.get(name)
        if known is None:
            return name  # refused with the names of those that there are
        said: dict[str, Any] = {"link": how == "links"} if found else {}
        return replace(known.route, **said | ({"outcomes": tuple(wanted.on)} if wanted.on else {}))

    def find(self, name: str) -> Job:
        with self._store.read() as tx:
            return standing.find(tx, name)

    def unfinished(self, limit: int) -> list[str]:
        with self._store.read() as tx:
            return [job.id for job in job_lists.unfinished(tx, limit=limit)]

    def standings(self, job_ids: Sequence[str]) -> Sequence[Standing]:
        return in_database(self._store)(job_ids)

    def latest(self, which: Some, limit: int) -> Listed:
        states, called = which.states, {"reference": which.reference, "end_user": which.end_user}
        with self._store.read() as tx:
            found = job_lists.recent(tx, limit=limit, states=states or None, blame=which.blame, **called)
            counts = job_lists.counts(tx, blame=which.blame, **called)
            why = standing.why_held(tx)
        accepted = [job for job in found if job.state is State.ACCEPTED and job.tenant_id in why]
        held = {job.id: why[job.tenant_id] for job in accepted}
        there = sum(counts[state] for state in states or counts if state in counts)
        beyond = f"{len(found)} of {there}" if there > len(found) else ""
        return Listed(found, held, beyond, tx.now, [_document(job, held) for job in found])

    def whole(self, name: str, *, raw: bool) -> Whole:
        from orchestrator.cli.job_page import as_document  # with rich, which `submit` does without

        with self._store.read() as tx:
            job = standing.find(tx, name)
            found = standing.read(tx, [job.id])[0]
            timeline, tries = observations.of_job(tx, job.id), attempts.of_job(tx, job.id)
            wrong = blaming.of_job(tx, job)
            why = self._why(tx, job)
        document = as_document(found, timeline, tries, wrong, raw=raw)
        return Whole(found, timeline, tries, wrong, document, why)

    def _why(self, tx: Transaction, job: Job) -> Why | None:
        if job.state is not State.WAITING:
            return None
        from orchestrator.engine.explaining import next_of  # numpy, which most commands do without

        following = next_of(tx, self._context, job)
        return None if following is None else following.chosen.why

    def cancel(self, job_id: str) -> None:
        from orchestrator.engine import resolve

        resolve.cancel(self._context, job_id)

    def retry(self, job_id: str) -> Kept:
        from orchestrator.engine import retry

        return _kept(retry.retry(self._context, DEFAULT, job_id).jobs[0])

    def adopt(self, job_id: str, gateway_id: str) -> None:
        from orchestrator.engine import resolve

        resolve.adopt(self._context, job_id, gateway_id)

    def resubmit(self, job_id: str) -> None:
        from orchestrator.engine import resolve

        resolve.resubmit(self._context, job_id)

    def give_up(self, job_id: str) -> None:
        from orchestrator.engine import resolve

        resolve.give_up(self._context, job_id)

    def decided(self, job_id: str) -> Decided:
        found = self.standings([job_id])[0]
        cancelled = found.job.cancel_requested_at is not None
        document = {"id": found.job.id, "state": found.job.state, "cancel_requested": cancelled}
        return Decided(found, document)

    def dead_letters(self, which: Which, limit: int) -> Letters:
        with self._store.read() as tx:
            wanted = _matching(which)
            found = dead_letters.latest(tx, DEFAULT, wanted, limit=limit)
            there = dead_letters.count(tx, DEFAULT, wanted)
        beyond = f"{len(found)} of {there}" if there > len(found) else ""
        return Letters(found, beyond, tx.now, found)

    def count_dead(self, which: Which) -> int:
        with self._store.read() as tx:
            return dead_letters.count(tx, DEFAULT, _matching(which))

    def replay_dead(self, which: Which, *, as_new: bool) -> int:
        from orchestrator.engine import replay

        return replay.replay_dead(self._context, DEFAULT, _matching(which), as_new=as_new)[0]

    def replay_hand_off(self, hand_off_id: int, *, as_new: bool) -> None:
        from orchestrator.engine import replay

        replay.replay_hand_off(self._context, hand_off_id, as_new=as_new)

    def outputs(self, job_id: str) -> Sequence[Output]:
        with self._store.read() as tx:
            return outputs.of_job(tx, job_id)

    def content(self, job_id: str, output: Output) -> Iterator[bytes]:
        if output.archived_at is None or output.sha256 is None:
            raise ContentMissing(
                f"output {output.index} of {job_id} is not in the archive",
                hint="`orchestrator show` says why",
            )
        yield from self._context.archive.read(output.sha256)

    def events(self, job_id: str | None, tenant: str) -> Iterator[wire.Event]:
        return self._of_all(tenant) if job_id is None else self._of_job(job_id)

    def _of_job(self, job_id: str) -> Iterator[wire.Event]:
        seq = 0
        while True:
            over = self.standings([job_id])[0].over  # before it is read: what it says last is read then
            with self._store.read() as tx:
                some = events.of_job(tx, job_id, after=seq, limit=AT_ONCE)
            yield from (_event(one) for one in some)
            if not some and over:
                return
            seq = some[-1].seq if some else seq
            self._pause(0 if some else EVERY)

    def _of_all(self, tenant: str) -> Iterator[wire.Event]:
        with self._store.read() as tx:
            tenants.get(tx, tenant)  # raises NotFound, or nothing would ever be told
            position = events.now(tx)
        while True:
            with self._store.read() as tx:
                some = events.of_tenant(tx, tenant, after=position, limit=AT_ONCE)
            yield from (_event(one) for one in some)
            position = some[-1].position if some else position
            self._pause(0 if some else EVERY)


def _matching(which: Which) -> Matching:
    return Matching(which.destination, which.outcome, which.within, which.status)


def _kept(job: Job) -> Kept:
    return Kept(job.id, {"id": job.id, "state": job.state, "reference": job.reference})


def _document(job: Job, held: dict[str, str]) -> dict[str, Any]:
    told = (
        "id reference state gateway_id gateway_status progress won_by looks webhooks clashes needs_person "
        "accepted_at settled_at deadline_at model provider blame failure request_id"
    )
    return {name: getattr(job, name) for name in told.split()} | {"held": held.get(job.id)}


def _event(one: events.Entry) -> wire.Event:
    from orchestrator.wire import events as wire

    facts = dict(one.data)
    state = facts.pop("state", None) if one.type is Told.STATE else None  # a hand-off has one of its own
    told = {"job_id": one.job_id, "seq": one.seq, "type": one.type, "at": one.at}
    return wire.Event.model_validate({**told, "state": state, "data": facts})
