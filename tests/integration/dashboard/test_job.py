"""The page of a job: all that was learned of it, what can be done and why not, and what doing it changes."""

import re
from typing import Any

import httpx
from sqlalchemy import delete, update

from orchestrator.core.access import Scope
from orchestrator.core.blame import Fault, Met
from orchestrator.core.job import HandOff, HandOffState, Job, Observation, Source
from orchestrator.core.lifecycle import Seen, State
from orchestrator.engine.observe import observe
from orchestrator.store import attempts, faults, hand_offs, job_lists, jobs, outputs, schema
from orchestrator.store.attempts import Result
from tests.integration.api.served import Holder
from tests.integration.dashboard.conftest import SignedIn
from tests.integration.dashboard.visitor import words

CONTENT = b"\x00\x00\x00\x18ftypmp42" + bytes(range(256)) * 4


def learn(us: Holder, job: Job, source: Source, seen: Seen, **more: Any) -> None:
    with us.api.store.write() as tx:
        observe(us.api.context, tx, job.id, Observation(source, seen, **more))


def read(us: Holder, job_id: str) -> Job:
    with us.api.store.read() as tx:
        return jobs.require(tx, job_id)


def owed(us: Holder, hand_off_id: int) -> HandOff:
    with us.api.store.read() as tx:
        found = hand_offs.get(tx, hand_off_id)
    assert found is not None
    return found


def rows(answer: httpx.Response) -> list[str]:
    """The lines of the timeline, in words."""
    table = answer.text.partition('id="timeline"')[2].partition("</tbody>")[0].partition("<tbody>")[2]
    return [words(httpx.Response(200, text=one)) for one in table.split("</tr>")[:-1]]


def ended(us: Holder, **facts: Any) -> Job:
    """A job whose end a look told first, then a webhook; and then the list contradicted both."""
    job = us.move(us.kept(**facts), State.WAITING, gateway_id=f"G-{us.tenant}", gateway_status="queued")
    us.move(job, State.WAITING, created_at=job.accepted_at)
    learn(us, job, Source.POLL, Seen.COMPLETED, request_id="req-look", raw='{"a": "<b>"}', cost_usd=0.5)
    learn(us, job, Source.WEBHOOK, Seen.COMPLETED, request_id="req-hook")
    learn(us, job, Source.LIST, Seen.FAILED_STORED, raw="{}")
    return read(us, job.id)


def test_the_timeline_tells_every_observation_with_its_source_and_verdict_and_who_won(
    us: Holder, signed_in: SignedIn
) -> None:
    job = ended(us, reference="order 1")
    with us.api.store.write() as tx:
        (one,) = [each for each in hand_offs.of_job(tx, job.id) if each.kind == "archive"]
        attempts.add(tx, one, Result.FAILED, began_at=tx.now - 1, status=503, error="busy", preview="later")
    page = signed_in(us, Scope.READ).get(f"/jobs/{job.id}")
    lines = rows(page)
    assert "orchestrator kept, and cannot be lost from here on" in lines[0]
    assert any("poll completed moved waiting → completed" in line for line in lines)
    assert any("webhook completed known" in line and "req-hook" in line for line in lines)
    assert any("list failed, the gateway has kept clash" in line for line in lines)
    assert any("hand-off to archive, attempt 0 failed" in line and "HTTP 503, busy" in line for line in lines)
    assert "A look told the end" in words(page)
    assert "so much later a webhook told the same" in words(page)
    assert "&lt;b&gt;" in page.text
    assert '<code class="id">req-hook</code>' in page.text
    assert 'data-copy="req-hook"' in page.text
    assert "clashes 1" in words(page)
    assert "order 1" in words(page)
    assert "$0.5000" in words(page)


