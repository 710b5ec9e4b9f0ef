"""Uncertain creates: who sees which, with what evidence, and the three ways out."""

from typing import Any

import pytest

from orchestrator.core.access import Scope
from orchestrator.core.job import Job, Source
from orchestrator.core.lifecycle import Seen, State
from orchestrator.store import jobs, observations, searches
from orchestrator.store.searches import Stranger
from tests.integration.api.served import Holder, Served
from tests.integration.dashboard.conftest import SignedIn
from tests.integration.dashboard.visitor import Visitor, words

GATEWAY_ID = "G-01K3ZQ8W6X2M5N7P9R1T3V5Y7Z"


def unsure(us: Holder, *, needs_person: bool = True, **facts: Any) -> Job:
    """A job of which nobody knows whether it was made."""
    job = us.kept()
    return us.move(job, State.UNCERTAIN, attempts=2, needs_person=needs_person, **facts)


@pytest.fixture
def operator(us: Holder, signed_in: SignedIn) -> Visitor:
    return signed_in(us, Scope.READ, Scope.OPERATE)


def now(api: Served, job: Job) -> Job:
    with api.store.read() as tx:
        return jobs.require(tx, job.id)


def decided(api: Served, job: Job) -> Seen:
    """What a person did last, by the timeline."""
    with api.store.read() as tx:
        last = observations.of_job(tx, job.id)[-1]
    assert last.source is Source.OPERATOR
    return last.seen


def test_the_oldest_stands_first_and_none_is_another_tenant_s(
    us: Holder, them: Holder, operator: Visitor, signed_in: SignedIn
) -> None:
    first, second, theirs = unsure(us), unsure(us), unsure(them)
    found = unsure(us, needs_person=False)
    page = operator.get("/uncertain").text
    assert (
        page.index(first.id) < page.index(second.id) < page.index("Still searched for") < page.index(found.id)
    )
    assert theirs.id not in page
    assert operator.get(f"/uncertain/{theirs.id}").status_code == 404
    assert operator.post(f"/uncertain/{theirs.id}", way="give_up").status_code == 404
    every = signed_in(us, Scope.READ, Scope.INSTALLATION).get("/uncertain").text
    assert theirs.id in every


def test_a_long_list_goes_on(us: Holder, operator: Visitor) -> None:
    some = [unsure(us) for _ in range(51)]
    page = operator.get("/uncertain").text
    assert some[-1].id not in page
    assert f"after={some[49].id}" in page
    assert some[-1].id in operator.get("/uncertain", after=some[49].id).text


def test_the_evidence_is_each_session_and_what_was_searched(
    api: Served, us: Holder, operator: Visitor, signed_in: SignedIn
) -> None:
    job = unsure(us)
    told = Stranger(GATEWAY_ID, opened=True, session_id="somebody-else.1", status="processing", model="m")
    with api.store.write() as tx:
        searches.note(tx, "default", listed=57, whole=True, problem=None, strangers=[told])
    page = words(operator.get(f"/uncertain/{job.id}"))
    assert f"{job.id}.1" in page
    assert f"{job.id}.2" in page
    assert "The gateway's list had 57 recent jobs." in page
    assert GATEWAY_ID not in page
    every = words(signed_in(us, Scope.READ, Scope.INSTALLATION).get(f"/uncertain/{job.id}"))
    assert GATEWAY_ID in every
    assert "another one: somebody-else.1" in every
    with api.store.write() as tx:
        searches.note(tx, "default", listed=None, whole=False, problem="it answered 501", strangers=[])
    assert "could not be read: it answered 501" in words(operator.get(f"/uncertain/{job.id}"))


def test_adopting_follows_the_gateway_job(api: Served, us: Holder, operator: Visitor) -> None:
    job = unsure(us)
    assert "move from uncertain to waiting" in words(operator.get(f"/uncertain/{job.id}"))
    done = operator.post(f"/uncertain/{job.id}", way="adopt", gateway_id=f" {GATEWAY_ID}X ")
    assert f"It is the gateway job {GATEWAY_ID}X" in words(done)
    assert (now(api, job).state, now(api, job).gateway_id) == (State.WAITING, f"{GATEWAY_ID}X")
    assert decided(api, job) is Seen.ADOPT
    assert api.sent


def test_a_gateway_job_that_was_named_by_mistake_is_named_anew_until_one_is_confirmed(
    api: Served, us: Holder, operator: Visitor
) -> None:
    job = unsure(us)
    operator.post(f"/uncertain/{job.id}", way="adopt", gateway_id="G-mistake")
    page = operator.get(f"/uncertain/{job.id}")
    assert "G-mistake" in words(page)
    assert "If that was a mistake, adopt another one." in words(page)
    assert page.text.count(" disabled") == 3, "two ways out are over"
    assert (
        "the gateway job that a person named is not confirmed"
        in words(operator.get(f"/jobs/{job.id}")).lower()
    )
    operator.post(f"/uncertain/{job.id}", way="adopt", gateway_id=f"{GATEWAY_ID}-right")
    assert now(api, job).gateway_id == f"{GATEWAY_ID}-right"
    with api.store.write() as tx:
        jobs.note(tx, job.id, {"unconfirmed": False})
    assert "there is nothing to decide" in words(operator.get(f"/uncertain/{job.id}"))


@pytest.mark.parametrize("wrong", ["", "../x", "a b"])
def test_what_can_be_no_gateway_id_is_not_adopted(
    api: Served, us: Holder, operator: Visitor, wrong: str
) -> None:
    job = unsure(us)
    refused = operator.post(f"/uncertain/{job.id}", way="adopt", gateway_id=wrong)
    assert refused.status_code == 409
    assert "is not an id of the gateway's" in words(refused)
    assert now(api, job).state is State.UNCERTAIN


def test_paying_twice_is_risked_only_by_whoever_says_so(api: Served, us: Holder, operator: Visitor) -> None:
    job = unsure(us)
    refused = operator.post(f"/uncertain/{job.id}", way="resubmit")
    assert "you did not accept" in words(refused).lower()
    assert now(api, job).state is State.UNCERTAIN
    assert "It is created again." in words(operator.post(f"/uncertain/{job.id}", way="resubmit", risk="1"))
    assert now(api, job).state is State.ACCEPTED
    assert decided(api, job) is Seen.RESUBMIT


def test_giving_up_is_told_and_cannot_be_done_twice(api: Served, us: Holder, operator: Visitor) -> None:
    job = unsure(us)
    assert "the outcome timed_out to folder" in words(operator.get(f"/uncertain/{job.id}"))
    assert "It was given up" in words(operator.post(f"/uncertain/{job.id}", way="give_up"))
    assert now(api, job).state is State.TIMED_OUT
    assert decided(api, job) is Seen.GIVE_UP
    assert "there is nothing to decide" in words(operator.get(f"/uncertain/{job.id}"))
    assert operator.post(f"/uncertain/{job.id}", way="give_up").status_code == 409
    assert operator.post(f"/uncertain/{job.id}", way="completed").status_code == 422


def test_whoever_may_only_read_decides_nothing(api: Served, us: Holder, signed_in: SignedIn) -> None:
    job = unsure(us)
    reader = signed_in(us, Scope.READ)
    page = reader.get(f"/uncertain/{job.id}")
    assert page.text.count("disabled") == 5
    assert "lacks the scope operate" in words(page)
    assert reader.post(f"/uncertain/{job.id}", way="give_up").status_code == 403
    assert now(api, job).state is State.UNCERTAIN
