"""One Chromium and one orchestrator; each test has a browser context of its own, which must not complain."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.stage import Stage, staged
from tests.patience import LONG
from tests.servers.browser import chromium
from tests.servers.programs import ServerMissing

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 375, "height": 800}
ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Not for longer than this folder's tests: while it is there, no other test of the process has a loop."""
    try:
        program = chromium()
    except ServerMissing as error:
        pytest.skip(str(error))
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="package")
def stage(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("stage")) as made:
        yield made


@dataclass
class Visits:
    """Opens browser contexts, and keeps what their consoles complained of."""

    browser: Browser
    stage: Stage
    complaints: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)
    sessions: dict[str, Any] = field(default_factory=dict)

    def begin(self, key: str | None = None, *, scripts: bool = True, anew: bool = False) -> Page:
        """A page of somebody who signed in with this key, earlier unless it is to be `anew`, or of nobody."""
        known = None if key is None or anew else self.sessions.get(key)
        context = self.browser.new_context(
            storage_state=known,
            base_url=self.stage.url,
            java_script_enabled=scripts,
            reduced_motion="reduce",  # or colours are judged half-way between light and dark
            viewport=WIDE,  # type: ignore[arg-type]
        )
        context.set_default_timeout(LONG * 1000)
        expect.set_options(timeout=LONG * 1000)
        self.contexts.append(context)
        context.on("console", lambda said: self._note(said.type, said.text))
        context.on("weberror", lambda error: self._note("error", str(error.error)))
        page = context.new_page()
        if key is not None and known is None:
            page.goto("/dashboard/sign-in")
            page.fill("#key", key)
            page.click("main button")
            page.wait_for_url("**/dashboard")
            if not anew:
                self.sessions[key] = context.storage_state()
        return page

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)


@pytest.fixture(scope="package")
def sessions() -> dict[str, Any]:
    """Who signed in, by key."""
    return {}


@pytest.fixture
def visits(browser: Browser, stage: Stage, sessions: dict[str, Any]) -> Iterator[Visits]:
    made = Visits(browser, stage, sessions=sessions)
    yield made
    for context in made.contexts:
        context.close()
    assert made.complaints == [], "errors in the console, or what the policy forbids"


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def scripts(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def page(visits: Visits, stage: Stage, scripts: bool) -> Page:
    """Of somebody who may do everything."""
    return visits.begin(stage.operator, scripts=scripts)