def test_faults_are_shown_with_their_evidence_and_a_text_for_support(us: Holder, signed_in: SignedIn) -> None:
    job = us.move(us.kept(), State.WAITING, gateway_id=f"G-f-{us.tenant}")
    failure: dict[str, Any] = {"message": "content filter", "code": "policy", "detail": None}
    with us.api.store.write() as tx:
        faults.note(tx, job, Met(Fault.HOOK_REFUSED_BY_US, "our side answered with HTTP 503"))
    assert "over since" not in words(signed_in(us, Scope.READ).get(f"/jobs/{job.id}"))
    us.move(job, State.FAILED, blame=Fault.PROVIDER, failure=failure, settled_at=1.0, request_id="req-f")
    page = words(signed_in(us, Scope.READ).get(f"/jobs/{job.id}"))
    assert "provider why it ended so" in page
    assert "content filter (code policy)" in page
    assert "who can fix it provider" in page
    assert "met on the way, over since Our side answered with HTTP 503." in page
    assert "since then the job's end is known: failed" in page
    assert "Text for their support" in page
    assert "It ended badly: content filter." in page


def test_what_was_mended_since_is_told_apart_from_what_was_not(us: Holder, signed_in: SignedIn) -> None:
    dead = us.dead()
    job = read(us, owed(us, dead).job_id)
    with us.api.store.write() as tx:
        faults.note(tx, job, Met(Fault.HAND_OFF_FAILED, "HTTP 503"))
    visitor = signed_in(us, Scope.READ)
    assert "hand off failed met on the way HTTP" in words(visitor.get(f"/jobs/{job.id}"))
    with us.api.store.write() as tx:
        these = update(schema.hand_offs).where(schema.hand_offs.c.id == dead)
        tx.execute(these.values(state=HandOffState.DONE, last_error=None, done_at=tx.now))
    assert "hand off failed met on the way, over since" in words(visitor.get(f"/jobs/{job.id}"))


def test_looks_that_saw_nothing_new_are_told_in_one_sentence(us: Holder, signed_in: SignedIn) -> None:
    job = us.move(us.kept(), State.WAITING, gateway_id=f"G-q-{us.tenant}")
    with us.api.store.write() as tx:
        jobs.note(tx, job.id, {"looks": 4, "created_at": tx.now})
    page = words(signed_in(us, Scope.READ).get(f"/jobs/{job.id}"))
    assert "4 of 4 looks saw nothing new, or got no answer" in page
    learn(us, job, Source.POLL, Seen.COMPLETED)
    page = words(signed_in(us, Scope.READ).get(f"/jobs/{job.id}"))
    assert "4 of 5 looks saw nothing new, or got no answer: such looks are only counted." in page


def test_what_costs_or_cannot_be_taken_back_needs_a_second_button(us: Holder, signed_in: SignedIn) -> None:
    waiting = us.move(us.kept(), State.WAITING)
    bad = us.move(us.kept(), State.FAILED, settled_at=1.0)
    visitor = signed_in(us, Scope.READ, Scope.SUBMIT, Scope.OPERATE)
    for job, act, second in (
        (waiting, "cancel", "Yes, cancel it"),
        (bad, "retry", "Yes, pay for another one"),
    ):
        text = visitor.get(f"/jobs/{job.id}").text
        (form,) = re.findall(rf'<details class="confirm" id="confirm-{act}">.*?</details>', text, re.DOTALL)
        assert f'action="/dashboard/jobs/{job.id}/{act}"' in form
        assert second in form
        assert form.count(f'aria-describedby="why-{act}"') == 2
        assert text.count(f'/{act}"') == 1


def test_a_hand_off_is_replayed_by_the_page_of_its_own_job_alone(us: Holder, signed_in: SignedIn) -> None:
    dead, other = us.dead(), us.kept()
    visitor = signed_in(us, Scope.READ, Scope.OPERATE)
    refused = visitor.post(f"/jobs/{other.id}/hand-offs/{dead}/replay")
    assert (refused.status_code, f"There is no hand-off {dead}." in words(refused)) == (404, True)
    assert owed(us, dead).state is HandOffState.DEAD
    assert visitor.post(f"/jobs/{other.id}/hand-offs/{2**63}/replay").status_code == 404


