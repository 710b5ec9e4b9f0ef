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
# As a browser tells a page that its tab was left, and that somebody came back to it.
HIDE = """
    Object.defineProperty(document, "hidden", { value: true, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
"""
SHOW = HIDE.replace("true, conf", "false, conf")


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


def test_tabs_that_nobody_sees_hold_no_connection(visits: Visits, stage: Stage) -> None:
    """A browser has six to one server: with as many pages open, the next one was never loaded."""
    page = visits.begin(stage.operator)
    for _ in range(7):
        behind = page.context.new_page()
        behind.goto("/dashboard/uncertain")
        behind.evaluate(HIDE)
    page.goto("/dashboard/jobs")
    expect(page.locator("#liveness")).to_have_text("Kept up to date.")


def test_a_page_says_loudly_that_it_is_not_up_to_date_and_comes_back(visits: Visits, stage: Stage) -> None:
    page = visits.begin(stage.operator)
    page.goto("/dashboard/jobs")
    expect(page.locator("#stale")).to_be_hidden()
    page.route("**/dashboard/jobs", lambda route: route.fulfill(status=503, body="away"))
    page.evaluate(SHOW)
    expect(page.get_by_role("alert")).to_contain_text("not up to date: the server cannot be reached")
    page.unroute("**/dashboard/jobs")
    page.evaluate(SHOW)
    expect(page.locator("#stale")).to_be_hidden()
    visits.complaints[:] = [one for one in visits.complaints if "503" not in one]


def test_who_signed_out_in_another_tab_is_told_so(visits: Visits, stage: Stage) -> None:
    page = visits.begin(stage.operator, anew=True)
    page.goto("/dashboard/jobs")
    other = page.context.new_page()
    other.goto("/dashboard")
    other.get_by_role("button", name="Sign out").click()
    other.wait_for_url("**/dashboard/sign-in")
    page.evaluate(SHOW)
    expect(page.get_by_role("alert")).to_contain_text("you are signed out. Load it again to sign in.")


def test_an_id_is_copied(visits: Visits, stage: Stage) -> None:
    page = visits.begin(stage.operator)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    job = stage.one("by hook")
    page.goto(f"/dashboard/jobs/{job}")
    page.get_by_role("button", name=f"Copy the job id {job}").click()
    until("it is copied", lambda: page.evaluate("navigator.clipboard.readText()") == job)
