"""Timelines are numbered without a gap; those of long settled jobs are forgotten."""

from concurrent.futures import ThreadPoolExecutor

from orchestrator.core.job import Failure, Observation, OutputSeen, Source
from orchestrator.core.lifecycle import Seen, State, Step, Verdict
from orchestrator.store import jobs, observations, outputs, workers
from orchestrator.store.database import WORKER_DEAD_AFTER, Store
from orchestrator.store.schema import pulses
from orchestrator.store.workers import Pulse
from tests.integration.store.rows import START, Clock, a_job, join, keep, read, record


def numbers(store: Store, job_id: str = "job_1") -> list[int]:
    with store.read() as tx:
        return [one.seq for one in observations.of_job(tx, job_id)]


def test_an_observation_comes_back_as_it_was_kept(store: Store) -> None:
    keep(store, a_job())
    failure = Failure("no", "policy", {"at": [1]})
    seen = Observation(
        Source.WEBHOOK,
        Seen.FAILED_STORED,
        status="failed",
        progress=40,
        failure=failure,
        request_id="G-9",
        note="n",
        raw='{"é":1}',
        inbox_id=7,
    )
    with store.write() as tx:
        observations.append_all(tx, [(read(store), seen, Step(State.FAILED, Verdict.MOVED))])
    with store.read() as tx:
        (kept,) = observations.of_job(tx, "job_1")
    assert (kept.from_state, kept.to_state, kept.verdict) == (State.WAITING, State.FAILED, Verdict.MOVED)
    assert (kept.source, kept.seen, kept.at) == (Source.WEBHOOK, Seen.FAILED_STORED, START)
    assert (kept.status, kept.progress, kept.failure) == ("failed", 40, failure.as_json())
    assert (kept.request_id, kept.note, kept.inbox_id, kept.raw) == ("G-9", "n", 7, '{"é":1}')


def test_numbers_have_no_gap_and_no_double_under_concurrency(store: Store) -> None:
    keep(store, a_job())

    def observe(_: int) -> None:
        with store.write() as tx:
            job = jobs.lock(tx, "job_1")
            assert jobs.move_if_still(tx, job, {"next_seq": job.next_seq + 1})
            step = Step(job.state, Verdict.KNOWN)
            observations.append_all(tx, [(job, Observation(Source.POLL, Seen.OPEN), step)])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(observe, range(80)))
    assert numbers(store) == list(range(1, 81))


def test_only_timelines_of_jobs_settled_long_ago_are_forgotten(store: Store, clock: Clock) -> None:
    keep(store, a_job("job_open"), a_job("job_late"), a_job("job_old"))
    for name in ("job_open", "job_late", "job_old"):
        record(store, read(store, name))
    with store.write() as tx:
        jobs.note(tx, "job_old", {"settled_at": START + 10})
        jobs.note(tx, "job_late", {"settled_at": START + 90})
    clock.now += 100
    record(store, read(store, "job_old"))
    with store.write() as tx:
        assert observations.prune(tx, before=START + 50) == 1
        assert observations.prune(tx, before=START + 50) == 0
    assert numbers(store, "job_open") == [1]
    assert numbers(store, "job_late") == [1]
    assert numbers(store, "job_old") == [2], "what was learned since is kept, and keeps its number"


def test_a_long_past_is_forgotten_in_pieces(store: Store) -> None:
    keep(store, a_job())
    for _ in range(5):
        record(store, read(store))
    with store.write() as tx:
        jobs.note(tx, "job_1", {"settled_at": START})
        assert observations.prune(tx, before=START + 1, limit=3) == 3
    assert len(numbers(store)) == 2


def test_an_output_is_learned_once_and_noted_on_its_own(store: Store) -> None:
    keep(store, a_job("job_1"), a_job("job_2"))
    with store.write() as tx:
        outputs.learn_all(tx, [("job_1", OutputSeen(1)), ("job_1", OutputSeen(0, "video/mp4", 9))])
        outputs.learn_all(tx, [("job_2", OutputSeen(0))])
        outputs.note(tx, "job_1", 0, {"bytes": 9, "sha256": "ab"})
        outputs.learn_all(tx, [("job_1", OutputSeen(0, "video/webm", 1))])
    with store.read() as tx:
        first, second = outputs.of_job(tx, "job_1")
        assert (first.mime_type, first.announced_bytes, first.bytes, first.sha256) == (
            "video/mp4",
            9,
            9,
            "ab",
        )
        assert (second.index, second.sha256) == (1, None)
        assert outputs.of_job(tx, "job_2")[0].bytes is None


def test_workers_are_buried_long_after_they_stopped_beating(store: Store, clock: Clock) -> None:
    join(store, "dead", "alive")
    clock.now += 10 * WORKER_DEAD_AFTER + 1
    with store.write() as tx:
        assert workers.beat(tx, "alive")
        assert workers.bury_dead(tx) == 1
        assert not workers.beat(tx, "dead"), "so it must join again"


def test_the_last_pulse_of_each_name_is_known(store: Store, clock: Clock) -> None:
    with store.write() as tx:
        assert workers.last_pulse(tx, Pulse.SWEEP) is None
        workers.pulse(tx, Pulse.SWEEP)
    clock.now += 5
    with store.write() as tx:
        workers.pulse(tx, Pulse.SWEEP)
        assert workers.last_pulse(tx, Pulse.SWEEP) == START + 5
        assert workers.last_pulse(tx, Pulse.BEAT) is None


def test_a_pulse_may_be_noted_for_an_earlier_moment(store: Store) -> None:
    with store.write() as tx:
        workers.pulse(tx, Pulse.RECEIVER)
        for at in (START - 9, START - 30):
            workers.set_pulse(tx, Pulse.OUTAGE_BEGAN, at)
        tx.execute(pulses.insert().values(name="of_a_later_version", at=1))
        assert workers.every_pulse(tx) == {Pulse.RECEIVER: START, Pulse.OUTAGE_BEGAN: START - 30}
