"""A job ends badly: why, whose doing it was and the ids to ask with reach downstream."""

from typing import Any

from orchestrator.core.blame import Fault
from orchestrator.core.job import Updates
from orchestrator.core.lifecycle import State
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_made_once, assert_nothing_else, outcome_of

WHY = "The prompt shows a lighthouse."


def test_the_reason_is_fetched_and_handed_off(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start()
    database = orchestrator.database
    told: dict[str, Any] = {"duration": 0.2, "error": "object", "error_message": WHY}
    # A webhook says that a job failed, never why: one look is spent on the reason.
    by_hook, by_look, lost_hook = database.submit(
        wanted(outcome="failed", poll_after_seconds=30, **told),
        wanted(outcome="failed", updates=Updates.POLL, **told),
        wanted(outcome="failed", webhook_lose="all", **told),
    )
    others = database.submit(
        wanted(outcome="cancelled", duration=0.2), wanted(outcome="expired", duration=0.2)
    )
    database.wait([by_hook, by_look, lost_hook, *others])

    for job in (by_hook, by_look, lost_hook):
        outcome = outcome_of(orchestrator, job)
        assert (outcome["outcome"], outcome["blame"]) == ("failed", Fault.PROVIDER)
        assert WHY in outcome["error"]["message"]
        assert outcome["gateway_id"] == database.job(job).gateway_id
        assert outcome["gateway_request_id"]
        assert_made_once(sandbox, job, outcome["gateway_id"])
    for job, ending in zip(others, ("cancelled", "expired"), strict=True):
        assert outcome_of(orchestrator, job)["outcome"] == ending
    assert_nothing_else(orchestrator)


def test_a_refused_create_keeps_the_gateways_words(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start()
    database = orchestrator.database
    guarded, unsupported, bad = database.submit(
        wanted(create_error="guardrail_blocked"),
        wanted(create_error="upstream_400"),
        wanted(duration="soon"),  # the sandbox does not know such a duration
    )
    database.wait([guarded, unsupported, bad])

    for job, words in ((guarded, "guardrail"), (unsupported, "Unsupported aspect"), (bad, "soon")):
        outcome = outcome_of(orchestrator, job)
        assert (outcome["outcome"], outcome["blame"]) == (State.REJECTED, Fault.REQUEST)
        assert words in str(outcome["error"])
        assert sandbox.truth(job) == []
    assert len(sandbox.requests("POST", path="/v1/videos")) == 3, "none was tried again"
    assert_nothing_else(orchestrator)
