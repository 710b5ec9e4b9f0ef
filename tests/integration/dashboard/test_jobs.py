"""The list of jobs: what is looked for is found, each page has its address, and none sees another's."""

import re
from urllib.parse import urlsplit

import httpx
import pytest

from orchestrator.core.access import Scope
from orchestrator.core.blame import Fault
from orchestrator.core.lifecycle import State
from tests.integration.api.served import Holder
from tests.integration.dashboard.conftest import SignedIn
from tests.integration.dashboard.visitor import words


def listed(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return re.findall(r'<th scope="row"><a class="id" href="/dashboard/jobs/([^"]+)"', answer.text)


def test_each_filter_finds_what_is_meant_and_its_address_says_all_of_it(
    us: Holder, signed_in: SignedIn
) -> None:
    waiting = us.move(us.kept(reference="order 7"), State.WAITING, model="veo", gateway_id="G-list-1")
    failed = us.move(us.kept(), State.FAILED, model="sora", blame=Fault.PROVIDER, settled_at=1.0)
    kept = us.kept(reference="order 7")
    visitor = signed_in(us, Scope.READ)
    assert listed(visitor.get("/jobs")) == [kept.id, failed.id, waiting.id]
    assert listed(visitor.get("/jobs", state="waiting")) == [waiting.id]
    assert listed(visitor.get("/jobs", state="open")) == [kept.id, waiting.id]
    bad = visitor.get("/jobs", state="ended badly")
    assert listed(bad) == [failed.id]
    assert '<span class="state bad">failed</span>' in bad.text
    assert listed(visitor.get("/jobs", model="veo")) == [waiting.id]
    assert listed(visitor.get("/jobs", model="google/veo-3.1-lite")) == [kept.id]
    assert listed(visitor.get("/jobs", fault="provider")) == [failed.id]
    assert listed(visitor.get("/jobs", q="order 7")) == [kept.id, waiting.id]
    assert listed(visitor.get("/jobs", q="order 7", state="waiting")) == [waiting.id]
    assert kept.id in listed(visitor.get("/jobs", q="job_"))
    assert 'value="order 7"' in visitor.get("/jobs", q="order 7").text


def test_whoever_names_one_job_is_led_to_it(us: Holder, signed_in: SignedIn) -> None:
    job = us.move(us.kept(), State.WAITING, gateway_id="G-named-1")
    visitor = signed_in(us, Scope.READ)
    for name in (job.id, "G-named-1", f" {job.id} "):
        answer = visitor.get("/jobs", q=name)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/dashboard/jobs/{job.id}")
    assert "No job matches" in words(visitor.get("/jobs", q="G-named-2"))


def test_a_long_list_has_a_page_after_the_other_and_a_way_back(us: Holder, signed_in: SignedIn) -> None:
    jobs = [us.kept().id for _ in range(53)]
    visitor = signed_in(us, Scope.READ)
    first = visitor.get("/jobs", state="accepted")
    assert listed(first) == jobs[:2:-1]
    older = re.search(r'rel="next" href="([^"]+)"', first.text)
    assert older is not None
    second = visitor.client.get(older[1].replace("&amp;", "&"))
    assert listed(second) == jobs[2::-1]
    assert "state=accepted" in urlsplit(older[1]).query
    assert 'rel="next"' not in second.text
    assert '<a class="button" href="/dashboard/jobs?state=accepted">Newest</a>' in second.text


def test_what_was_given_up_leads_to_its_jobs(us: Holder, signed_in: SignedIn) -> None:
    us.kept()
    us.dead(reference="lost")
    answer = signed_in(us, Scope.READ).get("/jobs", hand_offs="given_up")
    assert len(listed(answer)) == 1
    assert "lost" in words(answer)


def test_what_is_still_to_be_handed_off_leads_to_its_jobs(us: Holder, signed_in: SignedIn) -> None:
    us.kept()
    us.dead()
    owed = us.completed()
    visitor = signed_in(us, Scope.READ)
    assert listed(visitor.get("/jobs", hand_offs="owed")) == [owed.id]
    assert 'href="/dashboard/jobs?hand_offs=owed"' in visitor.get("").text


def test_nobody_sees_another_tenant_s_jobs_however_they_are_named(
    us: Holder, them: Holder, signed_in: SignedIn
) -> None:
    theirs = them.move(them.kept(reference="secret"), State.WAITING, gateway_id="G-theirs", model="veo")
    visitor = signed_in(us, Scope.READ)
    for query in ({}, {"q": theirs.id}, {"q": "G-theirs"}, {"q": "secret"}, {"tenant": them.tenant}):
        answer = visitor.get("/jobs", **query)
        assert listed(answer) == []
    whole = signed_in(us, Scope.READ, Scope.INSTALLATION)
    assert listed(whole.get("/jobs", tenant=them.tenant)) == [theirs.id]
    assert theirs.id in listed(whole.get("/jobs"))


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ({"state": "asleep"}, "There is no state 'asleep'."),
        ({"fault": "<b>"}, "There is no fault '<b>'."),
        ({"hand_offs": "1"}, "There are no hand-offs '1'."),
        ({"q": "a\x00b"}, "Nothing can be looked for with such a q."),
        ({"model": "m" * 500}, "Nothing can be looked for with such a model."),
    ],
)
def test_what_nobody_can_look_for_is_refused_with_the_reason(
    us: Holder, signed_in: SignedIn, query: dict[str, str], why: str
) -> None:
    answer = signed_in(us, Scope.READ).get("/jobs", **query)
    assert answer.status_code == 422
    assert why in words(answer)
    assert "<b>" not in answer.text


def test_what_callers_named_is_text_on_the_page(us: Holder, signed_in: SignedIn) -> None:
    us.kept(reference="<script>alert(1)</script>")
    answer = signed_in(us, Scope.READ).get("/jobs")
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text
