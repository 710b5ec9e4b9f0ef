"""A page on another origin, with nothing but a token: closed and opened again, it has everything."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from orchestrator.core.events import FOR_END_USERS
from orchestrator.store import events
from orchestrator.store.events import Entry
from tests.acceptance.callers import allow, calling, new_key, new_token
from tests.acceptance.conftest import Begin, Deploy
from tests.acceptance.database import MOST
from tests.acceptance.fleet import Fleet
from tests.acceptance.load import finish
from tests.acceptance.orchestrator import Orchestrator
from tests.acceptance.pages import opened, origin, page_of_the_guide
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import LONG, until

Installation = Orchestrator | Fleet
PATIENCE = LONG * 1000  # the browser's time is in milliseconds
PLAYS = "document.querySelector('video').currentTime > 0"
PLAYED = "document.getElementById('video').ended"


@pytest.fixture(params=["one process", "PostgreSQL and Redis"])
def installation(request: pytest.FixtureRequest, sandbox: Sandbox) -> Installation:
    if request.param == "one process":
        begin: Begin = request.getfixturevalue("begin")
        alone = begin(sandbox)
        alone.start()
        return alone
    deploy: Deploy = request.getfixturevalue("deploy")
    fleet = deploy(sandbox)
    fleet.start_all(workers=1)
    return fleet


def kill_web(installation: Installation) -> Callable[[], object]:
    """End whatever serves the API as a power cut would; what starts it again, on the same port."""
    if isinstance(installation, Fleet):
        installation.kill("web")
        return lambda: installation.start("web")
    installation.kill()
    return installation.start


def submitted(api: str, key: str) -> str:
    """A job that lasts until it is finished."""
    sandbox = {"outcome": "never"}
    request = {"model": "google/veo-3.1-lite", "prompt": "waves", "provider_params": {"sandbox": sandbox}}
    with calling(api, key) as client:
        answer = client.post("/v1/jobs", json={"request": request})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def shown(page: Page) -> list[int]:
    """The numbers of the events that the page shows, in its order."""
    return [int(one.get_attribute("data-seq") or 0) for one in page.locator("#told li").all()]


def rows(installation: Installation, job: str) -> list[Entry]:
    """What the rows have for end users."""
    with installation.database.store.read() as tx:
        return [one for one in events.of_job(tx, job, limit=MOST) if one.type in FOR_END_USERS]


def video_plays(page: Page) -> None:
    """To its end, and again from its middle."""
    page.evaluate("document.getElementById('video').play()")
    page.wait_for_function(PLAYED, timeout=PATIENCE)
    page.evaluate("video.currentTime = video.duration / 2; video.play()")
    page.wait_for_function(f"!({PLAYED}) && video.currentTime > video.duration / 2", timeout=PATIENCE)
    page.wait_for_function(PLAYED, timeout=PATIENCE)


def test_a_page_that_was_closed_shows_what_it_missed_and_plays_the_video(
    installation: Installation, sandbox: Sandbox, tmp_path: Path
) -> None:
    api, database = f"http://127.0.0.1:{installation.port}", installation.database
    profile = tmp_path / "profile"
    job = submitted(api, new_key(database))
    token = new_token(database, job)
    with origin(page_of_the_guide()) as product, origin(page_of_the_guide()) as elsewhere:
        allow(database, product)
        with opened(profile, product, api=api, job=job, token=token) as page:
            expect(page.locator("#state")).to_have_text("waiting", timeout=PATIENCE)
            seen = shown(page)
        start = kill_web(installation)
        finish(installation, sandbox, [job])
        start()
        until("its output is there", lambda: "output" in [one.type for one in rows(installation, job)])
        with opened(profile, product, api=api, job=job, token=token) as page:
            expect(page.locator("#video")).to_be_visible(timeout=PATIENCE)
            expect(page.locator("#state")).to_have_text("completed")
            video_plays(page)
            page.screenshot(path=tmp_path / "page.png")
            assert shown(page) == [one.seq for one in rows(installation, job)]
            assert 0 < len(seen) < len(shown(page)), "some it had, some it missed"
            page.goto(str(page.evaluate("video.src")))  # as somebody does who opens the link by itself
            # Asked from outside: to wait within, the page would have to evaluate words, which it forbids.
            until("the video plays by itself", lambda: page.evaluate(PLAYS))
        with opened(tmp_path / "another", elsewhere, api=api, job=job, token=token) as page:
            refused = "You cannot follow this job any more."
            expect(page.locator("#state")).to_have_text(refused, timeout=PATIENCE)
            assert shown(page) == []
