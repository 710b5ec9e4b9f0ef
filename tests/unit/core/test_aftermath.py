"""Whether a job still suffers from a fault that it met."""

from typing import Any

import pytest

from orchestrator.core.aftermath import overcome
from orchestrator.core.blame import OF_ENDS, OF_WEBHOOKS, Fault
from orchestrator.core.job import HandOff, HandOffKind, HandOffState
from orchestrator.core.lifecycle import OPEN, SETTLED, State
from tests.unit.core.jobs import a_job

ENDED = SETTLED - {State.TIMED_OUT}


def owed(state: HandOffState, kind: HandOffKind = HandOffKind.OUTPUT) -> HandOff:
    facts: dict[str, Any] = dict.fromkeys(HandOff.__slots__)
    return HandOff(**facts | {"kind": kind, "state": state})


@pytest.mark.parametrize("fault", sorted(OF_WEBHOOKS))
@pytest.mark.parametrize("state", State)
def test_a_webhook_that_went_wrong_does_no_harm_once_the_end_is_known(fault: Fault, state: State) -> None:
    told = overcome(fault, a_job(state), [])
    assert told == (f"the job's end is known: {state}" if state in ENDED else None)


@pytest.mark.parametrize("fault", [Fault.POLL_FAULT, Fault.GATEWAY_ERROR])
def test_the_gateways_errors_are_over_once_it_tells_again(fault: Fault) -> None:
    assert overcome(fault, a_job(State.WAITING, look_errors=1), []) is None
    assert overcome(fault, a_job(State.WAITING, look_errors=0), [])
    for state in OPEN - {State.WAITING} | {State.TIMED_OUT}:
        assert overcome(fault, a_job(state), []) is None
    for state in ENDED:
        assert overcome(fault, a_job(state, look_errors=3), [])


def test_an_uncertain_create_is_over_once_it_is_known_which_job_it_made() -> None:
    assert overcome(Fault.UNCERTAIN_CREATE, a_job(State.UNCERTAIN, gateway_id=None), []) is None
    assert "G-9" in str(overcome(Fault.UNCERTAIN_CREATE, a_job(State.WAITING, gateway_id="G-9"), []))


@pytest.mark.parametrize("kind", HandOffKind)
@pytest.mark.parametrize("state", HandOffState)
def test_a_hand_off_that_failed_is_over_once_nothing_is_left(kind: HandOffKind, state: HandOffState) -> None:
    told = overcome(
        Fault.HAND_OFF_FAILED, a_job(State.COMPLETED), [owed(HandOffState.DONE), owed(state, kind)]
    )
    match state:
        case HandOffState.DONE:
            assert told == "everything that was owed has been handed off by now"
        case HandOffState.WITHDRAWN:
            assert told == "nothing is owed any more: the job was cancelled"
        case _:
            assert told is None


def test_an_output_is_not_missing_any_more_once_the_archive_has_it_whatever_destinations_say() -> None:
    archived = owed(HandOffState.DONE, HandOffKind.ARCHIVE)
    assert overcome(Fault.OUTPUT_MISSING, a_job(), [archived, owed(HandOffState.DEAD)])
    lost = owed(HandOffState.MISSING, HandOffKind.ARCHIVE)
    assert overcome(Fault.OUTPUT_MISSING, a_job(), [archived, lost]) is None


@pytest.mark.parametrize("fault", sorted(OF_ENDS))
def test_why_a_job_ended_as_it_did_is_never_over(fault: Fault) -> None:
    assert overcome(fault, a_job(State.COMPLETED), []) is None
