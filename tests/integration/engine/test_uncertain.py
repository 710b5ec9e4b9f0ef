"""Searching for what an uncertain create made, and what a person may decide and decide again."""

from collections.abc import Sequence

import pytest

from orchestrator.core.cadence import SEARCH_FOR_PERSON_EVERY
from orchestrator.core.job import HandOffState, Job, Observation, Source
from orchestrator.core.lifecycle import Seen, State, Verdict
from orchestrator.engine import uncertain
from orchestrator.engine.context import Context
from orchestrator.engine.observe import observe
from orchestrator.engine.resolve import adopt, cancel, resubmit
from orchestrator.errors import BadAnswer, NoAnswer, NotAllowed
from orchestrator.gateway.client import Gateway
from orchestrator.gateway.snapshot import Snapshot
from orchestrator.store import searches
from orchestrator.store.searches import Search
from tests.integration.engine.harness import Engine, NewEngine
from tests.sandbox.harness import Receiver, Sandbox

MISTYPED = "G-01K3ZQ8W6X2M5N7P9R1T3V5Y7Z"


@pytest.fixture
def risky(new_engine: NewEngine) -> Engine:
    """An engine that resubmits by itself, at once."""
    return new_engine(uncertain_policy="resubmit", uncertain_wait_seconds=0)


def posts(sandbox: Sandbox) -> int:
    rows = sandbox.control.get("/requests", params={"method": "POST", "path": "/v1/videos"}).json()
    return int(rows["count"])


def snapshots(sandbox: Sandbox) -> int:
    """How many WebSockets were opened."""
    return int(sandbox.control.get("/requests", params={"path": "/v1/async/video/"}).json()["count"])


# the search


def test_the_risk_of_paying_twice_is_taken_once_and_then_a_person_is_asked(
    risky: Engine, sandbox: Sandbox
) -> None:
    job_id = risky.created(create_error="cut")
    assert risky.look_when_due(job_id).state is State.ACCEPTED
    risky.create()
    for _ in range(3):
        job = risky.look_when_due(job_id)
        assert (job.state, job.needs_person, job.attempts) == (State.UNCERTAIN, True, 2)
        assert risky.create() is None
    assert posts(sandbox) == 2


def test_the_risk_is_not_taken_before_the_list_could_be_read(risky: Engine, sandbox: Sandbox) -> None:
    job_id = risky.created(create_error="cut")
    sandbox.faults(gate_closed=True)  # of the list too
    for _ in range(2):
        job = risky.look_when_due(job_id)
        assert (job.state, job.needs_person) == (State.UNCERTAIN, True)
    sandbox.faults(gate_closed=False)
    assert risky.look_when_due(job_id).state is State.ACCEPTED
    assert posts(sandbox) == 1


