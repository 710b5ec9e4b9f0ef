"""Looks that get no answer, or one that nobody foresaw."""

from collections.abc import Sequence
from typing import Any

import pytest

from orchestrator.core.breaker import FAILURES_TO_OPEN, FIRST_PAUSE
from orchestrator.core.job import Job, Observation, Source
from orchestrator.core.lifecycle import SETTLED, State, Step
from orchestrator.engine.resolve import adopt
from orchestrator.gateway.client import Gateway
from orchestrator.store import observations
from orchestrator.store.database import Transaction
from tests.integration.engine.harness import Engine
from tests.integration.engine.test_look import XAI, gets
from tests.sandbox.harness import Sandbox


def test_an_error_never_fails_a_job_and_is_backed_off_from(engine: Engine) -> None:
    job_id = engine.created(get_502=2)
    for wait in (40.0, 80.0):
        job = engine.look_when_due(job_id)
        assert (job.state, job.due_at) == (State.WAITING, engine.now + wait)
        assert "502" in (job.look_error or "")
    assert len(engine.timeline(job_id)) == 2, "an error says nothing about the job"
    job = engine.look_when_due(job_id)
    assert (job.state, job.looks, job.look_errors) == (State.COMPLETED, 3, 0)


def test_a_404_right_after_the_create_is_an_error_like_any_other(engine: Engine) -> None:
    job_id = engine.created(not_found_for=3600)
    assert engine.look_when_due(job_id).state is State.WAITING


def test_a_provider_whose_looks_fail_for_ever_is_followed_by_the_list(
    engine: Engine, sandbox: Sandbox
) -> None:
    job_id = engine.created(get_502=-1)
    for errors in (1, 2):
        job = engine.look_when_due(job_id)
        assert (job.state, job.look_errors) == (State.WAITING, errors)
    job = engine.look_when_due(job_id)
    assert (job.state, job.won_by) == (State.COMPLETED, Source.LIST)
    assert engine.hand_off_all() == 1


def test_the_breaker_of_a_provider_spares_it_while_the_list_is_still_read(
    engine: Engine, sandbox: Sandbox
) -> None:
    for _ in range(FAILURES_TO_OPEN):
        engine.created(get_502=-1, duration=600)
    engine.later(20)
    engine.look()
    asked = gets(sandbox)
    late = engine.created(duration=600)
    other = engine.created({"model": XAI}, duration=600)
    engine.later(20)
    google = ("default", "google-ai-studio")
    engine.context.breakers.worked(google)
    for _ in range(FAILURES_TO_OPEN):
        engine.context.breakers.failed(google, engine.now)
    engine.look()
    assert gets(sandbox) == asked + 1, "the other provider's job only"
    assert engine.job(other).looks == 1
    assert engine.job(late).looks == 0
    assert engine.job(late).look_errors == 0, "what was not asked did not fail"


def test_a_gateway_that_is_down_is_not_hammered_and_found_again(engine: Engine, sandbox: Sandbox) -> None:
    ids = [engine.created() for _ in range(FAILURES_TO_OPEN + 1)]
    sandbox.faults(down="gets")
    engine.later(20)
    engine.look()
    assert all(engine.job(job_id).state is State.WAITING for job_id in ids)
    asked = gets(sandbox, "/v1/videos")
    engine.later(FIRST_PAUSE - 1)
    engine.look()
    assert gets(sandbox, "/v1/videos") == asked, "neither jobs nor the list"
    sandbox.faults(down="none")
    for _ in range(12):
        engine.later(60)
        engine.look()
    assert all(engine.job(job_id).state is State.COMPLETED for job_id in ids)


def test_a_job_of_no_known_provider_is_asked_about_again_after_an_outage(
    engine: Engine, sandbox: Sandbox
) -> None:
    job_id = engine.created(create_error="cut")
    adopt(engine.context, job_id, sandbox.create(duration=0))
    assert engine.job(job_id).provider is None
    sandbox.faults(down="gets")
    for _ in range(FAILURES_TO_OPEN + 1):
        engine.look_when_due(job_id)
    sandbox.faults(down="none")
    for _ in range(3):
        if engine.job(job_id).state not in SETTLED:
            engine.look_when_due(job_id)
    assert engine.job(job_id).state is State.COMPLETED


