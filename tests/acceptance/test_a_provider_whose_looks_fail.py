"""One provider answers 502 to every look for long, while hooks and the list are right (contract 3)."""

from orchestrator.core.job import Source, Updates
from tests.acceptance.conftest import Begin
from tests.acceptance.database import Database, wanted
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import BY_LOOKS, assert_delivered_once
from tests.acceptance.waiting import until

OTHER = "x-ai/grok-video"


def test_the_list_is_asked_and_other_providers_are_not_held_up(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start()
    database = orchestrator.database
    sandbox.faults(provider_502="google-ai-studio", duration=0.3)
    broken = database.submit(*(wanted(updates=Updates.POLL) for _ in range(3)))
    sound = database.submit(*(wanted(updates=Updates.POLL, model=OTHER) for _ in range(3)))
    database.wait([*broken, *sound])
    hooked: list[str] = []
    until("a webhook is believed", lambda: _one_is_won_by_a_webhook(database, hooked))

    assert {database.job(job).won_by for job in broken} == {Source.LIST}
    assert {database.job(job).won_by for job in sound} <= BY_LOOKS
    assert {database.job(job).look_errors for job in sound} == {0}
    assert max(database.job(job).looks for job in broken) <= 3, "it goes to the list after a few errors"
    sandbox.heal()
    assert_delivered_once(orchestrator, sandbox, [*broken, *hooked, *sound])


def _one_is_won_by_a_webhook(database: Database, jobs: list[str]) -> bool:
    """On a slow machine the list may have told it before."""
    new = database.submit(wanted())
    database.wait(new)
    jobs += new
    return database.job(new[0]).won_by is Source.WEBHOOK