def test_what_is_delivered_as_new_by_a_double_click_is_so_once(us: Holder, signed_in: SignedIn) -> None:
    job = us.completed()
    us.archive(job)
    with us.api.store.read() as tx:
        (done,) = hand_offs.of_job(tx, job.id)
    visitor = signed_in(us, Scope.READ, Scope.OPERATE)
    assert 'name="generation" value="0"' in visitor.get(f"/jobs/{job.id}").text
    twice = [
        visitor.post(f"/jobs/{job.id}/hand-offs/{done.id}/replay", as_new="1", generation="0")
        for _ in range(2)
    ]
    assert [one.status_code for one in twice] == [200, 409]
    assert "was delivered as new already" in words(twice[1])
    assert owed(us, done.id).generation == 1


def test_who_was_refused_is_led_back_to_where_they_were(us: Holder, signed_in: SignedIn) -> None:
    job = us.kept()
    visitor = signed_in(us, Scope.READ, Scope.OPERATE)
    page = f"/dashboard/jobs/{job.id}"
    visitor.client.headers["Referer"] = f"{us.api.url}{page}"
    assert f'<a href="{page}">Back to where you were</a>' in visitor.post(f"/jobs/{job.id}/look").text
    visitor.client.headers["Referer"] = f"https://evil.example{page}"
    assert "Back to where you were" not in visitor.post(f"/jobs/{job.id}/look").text


def test_why_the_next_look_is_when_it_is(us: Holder, signed_in: SignedIn) -> None:
    job = us.move(us.kept(), State.WAITING)
    with us.api.store.write() as tx:
        jobs.note(
            tx,
            job.id,
            {"created_at": tx.now, "poll_after": 20.0, "due_at": tx.now + 300, "last_look_at": tx.now},
        )
    visitor = signed_in(us, Scope.READ)
    page = words(visitor.get(f"/jobs/{job.id}"))
    assert re.search(r"The next look is in (5 min|4 min 5\d s), .* by what was learned of jobs like it", page)
    assert "the gateway wants 20 s between two looks: not before" in page
    assert any("poll looked nothing new" in line for line in rows(visitor.get(f"/jobs/{job.id}")))
    with us.api.store.write() as tx:
        jobs.note(tx, job.id, {"look_errors": 2, "look_error": "HTTP 502"})
    page = words(visitor.get(f"/jobs/{job.id}"))
    assert "2 in a row: HTTP 502; that says nothing about the job" in page
    assert "each failure doubles the wait" in page


def test_an_output_that_is_not_kept_is_said_to_be_at_the_gateway_and_not_played(
    us: Holder, signed_in: SignedIn
) -> None:
    job = us.completed()
    with us.api.store.write() as tx:
        tx.execute(delete(schema.hand_offs).where(schema.hand_offs.c.job_id == job.id))
    visitor = signed_in(us, Scope.READ)
    page = visitor.get(f"/jobs/{job.id}")
    assert "<video" not in page.text
    said = f"7 bytes; not kept here: only the gateway has it, as output 0 of its job G-{job.id}"
    assert said in words(page)
    answer = visitor.client.get(f"/dashboard/jobs/{job.id}/outputs/0")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_kept")