def test_a_provider_that_fails_says_nothing_against_the_gateway(engine: Engine, sandbox: Sandbox) -> None:
    for _ in range(FAILURES_TO_OPEN + 1):
        job_id = engine.created(create_error="cut")
        adopt(engine.context, job_id, sandbox.create(get_502=-1, duration=600))
    engine.later(20)
    engine.look()
    assert engine.context.breakers.allows(engine.now, ("default", None))


def test_what_a_breaker_forbids_is_asked_soon_after_however_often_it_failed_before(engine: Engine) -> None:
    job_id = engine.created(duration=600, get_500=2)
    for errors in (1, 2):
        assert engine.look_when_due(job_id).look_errors == errors
    for _ in range(FAILURES_TO_OPEN):
        engine.context.breakers.failed(("default", None), engine.job(job_id).due_at or 0.0)
    job = engine.look_when_due(job_id)
    assert (job.look_errors, job.due_at) == (2, engine.now + 20), "a gateway may be back within minutes"


def test_a_job_that_is_not_asked_about_is_given_back_at_once(engine: Engine, sandbox: Sandbox) -> None:
    job_id = engine.created(duration=600)
    engine.later(20)
    for _ in range(FAILURES_TO_OPEN):
        engine.context.breakers.failed(("default", None), engine.now)
    engine.look()
    job = engine.job(job_id)
    assert (job.leased_by, job.looks, job.look_errors) == (None, 0, 0)
    assert job.due_at == engine.now + 20.0, "never sooner than the gateway wants"
    assert gets(sandbox, "/v1/videos") == 0
    assert engine.look_when_due(job_id).looks == 1


@pytest.mark.parametrize("broken", ["get_502", "get_500"])
def test_a_last_look_that_fails_asks_the_list_before_giving_up(engine: Engine, broken: str) -> None:
    switches: dict[str, Any] = {broken: -1}
    job_id = engine.created(deadline_seconds=20, **switches)
    job = engine.look_when_due(job_id)
    assert (job.state, job.won_by, job.looks) == (State.COMPLETED, Source.LIST, 1)


def test_an_answer_that_nobody_foresaw_costs_only_its_own_job(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    strange, *others = (engine.created() for _ in range(3))
    known, real = engine.job(strange).gateway_id, Gateway.look

    async def look(gateway: Gateway, gateway_id: str) -> Observation:
        if gateway_id == known:
            raise KeyError("nobody foresaw this")
        return await real(gateway, gateway_id)

    monkeypatch.setattr(Gateway, "look", look)
    job = engine.look_when_due(strange)
    assert [engine.job(other).state for other in others] == [State.COMPLETED] * 2
    assert (job.state, job.look_errors, job.leased_by) == (State.WAITING, 1, None)
    assert "KeyError" in (job.look_error or "")
    assert "look_broke" in [record.message for record in caplog.records]
    monkeypatch.undo()
    assert engine.look_when_due(strange).state is State.COMPLETED


def test_what_cannot_be_kept_of_one_job_costs_none_of_those_that_are_kept_with_it(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [engine.created() for _ in range(3)]
    kept = observations.append_all

    def append_all(tx: Transaction, learned: Sequence[tuple[Job, Observation, Step]]) -> None:
        if any(job.id == ids[1] for job, _, _ in learned):
            raise ValueError("a bug")
        kept(tx, learned)

    monkeypatch.setattr(observations, "append_all", append_all)
    engine.look_when_due(ids[0])
    states = [engine.job(one).state for one in ids]
    assert states == [State.COMPLETED, State.WAITING, State.COMPLETED]
    assert "could not be kept" in (engine.job(ids[1]).look_error or "")
    assert [one.leased_by for one in map(engine.job, ids)] == [None] * 3
    monkeypatch.undo()
    assert engine.look_when_due(ids[1]).state is State.COMPLETED
