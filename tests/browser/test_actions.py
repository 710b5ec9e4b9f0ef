"""Each action, with JavaScript and without: its effect is in the database, and on the job's timeline."""

from playwright.sync_api import Page, expect
from sqlalchemy import update

from orchestrator.core.job import HandOffState, Source
from orchestrator.core.lifecycle import Seen, State
from orchestrator.store import destinations, schema
from orchestrator.store.inbox import EntryState
from tests.acceptance.waiting import until
from tests.browser.conftest import Visits
from tests.browser.stage import RECEIVERS, Stage


def told(page: Page, words: str) -> None:
    """The page says so, where a screen reader hears it."""
    expect(page.get_by_role("status")).to_contain_text(words)


def on_the_timeline(stage: Stage, job: str, source: Source, seen: Seen) -> bool:
    return any((one.source, one.seen) == (source, seen) for one in stage.database.timeline(job))


def test_a_received_webhook_is_replayed_after_what_it_changes_was_shown(page: Page, stage: Stage) -> None:
    entry = stage.take_entry("not applied")
    page.goto("/dashboard/inbox?type=video.failed")
    page.get_by_role("link", name=f"Entry {entry}", exact=True).click()
    expect(page.get_by_text("The job would move from waiting to failed.")).to_be_visible()
    job = page.locator("#facts a.id").inner_text()
    assert stage.database.job(job).state is State.WAITING, "it was only foreseen"
    page.get_by_text("Body, ").click()
    expect(page.locator("#body pre")).to_contain_text('"type": "video.failed"')
    page.get_by_role("button", name="Replay it").click()
    told(page, "Replayed: applied.")
    assert stage.database.job(job).state is State.FAILED
    assert on_the_timeline(stage, job, Source.WEBHOOK, Seen.FAILED_STORED)
    expect(page.get_by_text("The job would stay failed: there is nothing new in it.")).to_be_visible()


def test_a_rejected_webhook_is_believed_once_its_secret_is_live(page: Page, stage: Stage) -> None:
    rejection = stage.take_entry("rejected")
    page.goto("/dashboard/inbox?fate=rejected")
    page.get_by_role("link", name=f"Rejected {rejection}", exact=True).click()
    expect(page.get_by_text("The job would move from waiting to failed.")).to_be_visible()
    page.get_by_role("button", name="Replay it").click()
    told(page, "Believed now, and replayed: applied.")
    job = page.locator("#facts a.id").inner_text()
    assert stage.database.job(job).state is State.FAILED
    entry = stage.database.inbox()[0]
    assert (entry.job_id, entry.state) == (job, EntryState.APPLIED)
    assert on_the_timeline(stage, job, Source.WEBHOOK, Seen.FAILED_STORED)


def test_one_that_is_still_not_believed_is_not_replayed(page: Page, stage: Stage) -> None:
    page.goto("/dashboard/inbox?fate=rejected")
    page.get_by_role("row").filter(has_text="no live secret of the account").first.get_by_role("link").click()
    expect(page.get_by_text("It is still not believed: forged.")).to_be_visible()
    expect(page.get_by_role("button", name="Replay it")).to_be_disabled()


def test_a_destination_is_enabled_and_its_dead_letters_are_replayed(
    page: Page, stage: Stage, scripts: bool
) -> None:
    name = RECEIVERS[int(scripts)]
    receiver, jobs = stage.receivers[name], stage.jobs[f"to {name}"]
    with stage.database.store.write() as tx:  # so that no try after a pause opens it before a person does
        this = schema.destinations.c.name == name
        tx.execute(update(schema.destinations).where(this).values(shut_until=tx.now + 3_600))
    page.goto("/dashboard/destinations")
    expect(page.get_by_role("row").filter(has_text=name)).to_contain_text("shut")
    page.get_by_role("link", name=name, exact=True).click()
    assert "nobody-may-see-it" not in page.content()
    receiver.refuse = 0
    page.get_by_role("button", name=f"Enable {name}").click()
    told(page, f"{name} is enabled")
    with stage.database.store.read() as tx:
        assert name not in destinations.failing(tx)
    page.get_by_role("link", name="see them, and try them again").click()
    dead = [one for job in jobs for one in stage.database.owed(job) if one.state is HandOffState.DEAD]
    assert dead
    page.get_by_role("button", name=f"Replay {len(dead)}").click()
    told(page, f"{len(dead)} of {len(dead)} dead letters are owed again.")
    stage.database.wait(jobs)
    assert {one.state for job in jobs for one in stage.database.owed(job)} == {HandOffState.DONE}
    assert len(receiver.kept) == len(jobs)


def test_an_uncertain_create_is_adopted(page: Page, stage: Stage) -> None:
    job, made = stage.take("uncertain"), stage.sandbox.create(duration=0.2)
    page.goto("/dashboard/uncertain")
    page.get_by_role("link", name=job).click()
    expect(page.locator("#evidence")).to_contain_text(f"{job}.1")
    page.get_by_label("Gateway id").fill(made)
    page.get_by_role("button", name="Adopt it").click()
    told(page, f"It is the gateway job {made}")
    assert stage.database.job(job).gateway_id == made
    assert on_the_timeline(stage, job, Source.OPERATOR, Seen.ADOPT)
    stage.database.wait([job])
    assert stage.database.job(job).state is State.COMPLETED


def test_an_uncertain_create_is_made_again_by_whoever_accepts_the_risk(page: Page, stage: Stage) -> None:
    job = stage.take("uncertain")
    page.goto(f"/dashboard/uncertain/{job}")
    page.get_by_role("button", name="Create it again").click()
    assert stage.database.job(job).state is State.UNCERTAIN, (
        "the box is not ticked: the browser sends nothing"
    )
    page.get_by_label("I accept that two videos may be paid").check()
    page.get_by_role("button", name="Create it again").click()
    told(page, "It is created again.")
    assert on_the_timeline(stage, job, Source.OPERATOR, Seen.RESUBMIT)
    until("it was created a second time", lambda: stage.database.job(job).attempts == 2)


def test_an_uncertain_create_is_given_up(page: Page, stage: Stage) -> None:
    job = stage.take("uncertain")
    page.goto(f"/dashboard/uncertain/{job}")
    expect(page.get_by_text("The job would move from uncertain to timed_out.")).to_be_visible()
    page.get_by_role("button", name="Give it up").click()
    told(page, "It was given up")
    assert stage.database.job(job).state is State.TIMED_OUT
    assert on_the_timeline(stage, job, Source.OPERATOR, Seen.GIVE_UP)
    expect(page.get_by_text("there is nothing to decide")).to_be_visible()
    expect(page.get_by_role("button", name="Adopt it")).to_be_disabled()


def test_whoever_may_only_read_can_press_nothing_and_is_told_why(
    visits: Visits, stage: Stage, scripts: bool
) -> None:
    page = visits.begin(stage.reader, scripts=scripts)
    page.goto(f"/dashboard/uncertain/{stage.one('uncertain')}")
    for name in ("Adopt it", "Create it again", "Give it up"):
        expect(page.get_by_role("button", name=name)).to_be_disabled()
    expect(page.get_by_text("lacks the scope operate")).to_be_visible()


def test_signing_out_ends_the_session(visits: Visits, stage: Stage, scripts: bool) -> None:
    page = visits.begin(stage.operator, scripts=scripts, anew=True)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/dashboard/sign-in")
    page.goto("/dashboard/inbox")
    assert "/dashboard/sign-in?next=" in page.url