def test_an_output_is_played_from_here_in_ranges_by_its_session_alone(
    us: Holder, them: Holder, signed_in: SignedIn
) -> None:
    job = us.completed()
    keeping = us.api.context.archive.begin(f"{job.id}-0", 1)
    keeping.write(CONTENT)
    kept = keeping.keep()
    with us.api.store.write() as tx:
        facts = {"archived_at": tx.now, "sha256": kept.sha256, "bytes": kept.bytes, "mime_type": "video/mp4"}
        outputs.note(tx, job.id, 0, facts)
    visitor = signed_in(us, Scope.READ)
    page = visitor.get(f"/jobs/{job.id}")
    path = f"/dashboard/jobs/{job.id}/outputs/0"
    assert f'<video controls preload="metadata" src="{path}"' in page.text
    whole = visitor.client.get(path)
    assert (whole.status_code, whole.content) == (200, CONTENT)
    part = visitor.client.get(path, headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, b"ftyp")
    assert visitor.client.get(f"{path}?download=1").headers["content-disposition"].startswith("attachment")
    assert visitor.client.get(f"/dashboard/jobs/{job.id}/outputs/7").status_code == 404
    assert signed_in(them, Scope.READ).client.get(path).status_code == 404
    visitor.client.cookies.clear()
    assert visitor.client.get(path).status_code == 303


def test_a_cancel_is_done_and_stands_on_the_timeline(us: Holder, signed_in: SignedIn) -> None:
    job = us.kept()
    visitor = signed_in(us, Scope.READ, Scope.SUBMIT)
    after = visitor.post(f"/jobs/{job.id}/cancel")
    assert "Cancelled: nothing was made." in words(after)
    assert read(us, job.id).state is State.CANCELLED
    assert any("operator wanted no more moved accepted → cancelled" in line for line in rows(after))
    assert "It was cancelled already." in words(after)
    running = us.move(us.kept(), State.WAITING, gateway_id=f"G-c-{us.tenant}")
    after = visitor.post(f"/jobs/{running.id}/cancel")
    assert "Cancelled: nothing more of it is handed off." in words(after)
    assert read(us, running.id).cancel_requested_at is not None
    assert any("its caller wants it no more" in line for line in rows(after))


def test_a_retry_makes_one_new_job_however_often_the_button_is_pressed(
    us: Holder, signed_in: SignedIn
) -> None:
    job = us.move(us.kept(), State.FAILED, settled_at=1.0)
    visitor = signed_in(us, Scope.READ, Scope.SUBMIT)
    first, second = (visitor.post(f"/jobs/{job.id}/retry", known="0") for _ in range(2))
    with us.api.store.read() as tx:
        (new,) = job_lists.retries_of(tx, job.id)
    assert first.url.path == second.url.path == f"/dashboard/jobs/{new}"
    assert f"this is the new job, after {job.id}" in words(first)
    page = visitor.get(f"/jobs/{job.id}")
    assert f'<dt>retried as</dt><dd><a class="id" href="/dashboard/jobs/{new}"' in page.text
    assert 'name="known" value="1"' in page.text
    visitor.post(f"/jobs/{job.id}/retry", known="1")
    with us.api.store.read() as tx:
        assert len(job_lists.retries_of(tx, job.id)) == 2


def test_what_was_given_up_is_replayed_all_or_one_or_as_something_new(
    us: Holder, signed_in: SignedIn
) -> None:
    dead = us.dead()
    job_id = owed(us, dead).job_id
    visitor = signed_in(us, Scope.READ, Scope.OPERATE)
    assert "1 is tried again" in words(visitor.post(f"/jobs/{job_id}/replay"))
    assert state_and_generation(us, dead) == (HandOffState.OWED, 0)
    refused = visitor.post(f"/jobs/{job_id}/replay")
    assert refused.status_code == 409
    assert "Nothing that is owed for it was given up." in words(refused)
    us.archive(read(us, job_id))
    done = visitor.post(f"/jobs/{job_id}/hand-offs/{dead}/replay", as_new="1")
    assert f"Hand-off {dead} is tried again, as something new." in words(done)
    assert state_and_generation(us, dead) == (HandOffState.OWED, 1)


def state_and_generation(us: Holder, hand_off_id: int) -> tuple[HandOffState, int]:
    found = owed(us, hand_off_id)
    return found.state, found.generation


