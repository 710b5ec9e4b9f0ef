"""A page that stays open shows what happens, and leaves alone what somebody is using."""

from dataclasses import replace

from playwright.sync_api import expect

from orchestrator.engine import resolve
from tests.acceptance.database import wanted
from tests.acceptance.waiting import until
from tests.browser.conftest import Visits
from tests.browser.stage import Stage
from tests.patience import LONG

IN_TIME = LONG * 1000  # ms


def test_a_page_shows_by_itself_what_came_meanwhile(visits: Visits, stage: Stage) -> None:
    page = visits.begin(stage.operator)
    page.add_init_script(
        "window.setInterval = () => 0"
    )  # it asks now and then anyway: here the stream must tell
    page.goto("/dashboard/uncertain")
    expect(page.locator("#liveness")).to_have_text("Kept up to date.")
    page.evaluate("window.stillTheSame = true")
    (job,) = stage.database.submit(replace(wanted(create_error="cut"), reference="seen live"))
    expect(page.locator("#waiting")).to_contain_text(job, timeout=IN_TIME)
    assert page.evaluate("window.stillTheSame"), "it was not loaded anew"


def test_what_somebody_opened_stays_open_and_copies_still(visits: Visits, stage: Stage) -> None:
    page = visits.begin(stage.operator)
    job = stage.take("waiting")
    page.goto(f"/dashboard/jobs/{job}")
    rows, opened = page.locator("#timeline tbody tr"), page.locator("#timeline details").first
    before = rows.count()
    opened.locator("summary").click()
    page.locator("h1").click()  # else the part is in use, and left alone
    resolve.cancel(stage.database.context, job)
    expect(page.locator("#standing")).to_contain_text("cancelled by its caller", timeout=IN_TIME)
    assert rows.count() > before
    expect(opened).to_have_attribute("open", "")
    expect(page.locator("#timeline [data-copy]").first).to_be_visible()


def test_an_id_is_copied(visits: Visits, stage: Stage) -> None:
    page = visits.begin(stage.operator)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    job = stage.one("by hook")
    page.goto(f"/dashboard/jobs/{job}")
    page.get_by_role("button", name=f"Copy the job id {job}").click()
    until("it is copied", lambda: page.evaluate("navigator.clipboard.readText()") == job)
