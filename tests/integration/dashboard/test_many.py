"""The same done with all jobs that match: counted first, done as counted, and what was not is told."""

import re
from typing import Any

import httpx
import pytest

from orchestrator.core.access import Scope
from orchestrator.core.job import HandOffState
from orchestrator.core.lifecycle import State
from orchestrator.engine import bulk
from orchestrator.store import hand_offs, job_lists, jobs, observations
from orchestrator.web.dashboard.pages import many
from tests.integration.api.served import Holder
from tests.integration.dashboard.conftest import SignedIn
from tests.integration.dashboard.visitor import Visitor, words

_FIELD = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


def form_of(answer: httpx.Response) -> dict[str, str]:
    """What the confirming form carries."""
    return dict(
        _FIELD.findall(answer.text.partition('action="/dashboard/jobs/many"')[2].partition("</form>")[0])
    )


def confirm(visitor: Visitor, counted: httpx.Response, **other: str) -> httpx.Response:
    return visitor.client.post("/dashboard/jobs/many", data=form_of(counted) | other)


def state_of(us: Holder, job_id: str) -> State:
    with us.api.store.read() as tx:
        return jobs.require(tx, job_id).state


def test_many_are_cancelled_after_it_was_said_what_that_means(us: Holder, signed_in: SignedIn) -> None:
    kept = [us.kept(reference="batch").id for _ in range(3)]
    running = us.move(us.kept(reference="batch"), State.WAITING, gateway_id="G-many-1")
    us.kept(reference="another")
    visitor = signed_in(us, Scope.READ, Scope.SUBMIT)
    counted = visitor.get("/jobs/many", act="cancel", q="batch")
    assert "4 jobs match" in words(counted)
    assert "accepted 3: nothing is made, and nothing is billed" in words(counted)
    assert "waiting 1: the gateway cannot cancel, goes on and bills" in words(counted)
    assert [state_of(us, one) for one in kept] == [State.ACCEPTED] * 3  # counting does nothing
    assert "Done with 4 jobs." in words(confirm(visitor, counted))
    assert [state_of(us, one) for one in kept] == [State.CANCELLED] * 3
    with us.api.store.read() as tx:
        after = jobs.require(tx, running.id)
        seen = [one.seen for one in observations.of_job(tx, kept[0])]
    assert (after.state, after.cancel_requested_at is None) == (State.WAITING, False)
    assert seen == ["cancel"]
    assert "No job matches" in words(visitor.get("/jobs/many", act="cancel", q="batch"))


def test_the_count_says_of_which_jobs_it_is(us: Holder, signed_in: SignedIn) -> None:
    us.kept(reference="batch")
    visitor = signed_in(us, Scope.READ, Scope.SUBMIT)
    some = words(visitor.get("/jobs/many", act="cancel", q="batch", state="ended badly"))
    assert "No job matches" in some
    some = words(visitor.get("/jobs/many", act="cancel", q="batch", state="accepted"))
    assert f"Which jobs reference batch state accepted tenant {us.tenant} What would be done" in some
    every = words(visitor.get("/jobs/many", act="cancel"))
    assert f"tenant {us.tenant} Nothing was looked for: these are all jobs" in every
    everywhere = signed_in(us, Scope.READ, Scope.SUBMIT, Scope.INSTALLATION)
    assert "tenant all" in words(everywhere.get("/jobs/many", act="cancel", q="batch"))


def test_nothing_is_done_where_more_match_than_were_counted(us: Holder, signed_in: SignedIn) -> None:
    us.kept(reference="grown")
    late = us.move(us.kept(reference="grown"), State.UNCERTAIN)
    newest = us.kept(reference="grown")
    visitor = signed_in(us, Scope.READ, Scope.SUBMIT)
    counted = visitor.get("/jobs/many", act="cancel", q="grown", state="accepted")
    assert "2 jobs match" in words(counted)
    with us.api.store.read() as tx:
        us.move(jobs.require(tx, late.id), State.ACCEPTED)
    after = us.kept(reference="grown")  # newer than what was counted: it does not count
    refused = confirm(visitor, counted)
    assert refused.status_code == 409
    assert "2 were counted, and there are 3 by now: nothing was done" in words(refused)
    assert state_of(us, newest.id) is State.ACCEPTED
    assert "Done with 3 jobs." in words(confirm(visitor, refused))
    assert (state_of(us, newest.id), state_of(us, after.id)) == (State.CANCELLED, State.ACCEPTED)


def test_too_many_for_one_go_are_done_in_several_and_each_says_what_is_left(
    us: Holder, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "PART", 2)
    monkeypatch.setattr(many, "GOES_ON_FOR", -1.0)
    for _ in range(3):
        us.kept(reference="parts")
    visitor = signed_in(us, Scope.READ, Scope.SUBMIT)
    nothing = confirm(visitor, visitor.get("/jobs/many", act="cancel", q="parts"))
    assert "Done with 0 jobs." in words(nothing)
    assert "3 are left" in words(nothing)
    monkeypatch.setattr(many, "GOES_ON_FOR", 8.0)
    assert "Done with 3 jobs." in words(confirm(visitor, nothing))


