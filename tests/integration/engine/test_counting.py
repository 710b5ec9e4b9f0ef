"""What the use-cases count, and what is read from rows for whoever watches."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from orchestrator.core.blame import Fault
from orchestrator.core.drift import DriftKind, Place
from orchestrator.core.job import Observation, Source
from orchestrator.core.lifecycle import Seen, State
from orchestrator.core.tracing import Part, Span, Trace, trace_of
from orchestrator.engine import resolve, spans
from orchestrator.engine.gauges import MOST_IN_LINE, Gauges
from orchestrator.engine.observe import observe
from orchestrator.errors import BadAnswer
from orchestrator.gateway.client import Gateway
from orchestrator.metrics import DECLARED, REGISTRY
from orchestrator.store import due_jobs, gauges
from orchestrator.telemetry import Event
from tests.integration.engine.harness import Engine, completed
from tests.sandbox.harness import Receiver

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Counts:
    """By how much numbers have grown since this was made: other tests of this process count too."""

    def __init__(self) -> None:
        self._before = dict(self._all())

    def _all(self) -> Iterator[tuple[tuple[str, ...], float]]:
        for family in REGISTRY.collect():
            for one in family.samples:
                yield (one.name, *(str(value) for value in one.labels.values())), one.value

    def of(self, name: str, *labels: str) -> float:
        key = (f"orchestrator_{name}", *labels)
        return dict(self._all()).get(key, 0.0) - self._before.get(key, 0.0)


class Collected:
    """Stands where spans are told to."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def tell(self, span: Span) -> None:
        self.spans.append(span)

    def sampled(self, trace: Trace) -> bool:
        return True

    def close(self) -> None:
        pass

    def parts(self, job_id: str) -> list[Part]:
        return [span.part for span in self.spans if span.trace.job_id == job_id]


@pytest.fixture
def counts() -> Counts:
    return Counts()


def collect(engine: Engine) -> Collected:
    collected: Any = Collected()
    engine.context.spans = collected
    return collected  # type: ignore[no-any-return]  # it is what it was made as


def test_a_job_is_counted_at_each_of_its_steps(engine: Engine, counts: Counts) -> None:
    job_id = completed(engine)
    engine.hand_off_all()
    job = engine.job(job_id)
    assert counts.of("jobs_accepted_total") == 1
    assert counts.of("create_seconds_count", "created") == 1
    assert counts.of("jobs_moved_total", "accepted", "creating", "create") == 1
    assert counts.of("jobs_moved_total", "waiting", "completed", str(job.won_by)) == 1
    assert counts.of("jobs_ended_total", "completed", "nobody", str(job.won_by)) == 1
    assert counts.of("job_seconds_count", "completed") == 1
    assert counts.of("looks_total", "no_data", "ended") == 1
    assert counts.of("look_call_seconds_count") == job.looks == 1
    assert counts.of("hand_offs_total", "archive", "archive", "done") == 1
    assert counts.of("hand_offs_total", "output", "folder", "done") == 1
    assert counts.of("known_to_handed_off_seconds_count", "output") == 1
    assert counts.of("archived_bytes_total") == engine.outputs(job_id)[0].bytes


def test_what_is_rolled_back_is_not_counted(engine: Engine, counts: Counts) -> None:
    job_id = engine.created()
    late = Observation(Source.CLOCK, Seen.DEADLINE)
    with suppress(ZeroDivisionError), engine.store.write() as tx:
        observe(engine.context, tx, job_id, late)
        raise ZeroDivisionError
    assert counts.of("jobs_ended_total", "timed_out", "deadline", "clock") == 0
    with engine.store.write() as tx:
        observe(engine.context, tx, job_id, late)
    assert counts.of("jobs_ended_total", "timed_out", "deadline", "clock") == 1


def test_webhooks_are_counted_by_what_became_of_them(hooked: Engine, hooks: Receiver, counts: Counts) -> None:
    job_id = hooked.created()
    hook = hooks.wait(1)[0]
    hooked.receive(hook)
    assert counts.of("webhook_seconds_count", "applied") == 1
    forged = type(hook)(**{**vars(hook), "headers": {**hook.headers, "x-phaseo-signature": "0" * 64}})
    hooked.receive(forged)
    assert counts.of("webhook_seconds_count", "rejected") == 1
    assert counts.of("webhooks_rejected_total", "forged") == 1
    assert hooked.job(job_id).webhooks == 1


def test_a_bad_end_is_counted_with_whose_doing_it_is(engine: Engine, counts: Counts) -> None:
    engine.look_when_due(engine.created(outcome="failed"))
    ended = sum(counts.of("jobs_ended_total", State.FAILED, Fault.PROVIDER, source) for source in Source)
    assert ended == 1


def test_what_jobs_meet_and_what_the_contract_does_not_foresee_is_counted_once_it_is_kept(
    engine: Engine, counts: Counts
) -> None:
    job_id = engine.created(outcome="never", status_word="rendering", get_502=1)
    engine.look_when_due(job_id)
    assert counts.of("faults_total", Fault.POLL_FAULT) == 1
    for _ in range(2):
        engine.look_when_due(job_id)
    assert counts.of("drift_total", DriftKind.STATUS, Place.LOOK) == 0
    engine.context.drifts.keep(engine.store)
    assert counts.of("drift_total", DriftKind.STATUS, Place.LOOK) == 2


