"""Takes the pictures of the dashboard in `docs/images`: `python -m docs.screenshots`.

They show a real orchestrator on a sandbox gateway, with the jobs that the browser tests use. Needs Chromium.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import ARGUMENTS
from tests.browser.places import pages
from tests.browser.stage import Stage, staged
from tests.servers.browser import chromium

IMAGES = Path(__file__).parent / "images"
SIZE = {"width": 1280, "height": 860}
TALL = {"job": 1500}  # for what makes the page stands further down
NARROW = {"width": 390, "height": 800}
SHOWN = ("overview", "jobs", "job", "inbox", "entry", "destinations", "destination", "uncertain create")


def take(folder: Path, *, every: bool) -> None:
    """All pictures, or one of each page and way to see it."""
    with (
        tempfile.TemporaryDirectory() as stage_folder,
        staged(Path(stage_folder)) as stage,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        page = browser.new_page(base_url=stage.url, viewport=SIZE, reduced_motion="reduce")  # type: ignore[arg-type]
        _sign_in(page, stage)
        for name, path in pages(stage).items():
            if every or name in SHOWN:
                page.set_viewport_size(SIZE | {"height": TALL.get(name, SIZE["height"])})  # type: ignore[arg-type]
                _shoot(page, path, folder / name.replace(", ", "-").replace(" ", "-"), every=every)
        browser.close()


def _sign_in(page: Page, stage: Stage) -> None:
    page.goto("/dashboard/sign-in")
    page.fill("#key", stage.operator)
    page.click("main button")
    page.wait_for_url("**/dashboard")


def _shoot(page: Page, path: str, file: Path, *, every: bool) -> None:
    page.goto(path)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.screenshot(path=f"{file}-{scheme}.png")
    if every:
        page.set_viewport_size(NARROW)  # type: ignore[arg-type]
        page.emulate_media(color_scheme="light")
        page.screenshot(path=f"{file}-narrow.png", full_page=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=Path, help="all pages, narrow too, into this folder, to look at")
    given = parser.parse_args()
    folder = given.every or IMAGES
    folder.mkdir(exist_ok=True)
    take(folder, every=given.every is not None)
