"""A create is cut before the gateway made a job: nobody can know, so a person decides, each way once."""

from orchestrator.core.blame import Fault
from orchestrator.core.job import Source
from orchestrator.core.lifecycle import State
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.orchestrator import Orchestrator
from tests.acceptance.processes import Child, clean_environment, program
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_delivered_once, assert_nothing_else, assert_whole, outcome_of

WAIT = 1.0


def test_it_is_not_repeated_unasked_and_each_decision_is_carried_out(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox, uncertain_wait_seconds=WAIT)
    orchestrator.start()
    database = orchestrator.database
    sandbox.faults(create_error="cut")
    again, given, given_up = database.submit(*(wanted(duration=0.2) for _ in range(3)))
    for job in (again, given, given_up):
        left = database.wait_for(job, "it is left to a person", lambda job: job.needs_person)
        assert left.state is State.UNCERTAIN
        assert left.blame is Fault.UNCERTAIN_CREATE
        (event,) = orchestrator.told("needs_person", job=job)
        assert event["session"] == left.session_id
    assert sandbox.truth() == []
    assert len(sandbox.requests("POST", path="/v1/videos")) == 3, "one create each, and not again unasked"

    sandbox.heal()
    stranger = sandbox.create(duration=0.2)
    _resolve(orchestrator, again, "--resubmit", "--yes")
    _resolve(orchestrator, given, "--adopt", stranger)
    _resolve(orchestrator, given_up, "--give-up")
    database.wait([again, given, given_up])

    (made,) = sandbox.truth(again)
    assert made["session_id"] == f"{again}.2"
    assert database.job(given).gateway_id == stranger
    assert_whole(database.owed(given)[0])
    assert database.job(given).won_by is Source.POLL  # a stranger has no webhook
    assert outcome_of(orchestrator, given_up)["blame"] == Fault.UNCERTAIN_CREATE
    assert sandbox.truth(given_up) == []
    assert_delivered_once(orchestrator, sandbox, [again])
    assert_nothing_else(orchestrator)


def test_an_operator_may_choose_to_pay_twice_rather_than_wait(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox, uncertain_wait_seconds=WAIT, uncertain_policy="resubmit")
    orchestrator.start()
    sandbox.faults(create_error="cut", create_error_times=1)
    (job,) = orchestrator.database.submit(wanted(duration=0.2))
    orchestrator.database.wait([job])

    assert_delivered_once(orchestrator, sandbox, [job])
    notes = [one.note for one in orchestrator.database.timeline(job) if one.source is Source.CLOCK]
    assert any("both are paid" in (note or "") for note in notes)


def _resolve(orchestrator: Orchestrator, job: str, *decision: str) -> None:
    """A person decides, in another terminal."""
    environment = clean_environment(**orchestrator.settings)
    person = Child(program("resolve", job, *decision), orchestrator.folder, f"resolve{job}", environment)
    assert person.wait() == 0, person.complained()
