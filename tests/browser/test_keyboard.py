"""Whoever has no mouse gets everywhere, and sees where they are."""

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visits
from tests.browser.stage import Stage

FOCUSED = "document.activeElement"
OUTLINED = """
    (({ outlineStyle, outlineWidth }) => outlineStyle != "none" && parseFloat(outlineWidth) > 1)(
        getComputedStyle(document.activeElement))
"""


def text(page: Page) -> str:
    return str(page.evaluate(f"{FOCUSED}.textContent.trim() || {FOCUSED}.name || {FOCUSED}.tagName"))


def test_the_first_stop_skips_to_the_content(visits: Visits, stage: Stage) -> None:
    page = visits.begin(stage.operator)
    page.goto("/dashboard/inbox")
    page.keyboard.press("Tab")
    assert text(page) == "Skip to the content"
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert page.evaluate(f"{FOCUSED}.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate(f"document.querySelector('main').contains({FOCUSED})")


def test_every_stop_is_seen_and_enter_opens_what_it_is_on(visits: Visits, stage: Stage) -> None:
    page = visits.begin(stage.operator)
    page.goto("/dashboard/destinations")
    stops: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(f"{FOCUSED} === document.body"):
            break
        assert page.evaluate(OUTLINED), text(page)
        stops.append(text(page))
        if stops[-1] == "partner":
            page.keyboard.press("Enter")
            break
    assert {"Overview", "Inbox", "Sign out", "videos", "pipeline"} <= set(stops)
    page.wait_for_url("**/dashboard/destinations/partner")


def test_a_form_is_filled_and_sent_from_the_keyboard(visits: Visits, stage: Stage) -> None:
    page = visits.begin()
    page.goto("/dashboard/sign-in")
    page.keyboard.press("Tab")
    page.keyboard.type(stage.operator)
    page.keyboard.press("Enter")
    page.wait_for_url("**/dashboard")
    expect(page.get_by_role("navigation", name="Pages")).to_be_visible()