def test_the_parts_of_a_job_are_told_each_once_as_they_end(engine: Engine) -> None:
    told = collect(engine)
    job_id = completed(engine, traceparent=TRACEPARENT)
    engine.hand_off_all()
    parts = told.parts(job_id)
    assert parts == [Part.SUBMIT, Part.CREATE, Part.JOB, Part.LOOK, Part.HAND_OFF, Part.HAND_OFF]
    assert len({span.id for span in told.spans}) == len(parts)
    assert {span.trace.id for span in told.spans} == {TRACEPARENT.split("-")[1]}
    job = engine.job(job_id)
    own = next(span for span in told.spans if span.part is Part.JOB)
    assert (own.began, own.ended, own.failed) == (job.accepted_at, job.settled_at, None)
    assert all("prompt" not in str(span.facts) for span in told.spans)


def test_where_no_trace_is_told_the_submitters_goes_on(engine: Engine) -> None:
    with_one, without = (engine.job(engine.submit(traceparent=given)) for given in (TRACEPARENT, None))
    assert spans.outgoing(engine.context, with_one, Part.CREATE, "any") == TRACEPARENT
    assert spans.outgoing(engine.context, without, Part.CREATE, "any") is None
    collect(engine)
    sent = spans.outgoing(engine.context, with_one, Part.CREATE, "any")
    assert sent is not None
    assert sent[:36] == TRACEPARENT[:36]
    assert sent != TRACEPARENT, "our own span is the parent of what follows from the call"


def test_spans_survive_a_process_that_dies_between_them(engine: Engine) -> None:
    told = collect(engine)
    job_id = engine.created()
    engine.die_and_start_again()
    again = collect(engine)
    engine.look_when_due(job_id)
    first, second = told.spans[0], again.spans[-1]
    assert first.trace == second.trace == trace_of(job_id, None)
    assert first.parent == second.parent == next(one.id for one in again.spans if one.part is Part.JOB)


def test_what_the_gateway_repeats_of_a_request_is_in_no_span_and_in_no_log(
    engine: Engine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = "A lighthouse keeper named Aurelia walks through the storm"
    echoed = BadAnswer(f"HTTP 502: cannot make '{prompt}'", status=502)

    async def look(*_: object) -> Observation:
        raise echoed

    told = collect(engine)
    job_id = engine.created({"prompt": prompt})
    monkeypatch.setattr(Gateway, "look", look)
    with caplog.at_level(logging.INFO, "orchestrator"):
        engine.look_when_due(job_id)
    (failed,) = [span.failed for span in told.spans if span.part is Part.LOOK]
    (logged,) = [vars(one)["facts"]["error"] for one in caplog.records if one.msg == Event.LOOK_FAILED]
    assert failed == logged == "HTTP 502: cannot make '[of the request]'"


def test_a_job_that_a_list_or_the_clock_ends_says_so(engine: Engine) -> None:
    told = collect(engine)
    job_id = engine.created(outcome="never", duration=10_000_000)
    engine.later(engine.settings.deadline_seconds + 1)
    engine.look()
    own = [(one.part, one.facts.get("told.source")) for one in told.spans if one.part is Part.TOLD]
    assert own == [(Part.TOLD, Source.CLOCK)]
    assert engine.job(job_id).state is State.TIMED_OUT


def read(engine: Engine) -> dict[tuple[str, ...], float]:
    found = Gauges(engine.context, beat_expected=False).read(engine.now)
    assert all(DECLARED[one.name] is one and len(labels) == len(one.labels) for one, labels, _ in found)
    return {(one.name.removeprefix("orchestrator_"), *labels): value for one, labels, value in found}


def test_what_waits_is_read_from_rows(engine: Engine) -> None:
    engine.sweep()
    first, second = engine.submit(), engine.submit()
    engine.later(5)
    told = read(engine)
    assert told["jobs_open", "create"] == 2
    assert told["due", "create"] == 2
    assert told["due_lag_seconds", "create"] == pytest.approx(5, abs=0.1)
    assert told["due_lag_seconds", "look"] == 0
    assert told["pulse_age_seconds", "sweep"] == pytest.approx(5, abs=0.1)
    assert told["workers",] == 1
    engine.create()
    engine.create()
    engine.look_when_due(first)
    told = read(engine)
    assert told["jobs_open", "create"] == 0
    assert told["hand_offs_owed", "archive"] >= 1
    engine.hand_off_all()
    told = read(engine)
    kept = [engine.outputs(job_id)[0].bytes for job_id in (first, second)]
    assert (told["archive_files",], told["archive_bytes",]) == (2, sum(filter(None, kept)))
    assert ("hand_offs_owed", "archive") not in told


def test_what_a_dead_worker_held_is_not_being_done(engine: Engine) -> None:
    engine.submit()
    with engine.store.write() as tx:
        due_jobs.claim(
            tx, due_jobs.CREATES, worker=engine.context.worker, limit=1, lease=900, turns=engine.context.turns
        )
    assert read(engine)["leases", "job"] == 1
    engine.now += 60
    assert read(engine)["leases", "job"] == 0


def test_a_create_that_is_left_to_a_person_is_a_number_until_somebody_settles_it(engine: Engine) -> None:
    job_id = engine.created(create_error="text_500")
    assert read(engine)["jobs_open", "person"] == 0, "it is searched for by itself at first"
    engine.later(engine.settings.uncertain_wait_seconds + 1)
    engine.look()
    assert engine.job(job_id).needs_person
    assert read(engine)["jobs_open", "person"] == 1
    resolve.give_up(engine.context, job_id)
    assert read(engine)["jobs_open", "person"] == 0


def test_hand_offs_that_were_given_up_and_alarms_are_read_from_rows(engine: Engine) -> None:
    engine.submit()
    engine.later(61)
    assert ("alarm", "behind", "create") in read(engine)


def test_a_count_ends_where_it_says(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "MOST", 2)
    for _ in range(3):
        engine.submit()
    assert read(engine)["jobs_open", "create"] == 2
    assert MOST_IN_LINE == 1_000, "as the reference says"
