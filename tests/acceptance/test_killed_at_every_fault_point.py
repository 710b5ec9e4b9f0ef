"""The process dies at each named place; another is started; nothing is lost, paid or delivered twice."""

import pytest

from orchestrator.core.job import Updates
from orchestrator.core.lifecycle import State
from orchestrator.engine.resolve import resubmit
from orchestrator.fault_points import FaultPoint
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.orchestrator import Orchestrator
from tests.acceptance.processes import DIED, Child, clean_environment, program
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_delivered_once, assert_made_once, assert_nothing_else, outcome_of
from tests.acceptance.waiting import until

REQUEST = '{"model": "google/veo", "prompt": "p", "provider_params": {"sandbox": {"duration": 0.3}}}'

# A move is made by the attempt, the create's answer, a webhook and a look; a death in each is worth a run.
LATER = ["observe.moved:4", "receive.applied:4", "create.answered:3"]
# What only commands reach is in tests of theirs.
IN_COMMANDS = ("submit.", "endpoint.", "endpoint_secret.")
IN_UP = [str(point) for point in FaultPoint if not point.startswith(IN_COMMANDS)]


@pytest.mark.parametrize("spec", IN_UP + LATER)
def test_a_death_there_loses_and_doubles_nothing(spec: str, begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox, create_threads=1, uncertain_wait_seconds=2)
    database = orchestrator.database
    well, two, badly = database.submit(
        wanted(duration=0.3),
        wanted(duration=0.4, count=2, updates=Updates.POLL),
        wanted(duration=0.3, outcome="failed"),
    )
    orchestrator.launch(fault_point=spec)
    orchestrator.dies_at(spec.partition(":")[0])

    orchestrator.start()
    left = _resubmit_what_was_never_sent(orchestrator, sandbox, [well, two, badly])
    assert (well in left) or spec != FaultPoint.CREATE_CLAIMED
    database.wait([well, two, badly])

    assert not [job for job in database.jobs() if job.needs_person]
    assert_delivered_once(orchestrator, sandbox, [well])
    assert_delivered_once(orchestrator, sandbox, [two], outputs=2)
    assert outcome_of(orchestrator, badly)["outcome"] == "failed"
    assert_made_once(sandbox, badly, database.job(badly).gateway_id)


def _resubmit_what_was_never_sent(
    orchestrator: Orchestrator, sandbox: Sandbox, job_ids: list[str]
) -> list[str]:
    """A create that had begun, and whose call never came to the gateway: it is never sent again unasked.

    The process may have died there whatever it was to die of, since others of its threads create meanwhile.
    """
    database = orchestrator.database
    until(
        "each job is over or left to a person",
        lambda: all(database.job(one).needs_person for one in database.unfinished(job_ids)),
    )
    left = database.unfinished(job_ids)
    for job_id in left:
        assert sandbox.truth(job_id) == []
        resubmit(database.context, job_id)
    return left


def test_a_submit_that_dies_after_its_commit_was_a_submit(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start()
    environment = clean_environment(**orchestrator.settings, ORCHESTRATOR_FAULT_POINT="submit.committed")
    submitter = Child(program("submit", "--request", REQUEST), orchestrator.folder, "submit", environment)
    assert submitter.wait() == DIED
    assert "fault point reached: submit.committed\n" in submitter.complained()

    (job,) = orchestrator.database.jobs()
    orchestrator.database.wait([job.id])
    assert_delivered_once(orchestrator, sandbox, [job.id])
    assert_nothing_else(orchestrator)
    assert orchestrator.database.job(job.id).state is State.COMPLETED