def test_the_risk_is_not_taken_while_a_job_on_the_list_cannot_be_opened(
    risky: Engine, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = sandbox.create(session="somebody.1", duration=600)
    job_id = risky.created(create_error="cut")

    async def cut_off(_: Gateway, gateway_id: str) -> Snapshot:
        raise NoAnswer(f"cut off before {gateway_id}")

    with monkeypatch.context() as patched:
        patched.setattr(Gateway, "snapshot", cut_off)
        assert risky.look_when_due(job_id).state is State.UNCERTAIN
    assert made not in risky.context.foreign
    assert risky.look_when_due(job_id).state is State.ACCEPTED


def test_what_is_listed_and_gone_is_not_waited_for(
    risky: Engine, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.create(session="somebody.1", duration=600)
    job_id = risky.created(create_error="cut")

    async def gone(_: Gateway, gateway_id: str) -> Snapshot:
        raise BadAnswer(f"{gateway_id} is not here", status=404)

    monkeypatch.setattr(Gateway, "snapshot", gone)
    assert risky.look_when_due(job_id).state is State.ACCEPTED


def test_what_an_earlier_attempt_made_is_found_after_a_resubmit(engine: Engine, sandbox: Sandbox) -> None:
    job_id = engine.created(create_error="cut")
    resubmit(engine.context, job_id)
    engine.create()
    assert engine.job(job_id).session_id == f"{job_id}.2"
    made = sandbox.create(session=f"{job_id}.1", duration=600)  # it shows up late
    job = engine.look_when_due(job_id)
    assert (job.state, job.gateway_id) == (State.WAITING, made)


def test_a_search_says_nothing_of_an_attempt_that_began_meanwhile(
    risky: Engine, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = risky.created(create_error="cut")

    def overtaken(context: Context, unsure: Sequence[Job]) -> uncertain._Found:
        resubmit(context, job_id)
        risky.create()
        return uncertain._Found(whole={job.account_id for job in unsure})

    monkeypatch.setattr(uncertain, "_search", overtaken)
    job = risky.look_when_due(job_id)
    assert (job.state, job.session_id) == (State.UNCERTAIN, f"{job_id}.2")
    assert (job.needs_person, job.due_at) == (False, risky.now + 5.0)
    assert posts(sandbox) == 2


def test_the_search_goes_on_while_a_person_is_asked_and_still_adopts(
    engine: Engine, sandbox: Sandbox
) -> None:
    job_id = engine.created(create_error="cut")
    engine.later(engine.settings.uncertain_wait_seconds)
    engine.look()
    for _ in range(2):
        asked_at = engine.now
        assert engine.look_when_due(job_id).needs_person
        assert engine.now == asked_at + SEARCH_FOR_PERSON_EVERY
    made = sandbox.create(session=f"{job_id}.1", duration=600)
    job = engine.look_when_due(job_id)
    assert (job.state, job.gateway_id, job.needs_person) == (State.WAITING, made, False)


def test_nobody_is_told_that_a_create_is_uncertain_once_its_caller_cancelled(engine: Engine) -> None:
    kept, unwanted = (engine.created(create_error="cut") for _ in range(2))
    cancel(engine.context, unwanted)
    engine.later(engine.settings.uncertain_wait_seconds)
    engine.look()
    assert engine.job(kept).needs_person
    assert engine.job(unwanted).needs_person
    assert [one.outcome for one in engine.owed(kept)] == ["uncertain"]
    assert engine.owed(unwanted) == []


def test_jobs_of_others_are_opened_once_whatever_their_sessions_look_like(
    engine: Engine, sandbox: Sandbox
) -> None:
    for session in ("job_of_another_installation.1", "job_x.2", "a_word", None):
        sandbox.create(session=session, duration=600)
    job_id = engine.created(create_error="cut")
    for _ in range(3):
        assert engine.look_when_due(job_id).state is State.UNCERTAIN
    assert snapshots(sandbox) == 4


def searched(engine: Engine) -> Search:
    """What the latest search met."""
    with engine.store.read() as tx:
        found = searches.of_account(tx, "default")
    assert found is not None
    return found


def test_what_a_search_met_is_kept_for_the_person_who_may_have_to_decide(
    engine: Engine, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = sandbox.create(session="somebody.1", duration=600)
    bare = sandbox.create(session=None, duration=600)
    engine.created(duration=600)
    job_id = engine.created(create_error="cut")
    for _ in range(2):  # also of those that were opened by the search before
        assert engine.look_when_due(job_id).state is State.UNCERTAIN
        met = searched(engine)
        assert (met.listed, met.whole, met.problem, met.searched_at) == (3, True, None, engine.now)
        told = {one.gateway_id: (one.opened, one.session_id) for one in met.strangers}
        assert told == {theirs: (True, "somebody.1"), bare: (True, None)}
    sandbox.faults(gate_closed=True)
    engine.look_when_due(job_id)
    met = searched(engine)
    assert (met.listed, met.whole, met.strangers) == (None, False, ())
    assert met.problem


# adopting


@pytest.mark.parametrize("wrong", ["", "../videos", "G-1?x=1", "a b", "G" * 129])
def test_what_can_be_no_id_of_the_gateways_is_not_adopted(engine: Engine, wrong: str) -> None:
    job_id = engine.created(create_error="cut")
    with pytest.raises(NotAllowed, match="is not an id of the gateway's"):
        adopt(engine.context, job_id, wrong)
    assert engine.job(job_id).state is State.UNCERTAIN


def test_a_mistyped_id_can_be_put_right_by_adopting_again(engine: Engine, sandbox: Sandbox) -> None:
    job_id = engine.created(create_error="cut")
    made = sandbox.create(duration=0)
    adopt(engine.context, job_id, MISTYPED)
    assert engine.look_when_due(job_id).state is State.WAITING
    adopt(engine.context, job_id, made)
    assert engine.job(job_id).due_at == engine.now, "not after the pauses that the mistake earned"
    job = engine.look_when_due(job_id)
    assert (job.state, job.gateway_id, job.unconfirmed) == (State.COMPLETED, made, False)


def test_a_signed_webhook_with_our_session_puts_a_mistyped_id_right(hooked: Engine, hooks: Receiver) -> None:
    job_id = hooked.created(create_error="cut_after", duration=600)
    adopt(hooked.context, job_id, MISTYPED)
    (hook,) = hooks.wait(1, "video.created")
    hooked.receive(hook)
    job = hooked.job(job_id)
    assert (job.gateway_id, job.unconfirmed, job.clashes) == (hook.body["data"]["id"], False, 0)


def test_an_adopted_id_that_the_gateway_confirmed_is_not_replaced(engine: Engine, sandbox: Sandbox) -> None:
    job_id = engine.created(create_error="cut")
    made = sandbox.create(duration=600)
    adopt(engine.context, job_id, made)
    assert not engine.look_when_due(job_id).unconfirmed
    with pytest.raises(NotAllowed, match="already has the gateway job"):
        adopt(engine.context, job_id, MISTYPED)
    other = Observation(Source.WEBHOOK, Seen.OPEN, gateway_id=MISTYPED)
    with engine.store.write() as tx:
        observe(engine.context, tx, job_id, other)
    job = engine.job(job_id)
    assert (job.gateway_id, job.clashes) == (made, 1)
    assert engine.timeline(job_id)[-1].verdict is Verdict.CLASH


def test_a_timed_out_job_that_is_adopted_gets_as_long_as_it_had(engine: Engine, sandbox: Sandbox) -> None:
    job_id = engine.created(create_error="cut", deadline_seconds=100)
    engine.later(100)
    engine.look()
    assert engine.job(job_id).state is State.TIMED_OUT
    engine.later(1_000)
    adopt(engine.context, job_id, sandbox.create(duration=600))
    assert engine.job(job_id).deadline_at == engine.now + 100
    assert engine.look_when_due(job_id).state is State.WAITING
    assert engine.states(job_id) == [HandOffState.WITHDRAWN], "that it timed out is no longer true"


def test_a_timed_out_job_that_is_adopted_and_times_out_again_is_told_of(
    engine: Engine, sandbox: Sandbox
) -> None:
    job_id = engine.created(create_error="cut", deadline_seconds=30)
    engine.later(30)
    engine.look()
    adopt(engine.context, job_id, sandbox.create(outcome="never"))
    assert engine.states(job_id) == [HandOffState.WITHDRAWN]
    while engine.job(job_id).state is State.WAITING:
        engine.look_when_due(job_id)
    assert engine.job(job_id).state is State.TIMED_OUT
    assert engine.states(job_id) == [HandOffState.OWED]
    engine.hand_off_all()
    assert f"{job_id}.timed_out.json" in engine.files()


# late ends


def test_that_a_job_timed_out_is_not_told_once_it_completed_after_all(engine: Engine) -> None:
    job_id = engine.created(outcome="never", deadline_seconds=20)
    assert engine.look_when_due(job_id).state is State.TIMED_OUT
    with engine.store.write() as tx:
        observe(engine.context, tx, job_id, Observation(Source.WEBHOOK, Seen.COMPLETED))
    assert engine.job(job_id).state is State.COMPLETED
    assert engine.states(job_id) == [HandOffState.WITHDRAWN, HandOffState.OWED]


def test_that_a_job_timed_out_stays_told_if_it_was_before_it_completed(engine: Engine) -> None:
    job_id = engine.created(outcome="never", deadline_seconds=20)
    engine.look_when_due(job_id)
    assert engine.hand_off_all() == 1
    with engine.store.write() as tx:
        observe(engine.context, tx, job_id, Observation(Source.WEBHOOK, Seen.COMPLETED))
    assert engine.states(job_id) == [HandOffState.DONE, HandOffState.OWED]
