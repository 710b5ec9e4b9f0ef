"""The table against its rules in words: every pair of state and thing seen has the answer they give."""

from itertools import product

import pytest

from orchestrator.core.lifecycle import (
    LIVE_NEGATIVE,
    OPEN,
    SETTLED,
    STEPS,
    Seen,
    State,
    Step,
    Verdict,
    step,
)

ENDS = {
    Seen.COMPLETED: State.COMPLETED,
    Seen.FAILED_STORED: State.FAILED,
    Seen.CANCELLED_STORED: State.CANCELLED,
    Seen.EXPIRED_STORED: State.EXPIRED,
}
LIVE_ENDS = {
    Seen.FAILED_LIVE: State.FAILED,
    Seen.CANCELLED_LIVE: State.CANCELLED,
    Seen.EXPIRED_LIVE: State.EXPIRED,
}
ENDED_BY_GATEWAY = frozenset(ENDS.values())
NOT_YET_WAITING = (State.ACCEPTED, State.CREATING, State.UNCERTAIN)


def test_every_state_has_an_answer_to_everything_that_can_be_seen() -> None:
    assert set(STEPS) == set(product(State, Seen))


def test_states_are_open_or_settled_and_never_both() -> None:
    assert set(State) == OPEN | SETTLED
    assert not OPEN & SETTLED


def test_a_step_moves_exactly_when_it_says_so() -> None:
    for (state, seen), taken in STEPS.items():
        assert (taken.to is not state) == (taken.verdict is Verdict.MOVED), (state, seen)


@pytest.mark.parametrize(("state", "seen"), sorted(product(OPEN, ENDS)))
def test_stored_evidence_of_an_end_settles_every_open_job(state: State, seen: Seen) -> None:
    assert step(state, seen) == Step(ENDS[seen], Verdict.MOVED)


@pytest.mark.parametrize(("state", "seen"), sorted(product(OPEN, LIVE_ENDS)))
def test_a_bad_end_seen_live_settles_nothing_and_asks_for_stored_evidence(state: State, seen: Seen) -> None:
    taken = step(state, seen)
    assert taken.to is State.WAITING
    assert taken.confirm


@pytest.mark.parametrize(("state", "seen"), sorted(product(ENDED_BY_GATEWAY, {**ENDS, **LIVE_ENDS})))
def test_the_same_end_is_known_and_another_end_is_a_clash(state: State, seen: Seen) -> None:
    same = {**ENDS, **LIVE_ENDS}[seen] is state
    assert step(state, seen) == Step(state, Verdict.KNOWN if same else Verdict.CLASH)


@pytest.mark.parametrize("state", sorted(ENDED_BY_GATEWAY))
def test_an_open_word_after_an_end_is_late(state: State) -> None:
    assert step(state, Seen.OPEN) == Step(state, Verdict.LATE)


@pytest.mark.parametrize("state", NOT_YET_WAITING)
def test_a_job_that_the_gateway_has_is_waiting_whatever_we_thought(state: State) -> None:
    assert step(state, Seen.OPEN) == Step(State.WAITING, Verdict.MOVED)


def test_settled_jobs_move_only_out_of_timed_out_or_by_a_person_out_of_rejected() -> None:
    moves = {(state, seen): taken.to for (state, seen), taken in STEPS.items() if taken.to is not state}
    assert {pair: to for pair, to in moves.items() if pair[0] in SETTLED} == {
        **{(State.TIMED_OUT, seen): end for seen, end in ENDS.items()},
        (State.TIMED_OUT, Seen.REFUSED): State.REJECTED,
        (State.TIMED_OUT, Seen.ADOPT): State.WAITING,
        (State.REJECTED, Seen.ADOPT): State.WAITING,
    }


def test_the_deadline_ends_whatever_is_open_except_a_create_under_way() -> None:
    timed_out = {state for state in State if step(state, Seen.DEADLINE).to is State.TIMED_OUT}
    assert timed_out == {State.ACCEPTED, State.UNCERTAIN, State.WAITING, State.TIMED_OUT}


def test_only_a_job_that_nobody_was_asked_to_make_is_cancelled_by_its_caller() -> None:
    assert [s for s in State if step(s, Seen.CANCEL).verdict is Verdict.MOVED] == [State.ACCEPTED]


def test_only_an_accepted_job_is_asked_of_the_gateway() -> None:
    assert [s for s in State if step(s, Seen.ATTEMPT).verdict is Verdict.MOVED] == [State.ACCEPTED]


@pytest.mark.parametrize("seen", [Seen.RESUBMIT, Seen.GIVE_UP])
def test_only_an_uncertain_create_is_resubmitted_or_given_up(seen: Seen) -> None:
    assert [s for s in State if step(s, seen).verdict is Verdict.MOVED] == [State.UNCERTAIN]


def test_the_answers_to_a_create_mean_what_they_say_while_it_is_under_way() -> None:
    means = {
        Seen.REFUSED: State.REJECTED,
        Seen.NO_JOB: State.ACCEPTED,
        Seen.LOST: State.UNCERTAIN,
        Seen.OPEN: State.WAITING,
        Seen.COMPLETED: State.COMPLETED,
    }
    assert {seen: step(State.CREATING, seen).to for seen in means} == means


def test_a_refusal_or_no_job_after_the_gateway_had_it_is_a_clash() -> None:
    had_it = (State.WAITING, State.COMPLETED, State.FAILED, State.EXPIRED)
    for state, seen in product(had_it, (Seen.REFUSED, Seen.NO_JOB)):
        assert step(state, seen) == Step(state, Verdict.CLASH)


def test_stored_evidence_is_wanted_for_live_bad_ends_only() -> None:
    wanted = {seen for (_, seen), taken in STEPS.items() if taken.confirm}
    assert wanted == LIVE_NEGATIVE
    assert not any(taken.confirm for (state, _), taken in STEPS.items() if state in ENDED_BY_GATEWAY)


def test_asking_for_stored_evidence_stops_once_it_has_come() -> None:
    for live, end in LIVE_ENDS.items():
        assert not step(end, live).confirm
