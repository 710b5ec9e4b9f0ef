"""The inbox: who sees it, what stands there, and that a replay changes what was shown before it."""

import json
import time
from html import unescape
from typing import Any

import pytest

from orchestrator.core.access import Scope
from orchestrator.core.job import Job, Source
from orchestrator.core.lifecycle import State
from orchestrator.engine.receive import receive
from orchestrator.engine.take import Fate
from orchestrator.store import inbox, inbox_lists, jobs, observations
from orchestrator.store.inbox import EntryState
from tests.integration.api.served import Holder, Served
from tests.integration.dashboard.conftest import SECRET, SignedIn
from tests.integration.dashboard.visitor import Visitor, form_of, words
from tests.signing import signature

EVERYTHING = (Scope.READ, Scope.OPERATE, Scope.INSTALLATION)


def waiting(us: Holder, **facts: Any) -> Job:
    """A job that the gateway has."""
    job = us.kept()
    return us.move(job, State.WAITING, gateway_id=f"G-{job.id}", **facts)


def webhook(job_id: str, status: str = "completed", event: str = "", **data: Any) -> bytes:
    told = {"id": f"G-{job_id}", "status": status, **data}
    return json.dumps(
        {"id": event or f"evt_{job_id}_{status}", "type": f"video.{status}", "data": told}
    ).encode()


def deliver(api: Served, body: bytes, secret: str = SECRET) -> tuple[Fate, int]:
    """Let it come in; what became of it, and the id of its entry or of what was rejected."""
    at = str(int(time.time()))
    headers = {"x-phaseo-timestamp": at, "x-phaseo-signature": signature(secret, at, body).hex()}
    receipt = receive(api.context, "default", headers, body, time.time())
    if receipt.entry_id is not None:
        return receipt.fate, receipt.entry_id
    with api.store.read() as tx:
        return receipt.fate, inbox.recent_rejections(tx, limit=1)[0].id


def state(api: Served, job: Job) -> State:
    with api.store.read() as tx:
        return jobs.require(tx, job.id).state


@pytest.fixture
def operator(us: Holder, signed_in: SignedIn) -> Visitor:
    return signed_in(us, *EVERYTHING)


@pytest.mark.parametrize("path", ["/inbox", "/inbox/1", "/inbox/rejected/1"])
def test_whoever_lacks_the_scope_is_told_which_and_how_to_get_it(
    us: Holder, signed_in: SignedIn, path: str
) -> None:
    answer = signed_in(us, Scope.READ, Scope.OPERATE).get(path)
    assert answer.status_code == 403
    assert "lacks the scope installation" in words(answer)
    assert "orchestrator keys make" in words(answer)


def test_the_latest_stands_first_and_each_filter_leaves_what_it_names(
    api: Served, us: Holder, operator: Visitor
) -> None:
    job = waiting(us)
    _, applied = deliver(api, webhook(job.id))
    _, unknown = deliver(api, webhook("nobody-knows", "failed"))
    page = operator.get("/inbox").text
    assert page.index(f"Entry {unknown}<") < page.index(f"Entry {applied}<")
    assert job.id in page
    for query, shown in (
        ({"fate": "waiting"}, [unknown]),
        ({"fate": "applied", "gateway_id": job.gateway_id or ""}, [applied]),
        ({"type": "video.failed", "gateway_id": "G-nobody-knows"}, [unknown]),
        ({"until": "2020-01-01T00:00"}, []),
        ({"since": "2020-01-01T00:00", "gateway_id": job.gateway_id or ""}, [applied]),
    ):
        found = operator.get("/inbox", **query).text
        assert [one for one in (applied, unknown) if f"Entry {one}<" in found] == shown, query


def test_a_long_list_is_read_part_by_part_and_nothing_is_left_out(
    api: Served, operator: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_lists, "WINDOW", 20)
    entries = {deliver(api, webhook(f"many-{number}", "failed"))[1] for number in range(60)}
    seen: set[int] = set()
    path: str | None = "/dashboard/inbox?type=video.failed&fate=waiting"
    while path is not None and not entries <= seen:
        page = operator.client.get(path)
        assert page.status_code == 200, page.text
        seen |= {one for one in entries if f"Entry {one}<" in page.text}
        path = link(page.text, "Older")
    assert entries <= seen


def link(page: str, name: str) -> str | None:
    before, found, _ = page.partition(f">{name}</a>")
    return before.rpartition('href="')[2].partition('"')[0].replace("&amp;", "&") if found else None


@pytest.mark.parametrize(
    "query",
    [{"fate": "lost"}, {"since": "yesterday"}, {"cursor": "x"}, {"type": "x" * 301}, {"gateway_id": "a\x00"}],
)
def test_what_can_be_no_filter_is_refused_in_words(operator: Visitor, query: dict[str, str]) -> None:
    answer = operator.get("/inbox", **query)
    assert answer.status_code == 422
    assert f"{next(iter(query))}: it" in words(answer).lower()


@pytest.mark.parametrize("path", ["/inbox/0", "/inbox/x", "/inbox/" + "9" * 25, "/inbox/rejected/999999999"])
def test_what_is_not_there_is_said_to_be_not_there(operator: Visitor, path: str) -> None:
    assert operator.get(path).status_code == 404


