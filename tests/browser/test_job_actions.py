"""What is done about jobs, one or many: its effect is in the database, and on the timeline."""

from playwright.sync_api import Page, expect

from orchestrator.core.job import HandOff, HandOffState, Job, Source
from orchestrator.core.lifecycle import Seen, State
from orchestrator.store import attempts
from orchestrator.store.attempts import Result
from orchestrator.web.dashboard.wording import WINNERS
from tests.acceptance.waiting import until
from tests.browser.conftest import Visits
from tests.browser.stage import FEW, FOR_MANY, Stage
from tests.browser.test_actions import on_the_timeline, told


def retries(stage: Stage, job_id: str) -> list[Job]:
    return [one for one in stage.database.jobs() if one.retry_of == job_id]


def delivered(stage: Stage, job_id: str) -> HandOff:
    """What it was handed off by, once it was."""
    stage.database.wait([job_id])
    (owed,) = stage.database.owed(job_id)
    assert owed.state is HandOffState.DONE, owed.last_error
    return owed


def test_a_job_is_found_by_its_reference_and_its_video_plays(page: Page, stage: Stage, scripts: bool) -> None:
    job = stage.database.job(stage.one("by hook"))
    page.goto("/dashboard/jobs")
    page.get_by_label("Job id, gateway id or reference").fill(job.reference or "")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=job.id).click()
    expect(page.locator("#timeline")).to_contain_text("webhook")  # whoever came first, it came
    assert job.won_by
    expect(page.locator("#standing")).to_contain_text(f"{WINNERS[job.won_by]} told the end")
    video = page.locator("video")
    expect(video).to_be_visible()
    if scripts:
        # Asked from outside: to wait within, the page would have to evaluate words, which it forbids.
        until("the video is there", lambda: page.evaluate("document.querySelector('video').readyState > 0"))


def test_a_job_that_runs_is_looked_at_now(page: Page, visits: Visits, stage: Stage) -> None:
    job = stage.take("waiting")
    before = stage.database.job(job).looks
    busy = page.get_by_role("alert").filter(has_text="A worker is looking at it now.")

    def asked() -> bool:
        """Not at the very moment in which a worker looks by itself: that is refused."""
        page.goto(f"/dashboard/jobs/{job}")
        page.get_by_role("button", name="Look now").click()
        expect(page.get_by_role("status").or_(busy)).to_be_visible()
        return not busy.is_visible()

    until("it is looked at when it is asked for", asked)
    told(page, "It is looked at")
    visits.complaints[:] = [one for one in visits.complaints if "409" not in one]
    until("it was looked at", lambda: stage.database.job(job).looks > before)


def test_a_job_is_cancelled(page: Page, stage: Stage) -> None:
    job = stage.take("waiting")
    page.goto(f"/dashboard/jobs/{job}")
    expect(page.get_by_role("button", name="Yes, cancel it")).to_be_hidden()
    page.get_by_text("Cancel …").click()
    page.get_by_role("button", name="Yes, cancel it").click()
    told(page, "Cancelled: nothing more of it is handed off.")
    assert stage.database.job(job).cancel_requested_at is not None
    assert on_the_timeline(stage, job, Source.OPERATOR, Seen.CANCEL)
    expect(page.locator("#timeline")).to_contain_text("its caller wants it no more")
    expect(page.get_by_role("button", name="Cancel")).to_be_disabled()


def test_a_job_that_failed_is_asked_for_once_more(page: Page, stage: Stage) -> None:
    job = stage.take("failed")
    page.goto(f"/dashboard/jobs/{job}")
    page.get_by_text("Retry as a new job …").click()
    assert retries(stage, job) == [], "it was not confirmed"
    page.get_by_role("button", name="Yes, pay for another one").click()
    told(page, "Asked for once more")
    (new,) = retries(stage, job)
    assert page.url.endswith(new.id)
    # While lines come in, what is below them moves, and a click may miss it.
    stage.database.wait([new.id])
    page.reload()
    page.get_by_role("link", name=job).click()
    expect(page.get_by_role("link", name=new.id)).to_be_visible()


def test_what_was_given_up_for_a_job_is_tried_again(page: Page, stage: Stage) -> None:
    job = stage.take(f"to {FEW}")
    stage.receivers[FEW].refuse = 0
    page.goto(f"/dashboard/jobs/{job}")
    expect(page.locator("#hand-offs")).to_contain_text("dead")
    page.get_by_role("button", name="Replay what was given up").click()
    told(page, "1 is tried again, from the first attempt on.")
    delivered(stage, job)
    page.reload()
    expect(page.locator("#timeline")).to_contain_text(f"to {FEW}, attempt 1")
    expect(page.locator("#hand-offs")).to_contain_text("done")


