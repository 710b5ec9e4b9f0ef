"""Each page opens, says nothing in the console, and is usable by whoever cannot see it, wide and narrow."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import NARROW, WIDE, Visits
from tests.browser.places import pages
from tests.browser.stage import Stage

AXE = Axe()
GRAVE = ("serious", "critical")
# What can be otherwise in other colours or a narrower window; names, roles and structure are the same in all.
LOOKS = ("color-contrast", "target-size", "scrollable-region-focusable", "link-in-text-block")


def findings(page: Page, *rules: str) -> list[str]:
    """What axe finds on the page as it is shown now, the grave things alone; by all rules, or by these."""
    named = {"runOnly": {"type": "rule", "values": list(rules)}} if rules else {}
    options = {"resultTypes": ["violations"], **named}
    found: list[dict[str, Any]] = AXE.run(page, options=options).response["violations"]
    grave = [one for one in found if one["impact"] in GRAVE]
    return [f"{one['id']}: {node['html'][:200]}" for one in grave for node in one["nodes"]]


def too_wide(page: Page) -> bool:
    """Whether the page as a whole must be scrolled sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def test_each_page_opens_and_has_no_grave_finding_light_or_dark_wide_or_narrow(
    visits: Visits, stage: Stage
) -> None:
    page = visits.begin(stage.operator)
    wrong: dict[str, list[str]] = {}
    for name, path in pages(stage).items():
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == (404 if name == "not found" else 200), (name, answer.text())
        for scheme in ("light", "dark"):
            for size in (WIDE, NARROW):
                page.emulate_media(color_scheme=scheme)
                page.set_viewport_size(size)  # type: ignore[arg-type]
                again = LOOKS if (scheme, size) != ("light", WIDE) else ()
                found = findings(page, *again) + ["wider than the window"] * too_wide(page)
                if found:
                    wrong[f"{name}, {scheme}, {size['width']}"] = found
    visits.complaints[:] = [one for one in visits.complaints if "404" not in one]
    assert wrong == {}


def test_signing_in_has_no_grave_finding_either(visits: Visits) -> None:
    page = visits.begin()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto("/dashboard/sign-in")
        assert findings(page) == []
        page.fill("#key", "nobody knows it")
        page.click("main button")
        page.wait_for_selector("#refusal")
        assert findings(page) == []
    visits.complaints[:] = [one for one in visits.complaints if "401" not in one]


@pytest.mark.parametrize("path", ["/dashboard/inbox", "/dashboard/inbox?fate=rejected"])
def test_who_lacks_a_scope_is_told_which_and_how_to_get_it(visits: Visits, stage: Stage, path: str) -> None:
    page = visits.begin(stage.reader)
    page.goto(path)
    assert "lacks the scope installation" in page.inner_text("main")
    assert "orchestrator keys make" in page.inner_text("main")
    assert findings(page) == []
    visits.complaints[:] = [one for one in visits.complaints if "403" not in one]