def test_a_look_is_brought_forward_as_far_as_the_gateway_lets_us(us: Holder, signed_in: SignedIn) -> None:
    job = us.move(us.kept(), State.WAITING)
    visitor = signed_in(us, Scope.READ, Scope.OPERATE)
    with us.api.store.write() as tx:
        facts = {"created_at": tx.now - 90, "last_look_at": tx.now - 60, "poll_after": 20.0}
        jobs.note(tx, job.id, facts | {"due_at": tx.now + 600})
        now = tx.now
    assert "It is looked at now." in words(visitor.post(f"/jobs/{job.id}/look"))
    assert (read(us, job.id).due_at or 0) < now + 10
    assert [one.task for one in us.api.sent] == ["look"]
    with us.api.store.write() as tx:
        jobs.note(tx, job.id, {"last_look_at": tx.now, "poll_after": 100.0, "due_at": tx.now + 600})
    assert "as the gateway wants it" in words(visitor.post(f"/jobs/{job.id}/look"))
    due_at = read(us, job.id).due_at or 0
    assert now + 95 < due_at < now + 115
    kept = us.kept()
    refused = visitor.post(f"/jobs/{kept.id}/look")
    assert (refused.status_code, "is accepted: no look could tell" in words(refused)) == (409, True)


def test_a_button_that_cannot_be_pressed_says_why(us: Holder, signed_in: SignedIn) -> None:
    job = us.move(us.kept(), State.COMPLETED, settled_at=1.0)
    page = words(signed_in(us, Scope.READ, Scope.SUBMIT, Scope.OPERATE).get(f"/jobs/{job.id}"))
    assert "It completed: only a job that ended badly is tried again." in page
    assert "Nothing that is owed for it was given up." in page
    assert "It is completed, and nothing is owed for it any more: there is nothing to stop." in page
    assert "only an uncertain create is settled by a person" in page
    bad = us.move(us.kept(), State.FAILED, settled_at=1.0)
    answer = signed_in(us, Scope.READ).get(f"/jobs/{bad.id}")
    assert "Your key lacks the scope submit." in words(answer)
    assert re.search(r'<button disabled aria-describedby="why-retry">', answer.text)


def test_who_may_only_read_can_do_nothing_and_nobody_does_anything_to_another_tenant_s_job(
    us: Holder, them: Holder, signed_in: SignedIn
) -> None:
    dead = us.dead()
    job_id = owed(us, dead).job_id
    us.move(read(us, job_id), State.FAILED, settled_at=1.0)
    paths = ("cancel", "retry", "replay", "look", f"hand-offs/{dead}/replay")
    reader, other = signed_in(us, Scope.READ), signed_in(them, Scope.READ, Scope.SUBMIT, Scope.OPERATE)
    before = read(us, job_id)
    for path in paths:
        assert reader.post(f"/jobs/{job_id}/{path}").status_code == 403
        assert other.post(f"/jobs/{job_id}/{path}").status_code == 404
        assert reader.client.post(f"/dashboard/jobs/{job_id}/{path}").status_code == 403
        assert reader.get(f"/jobs/{job_id}/{path}").status_code in (404, 405)
    assert other.get(f"/jobs/{job_id}").status_code == 404
    assert f"There is no job {job_id}." in words(other.get(f"/jobs/{job_id}"))
    assert read(us, job_id) == before
    whole = signed_in(them, Scope.READ, Scope.OPERATE, Scope.INSTALLATION)
    assert whole.get(f"/jobs/{job_id}").status_code == 200
    assert "1 is tried again" in words(whole.post(f"/jobs/{job_id}/replay"))


def test_a_job_that_is_not_there_is_a_page_that_says_so(us: Holder, signed_in: SignedIn) -> None:
    visitor = signed_in(us, Scope.READ)
    for name in ("job_none", "a%00b", "%3Cb%3E"):
        answer = visitor.client.get(f"/dashboard/jobs/{name}")
        assert answer.status_code == 404
        assert "There is no job" in words(answer)
        assert "<b>" not in answer.text