def test_a_body_is_shown_as_it_came_and_nothing_in_it_is_run(
    api: Served, us: Holder, operator: Visitor
) -> None:
    job = waiting(us)
    _, entry = deliver(api, webhook(job.id, note="<script>alert(1)</script>"))
    page = operator.get(f"/inbox/{entry}")
    assert "<script>alert" not in page.text
    assert '"note": "<script>alert(1)</script>"' in unescape(page.text)


def test_one_that_cannot_be_read_any_more_is_shown_all_the_same(api: Served, operator: Visitor) -> None:
    row: dict[str, Any] = {
        "account_id": "default",
        "event_key": "evt_old",
        "type": "video.completed",
        "gateway_id": "G-old",
    }
    row |= {"session_id": None, "job_id": None, "state": EntryState.WAITING, "headers": {}, "body": b"{}"}
    with api.store.write() as tx:
        entry, _ = inbox.remember_all_once(tx, [row])[0]
    page = operator.get(f"/inbox/{entry}")
    assert page.status_code == 200
    assert "The delivery has no data object." in words(page)
    assert operator.post(f"/inbox/{entry}/replay", mark="x").status_code == 422


def test_a_replay_does_what_was_foreseen_and_nothing_was_written_before_it(
    api: Served, us: Holder, operator: Visitor
) -> None:
    job = us.kept()
    fate, entry = deliver(api, webhook(job.id))
    assert fate is Fate.WAITING
    assert "it would go on waiting" in words(operator.get(f"/inbox/{entry}"))
    job = us.move(job, State.WAITING, gateway_id=f"G-{job.id}")
    page = operator.get(f"/inbox/{entry}")
    assert "The job would move from waiting to completed." in words(page)
    assert "output 0 to archive" in words(page)
    assert state(api, job) is State.WAITING
    done = operator.post(f"/inbox/{entry}/replay", **form_of(page))
    assert "Replayed: applied." in words(done)
    assert state(api, job) is State.COMPLETED
    with api.store.read() as tx:
        last = observations.of_job(tx, job.id)[-1]
    assert (last.source, last.inbox_id, last.to_state) == (Source.WEBHOOK, entry, State.COMPLETED)
    assert api.sent, "what is owed is handed off at once"


def test_a_replay_is_refused_once_something_else_would_happen(
    api: Served, us: Holder, operator: Visitor
) -> None:
    job = us.kept()
    _, entry = deliver(api, webhook(job.id))
    job = us.move(job, State.WAITING, gateway_id=f"G-{job.id}")
    form = form_of(operator.get(f"/inbox/{entry}"))
    us.move(job, State.FAILED)
    refused = operator.post(f"/inbox/{entry}/replay", **form)
    assert refused.status_code == 409
    assert "nothing was done" in words(refused)
    assert state(api, job) is State.FAILED


def test_whoever_may_see_and_not_operate_cannot_replay(api: Served, us: Holder, signed_in: SignedIn) -> None:
    job = waiting(us)
    _, entry = deliver(api, webhook(job.id))
    reader = signed_in(us, Scope.READ, Scope.INSTALLATION)
    page = reader.get(f"/inbox/{entry}")
    assert "lacks the scope operate" in words(page)
    assert reader.post(f"/inbox/{entry}/replay", **form_of(page)).status_code == 403
    operator = signed_in(us, Scope.READ, Scope.OPERATE)
    assert operator.post(f"/inbox/{entry}/replay", **form_of(page)).status_code == 403


def test_a_rejected_delivery_is_shown_with_why_and_is_not_replayed_while_nobody_believes_it(
    api: Served, us: Holder, operator: Visitor
) -> None:
    job = waiting(us)
    fate, rejection = deliver(api, webhook(job.id), "whsec_" + "x" * 44)
    assert fate is Fate.REJECTED
    assert f"Rejected {rejection}<" in operator.get("/inbox", fate="rejected", reason="forged").text
    page = operator.get(f"/inbox/rejected/{rejection}")
    assert "no live secret of the account made this signature" in words(page)
    assert "It is still not believed" in words(page)
    assert operator.post(f"/inbox/rejected/{rejection}/replay", mark="x").status_code == 409
    assert state(api, job) is State.WAITING


def test_a_rejected_delivery_is_taken_once_it_is_believed(api: Served, us: Holder, operator: Visitor) -> None:
    job, at = waiting(us), str(int(time.time()))
    body = webhook(job.id)
    headers = {"x-phaseo-timestamp": at, "x-phaseo-signature": signature(SECRET, at, body).hex()}
    row = {"account_id": "default", "reason": "forged", "detail": "d", "headers": headers, "body": body}
    with api.store.write() as tx:
        inbox.reject(tx, {**row, "truncated": False}, keep=500)
        rejection = inbox.recent_rejections(tx, limit=1)[0].id
    page = operator.get(f"/inbox/rejected/{rejection}")
    assert "The job would move from waiting to completed." in words(page)
    done = operator.post(f"/inbox/rejected/{rejection}/replay", **form_of(page))
    assert "Believed now, and replayed: applied." in words(done)
    assert state(api, job) is State.COMPLETED
    assert operator.get(f"/inbox/rejected/{rejection}").status_code == 404
