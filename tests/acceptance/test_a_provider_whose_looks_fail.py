"""One provider answers 502 to every look for long, while hooks and the list are right (contract 3)."""

from orchestrator.core.job import Source, Updates
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_delivered_once

OTHER = "x-ai/grok-video"


def test_the_list_is_asked_and_other_providers_are_not_held_up(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start()
    database = orchestrator.database
    sandbox.faults(provider_502="google-ai-studio", duration=0.3)
    broken = database.submit(*(wanted(updates=Updates.POLL) for _ in range(3)))
    hooked = database.submit(wanted())
    sound = database.submit(*(wanted(updates=Updates.POLL, model=OTHER) for _ in range(3)))
    database.wait([*broken, *hooked, *sound])

    assert {database.job(job).won_by for job in broken} == {Source.LIST}
    assert {database.job(job).won_by for job in hooked} == {Source.WEBHOOK}
    assert {(database.job(job).won_by, database.job(job).look_errors) for job in sound} == {(Source.POLL, 0)}
    assert max(database.job(job).looks for job in broken) <= 3, "it goes to the list after a few errors"
    sandbox.heal()
    assert_delivered_once(orchestrator, sandbox, [*broken, *hooked, *sound])
