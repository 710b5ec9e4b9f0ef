"""In shadow mode webhooks are received as ever, kept and counted, and move nothing."""

from orchestrator.core.job import Source, Updates
from orchestrator.core.lifecycle import Seen, State, Verdict
from orchestrator.store.inbox import EntryState
from tests.integration.engine.harness import Engine
from tests.integration.receiver.door import Door, example


def verdicts(engine: Engine, job_id: str) -> list[tuple[Source, Seen, Verdict]]:
    return [(one.source, one.seen, one.verdict) for one in engine.timeline(job_id)]


def test_a_webhook_is_answered_and_kept_and_the_job_goes_on_to_wait(door: Door) -> None:
    before = door.knows(updates=Updates.SHADOW, due_at=door.engine.now + 20.0, created_at=door.engine.now)
    answer = door.post(example("video.completed"))
    assert (answer.status_code, answer.json()) == (200, {"status": "applied"})
    job = door.job()
    assert (job.state, job.due_at, job.progress) == (State.WAITING, before.due_at, 0)
    assert (job.webhooks, job.hook_at) == (1, door.engine.now)
    assert verdicts(door.engine, "job_1") == [(Source.WEBHOOK, Seen.COMPLETED, Verdict.SCORED)]
    assert door.inbox[0].state is EntryState.APPLIED
    assert door.engine.hand_offs("job_1") == []
    assert door.sent == []


def test_a_repeated_one_is_counted_and_the_first_one_s_time_stands(door: Door) -> None:
    door.knows(updates=Updates.SHADOW)
    first_at = door.engine.now
    door.post(example("video.failed"))
    door.engine.later(30)
    door.post(example("video.failed"))
    job = door.job()
    assert (job.state, job.webhooks, job.hook_at) == (State.WAITING, 2, first_at)
    assert len(door.engine.timeline("job_1")) == 1