def test_of_more_than_one_count_has_each_count_is_done_to_its_end_in_parts(
    us: Holder, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "MOST", 4)
    monkeypatch.setattr(bulk, "PART", 3)
    kept = [us.kept(reference="flood").id for _ in range(6)]
    visitor = signed_in(us, Scope.READ, Scope.SUBMIT)
    counted = visitor.get("/jobs/many", act="cancel", q="flood")
    assert "There are, or may be, older ones besides" in words(counted)
    with monkeypatch.context() as hurried:
        do = bulk.do

        def do_a_part(*args: Any, **more: Any) -> bulk.Done:
            hurried.setattr(many, "GOES_ON_FOR", -1.0)
            return do(*args, **more)

        hurried.setattr(bulk, "do", do_a_part)
        first = confirm(visitor, counted)
    assert "Done with 3 jobs." in words(first)
    assert "1 are left" in words(first)
    assert "Done with 1 job." in words(confirm(visitor, first)), "older ones do not count"
    assert [state_of(us, one) for one in kept] == [State.ACCEPTED] * 2 + [State.CANCELLED] * 4
    assert "2 jobs match" in words(visitor.get("/jobs/many", act="cancel", q="flood"))


def test_many_that_ended_badly_are_tried_again_once_and_refusals_are_told_one_by_one(
    us: Holder, signed_in: SignedIn
) -> None:
    bad = us.move(us.kept(reference="again"), State.FAILED, settled_at=1.0)
    unlucky = us.move(us.kept(reference="again"), State.FAILED, settled_at=1.0)
    done = us.move(us.kept(reference="again"), State.COMPLETED, settled_at=1.0)
    visitor = signed_in(us, Scope.READ, Scope.SUBMIT)
    counted = visitor.get("/jobs/many", act="retry", q="again")
    assert "2 jobs match" in words(counted)
    with us.api.store.write() as tx:
        jobs.note(tx, unlucky.id, {"destinations": [{"to": "nowhere", "outcomes": [], "link": False}]})
    report = confirm(visitor, counted)
    assert "Done with 1 job." in words(report)
    assert "Not done with 1:" in words(report)
    assert f"{unlucky.id} : " in words(report)
    with us.api.store.read() as tx:
        assert len(job_lists.retries_of(tx, bad.id)) == 1
        assert job_lists.retries_of(tx, done.id) == []
    assert "1 job matches" in words(visitor.get("/jobs/many", act="retry", q="again"))  # the unlucky one


def test_what_was_given_up_is_tried_again_for_many(us: Holder, signed_in: SignedIn) -> None:
    dead = [us.dead(reference="lost") for _ in range(2)]
    visitor = signed_in(us, Scope.READ, Scope.OPERATE)
    counted = visitor.get("/jobs/many", act="replay", q="lost")
    assert "Replay for 2 jobs" in words(counted)
    assert "Done with 2 jobs." in words(confirm(visitor, counted))
    with us.api.store.read() as tx:
        revived = [hand_offs.get(tx, one) for one in dead]
    assert [one and one.state for one in revived] == [HandOffState.OWED] * 2
    assert len(us.api.sent) == 1  # one message: whoever gets it claims what is due


def test_only_those_who_may_do_it_with_one_may_with_many_and_nobody_with_another_tenant_s(
    us: Holder, them: Holder, signed_in: SignedIn
) -> None:
    theirs = them.kept(reference="ours?")
    reader, submitter = signed_in(us, Scope.READ), signed_in(us, Scope.READ, Scope.SUBMIT)
    page = reader.get("/jobs")
    assert "Your key lacks the scope submit." in words(page)
    assert "Your key lacks the scope operate." in words(page)
    assert reader.get("/jobs/many", act="cancel").status_code == 403
    assert reader.post("/jobs/many", act="cancel", newest="z", oldest="a", count="9").status_code == 403
    assert submitter.post("/jobs/many", act="replay", newest="z", oldest="a", count="9").status_code == 403
    assert "No job matches" in words(submitter.get("/jobs/many", act="cancel", tenant=them.tenant))
    done = submitter.post("/jobs/many", act="cancel", tenant=them.tenant, newest="z", oldest="a", count="9")
    assert "Done with 0 jobs." in words(done)
    assert submitter.client.post("/dashboard/jobs/many", data={"act": "cancel"}).status_code == 403
    with them.api.store.read() as tx:
        assert jobs.require(tx, theirs.id).state is State.ACCEPTED


def test_what_was_not_counted_is_not_done(us: Holder, signed_in: SignedIn) -> None:
    job = us.kept()
    visitor = signed_in(us, Scope.READ, Scope.SUBMIT)
    ids = {"newest": job.id, "oldest": job.id}
    for fields in ({}, ids, {"count": "1"}, {"newest": job.id, "count": "1"}, ids | {"count": "-1"}):
        assert visitor.post("/jobs/many", act="cancel", **fields).status_code == 422
    assert visitor.get("/jobs/many", act="look").status_code == 422
    assert visitor.get("/jobs/many", act="cancel", q=job.id).status_code == 422
    assert state_of(us, job.id) is State.ACCEPTED