def test_what_was_delivered_is_delivered_once_more_as_new(page: Page, stage: Stage) -> None:
    job = stage.take("by hook")
    page.goto(f"/dashboard/jobs/{job}")
    row = page.locator("#hand-offs").get_by_role("row").filter(has_text="videos")
    row.get_by_text("Deliver as new …").click()
    row.get_by_role("button", name="Yes, once more, under a new name").click()
    told(page, "is tried again, as something new.")
    assert delivered(stage, job).generation == 1
    with stage.database.store.read() as tx:
        done = [one for one in attempts.of_job(tx, job) if one.result is Result.DONE]
    assert [one.destination for one in done].count("videos") == 2


def test_a_double_click_does_it_once(page: Page, visits: Visits, stage: Stage) -> None:
    job = stage.take("by hook")
    page.goto(f"/dashboard/jobs/{job}")
    row = page.locator("#hand-offs").get_by_role("row").filter(has_text="videos")
    row.get_by_text("Deliver as new …").click()
    row.get_by_role("button", name="Yes, once more, under a new name").dblclick()
    until("it was done", lambda: stage.database.owed(job)[0].generation > 0)
    expect(
        page.get_by_text("delivered as new already").or_(page.get_by_text("as something new"))
    ).to_be_visible()
    assert delivered(stage, job).generation == 1
    # The console tells of the refusal, where the second click was a request of its own.
    visits.complaints[:] = [one for one in visits.complaints if "409" not in one]


def test_all_that_match_are_cancelled_after_they_were_counted(
    page: Page, stage: Stage, scripts: bool
) -> None:
    reference = f"unwanted {int(scripts)}"
    jobs = [one for one in stage.jobs["to cancel"] if stage.database.job(one).reference == reference]
    page.goto(f"/dashboard/jobs?q={reference}")
    page.get_by_role("link", name="Cancel …").click()
    expect(page.get_by_text("2 jobs match")).to_be_visible()
    assert {stage.database.job(one).cancel_requested_at for one in jobs} == {None}
    page.get_by_role("button", name="Cancel 2 jobs").click()
    told(page, "Done with 2 jobs.")
    assert all(stage.database.job(one).cancel_requested_at for one in jobs)
    assert all(on_the_timeline(stage, one, Source.OPERATOR, Seen.CANCEL) for one in jobs)


def test_all_that_match_are_asked_for_once_more(page: Page, stage: Stage, scripts: bool) -> None:
    reference = f"again {int(scripts)}"
    jobs = [one for one in stage.jobs["to retry"] if stage.database.job(one).reference == reference]
    page.goto(f"/dashboard/jobs?q={reference}&state=failed")
    page.get_by_role("link", name="Retry …").click()
    page.get_by_role("button", name="Retry 2 jobs").click()
    told(page, "Done with 2 jobs.")
    assert [len(retries(stage, one)) for one in jobs] == [1, 1]


def test_what_was_given_up_for_all_that_match_is_tried_again(page: Page, stage: Stage, scripts: bool) -> None:
    reference = f"lost {int(scripts)}"
    (job,) = (one for one in stage.jobs[f"to {FOR_MANY}"] if stage.database.job(one).reference == reference)
    stage.receivers[FOR_MANY].refuse = 0
    page.goto(f"/dashboard/jobs?q={reference}&hand_offs=given_up")
    page.get_by_role("link", name="Replay what was given up …").click()
    page.get_by_role("button", name="Replay for 1 job").click()
    told(page, "Done with 1 job.")
    delivered(stage, job)
    page.goto(f"/dashboard/jobs/{job}")
    expect(page.locator("#timeline")).to_contain_text(f"to {FOR_MANY}, attempt 1")


def test_an_uncertain_job_leads_to_where_it_is_settled(page: Page, stage: Stage) -> None:
    job = stage.one("uncertain")
    page.goto(f"/dashboard/jobs/{job}")
    page.get_by_role("link", name="Settle …").click()
    expect(page.get_by_role("heading", name=f"Uncertain create of {job}")).to_be_visible()
    assert stage.database.job(job).state is State.UNCERTAIN
