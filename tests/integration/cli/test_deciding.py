"""`replay`, `resolve` and `cancel`: what a person may decide, and what is refused."""

import json

import pytest

from orchestrator.cli.exits import Exit
from orchestrator.core.job import HandOffState
from orchestrator.core.lifecycle import State
from orchestrator.store import hand_offs, inbox
from tests.acceptance.sandbox import SECRET
from tests.integration.cli.conftest import Rows, Run
from tests.integration.cli.signing import completed, signed


def state_of(run: Run, job: str) -> str:
    return str(json.loads(run("show", job, "--json").out)["job"]["state"])


def test_a_remembered_webhook_is_applied_to_a_job_that_was_adopted_since(run: Run, rows: Rows) -> None:
    rows.receive(*signed(completed("G-1"), SECRET))
    (listed,) = json.loads(run("inbox", "--json").out)
    assert (listed["state"], listed["type"]) == ("waiting", "video.completed")
    assert "no job of ours has its id yet" in run("replay", listed["id"]).out
    job = rows.created("G-1")  # which applies it by itself
    said = run("replay", listed["id"])
    assert (said.code, said.out) == (Exit.OK, f"inbox entry 1: applied to {job}, which is completed\n")
    assert json.loads(run("replay", listed["id"], "--json").out)["job"] == job


def test_a_rejected_webhook_is_taken_once_its_secret_is_known(
    run: Run, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = rows.created("G-1")
    rows.receive(*signed(completed("G-1"), "whsec_a-new-one"))
    assert "forged" in run("inbox", "--rejected").out
    refused = run("replay", "--rejected", 1)
    assert refused.code == Exit.REFUSED
    assert "ORCHESTRATOR_WEBHOOK_SECRETS" in refused.err
    monkeypatch.setenv("ORCHESTRATOR_WEBHOOK_SECRETS", f"{SECRET},whsec_a-new-one")
    assert f"applied to {job}, which is completed" in run("replay", "--rejected", 1).out
    with rows.context.store.read() as tx:
        assert not inbox.recent_rejections(tx, limit=1)


def test_a_dead_hand_off_is_owed_again_with_all_its_attempts(run: Run, rows: Rows) -> None:
    job, hand_off = rows.dead_hand_off("G-1")
    assert run("replay", "--hand-off", hand_off).code == Exit.OK
    with rows.context.store.read() as tx:
        archived, owed = hand_offs.of_job(tx, job)
    assert archived.state is HandOffState.DONE
    assert (owed.state, owed.attempts) == (HandOffState.OWED, 0)
    assert owed.due_at is not None
    again = run("replay", "--hand-off", hand_off)
    assert (again.code, f"hand-off {hand_off} is owed" in again.err) == (Exit.REFUSED, True)


@pytest.mark.parametrize("arguments", ["", "1 --rejected 1", "1 --hand-off 1"])
def test_a_replay_names_one_thing(run: Run, rows: Rows, arguments: str) -> None:
    assert run("replay", *arguments.split()).code == Exit.USAGE


@pytest.mark.parametrize("arguments", ["9", "--rejected 9", "--hand-off 9"])
def test_what_is_not_there_cannot_be_replayed(run: Run, rows: Rows, arguments: str) -> None:
    assert run("replay", *arguments.split()).code == Exit.REFUSED


def test_an_uncertain_job_is_given_the_gateway_s_job(run: Run, rows: Rows) -> None:
    job = rows.left_to_a_person()
    assert run("resolve", job, "--adopt", "G-5").code == Exit.OK
    document = json.loads(run("show", "G-5", "--json").out)
    assert (document["job"]["id"], document["job"]["state"]) == (job, State.WAITING)


def test_a_gateway_job_of_another_job_is_not_adopted(run: Run, rows: Rows) -> None:
    owner, job = rows.created("G-5"), rows.left_to_a_person()
    said = run("resolve", job, "--adopt", "G-5")
    assert (said.code, owner in said.err) == (Exit.REFUSED, True)


def test_giving_up_ends_an_uncertain_job(run: Run, rows: Rows) -> None:
    job = rows.left_to_a_person()
    assert run("resolve", job, "--give-up").code == Exit.OK
    assert state_of(run, job) == State.TIMED_OUT


def test_resubmitting_names_the_money_at_risk_and_wants_a_yes(run: Run, rows: Rows) -> None:
    job = rows.left_to_a_person()
    said = run("resolve", job, "--resubmit")
    assert said.code == Exit.REFUSED
    assert "the gateway bills that one and the new one" in said.err
    assert state_of(run, job) == State.UNCERTAIN
    assert run("resolve", job, "--resubmit", "--yes").code == Exit.OK
    assert state_of(run, job) == State.ACCEPTED


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("--adopt G-9", "already has the gateway job G-1"),
        ("--resubmit", "is waiting: only an uncertain create"),
        ("--give-up", "is waiting: only an uncertain create"),
    ],
)
def test_a_job_that_is_not_uncertain_is_not_resolved(run: Run, rows: Rows, way: str, words: str) -> None:
    said = run("resolve", rows.created("G-1"), *way.split())
    assert said.code == Exit.REFUSED
    assert words in said.err


@pytest.mark.parametrize("ways", ["", "--give-up --resubmit", "--adopt G-1 --give-up"])
def test_one_way_out_is_taken_at_a_time(run: Run, rows: Rows, ways: str) -> None:
    assert run("resolve", rows.left_to_a_person(), *ways.split()).code == Exit.USAGE


def test_a_job_that_was_not_asked_for_yet_is_cancelled_whole(run: Run, rows: Rows) -> None:
    job = rows.submit()
    assert run("cancel", job).code == Exit.OK
    assert state_of(run, job) == State.CANCELLED


def test_a_job_at_the_gateway_runs_on_and_that_is_said(run: Run, rows: Rows) -> None:
    job = rows.created("G-1")
    assert "which cannot cancel and bills it" in run("cancel", job).out
    assert state_of(run, job) == State.WAITING


def test_a_job_that_has_ended_is_too_late_to_cancel(run: Run, rows: Rows) -> None:
    job, _ = rows.dead_hand_off("G-1")
    assert "too late to cancel: it had ended; 0 of 1 hand-offs were done" in run("cancel", job).out
